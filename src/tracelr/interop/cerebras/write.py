"""Writes the newer Cerebras params files: `trainer: init: schedulers:`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tracelr.errors import ScheduleError
from tracelr.interop._tools.simplify import refuse, require_numbers, simplified
from tracelr.interop.cerebras.curves import CURVES, FACTORS, LR
from tracelr.interop.native.write import yaml
from tracelr.schedules.assignment import Assignment, Loaded
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Sequential
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.cosine_annealing import CosineAnnealing
from tracelr.schedules.curves.cyclic import Cyclic
from tracelr.schedules.curves.exponential import Exponential
from tracelr.schedules.curves.inverse_sqrt import InverseSqrt
from tracelr.schedules.curves.inverse_time import InverseTime
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.curves.multi_step import MultiStep
from tracelr.schedules.curves.one_cycle import OneCycle
from tracelr.schedules.curves.piecewise_constant import PiecewiseConstant
from tracelr.schedules.curves.polynomial import Polynomial
from tracelr.schedules.curves.step import Step
from tracelr.schedules.curves.warm_restarts import WarmRestarts

_Entry = tuple[str, dict[str, Any]]
_ENDS = {"lr": "LR", "weight_decay": "WD"}


def write(found: Loaded) -> str:
    """Return the YAML of the schedulers of a trainer."""
    assigned = [Assignment("lr", None, found)] if isinstance(found, Schedule) else found
    return yaml({"trainer": {"init": {"schedulers": [_assignment(one) for one in assigned]}}})


def _assignment(one: Assignment) -> dict[str, Any]:
    if one.key not in _ENDS:
        raise refuse("cerebras", one.key, f"a key that is not {' or '.join(_ENDS)}")
    name, inner = _entry(simplified(one.schedule), one.key)
    if one.factor is not None:
        if one.factor != FACTORS[one.key]:
            raise refuse("cerebras", one.factor, f"a factor of the {one.key} that is not {FACTORS[one.key]}")
        name, inner = f"ScalePerParam{_ENDS[one.key]}", {"scheduler": {name: inner}}
    tags = {} if one.tags is None else {"param_group_tags": list(one.tags)}
    return {name: inner | tags}


def _entry(schedule: Schedule, key: str) -> _Entry:
    """Return the class and its parameters, by their names in the classes for `key`."""
    require_numbers("cerebras", schedule)
    if isinstance(schedule, Sequential):
        if schedule.join != "jump" or schedule.reset is not True:
            raise refuse(
                "cerebras", schedule, "whose schedules do not all start at their own step 0 and keep their own values"
            )
        children = [dict([_entry(child, key)]) for child in schedule.schedules]
        return f"Sequential{_ENDS[key]}", {"schedulers": children, "milestones": list(schedule.milestones)}
    rule = _RULES.get(type(schedule))
    if rule is None:
        raise refuse("cerebras", schedule)
    stem, own = rule(schedule)
    words = LR if key == "lr" else {}
    bare = stem == "CosineAnnealingWarmRestarts" and key == "lr"
    return stem + ("" if bare else _ENDS[key]), {words.get(name, name): value for name, value in own.items()}


def _to(s: Any, **more: Any) -> dict[str, Any]:
    return {"initial_val": s.start, "end_val": s.end, "total_iters": s.steps} | more


def _inverse_sqrt(s: Any) -> _Entry:
    scale = math.sqrt(s.steps)
    return "InverseSquareRootDecay", {"initial_val": s.start, "scale": scale, "warmup_steps": s.steps}


def _restarts(s: Any) -> _Entry:
    if s.decay != 1 or s.limit is not None:
        raise refuse("cerebras", s, "whose peaks fall, or whose cycles are limited")
    own = {"initial_val": s.start, "T_0": s.period, "T_mult": s.multiplier, "eta_min": s.end}
    return "CosineAnnealingWarmRestarts", own


def _cyclic(s: Any) -> _Entry:
    sizes = {"step_size_up": s.up, "step_size_down": s._down}
    return "Cyclic", {"base_val": s.low, "max_val": s.high, **sizes, "mode": s.mode, "gamma": s.gamma}


def _one_cycle(s: Any) -> _Entry:
    total = s.steps + 1
    own = {"initial_val": s.start, "max_val": s.peak, "total_steps": total, "pct_start": (s.warm + 1) / total}
    ratio = s.start / s.end if s.end else 1.0 if s.start == 0 else 0.0
    if not 0 < abs(ratio) < math.inf:
        raise refuse("cerebras", s, "whose end is not a fraction of its start")
    own |= {"final_div_factor": ratio, "three_phase": s.three_phase}
    own |= {"anneal_strategy": "cos" if s.ease == "cosine" else "linear"}
    try:
        CURVES["OneCycle"](**own)
    except ScheduleError as error:
        raise refuse("cerebras", s, "whose end is not a fraction of its start, or whose peak is out of reach") from error
    return "OneCycle", own


def _inverse_time(s: Any) -> _Entry:
    own = {"initial_val": s.start, "step_exponent": s.exponent, "total_iters": s.steps, "decay_rate": s.rate}
    return "InverseExponentialTimeDecay", own | {"staircase": s.staircase}


_RULES: dict[type[Schedule], Callable[[Any], _Entry]] = {
    Constant: lambda s: ("Constant", {"val": s.value}),
    Linear: lambda s: ("Linear", _to(s)),
    Polynomial: lambda s: ("Polynomial", _to(s, power=s.power, cycle=s.cycle)),
    Cosine: lambda s: ("CosineDecay", _to(s)),
    Exponential: lambda s: (
        "Exponential",
        {"initial_val": s.start, "total_iters": s.steps, "decay_rate": s.rate, "staircase": s.staircase},
    ),
    InverseTime: _inverse_time,
    InverseSqrt: _inverse_sqrt,
    PiecewiseConstant: lambda s: ("PiecewiseConstant", {"vals": list(s.values), "milestones": list(s.milestones)}),
    MultiStep: lambda s: ("MultiStep", {"initial_val": s.start, "gamma": s.gamma, "milestones": list(s.milestones)}),
    Step: lambda s: ("Step", {"initial_val": s.start, "step_size": s.every, "gamma": s.gamma}),
    CosineAnnealing: lambda s: ("CosineAnnealing", {"initial_val": s.start, "T_max": s.period, "eta_min": s.end}),
    WarmRestarts: _restarts,
    Cyclic: _cyclic,
    OneCycle: _one_cycle,
}
