"""Mistakes that keep a formula from becoming a graph: where each was made, what is allowed, what to write instead."""

from __future__ import annotations

import linecache
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from threading import get_ident
from types import FrameType
from typing import Any, Final, NamedTuple, final

import torch
from torch import Tensor, nn

from tracelr import errors
from tracelr.arithmetic import Formula, arithmetic_for
from tracelr.errors import TraceError, Unquoted
from tracelr.lowering.provenance import plain, provenance

_TORCH, _OURS = str(Path(torch.__file__).parent), str(Path(errors.__file__).parent)
_CHECKED = ("float64", "float32")  # the arithmetics whose `Real` is a tensor


class Mistake(NamedTuple):
    """What an error says after the place of the mistake: what was given, what is allowed, how to fix it."""

    given: str
    allowed: str
    fix: str


TENSORS: Final = "operations on tensors, which never look at a value"
PURE: Final = "a function of the step alone"

TRUTH = Mistake(
    "the truth of a tensor",
    TENSORS,
    "write ops.where(step < n, x, y) in place of `if`, `while`, `assert` and x[mask] = y, and &, | and ~ in place of `and`, "
    "`or` and `not`",
)
NUMBER = Mistake(
    "a Python number made from a tensor",
    TENSORS,
    "compute with ops.integer(step), and look up with ops.table_lookup(step, milestones, values), in place of int(), "
    "float(), .item(), range(), math.cos() and table[step]",
)
NUMPY = Mistake("a NumPy array made from a tensor", TENSORS, "use the operations of torch or of ops, not those of NumPy")
SHAPE = Mistake(
    "a shape that depends on a value", TENSORS, "keep every element, and write ops.where(mask, x, y) in place of x[mask]"
)
RANDOM = Mistake("a random number", PURE, "multiply by a tracelr.Noise, whose factor depends on its seed and the step")
WRITE = Mistake(
    "a write into a tensor",
    "operations that make new values",
    "write x = x + 1 in place of x += 1, and ops.where(mask, y, x) in place of x[mask] = y",
)
UNSTEADY = Mistake(
    "two different values for one step",
    PURE,
    "leave out clocks, counters and random numbers; for noise use tracelr.Noise",
)

