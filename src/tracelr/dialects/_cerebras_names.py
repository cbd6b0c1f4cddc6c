"""The schedulers of the Cerebras family: each name once, for learning rates, for weight decays and in the older files.

Where the originals are wrong these are not: a polynomial with `cycle` cycles (theirs never does), warm restarts restart
(theirs are a square wave), and one-cycle holds its last value (theirs goes on below it).
"""

from __future__ import annotations

import math
from decimal import Decimal
from functools import partial
from typing import Literal

from tracelr.dialects import _values
from tracelr.dialects._rows import Key, Row
from tracelr.dialects._values import Place, choose
from tracelr.errors import ScheduleError, explain
from tracelr.schedule import Schedule
from tracelr.schedules.constant import Constant
from tracelr.schedules.cosine import Cosine
from tracelr.schedules.cosine_annealing import CosineAnnealing
from tracelr.schedules.cyclic import Cyclic
from tracelr.schedules.exponential import Exponential
from tracelr.schedules.inverse_sqrt import InverseSqrt
from tracelr.schedules.inverse_time import InverseTime
from tracelr.schedules.linear import Linear
from tracelr.schedules.multi_step import MultiStep
from tracelr.schedules.one_cycle import OneCycle
from tracelr.schedules.piecewise_constant import PiecewiseConstant
from tracelr.schedules.polynomial import Polynomial
from tracelr.schedules.step import Step
from tracelr.schedules.warm_restarts import WarmRestarts


def linear(start: float, end: float, steps: int, cycle: bool = False) -> Schedule:
    """Return a straight line; with `cycle`, one that goes on as a polynomial of power 1 does."""
    return Polynomial(start, end, steps, cycle=True) if cycle else Linear(start, end, steps)


def inverse_sqrt(start: float = 1.0, scale: float = 1.0, steps: int = 1) -> Schedule:
    """Return start scale / sqrt(max(t, steps)), whose first value is start scale / sqrt(steps)."""
    return InverseSqrt(start * scale / math.sqrt(steps), steps)


def piecewise(values: list[float], milestones: list[int], initial_learning_rate: float | None = None) -> Schedule:
    """Return the values one after another; the first may be given twice."""
    if initial_learning_rate not in (None, values[0]):
        where, allowed = "PiecewiseConstant.initial_learning_rate", f"the first of the values, {values[0]}"
        raise ScheduleError(explain(where, initial_learning_rate, allowed, "leave it out, or make them equal"))
    return PiecewiseConstant(values, milestones)


def annealing(start: float, period: int, end: float = 0.0) -> Schedule:
    """Return a cosine wave, which rises again after `period` steps, there as here."""
    return CosineAnnealing(start, end, period)


def restarts(start: float, period: int, multiplier: float = 1.0, end: float = 0.0) -> Schedule:
    """Return half a cosine, again and again."""
    return WarmRestarts(start, end, period, multiplier)


def cyclic(
    low: float,
    high: float,
    up: int = 2000,
    down: int | None = None,
    mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
    gamma: float = 1.0,
) -> Schedule:
    """Return a triangle wave."""
    return Cyclic(low, high, up, down, mode, gamma)


def multiplicative(start: float, rate: float) -> Schedule:
    """Return `start` times `rate` for each step."""
    return Exponential(start, rate, 1)


def one_cycle(
    start: float,
    peak: float,
    total_steps: int = 1000,
    pct_start: float = 0.3,
    final_div_factor: float = 1e4,
    three_phase: bool = False,
    anneal_strategy: Literal["cosine", "linear"] = "cosine",
) -> Schedule:
    """Return a one-cycle with knots at pct_start total_steps - 1 and total_steps - 1. 0.07 of 100 is 7, in decimals."""
    peak_at = float(Decimal(str(pct_start)) * total_steps - 1)
    return OneCycle(start, peak, start / final_div_factor, total_steps - 1, peak_at, anneal_strategy, three_phase)


def _positive(where: Place, given: object) -> float:
    value = _values.number(where, given)
    if value <= 0:
        raise where.refuse(given, "a number above 0", "write one")
    return value


def _strategy(where: Place, given: object) -> str:
    return choose(where, given, {"cos": "cosine", "linear": "linear"})


