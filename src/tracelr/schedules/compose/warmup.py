"""Warm-up and cool-down of any schedule, as compositions of other schedules."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from tracelr.errors import ScheduleError, Unquoted, suggest
from tracelr.schedules import fields
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose.clock import Shift, Shorten
from tracelr.schedules.compose.pointwise import Product, Sum
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.curves.piecewise_constant import PiecewiseConstant
from tracelr.schedules.curves.ramp import Ramp
from tracelr.schedules.easing import EASINGS, ORIGINS, EasingName, Origin, Warmup


def lift(value: Schedule | float | Tensor) -> Schedule:
    """Return `value` as a schedule; a number becomes a `Constant`."""
    return value if isinstance(value, Schedule) else Constant(value)


def warmup(
    schedule: Schedule,
    steps: float,
    start: float = 0.0,
    kind: Warmup = "linear",
    prefix: bool = True,
    origin: Origin = "0",
) -> Schedule:
    """Return `schedule` times a factor that goes from `start` to 1 in `steps` steps; see `Schedule.warmup`."""
    steps = fields.part("warmup(steps)", steps, schedule.length)
    start = fields.number("warmup(start)", start)
    _choose("warmup(kind)", kind, (*EASINGS, "constant"))
    _choose("warmup(origin)", origin, ORIGINS)
    if steps == 0:
        return schedule
    width = steps + 1 if origin == "1/(n+1)" else steps
    factor = PiecewiseConstant((start, 1.0), (width,)) if kind == "constant" else _ramp(start, 1.0, width, kind, rising=True)
    if origin != "0":
        factor = Shift(factor, by=-1)
    return Product((factor, Shift(schedule, steps) if prefix else schedule))


def cooldown(
    schedule: Schedule,
    steps: float,
    at: float | None = None,
    end: float | Tensor = 0.0,
    kind: EasingName = "linear",
) -> Schedule:
    """Return `schedule` up to step `at`, then `steps` steps from its value there to `end` along `kind`."""
    length = schedule.length
    steps = fields.part("cooldown(steps)", steps, length)
    _choose("cooldown(kind)", kind, EASINGS)
    if at is None:
        if length is None or length < steps:
            given = Unquoted("no step to begin at" if length is None else f"{steps} steps of a schedule of {length}")
            allowed = "a step `at`, unless the schedule has a length, whose last steps are then the cool-down"
            raise ScheduleError("cooldown(at)", given, allowed, "pass at=<the step to begin at>")
        at = length - steps
    at = fields.part("cooldown(at)", at, length)
    if steps == 0:
        return schedule.then(lift(end), at)
    # (1 - u) f(at) + u end is exact at both ends, and nothing cancels, because the difference of the two is not formed.
    held = Product((Shorten(schedule, at), Shift(_ramp(1.0, 0.0, steps, kind), at)))
    return Sum((held, Shift(_ramp(0.0, end, steps, kind), at)))


def _choose(where: str, given: str, names: Sequence[str]) -> None:
    if not fields.named(given, names):
        fix = suggest(given, names, otherwise="use one of these names")
        raise ScheduleError(where, given, ", ".join(map(repr, names)), fix)


def _ramp(start: float, end: float | Tensor, steps: int, kind: EasingName, rising: bool = False) -> Schedule:
    """Return a `Ramp`, or the simpler class with the same values."""
    if kind == "linear":
        return Linear(start, end, steps)
    return Cosine(start, end, steps) if kind == "cosine" else Ramp(start, end, steps, kind, rising=rising)
