"""What an author can write that is no graph: how torch shows it, what is allowed, and what to write instead."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any, Final, NamedTuple


class Mistake(NamedTuple):
    """The three parts of an error's sentence, after the place where the mistake was made."""

    given: str
    allowed: str
    fix: str


TENSORS: Final = "operations on tensors, which never look at a value"
PURE: Final = "a function of the step alone"

TRUTH = Mistake(
    "the truth of a tensor",
    TENSORS,
    "write A.where(step < n, x, y) in place of `if`, `while`, `assert` and x[mask] = y, and &, | and ~ in place of `and`, "
    "`or` and `not`",
)
NUMBER = Mistake(
    "a Python number made of a tensor",
    TENSORS,
    "compute with A.integer(step), and look up with A.lookup(step, milestones, values), in place of int(), float(), "
    ".item(), range(), math.cos() and table[step]",
)
NUMPY = Mistake("an array of NumPy made of a tensor", TENSORS, "write torch's operations or those of A, not NumPy's")
SHAPE = Mistake(
    "a shape that depends on a value", TENSORS, "keep every element and choose: A.where(mask, x, y) in place of x[mask]"
)
RANDOM = Mistake("a random number", PURE, "multiply by a tracelr.Noise, whose factor depends on its seed and the step")
WRITE = Mistake(
    "a write into a tensor",
    "operations that make new values",
    "write x = x + 1 in place of x += 1, and A.where(mask, y, x) in place of x[mask] = y",
)
UNSTEADY = Mistake(
    "two different values for one step", PURE, "leave out clocks, counters and random numbers; tracelr.Noise has a seed"
)

SIGNS: Final = (
    ("Could not guard on data-dependent", TRUTH),
    ("Boolean value of Tensor", TRUTH),
    ("Could not extract specialized", NUMBER),
    ("cannot be converted to", NUMBER),
    ("can be converted to", NUMBER),
    ("not FakeTensor", NUMBER),
    ("passed to FakeTensor", NUMBER),
    (".numpy() is not supported", NUMPY),
    ("mutated in the forward", WRITE),
)
"""What torch says while it exports, and what the author did. The first that its message contains counts."""


def made_in(error: BaseException) -> Mistake:
    """Return what the author of a formula did, told by torch's error."""
    said = str(error)
    unknown = Mistake(
        f"a formula that torch.export refuses ({type(error).__name__})", TENSORS, "write it with the methods of A"
    )
    return next((mistake for sign, mistake in SIGNS if sign in said), unknown)


_LOOK_UP = "write A.lookup(step, milestones, values), or A.pick(k, table) of a table that prepare() keeps"
INSTEAD: Final = {
    "div": "write A.quotient(i, n) in place of i // n, or A.stair(i, n) for a wide number",
    "floor_divide": "write A.quotient(i, n) in place of i // n, or A.stair(i, n) for a wide number",
    "fmod": "write i.remainder(n)",
    **dict.fromkeys(("index", "select", "gather", "take", "embedding"), _LOOK_UP),
    **dict.fromkeys(("bucketize", "searchsorted"), "write A.count(step, milestones)"),
}
"""What to write in place of an op that no graph may hold, by its name."""

MASKS: Final = "write &, | and ~ of masks, or A.where(mask, x, y)"
SUMS: Final = "add the terms one by one with A.add: a sum of floats depends on its order"


def instead_of(given: Any) -> str:
    """Return what to pass to `trace` in place of what is no module."""
    if isinstance(given, type):
        return f"build one first: {given.__name__}(...)"
    if hasattr(given, "get_last_lr"):
        return "pass the schedule that it was given, or tracelr.from_torch(scheduler)"
    if callable(given):
        return "make it one: tracelr.Lambda(function)"
    if isinstance(given, str | PathLike | Mapping):
        return "read it first: tracelr.load(path), or tracelr.from_dict(mapping)"
    return "pass the schedule itself"