def _mode(where: Place, given: object) -> str:
    return choose(where, given, {name: name for name in ("triangular", "triangular2", "exp_range")})


def _optional_count(where: Place, given: object) -> int | None:
    return None if given is None else _values.count(where, given)


_number, _count, _flag = _values.number, _values.count, _values.flag
START = Key(_number, "initial_learning_rate", "learning_rate", wd="initial_val")
START_OR_1 = Key(_number, "initial_learning_rate", "learning_rate", wd="initial_val", optional=True)
END = Key(_number, "end_learning_rate", wd="end_val")
LENGTH = Key(_count, "decay_steps", "steps", "total_iters", lr="total_iters")
RATE = Key(_number, "decay_rate")
GAMMA = Key(_number, "gamma")
FLOOR = Key(_number, "eta_min", optional=True)
STAIRCASE = Key(_flag, "staircase", optional=True)
CYCLE = Key(_flag, "cycle", optional=True)
MILESTONES = Key(_values.counts, "boundaries", "milestones", lr="milestones")

ROWS = {
    "Constant": Row(Constant, value=Key(_number, "learning_rate", "initial_learning_rate", wd="val"), length=LENGTH),
    "Linear": Row(linear, start=START, end=END, steps=LENGTH, cycle=CYCLE),
    "Polynomial": Row(
        Polynomial, start=START, end=END, steps=LENGTH, power=Key(_number, "power", optional=True), cycle=CYCLE
    ),
    "Exponential": Row(Exponential, start=START, rate=RATE, steps=LENGTH, staircase=STAIRCASE),
    "InverseExponentialTimeDecay": Row(
        InverseTime, start=START, rate=RATE, steps=LENGTH, exponent=Key(_number, "step_exponent"), staircase=STAIRCASE
    ),
    "InverseSquareRootDecay": Row(
        inverse_sqrt,
        start=START_OR_1,
        scale=Key(_number, "scale", optional=True),
        steps=Key(_count, "warmup_steps", optional=True),
    ),
    "CosineDecay": Row(Cosine, start=START, end=END, steps=LENGTH),
    "PiecewiseConstant": Row(
        piecewise,
        values=Key(_values.numbers, "values", "learning_rates", lr="learning_rates", wd="vals"),
        milestones=MILESTONES,
        initial_learning_rate=Key(_number, "initial_learning_rate", optional=True, newer=False),
    ),
    "MultiStep": Row(MultiStep, start=START, gamma=GAMMA, milestones=MILESTONES),
    "Step": Row(Step, start=START, gamma=GAMMA, every=Key(_count, "step_size")),
    "CosineAnnealing": Row(annealing, start=START, period=Key(_count, "t_max", "T_max", lr="T_max"), end=FLOOR),
    "CosineAnnealingWarmRestarts": Row(
        restarts,
        start=START,
        period=Key(_count, "t_0", "T_0", lr="T_0"),
        multiplier=Key(_number, "t_mult", "T_mult", lr="T_mult", optional=True),
        end=FLOOR,
    ),
    "Multiplicative": Row(multiplicative, start=START, rate=Key(_number, "coefficient")),
    "Cyclic": Row(
        cyclic,
        low=Key(_number, "base_lr", "initial_learning_rate", "learning_rate", wd="base_val"),
        high=Key(_number, "max_lr", wd="max_val"),
        up=Key(_count, "step_size_up", optional=True),
        down=Key(_optional_count, "step_size_down", optional=True),
        mode=Key(_mode, "mode", optional=True),
        gamma=Key(_number, "gamma", optional=True),
        unused=("scale_mode",),  # there, too, the mode alone decides
    ),
    "OneCycle": Row(
        one_cycle,
        start=START,
        peak=Key(_number, "max_lr", wd="max_val"),
        total_steps=Key(partial(_count, low=2), "total_steps", optional=True),
        pct_start=Key(_number, "pct_start", optional=True),
        final_div_factor=Key(_positive, "final_div_factor", optional=True),
        three_phase=Key(_flag, "three_phase", optional=True),
        anneal_strategy=Key(_strategy, "anneal_strategy", optional=True),
    ),
}
"""Every scheduler that is one curve, by the part of its name that learning rates and weight decays share."""

FUNCTION = "Lambda"
"""The one whose values are a Python function: no file can hold it."""