CAUSES: Final = (
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
"""A piece of a message of torch.export, and the mistake behind it. The first piece that the message contains decides."""


def mistake_behind(error: BaseException) -> Mistake:
    """Return what the author of a formula did wrong, judged by torch's error."""
    said = str(error)
    unknown = Mistake(
        f"a formula that torch.export refuses ({type(error).__name__})", TENSORS, "write it with the methods of ops"
    )
    return next((mistake for piece, mistake in CAUSES if piece in said), unknown)


_LOOK_UP = "write ops.table_lookup(step, milestones, values), or ops.take(k, table) of a table that prepare() keeps"
INSTEAD: Final = {
    "div": "write ops.floordiv(i, n) in place of i // n, or ops.floordiv_real(i, n) for a number before rounding",
    "floor_divide": "write ops.floordiv(i, n) in place of i // n, or ops.floordiv_real(i, n) for a number before rounding",
    "fmod": "write i.remainder(n)",
    **dict.fromkeys(("index", "select", "gather", "take", "embedding"), _LOOK_UP),
    **dict.fromkeys(("bucketize", "searchsorted"), "write ops.bucketize(step, milestones)"),
}
"""What to write in place of an op that no graph may hold. The keys are names of ops."""

MASKS: Final = "write &, | and ~ of masks, or ops.where(mask, x, y)"
SUMS: Final = "add the terms one by one with ops.add, because a sum of floats depends on its order"


def instead_of(given: Any) -> str:
    """Return what to pass to `trace` in place of `given`, which is not a module."""
    if isinstance(given, type):
        return f"build one first: {given.__name__}(...)"
    if hasattr(given, "get_last_lr"):
        return "pass the schedule that it was given, or tracelr.from_torch(scheduler)"
    if callable(given):
        return "make it a schedule: tracelr.Lambda(function)"
    if isinstance(given, (str, PathLike, Mapping)):
        return "read it first: tracelr.load(path), or tracelr.from_dict(mapping)"
    return "pass the schedule itself"


def place(error: BaseException, module: nn.Module) -> str:
    """Return the formula that raised `error`, and the innermost line of the author's code in the traceback."""
    frames = [*traceback.walk_tb(error.__traceback__)]
    own = [k for k, (frame, _) in enumerate(frames) if _module(frame) is not None]
    if not own:
        return _named(type(module))
    at = own[-1]
    whose = _module(frames[at][0])
    while at + 1 < len(frames) and not frames[at + 1][0].f_code.co_filename.startswith((_TORCH, _OURS)):
        at += 1  # the author's formula where its fields are schedules, or a function that it calls
    frame, number = frames[at]
    path = frame.f_code.co_filename
    return provenance(path, number, linecache.getline(path, number)).of(_named(type(whose)))


def _module(frame: FrameType) -> Any:
    """Return the module whose method runs in `frame`."""
    owner = frame.f_locals.get("self")
    return owner if isinstance(owner, nn.Module) and not frame.f_code.co_filename.startswith(_TORCH) else None


def _named(kind: type) -> str:
    return f"{plain(kind.__name__)}.forward"


def check(module: nn.Module) -> None:
    """Raise `TraceError` if a formula in `module` returns no number of the step's shape, or two values for one step.

    Each formula is evaluated twice. If one raises, nothing more is checked, and the caller reports that error.
    """
    ops, step = arithmetic_for(None), torch.arange(5, 8)
    if ops.name not in _CHECKED:
        return
    kind = (getattr(torch, ops.name), step.device, step.shape)
    for formula in reversed([one for one in module.modules() if isinstance(one, Formula)]):  # children before their parents
        values: list[Any] = []
        with torch.no_grad(), suppress(Exception), muted("stdout"):
            values = [formula.wide(step, ops), formula.wide(step, ops)]
        if not values:
            return
        value, again = values
        if not isinstance(value, Tensor) or (value.dtype, value.device, value.shape) != kind:
            allowed = f"one {ops.name} number per step, in the step's shape"
            fix = "return what the methods of ops give, such as ops.full(step, c) and ops.integer(i)"
            raise TraceError(_defined(type(formula)), _shown(value, step), allowed, fix)
        if not torch.isclose(value, again, rtol=0.0, atol=0.0, equal_nan=True).all():
            raise TraceError(_defined(type(formula)), Unquoted(UNSTEADY.given), UNSTEADY.allowed, UNSTEADY.fix)


@final
class _Muted:
    """A stream that drops what one thread writes, until it is opened again, and passes on everything else."""

    def __init__(self, stream: Any) -> None:
        self._stream, self.thread = stream, get_ident()

    def write(self, text: str) -> int:
        return len(text) if get_ident() == self.thread else self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def muted(name: str) -> Iterator[None]:
    """Drop what this thread writes to `sys.stdout` or `sys.stderr`; what the other threads write is shown."""
    stream = getattr(sys, name)
    muted = _Muted(stream)
    setattr(sys, name, muted)
    try:
        yield
    finally:
        muted.thread = 0  # of no thread, because others may have kept the stream
        if getattr(sys, name) is muted:
            setattr(sys, name, stream)


def _defined(kind: type[Formula]) -> str:
    code = kind._formula.__code__
    line = linecache.getline(code.co_filename, code.co_firstlineno)
    return provenance(code.co_filename, code.co_firstlineno, line).of(_named(kind))


def _shown(value: Any, step: Tensor) -> Any:
    if not isinstance(value, Tensor):
        return value
    dtype = str(value.dtype).removeprefix("torch.")
    return Unquoted(f"{dtype} of shape {list(value.shape)} on {value.device} for steps of shape {list(step.shape)}")
