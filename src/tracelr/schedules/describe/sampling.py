"""Steps and values of a schedule, as a picture or a comparison needs them."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import torch

from tracelr.arithmetic import F64, LAST_STEP
from tracelr.drawing.axes import Curve
from tracelr.errors import ScheduleError, Unquoted

if TYPE_CHECKING:
    from tracelr.schedules.base import Schedule
    from tracelr.schedules.describe.segments import Segments

NO_END = 1000
"""The steps that a picture shows of a schedule without a length."""

_DENSE = 16  # values computed for each value that is drawn


def on_cpu(schedule: Schedule) -> Schedule:
    """Return `schedule` itself if its tensors are on the CPU, otherwise a copy on the CPU."""
    tensors = (*schedule.buffers(), *schedule.parameters())
    return schedule if all(tensor.device.type == "cpu" for tensor in tensors) else deepcopy(schedule).cpu()


def value_at(schedule: Schedule, step: int) -> float:
    """Return the value at a step before rounding, computed on the CPU.

    >>> from tracelr import Constant
    >>> value_at(Constant(0.1), 0)
    0.1
    """
    return values_at(schedule, [step])[0]


@torch.no_grad()
def values_at(schedule: Schedule, steps: list[int]) -> list[float]:
    """Return what `value_at` does for each of the steps."""
    at = torch.tensor(steps, dtype=torch.int64, device="cpu")
    values: list[float] = on_cpu(schedule).wide(at, F64).tolist()
    return values


@torch.no_grad()
def curve(
    schedule: Schedule, first: int = 0, last: int | None = None, name: str = "", columns: int = 640, quantity: str = ""
) -> Curve:
    """Return the points that draw `schedule` from step `first` to `last` (None: the step that `horizon` returns).

    Of a long schedule each of `columns` columns keeps its first, lowest, highest and last value, so that no wave is lost
    between two points. The points on both sides of every step at which the formula changes are kept too.

    Raises `ScheduleError` for a range that is empty or leaves 0 to 2**53.

    >>> from tracelr import Linear
    >>> curve(Linear(start=0.0, end=1.0, steps=2), last=3).values
    (0.0, 0.5, 1.0, 1.0)
    """
    schedule = on_cpu(schedule)
    segments = schedule.segments()
    last = end_of(segments) if last is None else last
    if not 0 <= first < last <= LAST_STEP:
        given, allowed = Unquoted(f"steps {first} to {last}"), "0 <= first < last <= 2**53"
        raise ScheduleError("curve", given, allowed, "pass a longer range")
    steps = steps_between(first, last, columns * _DENSE)
    bounds = [segment.first + d for segment in segments[:1000] for d in (-1, 0)]
    marked = torch.tensor([step for step in bounds if first <= step <= last], device="cpu").long()
    steps = torch.unique(torch.cat([steps, marked]))
    values = schedule(steps)
    if len(steps) > 2 * columns:
        kept = torch.unique(torch.cat([_extremes(steps, values, columns), torch.searchsorted(steps, marked)]))
        steps, values = steps[kept], values[kept]
    return Curve(name, tuple(steps.tolist()), tuple(values.tolist()), quantity)


def _extremes(steps: torch.Tensor, values: torch.Tensor, columns: int) -> torch.Tensor:
    """Return the indices of the points that are the first, lowest, highest or last of their column."""
    column = ((steps - steps[0]).double() / float(steps[-1] - steps[0]) * columns).long().tolist()
    rates = values.tolist()
    groups: dict[int, list[int]] = {}
    for k, number in enumerate(column):
        groups.setdefault(number, []).append(k)
    extremes = (
        {points[0], points[-1], min(points, key=rates.__getitem__), max(points, key=rates.__getitem__)}
        for points in groups.values()
    )
    return torch.tensor(sorted(k for points in extremes for k in points), device="cpu")


def steps_between(first: int, last: int, most: int) -> torch.Tensor:
    """Return at most `most` evenly spaced steps from `first` to `last`, both included: all of them if they are few enough.

    >>> steps_between(0, 10, 3)
    tensor([ 0,  5, 10])
    """
    count = min(last - first + 1, most)
    if count < 2:
        return torch.tensor([first], device="cpu")
    k = torch.arange(count, device="cpu")
    quotient, rest = divmod(last - first, count - 1)
    return first + k * quotient + k * rest // (count - 1)


def horizon(schedule: Schedule) -> int:
    """Return the last step of a complete picture: 1.1 times the length of the schedule, or four of its periods.

    >>> from tracelr import CosineAnnealing, Linear
    >>> horizon(Linear(start=0.0, end=1.0, steps=100)), horizon(CosineAnnealing(start=1.0, end=0.0, period=50))
    (110, 400)
    """
    return end_of(on_cpu(schedule).segments())


def end_of(segments: Segments) -> int:
    """Return what `horizon` does, for the segments of a schedule; to list those of a long table takes a second."""
    last = segments[-1]
    if last.period is not None:
        return min(last.first + 4 * last.period, LAST_STEP)
    if not last.flat:
        return min(max(4 * last.first, last.first + max(_scale(last.curve), NO_END)), LAST_STEP)
    return min(-(-(last.first or NO_END) * 11 // 10), LAST_STEP)


def _scale(schedule: Schedule) -> int:
    """Return ten times the longest number of steps in a field of the schedule, or of a schedule inside it."""
    fields = ((one, name) for one in schedule.modules() for name in ("steps", "every"))
    return 10 * max((getattr(one, name) for one, name in fields if name in getattr(one, "_rules", ())), default=0)
