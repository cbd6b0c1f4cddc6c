"""Where two schedules differ: first, most, and by how much."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, final

import torch
from torch import Tensor

from tracelr.arithmetic import LAST_STEP
from tracelr.schedules.describe.sampling import end_of, on_cpu, steps_between

if TYPE_CHECKING:
    from tracelr.schedules.base import Schedule

_EVERY = 200_000  # a range of at most this many steps is compared step by step
_BLOCK = 1 << 16


@final
class At(NamedTuple):
    """Two values at a step."""

    step: int
    a: float
    b: float

    @property
    def absolute(self) -> float:
        """The distance between the values."""
        return abs(self.a - self.b)

    @property
    def relative(self) -> float:
        """The distance, divided by the larger magnitude of the two."""
        return self.absolute / max(abs(self.a), abs(self.b)) if self.absolute else 0.0


@final
class Difference(NamedTuple):
    """What a comparison found.

    `steps` is how many steps were compared, `differing` at how many of them the values differ. `first` is the first of all
    steps at which they differ if `exact`, otherwise steps before it were left out. `most` and `most_relative` are
    where the difference is largest.
    """

    steps: int
    differing: int
    first: At | None
    most: At | None
    most_relative: At | None
    exact: bool


@torch.no_grad()
def difference(a: Schedule, b: Schedule, last: int | None = None) -> Difference:
    """Compare float32 values at steps 0 to `last`; without `last`, beyond both ends, and around powers of two to 2**53.

    A range of up to 200,000 steps is compared step by step. Of a longer range 200,000 steps are compared, and both sides of
    every step at which a formula changes.

    >>> from tracelr import Linear
    >>> found = difference(Linear(start=0.0, end=1.0, steps=10), Linear(start=0.0, end=1.0, steps=20))
    >>> found.first.step, found.most.step, found.most.absolute
    (1, 10, 0.5)
    """
    a, b = on_cpu(a), on_cpu(b)
    steps = _steps(a, b, last)
    one, other = a(steps), b(steps)
    where = (one != other).nonzero().flatten()
    if not len(where):
        return Difference(len(steps), 0, None, None, None, _leaves_none_out(steps))

    def at(k: int) -> At:
        return At(int(steps[k]), float(one[k]), float(other[k]))

    apart = (one.double() - other.double()).abs()
    relative = apart / torch.maximum(one.abs(), other.abs()).double().clamp(min=1e-300)
    k = int(where[0])
    first, found = _first(a, b, int(steps[k - 1]) + 1 if k else 0, int(steps[k]))
    exact = found and _leaves_none_out(steps[:k])
    return Difference(
        len(steps),
        len(where),
        At(first, float(a(first)), float(b(first))),
        at(int(apart.argmax())),
        at(int(relative.argmax())),
        exact,
    )


def _steps(a: Schedule, b: Schedule, last: int | None) -> Tensor:
    both = [one.segments() for one in (a, b)]
    end = max(map(end_of, both)) if last is None else last
    bounds = [segment.first + d for segments in both for segment in segments[:1000] for d in (-1, 0, 1)]
    bounds += [] if last is not None else [2**k + d for k in range(54) for d in (-1, 0, 1)]
    kept = torch.tensor([step for step in bounds if 0 <= step <= (LAST_STEP if last is None else last)], device="cpu")
    every: Tensor = torch.unique(torch.cat([steps_between(0, end, _EVERY), kept.long()]))
    return every


def _leaves_none_out(steps: Tensor) -> bool:
    return not len(steps) or int(steps[-1]) == len(steps) - 1


def _first(a: Schedule, b: Schedule, begin: int, differs: int) -> tuple[int, bool]:
    """Return the first step from `begin` to `differs` at which they differ, and whether every step before was compared."""
    for start in range(begin, min(differs, begin + 64 * _BLOCK), _BLOCK):
        steps = torch.arange(start, min(start + _BLOCK, differs), device="cpu")
        found = (a(steps) != b(steps)).nonzero().flatten()
        if len(found):
            return int(steps[found[0]]), True
    return differs, differs - begin <= 64 * _BLOCK
