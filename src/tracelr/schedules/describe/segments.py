"""Pieces: what a schedule does from one step to the next at which its formula changes, however it is composed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from itertools import pairwise
from typing import Any

from tracelr.arithmetic import LAST_STEP
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Clamp, Product, Scale, Shift, Stretch, Sum
from tracelr.schedules.describe.shapes import CURVES, Piece, Pieces, whole


def here(schedule: Schedule) -> Schedule:
    """Return `schedule` as it is on the CPU: itself, or a copy if its tensors are on another device."""
    tensors = (*schedule.buffers(), *schedule.parameters())
    return schedule if all(tensor.device.type == "cpu" for tensor in tensors) else deepcopy(schedule).cpu()


def pieces(schedule: Schedule) -> Pieces:
    """Return the pieces of `schedule`, without gaps from step 0 on; the last one has no end.

    A class that is not known here is one piece as long as it lasts, by its name, and what follows.

    >>> from tracelr import Linear
    >>> [(piece.first, piece.until, piece.shape) for piece in pieces(Linear(start=0.0, end=1.0, steps=10))]
    [(0, 10, 'in a straight line'), (10, None, '')]
    """
    if schedule._driven:
        return whole(schedule, f"as {type(schedule).__name__}, its {' and '.join(schedule._driven)} being driven")
    read = (CURVES | _MADE).get(type(schedule).__name__)
    return whole(schedule, f"as {type(schedule).__name__}") if read is None else read(schedule)


def _moved(inner: Pieces, by: int, curve: Callable[[Schedule], Schedule], at: int = 0) -> Iterator[Piece]:
    """Yield the pieces `by` steps later, from step `at` on: the first of them begins there."""
    for piece in inner:
        until = None if piece.until is None else piece.until + by
        if until is None or until > at:
            yield piece._replace(first=max(piece.first + by, at), until=until, curve=curve(piece.curve))


def cut(inner: Iterable[Piece], until: int | None) -> Iterator[Piece]:
    """Yield the pieces up to the step `until`."""
    for piece in inner:
        if until is None or piece.first < until:
            ends = piece.until if until is None or (piece.until is not None and piece.until < until) else until
            yield piece._replace(until=ends)


def _sequential(schedule: Any) -> Pieces:
    found: Pieces = []
    bounds = [0, *schedule.milestones, None]
    for k, (first, until) in enumerate(pairwise(bounds)):
        if until == first:
            continue
        inner, begin = pieces(schedule.schedules[k]), schedule._begins[k]
        factor, divisor = schedule._paces[k]
        if (factor, divisor) != (1, 1):
            inner = _stretched(inner, factor, divisor)
        later = first - begin
        joined = schedule.join != "jump"  # continuous: its own values are also those that a piece leads to
        curve = (lambda _: schedule) if joined else (lambda c, by=later: Shift(c, by) if by else c)
        found += cut(_moved(inner, later, curve, first), until)
    return found


def _shift(schedule: Shift) -> Pieces:
    inner = list(_moved(pieces(schedule.inner), schedule.by, lambda c: Shift(c, schedule.by)))
    if schedule.by <= 0:
        return inner
    return [Piece(0, schedule.by, "", schedule), *inner]


def _stretched(inner: Pieces, factor: int, divisor: int) -> Pieces:
    def later(step: int | None) -> int | None:
        return None if step is None else min(-(-step * factor // divisor), LAST_STEP)

    moved = [
        Piece(later(p.first) or 0, later(p.until), p.shape, Stretch(p.curve, factor, divisor), later(p.period))
        for p in inner
    ]
    return [p for p in moved if p.first != p.until]


def _loop(schedule: Any) -> Pieces:
    shapes = [piece.shape or "flat" for piece in cut(pieces(schedule.inner), schedule.period)]
    return [Piece(0, None, ", then ".join(dict.fromkeys(shapes)) + ", over and over", schedule, schedule.period)]


def _shorten(schedule: Any) -> Pieces:
    kept = list(cut(pieces(schedule.inner), schedule.steps))
    return [*kept, Piece(schedule.steps, None, "", schedule)]


def _clamp(schedule: Clamp) -> Pieces:
    low, high = (None if bound is None else f"{bound:g}" for bound in (schedule.low, schedule.high))
    kept = f"not below {low}" if high is None else f"not above {high}" if low is None else f"between {low} and {high}"
    return [
        p._replace(shape=p.shape and f"{p.shape}, kept {kept}", curve=Clamp(p.curve, schedule.low, schedule.high))
        for p in pieces(schedule.inner)
    ]


def _together(schedule: Sum | Product) -> Pieces:
    parts = [pieces(child) for child in schedule.schedules]
    bounds = sorted({piece.first for part in parts for piece in part})
    found = []
    for first, until in pairwise([*bounds, None]):
        # mypy: only the last bound is None, and it is no `first`
        now = [next(piece for piece in reversed(part) if piece.first <= first) for part in parts]  # type: ignore[operator]
        # mypy: as above
        found.append(Piece(first, until, *_combined(type(schedule), now, first)))  # type: ignore[arg-type]
    return found


def _combined(kind: type[Sum] | type[Product], now: Sequence[Piece], first: int) -> tuple[str, Schedule, int | None]:
    curve = kind([piece.curve for piece in now])
    moving = [piece for piece in now if not piece.flat]
    if kind is Product and any(piece.flat and float(piece.curve(first)) == 0 for piece in now):
        moving = []
    shapes = [piece.shape for piece in moving]
    if kind is Sum:
        shapes = list(dict.fromkeys(shapes))
    periods = {piece.period for piece in moving if piece.period is not None}
    return f" {'plus' if kind is Sum else 'times'} ".join(shapes), curve, min(periods, default=None)


def _scale(schedule: Scale) -> Pieces:
    return [piece._replace(curve=Scale(piece.curve, schedule.factor)) for piece in pieces(schedule.inner)]


_MADE: dict[str, Callable[[Any], Pieces]] = {
    "Sequential": _sequential,
    "Shift": _shift,
    "Stretch": lambda s: _stretched(pieces(s.inner), s.factor, s.divisor),
    "Loop": _loop,
    "Shorten": _shorten,
    "Clamp": _clamp,
    "Scale": _scale,
    "Sum": _together,
    "Product": _together,
}
