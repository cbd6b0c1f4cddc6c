"""What is put around any schedule: compositions of what there is already, with the curves of `tracelr.schedules`."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from tracelr import fields
from tracelr.compose.clock import Shift, Shorten
from tracelr.compose.pointwise import Product, Sum
from tracelr.errors import ScheduleError, explain
from tracelr.schedule import Schedule

_STEPS = "an int from 1 to 2**53"


def lift(value: Schedule | float | Tensor) -> Schedule:
    """Return `value` as a schedule: a number is a constant one."""
    from tracelr.schedules.constant import Constant

    return value if isinstance(value, Schedule) else Constant(value)


def warmup(
    schedule: Schedule,
    steps: int,
    start: float = 0.0,
    kind: Literal["linear", "cosine", "constant"] = "linear",
    prefix: bool = True,
) -> Product:
    """Return `schedule` times a factor that goes from `start` to 1 in `steps` steps; `Schedule.warmup` says more."""
    from tracelr.schedules.cosine import Cosine
    from tracelr.schedules.linear import Linear
    from tracelr.schedules.piecewise_constant import PiecewiseConstant

    steps = fields.integer("warmup(steps)", steps, 1, _STEPS)
    start = fields.number("warmup(start)", start)
    factor: Schedule
    if kind == "constant":
        factor = PiecewiseConstant((start, 1.0), (steps,))
    elif kind in ("linear", "cosine"):
        factor = (Linear if kind == "linear" else Cosine)(start, 1.0, steps)
    else:
        raise ScheduleError(explain("warmup(kind)", kind, "'linear', 'cosine', 'constant'", "use one of these names"))
    return Product((factor, Shift(schedule, steps) if prefix else schedule))


def cooldown(schedule: Schedule, steps: int, at: int, end: float | Tensor = 0.0) -> Sum:
    """Return `schedule` with a straight line from its value at step `at` to `end`, `steps` steps long."""
    from tracelr.schedules.linear import Linear

    steps = fields.integer("cooldown(steps)", steps, 1, _STEPS)
    at = fields.integer("cooldown(at)", at, 0, "an int from 0 to 2**53")
    # (1 - u) f(at) + u end, without a difference of the two: exact at both ends, and nothing cancels.
    held = Product((Shorten(schedule, at), Shift(Linear(1.0, 0.0, steps), at)))
    return Sum((held, Shift(Linear(0.0, end, steps), at)))
