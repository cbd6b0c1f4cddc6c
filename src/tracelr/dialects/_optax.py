"""The functions of `optax.schedules` that make a schedule of numbers, with optax's signatures and ours inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import accumulate
from operator import mul
from typing import Annotated, TypeAlias

from tracelr.compose import Clamp, Sequential, Shift
from tracelr.dialects import _values
from tracelr.dialects._calls import Builder, Count, Number, OptionalNumber, Switch, Whole
from tracelr.dialects._values import Place, choose
from tracelr.errors import ScheduleError, Words
from tracelr.fields import FINITE, LARGEST
from tracelr.schedule import Schedule
from tracelr.schedules.constant import Constant
from tracelr.schedules.cosine import Cosine
from tracelr.schedules.cosine_power import CosinePower
from tracelr.schedules.exponential import Exponential
from tracelr.schedules.interpolate import Interpolate
from tracelr.schedules.linear import Linear
from tracelr.schedules.piecewise_constant import PiecewiseConstant
from tracelr.schedules.polynomial import Polynomial

_MOST = 2000


def _factors(where: Place, given: object) -> list[tuple[int, float]]:
    """Return steps and what is multiplied there, in order; a step may be written as a string, as in JSON."""
    if given is None:
        return []
    if not isinstance(given, Mapping):
        raise where.refuse(given, "a mapping from steps to factors", "write {1000: 0.1, 2000: 0.1}")
    if len(given) > _MOST:
        raise where.refuse(Words(f"{len(given)} steps"), f"at most {_MOST}: their product is exact", "write fewer")
    found: dict[int, float] = {}
    for key, value in given.items():
        place = where / str(key)
        step, factor = _values.count(place, key, low=0), _values.number(place, value)
        if factor < 0:
            raise place.refuse(value, "a factor of 0 or more", "write one")
        if step in found:
            raise place.refuse(Words(f"the step {step} twice"), "each step once", "remove one of them")
        found[step] = factor
    return sorted(found.items())


def _kind(where: Place, given: object) -> str:
    return choose(where, given, {"linear": "linear", "cosine": "cosine"})


Factors: TypeAlias = Annotated[Sequence[tuple[int, float]], _factors]
Kind: TypeAlias = Annotated[str, _kind]


def _constant(value: Number) -> Schedule:
    return Constant(value)


def _linear(init_value: Number, end_value: Number, transition_steps: Whole, transition_begin: Whole = 0) -> Schedule:
    if transition_steps <= 0:
        return Constant(init_value)
    return _begin(Linear(init_value, end_value, transition_steps), transition_begin)


def _polynomial(
    init_value: Number, end_value: Number, power: Number, transition_steps: Whole, transition_begin: Whole = 0
) -> Schedule:
    if transition_steps <= 0:
        return Constant(init_value)
    return _begin(Polynomial(init_value, end_value, transition_steps, power), transition_begin)


def _begin(schedule: Schedule, step: int) -> Schedule:
    return Shift(schedule, step) if step > 0 else schedule


def _exponential(
    init_value: Number,
    transition_steps: Whole,
    decay_rate: Number,
    transition_begin: Whole = 0,
    staircase: Switch = False,
    end_value: OptionalNumber = None,
) -> Schedule:
    if transition_steps <= 0 or decay_rate == 0:
        return Constant(init_value)
    schedule = _begin(Exponential(init_value, decay_rate, transition_steps, staircase), transition_begin)
    if end_value is None:
        return schedule
    return Clamp(schedule, low=end_value) if decay_rate < 1 else Clamp(schedule, high=end_value)


def _cosine_decay(init_value: Number, decay_steps: Count, alpha: Number = 0.0, exponent: Number = 1.0) -> Schedule:
    return _cosine(init_value, alpha * init_value, decay_steps, exponent)


def _cosine(start: float, end: float, steps: int, exponent: float) -> Schedule:
    return Cosine(start, end, steps) if exponent == 1 else CosinePower(start, end, steps, exponent)


def _piecewise_constant(init_value: Number, boundaries_and_scales: Factors = ()) -> Schedule:
    steps, values = _multiplied(Fraction(init_value), [(step, Fraction(factor)) for step, factor in boundaries_and_scales])
    return PiecewiseConstant(values, steps)


def _piecewise_interpolate(
    interpolate_type: Kind,
    init_value: Number,
    boundaries_and_scales: Factors = (),
) -> Schedule:
    factors = [(step, Fraction(factor)) for step, factor in boundaries_and_scales]
    return _interpolated(interpolate_type, Fraction(init_value), factors)


def _interpolated(kind: str, start: Fraction, factors: list[tuple[int, Fraction]]) -> Schedule:
    steps, values = _multiplied(start, factors)
    if not steps:
        return Constant(values[0])
    if steps[0] > 0:
        steps.insert(0, 0)
    else:  # the first value lasts for no step
        del values[0]
    return Interpolate(values, steps, kind)  # type: ignore[arg-type]  # kind was checked


def _multiplied(start: Fraction, factors: list[tuple[int, Fraction]]) -> tuple[list[int], list[float]]:
    """Return the steps, and the values before, between and after them: products, rounded once."""
    values: list[float] = []
    for value in accumulate([factor for _, factor in factors], mul, initial=start):
        if abs(value) > LARGEST:
            given = Words(f"factors whose product is too large after {len(values)} of them")
            raise ScheduleError("boundaries_and_scales", given, FINITE, "use smaller factors")
        values.append(float(value))
    return [step for step, _ in factors], values


def _linear_onecycle(
    transition_steps: Count,
    peak_value: Number,
    pct_start: Number = 0.3,
    pct_final: Number = 0.85,
    div_factor: Number = 25.0,
    final_div_factor: Number = 1e4,
) -> Schedule:
    up, down = _divisors(div_factor, final_div_factor)
    knots = {int(pct_start * transition_steps): up, int(pct_final * transition_steps): 1 / up, transition_steps: 1 / down}
    return _interpolated("linear", Fraction(peak_value) / up, sorted(knots.items()))


def _cosine_onecycle(
    transition_steps: Count,
    peak_value: Number,
    pct_start: Number = 0.3,
    div_factor: Number = 25.0,
    final_div_factor: Number = 1e4,
) -> Schedule:
    up, down = _divisors(div_factor, final_div_factor)
    knots = {int(pct_start * transition_steps): up, transition_steps: 1 / (up * down)}
    return _interpolated("cosine", Fraction(peak_value) / up, sorted(knots.items()))


def _divisors(div_factor: float, final_div_factor: float) -> tuple[Fraction, Fraction]:
    for name, value in (("div_factor", div_factor), ("final_div_factor", final_div_factor)):
        if value <= 0:
            raise ScheduleError(name, value, "a number above 0", "write one")
    return Fraction(div_factor), Fraction(final_div_factor)


def _warmup_constant(init_value: Number, peak_value: Number, warmup_steps: Whole) -> Schedule:
    return _linear(init_value, peak_value, warmup_steps)


def _warm(init_value: float, peak_value: float, warmup_steps: int, decay: Schedule) -> Schedule:
    if warmup_steps < 0:
        raise ScheduleError("warmup_steps", warmup_steps, "a number of steps, 0 or more", "write one")
    return Sequential([Linear(init_value, peak_value, warmup_steps), decay], [warmup_steps]) if warmup_steps else decay


def _warmup_cosine_decay(
    init_value: Number,
    peak_value: Number,
    warmup_steps: Whole,
    decay_steps: Count,
    end_value: Number = 0.0,
    exponent: Number = 1.0,
) -> Schedule:
    if decay_steps <= warmup_steps:
        fix = "make it longer: it counts the warm-up too"
        raise ScheduleError("decay_steps", decay_steps, f"more than warmup_steps, {warmup_steps}", fix)
    # optax makes a ratio of end_value, and 0 of that where there is nothing to be a ratio of.
    end = end_value if peak_value else 0.0
    return _warm(init_value, peak_value, warmup_steps, _cosine(peak_value, end, decay_steps - warmup_steps, exponent))


def _warmup_exponential_decay(
    init_value: Number,
    peak_value: Number,
    warmup_steps: Whole,
    transition_steps: Whole,
    decay_rate: Number,
    transition_begin: Whole = 0,
    staircase: Switch = False,
    end_value: OptionalNumber = None,
) -> Schedule:
    decay = _exponential(peak_value, transition_steps, decay_rate, transition_begin, staircase, end_value)
    return _warm(init_value, peak_value, warmup_steps, decay)


CURVES: dict[str, Builder] = {
    "constant_schedule": _constant,
    "linear_schedule": _linear,
    "polynomial_schedule": _polynomial,
    "exponential_decay": _exponential,
    "cosine_decay_schedule": _cosine_decay,
    "piecewise_constant_schedule": _piecewise_constant,
    "piecewise_interpolate_schedule": _piecewise_interpolate,
    "linear_onecycle_schedule": _linear_onecycle,
    "cosine_onecycle_schedule": _cosine_onecycle,
    "warmup_constant_schedule": _warmup_constant,
    "warmup_cosine_decay_schedule": _warmup_cosine_decay,
    "warmup_exponential_decay_schedule": _warmup_exponential_decay,
}
