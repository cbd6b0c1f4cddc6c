"""Where two schedules differ: first, most, and by how much."""

from __future__ import annotations

from typing import NamedTuple, final

import torch
from torch import Tensor

from tracelr.phases import horizon, steps_between
from tracelr.pieces import here, pieces
from tracelr.schedule import Schedule
from tracelr.wide import LAST_STEP

_EVERY = 200_000  # so many steps are compared one by one
_BLOCK = 1 << 16


@final
class At(NamedTuple):
    """Two values at a step."""

    step: int
    a: float
    b: float

    @property
    def absolute(self) -> float:
        """How far apart they are."""
        return abs(self.a - self.b)

    @property
    def relative(self) -> float:
        """The same as a part of the larger one."""
        return self.absolute / max(abs(self.a), abs(self.b)) if self.absolute else 0.0


@final
class Difference(NamedTuple):
    """What a comparison found: how many steps it looked at, at how many the values differ, and the steps that matter.

    `first` is the first step of all that differs, where `exact` says so, and else the first of those looked at.
    """

    steps: int
    differing: int
    first: At | None
    most: At | None
    most_relative: At | None
    exact: bool


@torch.no_grad()
def difference(a: Schedule, b: Schedule, last: int | None = None) -> Difference:
    """Compare float32 values at steps 0 to `last`; without it, past both of their ends, and at powers of two up to 2**53.

    Up to 200,000 steps are compared one by one; of a longer range so many, and both sides of every step at which a formula
    changes.

    >>> from tracelr import Linear
    >>> found = difference(Linear(start=0.0, end=1.0, steps=10), Linear(start=0.0, end=1.0, steps=20))
    >>> found.first.step, found.most.step, found.most.absolute
    (1, 10, 0.5)
    """
    a, b = here(a), here(b)
    steps = _steps(a, b, last)
    one, other = a(steps), b(steps)
    where = (one != other).nonzero().flatten()
    if not len(where):
        return Difference(len(steps), 0, None, None, None, True)

    def at(k: int) -> At:
        return At(int(steps[k]), float(one[k]), float(other[k]))

    apart = (one.double() - other.double()).abs()
    relative = apart / torch.maximum(one.abs(), other.abs()).double().clamp(min=1e-300)
    k = int(where[0])
    first, exact = _first(a, b, int(steps[k - 1]) + 1 if k else 0, int(steps[k]))
    return Difference(
        len(steps),
        len(where),
        At(first, float(a(first)), float(b(first))),
        at(int(apart.argmax())),
        at(int(relative.argmax())),
        exact,
    )


def _steps(a: Schedule, b: Schedule, last: int | None) -> Tensor:
    end = max(horizon(a), horizon(b)) if last is None else last
    bounds = [piece.first + d for one in (a, b) for piece in pieces(one)[:1000] for d in (-1, 0, 1)]
    bounds += [] if last is not None else [2**k + d for k in range(54) for d in (-1, 0, 1)]
    kept = torch.tensor([step for step in bounds if 0 <= step <= (LAST_STEP if last is None else last)])
    every: Tensor = torch.unique(torch.cat([steps_between(0, end, _EVERY), kept.long()]))
    return every


def _first(a: Schedule, b: Schedule, begin: int, differs: int) -> tuple[int, bool]:
    """Return the first step from `begin` on, up to `differs`, at which they differ, and whether all were looked at."""
    for start in range(begin, min(differs, begin + 64 * _BLOCK), _BLOCK):
        steps = torch.arange(start, min(start + _BLOCK, differs))
        found = (a(steps) != b(steps)).nonzero().flatten()
        if len(found):
            return int(steps[found[0]]), True
    return differs, differs - begin <= 64 * _BLOCK
