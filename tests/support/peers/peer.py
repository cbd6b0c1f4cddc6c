"""A row of the tables: a curve of another library, our schedule for it, and the allowed difference with its reason."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tracelr
from tracelr import Schedule

RUN = frozenset({"torch", "optax", "keras", "transformers"})
"""The libraries that are installed for the tests and run; the curves of the others are formulas read in their sources."""


@dataclass(frozen=True)
class Peer:
    """`theirs` is the call as their users write it, `ours` an expression of tracelr's names, `values` their values at steps.

    `tolerance` is absolute, in units of their largest value, and `reason` says where it comes from. `convert` converts
    theirs to ours; the result must be `ours`. `differs` names an intended difference: the two agree before the step `until`
    and not everywhere after it.
    """

    project: str
    theirs: str
    ours: str
    values: Callable[[list[int]], Sequence[float]]
    ends: tuple[int, ...]
    tolerance: float
    reason: str
    convert: Callable[[], Schedule] | None = None
    until: int | None = None
    differs: str = ""

    def __str__(self) -> str:
        return f"{self.project} {self.theirs}"

    def schedule(self) -> Schedule:
        """Return our schedule."""
        built = eval(self.ours, dict(vars(tracelr)))
        assert isinstance(built, Schedule), self.ours
        return built

    def steps(self) -> list[int]:
        """Return the steps to compare: all of them, or a sample of a long one, both sides of every end, and past the last."""
        last = max(self.ends)
        near = {max(end + d, 0) for end in (0, *self.ends, 2 * last) for d in (-2, -1, 0, 1, 2)}
        draw = random.Random(0)
        inside = range(last + 1) if last <= 2000 else [draw.randrange(last) for _ in range(500)]
        return sorted({*near, *inside, last + last // 3})
