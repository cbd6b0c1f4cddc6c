"""Segments: what a schedule does between the steps at which its formula changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, final

import torch

from tracelr.arithmetic import LAST_STEP

if TYPE_CHECKING:
    from tracelr.schedules.base import Schedule


@final
class Segment(NamedTuple):
    """From step `first` up to the step before `until` (None: without end), the schedule has the float32 values of `curve`.

    `curve` counts steps as the described schedule does. At `until` it has the value that the segment leads to; the next
    segment may start with another value. `shape` says in words how the value changes, and is empty if it does not. A segment
    of waves has a `period`, the length in steps of the first wave, and `bounds`, which no value leaves. Waves, and a segment
    with `turns`, may rise and fall; every other segment does only one of them.
    """

    first: int
    until: int | None
    shape: str
    curve: Schedule
    period: int | None = None
    bounds: tuple[float, float] | None = None
    turns: bool = False

    @property
    def flat(self) -> bool:
        """Whether the value stays the same."""
        return not self.shape


Segments: TypeAlias = list[Segment]


def endless(schedule: Schedule, shape: str, turns: bool = False) -> Segments:
    """Return one segment without end."""
    return [Segment(0, None, shape, schedule, turns=turns)]


def waves(
    schedule: Schedule, shape: str, period: int, bounds: Iterable[object] | None, until: int | None = None
) -> Segments:
    """Return waves up to the step `until`, and then a flat segment. Without bounds, nothing is said of single waves."""
    known = None if bounds is None else [float(bound) for bound in bounds]  # type: ignore[arg-type]  # numbers, 0-d tensors
    ends = None if known is None else (min(known), max(known))
    first = Segment(0, until, shape, schedule, None if known is None else period, ends, turns=True)
    return [first] if until is None else [first, Segment(until, None, "", schedule)]


def rounded(bounds: tuple[float, float]) -> tuple[float, float]:
    """Return bounds as float32 numbers."""
    low, high = torch.tensor(bounds, dtype=torch.float64).to(torch.float32).tolist()
    return low, high


def to_length(schedule: Schedule, shape: str) -> Segments:
    """Return a segment as long as the schedule, and one after it, which is flat if the values at five steps are equal."""
    length = schedule.length
    if not length:
        return endless(schedule, shape, turns=True)
    probes = {float(schedule(min(length * k + k - 1, LAST_STEP))) for k in (1, 2, 3, 5, 8)}
    after = Segment(length, None, "" if len(probes) == 1 else shape, schedule, turns=True)
    return [Segment(0, length, shape, schedule, turns=True), after]


def ramp(schedule: Schedule, start: object, end: object, steps: int, shape: str) -> Segments:
    """Return a segment from `start` to `end` in `steps` steps and a flat one after it; only a flat one if they are equal."""
    if isinstance(start, float) and start == end:
        return endless(schedule, "")
    return knots(schedule, [(steps, shape)])


def after(schedule: Schedule, start: int, shape: str) -> Segments:
    """Return a flat segment up to the step `start`, and one without end after it."""
    if start <= 1:
        return endless(schedule, shape)
    return [Segment(0, start, "", schedule), Segment(start, None, shape, schedule)]


def knots(schedule: Schedule, ends: Iterable[tuple[int, str]]) -> Segments:
    """Return a segment up to each given step, and a flat one after the last. A segment without steps is left out."""
    found, first = [], 0
    for until, shape in ends:
        if until > first:
            found.append(Segment(first, until, shape, schedule))
            first = until
    return [*found, Segment(first, None, "", schedule)]


def moved(inner: Segments, by: int, curve: Callable[[Schedule], Schedule], at: int = 0) -> Iterator[Segment]:
    """Yield the segments `by` steps later, without what lies before step `at`."""
    for segment in inner:
        until = None if segment.until is None else segment.until + by
        if until is None or until > at:
            yield segment._replace(first=max(segment.first + by, at), until=until, curve=curve(segment.curve))


def cut(inner: Iterable[Segment], until: int | None) -> Iterator[Segment]:
    """Yield the segments up to the step `until`."""
    for segment in inner:
        if until is None or segment.first < until:
            ends = segment.until if until is None or (segment.until is not None and segment.until < until) else until
            yield segment._replace(until=ends)


def along(easing: str) -> str:
    """Return the shape of a curve that follows the easing of this name.

    >>> along("linear"), along("sqrt")
    ('in a straight line', 'along "sqrt"')
    """
    return {"linear": "in a straight line", "cosine": "along half a cosine"}.get(easing, f'along "{easing}"')
