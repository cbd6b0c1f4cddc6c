"""What writers share: rewriting a schedule with fewer classes, and the errors for what a format cannot express."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any

from tracelr.errors import ConfigError, Unquoted, show
from tracelr.schedules.assignment import Loaded
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Product, Scale, Sequential, Shift, Shorten
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.cosine_annealing import CosineAnnealing
from tracelr.schedules.curves.cosine_power import CosinePower
from tracelr.schedules.curves.exponential import Exponential
from tracelr.schedules.curves.interpolate import Interpolate
from tracelr.schedules.curves.inverse_sqrt import InverseSqrt
from tracelr.schedules.curves.inverse_time import InverseTime
from tracelr.schedules.curves.k_decay import KDecay
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.curves.multi_step import MultiStep
from tracelr.schedules.curves.one_cycle import OneCycle
from tracelr.schedules.curves.polynomial import Polynomial
from tracelr.schedules.curves.power_law import PowerLaw
from tracelr.schedules.curves.ramp import Ramp
from tracelr.schedules.curves.rex import Rex
from tracelr.schedules.curves.step import Step
from tracelr.schedules.curves.tanh import Tanh
from tracelr.schedules.curves.wsd import WSD
from tracelr.schedules.describe.sampling import value_at

_HEIGHTS: dict[type[Schedule], tuple[str, ...]] = {
    Constant: ("value",),
    **dict.fromkeys((Linear, Cosine, CosineAnnealing, Polynomial, CosinePower, KDecay, Rex, Tanh, Ramp), ("start", "end")),
    **dict.fromkeys((Exponential, InverseTime, InverseSqrt, PowerLaw, Step, MultiStep), ("start",)),
}
"""The fields to multiply where the schedule is multiplied by a number."""


def refuse(to: str, what: object, why: str = "") -> ConfigError:
    """Return the error that a format cannot express `what`; the caller raises it."""
    words = show(what, 100) + (f", {why}" if why else "")
    allowed = f"what {to} can express at every step"
    fix = "leave it out, or convert to another format"
    return ConfigError(f"convert to {to}", Unquoted(words), allowed, fix, 300)


def only_schedule(found: Loaded, to: str) -> Schedule:
    """Return the one schedule to convert; raise `ConfigError` if there are several."""
    if isinstance(found, Schedule):
        return found
    if len(found) == 1:
        return found[0].schedule
    listed = "; ".join(map(str, found))
    given, fix = Unquoted(f"{len(found)} assignments"), "pass --key and --tag of one of these"
    raise ConfigError(f"convert to {to}", given, f"one of: {listed}", fix)


def require_numbers(to: str, schedule: Schedule, largest: int | None = None) -> None:
    """Raise if a field of `schedule` is a tensor, is driven by a schedule, or is an integer above `largest`."""
    if schedule._driven:
        raise refuse(to, schedule, f"whose {' and '.join(schedule._driven)} follow a schedule")
    if schedule.has_tensor_fields:
        raise refuse(to, schedule, "which has a tensor for a number")
    fields = (getattr(schedule, name) for name in schedule._rules)
    numbers = (number for field in fields for number in (field if isinstance(field, tuple) else (field,)))
    if largest is not None and any(isinstance(number, int) and abs(number) > largest for number in numbers):
        raise refuse(to, schedule, f"whose steps are past {largest}, the largest integer there")


def scaled(schedule: Schedule, factor: float) -> Schedule | None:
    """Return `schedule` times a number, as a schedule of the same class, or None where no field can take the factor."""
    names = _HEIGHTS.get(type(schedule))
    if names is not None and not schedule._driven:
        # mypy does not see that `__init_subclass__` makes a dataclass
        return replace(schedule, **{name: getattr(schedule, name) * factor for name in names})  # type: ignore[type-var]
    if isinstance(schedule, Sequential) and schedule.join == "jump":
        children = [child for each in schedule.schedules if (child := scaled(each, factor)) is not None]
        if len(children) == len(schedule.schedules):
            return replace(schedule, schedules=children)
    return None


def simplified(schedule: Schedule) -> Schedule:
    """Return a schedule of the same values, with warm-ups, factors, WSD, one-cycle and knots as plain sequences.

    >>> simplified(0.5 * Linear(start=0.0, end=1.0, steps=4))
    Linear(start=0.0, end=0.5, steps=4)
    """
    rule = _RULES.get(type(schedule))
    if rule is None and getattr(schedule, "steps", None) == 0 and not isinstance(schedule, Shorten):
        rule = _of_no_steps
    return schedule if rule is None or schedule._driven or schedule.has_tensor_fields else rule(schedule)


def _of_no_steps(schedule: Schedule) -> Schedule:
    """Return the value that a curve over 0 steps holds. No other library has such a curve."""
    return Constant(value_at(schedule, 0))


def _scale(schedule: Scale) -> Schedule:
    inner, factor = simplified(schedule.inner), schedule.factor
    return (scaled(inner, factor) if isinstance(factor, float) else None) or replace(schedule, inner=inner)


def _product(schedule: Product) -> Schedule:
    """Return the sequence of a warm-up and a decay if `schedule` is the product that `Schedule.warmup` builds."""
    children = [simplified(child) for child in schedule.schedules]
    if len(children) == 2 and isinstance(children[1], Shift):
        rise, rest = children[0], children[1]
        if isinstance(rise, (Linear, Cosine, Ramp)) and rise.end == 1.0 and rise.steps == rest.by:
            inner = simplified(rest.inner)
            first = scaled(rise, value_at(inner, 0))
            assert first is not None
            return _joined([(rise.steps, first), (None, inner)])
    return replace(schedule, schedules=children)


def _sequential(schedule: Sequential) -> Schedule:
    return replace(schedule, schedules=[simplified(child) for child in schedule.schedules])


def _joined(children: Iterable[tuple[int | None, Schedule]]) -> Schedule:
    """Return the sequence of schedules that are given with the steps at which they end; empty ones are left out."""
    first, kept, bounds = 0, [], []
    for until, child in children:
        if until is None or until > first:
            kept.append(child)
            bounds.append(until)
            first = until or 0
    # only the last bound can be None
    return kept[0] if len(kept) == 1 else Sequential(kept, bounds[:-1])  # type: ignore[arg-type]


def _eased(kind: str, start: float, end: float, steps: int, **more: Any) -> Schedule:
    if kind == "linear":
        return Linear(start, end, steps)
    # mypy: `kind` is one of Ramp's names
    return Cosine(start, end, steps) if kind == "cosine" else Ramp(start, end, steps, kind, **more)  # type: ignore[arg-type]


def _wsd(schedule: Any) -> Schedule:
    s, flat = schedule, schedule.warm + schedule.stable
    rise = _eased(s.warm_kind, s.start, s.peak, max(s.warm, 1), ratio=s.ratio, rising=True)
    fall = _eased(s.decay_kind, s.peak, s.end, s.decay, ratio=s.ratio) if s.decay else Constant(s.end)
    return _joined([(s.warm, rise), (flat, Constant(s.peak)), (None, fall)])


def _one_cycle(schedule: Any) -> Schedule:
    s = schedule
    knots = [0, s.warm, *[2 * s.warm] * s.three_phase, s.steps]
    values = [s.start, s.peak, *[s.start] * s.three_phase, s.end]
    if any(math.floor(knot) != knot for knot in knots):
        return schedule  # type: ignore[no-any-return]  # a OneCycle, given as Any
    return _knots([int(knot) for knot in knots], values, s.ease)


def _knots(knots: list[int], values: list[float], kind: str) -> Schedule:
    pieces = zip(pairwise(knots), pairwise(values), strict=True)
    lines: list[tuple[int | None, Schedule]] = [(b, _eased(kind, v, w, b - a)) for (a, b), (v, w) in pieces]
    return _joined([(knots[0], Constant(values[0])), *lines[:-1], (None, lines[-1][1])])


def _interpolate(schedule: Any) -> Schedule:
    if len(schedule.values) == 1:
        return Constant(schedule.values[0])
    return _knots(list(schedule.milestones), list(schedule.values), schedule.kind)


_RULES: dict[type[Schedule], Callable[[Any], Schedule]] = {
    Scale: _scale,
    Product: _product,
    Sequential: _sequential,
    WSD: _wsd,
    OneCycle: _one_cycle,
    Interpolate: _interpolate,
}
