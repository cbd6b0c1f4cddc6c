"""Curve: the values of a schedule as a picture needs them, and the axes it is drawn on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch

from tracelr.errors import ScheduleError, Words
from tracelr.phases import horizon, steps_between
from tracelr.pieces import here, pieces
from tracelr.schedule import Schedule
from tracelr.wide import LAST_STEP

_DENSE = 16  # values looked at for each one that is drawn


@final
@dataclass(frozen=True)
class Curve:
    """Points of a schedule, for a line between them, and what it is called."""

    name: str
    steps: tuple[int, ...]
    values: tuple[float, ...]


@torch.no_grad()
def curve(schedule: Schedule, first: int = 0, last: int | None = None, name: str = "", columns: int = 640) -> Curve:
    """Return the points that draw `schedule` from step `first` to `last` (None: as far as `horizon` says).

    Of a long schedule each of `columns` columns keeps its first, lowest, highest and last value, so that no wave is lost
    between two points. Both sides of every step at which the formula changes are there.

    >>> from tracelr import Linear
    >>> curve(Linear(start=0.0, end=1.0, steps=2), last=3).values
    (0.0, 0.5, 1.0, 1.0)
    """
    schedule = here(schedule)
    last = horizon(schedule) if last is None else last
    if not 0 <= first < last <= LAST_STEP:
        given, allowed = Words(f"steps {first} to {last}"), "0 <= first < last <= 2**53"
        raise ScheduleError("curve", given, allowed, "pass a longer range")
    steps = steps_between(first, last, columns * _DENSE)
    bounds = [piece.first + d for piece in pieces(schedule)[:1000] for d in (-1, 0)]
    marked = torch.tensor([step for step in bounds if first <= step <= last]).long()
    steps = torch.unique(torch.cat([steps, marked]))
    values = schedule(steps)
    if len(steps) > 2 * columns:
        kept = torch.unique(torch.cat([_extremes(steps, values, columns), torch.searchsorted(steps, marked)]))
        steps, values = steps[kept], values[kept]
    return Curve(name, tuple(steps.tolist()), tuple(values.tolist()))


def _extremes(steps: torch.Tensor, values: torch.Tensor, columns: int) -> torch.Tensor:
    """Return which of the points are the first, the lowest, the highest or the last one of a column."""
    column = ((steps - steps[0]).double() / float(steps[-1] - steps[0]) * columns).long().tolist()
    rates = values.tolist()
    groups: dict[int, list[int]] = {}
    for k, own in enumerate(column):
        groups.setdefault(own, []).append(k)
    extremes = (
        {own[0], own[-1], min(own, key=rates.__getitem__), max(own, key=rates.__getitem__)} for own in groups.values()
    )
    return torch.tensor(sorted(k for own in extremes for k in own))


@final
@dataclass(frozen=True)
class Axis:
    """The range of an axis, where its ticks are and what they say. A logarithmic one counts in powers of ten."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    log: bool = False

    def place(self, value: float) -> float:
        """Return where `value` is: 0 at the low end, 1 at the high one."""
        if self.log:
            value = max(value, self.low)
            return (math.log10(value) - math.log10(self.low)) / (math.log10(self.high) - math.log10(self.low))
        return (value - self.low) / (self.high - self.low)


def step_axis(curves: Sequence[Curve], wanted: int = 6) -> Axis:
    """Return the axis of the steps of all `curves`."""
    low, high = min(one.steps[0] for one in curves), max(one.steps[-1] for one in curves)
    width = max(_nice((high - low) / wanted), 1)
    ticks = [tick for tick in _multiples(low, high, width) if low <= tick <= high]
    return Axis(low, high, tuple((tick, counted(tick)) for tick in ticks))


def value_axis(curves: Sequence[Curve], log: bool = False, wanted: int = 5) -> Axis:
    """Return the axis of the values of all `curves`; with `log` it shows those above 0.

    Raises `ScheduleError` if no value is above 0 on a logarithmic axis.

    >>> value_axis([Curve("", (0, 1), (0.0, 3e-4))]).ticks[-1]
    (0.0003, '3e-4')
    """
    values = [value for one in curves for value in one.values if math.isfinite(value) and (value > 0 or not log)]
    if not values:
        given, allowed = Words("no value above 0" if log else "no finite value"), "one or more"
        raise ScheduleError("axis", given, allowed, "leave the axis linear" if log else "show other steps")
    low, high = min(values), max(values)
    if log:
        return _log_axis(low, high)
    if low > 0 and low < 0.5 * high:
        low = 0.0
    if high - low <= abs(high) * 1e-6:
        low, high = min(low, 0.0), max(high, 0.0) or 1.0
    width = _nice((high - low) / wanted)
    ticks = [tick for tick in _multiples(low, high, width) if low - width / 1e3 <= tick <= high + width / 1e3]
    return Axis(low, high, tuple((tick, rate(tick)) for tick in ticks))


def _log_axis(low: float, high: float) -> Axis:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    first, last = max(first, last - 12), max(last, first + 1)  # what falls to 0 would take the whole picture
    every = -(-(last - first) // 8)
    return Axis(10.0**first, 10.0**last, tuple((10.0**k, f"1e{k}") for k in range(first, last + 1, every)), True)


def _nice(width: float) -> float:
    """Return the least of 1, 2 and 5 times a power of ten that is not below `width`."""
    power = 10.0 ** math.floor(math.log10(width))
    return next(float(f"{factor * power:.3g}") for factor in (1, 2, 5, 10) if factor * power >= width * (1 - 1e-9))


def _multiples(low: float, high: float, width: float) -> list[float]:
    first, last = math.floor(low / width + 1e-9), math.ceil(high / width - 1e-9)
    return [float(f"{k * width:.12g}") for k in range(first, last + 1)]


def counted(step: float) -> str:
    """Return a number of steps, short.

    >>> [counted(step) for step in (0, 250, 20_000, 1_500_000, 3e12)]
    ['0', '250', '20k', '1.5M', '3e12']
    """
    for size, letter in ((1e9, ""), (1e6, "M"), (1e3, "k")):
        if step >= size:
            return _power(f"{step:.3e}") if not letter else f"{step / size:.6g}{letter}"
    return f"{step:.6g}"


def rate(value: float) -> str:
    """Return a learning rate, short.

    >>> [rate(value) for value in (0.0, 3e-4, 0.05, 1.5, 2e-10)]
    ['0', '3e-4', '0.05', '1.5', '2e-10']
    """
    if value == 0 or 0.001 <= abs(value) < 10_000:
        return f"{value:.6g}"
    return _power(f"{value:.5e}")


def _power(text: str) -> str:
    digits, _, power = text.partition("e")
    return f"{digits.rstrip('0').rstrip('.')}e{int(power)}"
