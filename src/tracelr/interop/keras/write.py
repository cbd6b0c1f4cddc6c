"""Writes the JSON of what `keras.optimizers.schedules.serialize` returns."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from tracelr.interop._tools.simplify import only_schedule, refuse, require_numbers, simplified
from tracelr.schedules.assignment import Loaded
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Sequential
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.exponential import Exponential
from tracelr.schedules.curves.inverse_time import InverseTime
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.curves.multi_step import MultiStep
from tracelr.schedules.curves.piecewise_constant import PiecewiseConstant
from tracelr.schedules.curves.polynomial import Polynomial
from tracelr.schedules.curves.step import Step
from tracelr.schedules.curves.warm_restarts import WarmRestarts
from tracelr.schedules.describe.sampling import value_at

_MODULE = "keras.optimizers.schedules"
_Call = tuple[str, dict[str, Any]]


def write(found: Loaded) -> str:
    """Return the JSON of one class of Keras."""
    schedule = simplified(only_schedule(found, "keras"))
    rule = _RULES.get(type(schedule))
    require_numbers("keras", schedule, 2**31 - 1)
    if rule is None:
        raise refuse("keras", schedule)
    name, config = rule(schedule)
    return json.dumps({"module": _MODULE, "class_name": name, "config": config, "registered_name": None}, indent=2) + "\n"


def _initial(schedule: Any, **more: Any) -> dict[str, Any]:
    return {"initial_learning_rate": schedule.start} | more


def _polynomial(s: Any) -> _Call:
    more = {"end_learning_rate": s.end, "power": getattr(s, "power", 1.0), "cycle": getattr(s, "cycle", False)}
    return "PolynomialDecay", _initial(s, decay_steps=s.steps, **more)


def _exponential(s: Any) -> _Call:
    return "ExponentialDecay", _initial(s, decay_steps=s.steps, decay_rate=s.rate, staircase=s.staircase)


def _inverse_time(s: Any) -> _Call:
    if s.exponent != 1:
        raise refuse("keras", s, "whose exponent is not 1")
    return "InverseTimeDecay", _initial(s, decay_steps=s.steps, decay_rate=s.rate, staircase=s.staircase)


def _ratio(schedule: Any) -> float:
    """Return the ratio of the end to the start."""
    if schedule.start == 0 or not math.isfinite(schedule.end / schedule.start):
        raise refuse("keras", schedule, "whose end is not a multiple of its start")
    return float(schedule.end / schedule.start)


def _cosine(s: Any) -> _Call:
    return "CosineDecay", _initial(s, decay_steps=s.steps, alpha=_ratio(s))


def _warmed(s: Sequential) -> _Call:
    """Return a warm-up line and a cosine, which are one class in Keras."""
    pair = list(s.schedules)
    if len(pair) != 2 or s.join != "jump" or not s._resets[1] or s._paces != ((1, 1), (1, 1)):
        raise refuse("keras", s)
    rise, fall = pair
    if not (isinstance(rise, Linear) and isinstance(fall, Cosine) and s.milestones[0] == rise.steps):
        raise refuse("keras", s, "which is not a line and the cosine that begins where the line ends")
    if rise.end != fall.start:
        raise refuse("keras", s, "whose cosine does not begin where the line ends")
    more = {"warmup_target": fall.start, "warmup_steps": rise.steps}
    return "CosineDecay", _initial(rise, decay_steps=fall.steps, alpha=_ratio(fall), **more)


def _piecewise(s: Any) -> _Call:
    steps = sorted(set(s.milestones))
    if not steps or steps[0] == 0:
        raise refuse("keras", s, "which has no step before its first milestone" if steps else "which has one value")
    # In Keras the old value still holds at the boundary.
    values = [value_at(s, step) for step in (0, *steps)]
    return "PiecewiseConstantDecay", {"boundaries": [step - 1 for step in steps], "values": values}


def _step(s: Any) -> _Call:
    return "ExponentialDecay", _initial(s, decay_steps=s.every, decay_rate=s.gamma, staircase=True)


def _restarts(s: Any) -> _Call:
    if s.limit is not None or (s.decay != 1 and s.end != 0) or not float(s.multiplier).is_integer():
        raise refuse("keras", s, "which has a limit, a floor under falling peaks, or cycles that are not whole")
    more = {"first_decay_steps": s.period, "t_mul": s.multiplier, "m_mul": s.decay, "alpha": _ratio(s)}
    return "CosineDecayRestarts", _initial(s, **more)


_RULES: dict[type[Schedule], Callable[[Any], _Call]] = {
    Linear: _polynomial,
    Polynomial: _polynomial,
    Exponential: _exponential,
    InverseTime: _inverse_time,
    Cosine: _cosine,
    Sequential: _warmed,
    PiecewiseConstant: _piecewise,
    MultiStep: _piecewise,
    Step: _step,
    WarmRestarts: _restarts,
}
