"""One case for each Cerebras curve, with its formula as read in cerebras_pytorch 2.10, in Python floats.

The formulas are written independently of `src`, and are wrong where the original is wrong. There `until` is the first step at
which ours differs, and `differs` says how.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tracelr.interop.cerebras.curves import LR

Formula = Callable[[int], float]


@dataclass(frozen=True)
class Case:
    """`given` are the parameters by their names in the curve, `ours` is an expression of tracelr's names."""

    stem: str
    given: dict[str, Any]
    ours: str
    formula: Formula
    ends: tuple[int, ...]
    until: int | None = None
    differs: str = ""

    @property
    def rate(self) -> str:
        """The name of the class for the learning rate."""
        return self.stem if self.stem == "CosineAnnealingWarmRestarts" else f"{self.stem}LR"

    @property
    def words(self) -> dict[str, Any]:
        """The parameters by their names in that class."""
        return {LR.get(own, own): value for own, value in self.given.items()}

    def __str__(self) -> str:
        return f"{self.rate}(optimizer, {', '.join(f'{word}={value!r}' for word, value in self.words.items())})"


def polynomial(s: float, e: float, n: int, p: float = 1.0, cycle: bool = False) -> Formula:
    def value(t: int) -> float:
        if t >= n:
            return e
        return (s - e) * (1 - t / (n * (math.ceil((t + 1) / n) if cycle else 1))) ** p + e

    return value


def exponential(s: float, n: int, r: float, stairs: bool = False) -> Formula:
    return lambda t: s * r ** (t // n if stairs else t / n)


def inverse_time(s: float, k: int, n: int, r: float, stairs: bool = False) -> Formula:
    return lambda t: s / (1 + r * (t**k // n if stairs else t**k / n))


def inverse_sqrt(s: float = 1.0, c: float = 1.0, n: int = 1) -> Formula:
    return lambda t: s * c / math.sqrt(max(t, n))


def wave(s: float, e: float, n: int, last: float = math.inf) -> Formula:
    return lambda t: e + (s - e) * (math.cos(math.pi * min(t, last) / n) + 1) / 2


def restarts(s: float, e: float, n: int) -> Formula:
    def value(t: int) -> float:
        place = t if t < n else (t // n - 1) * n  # a multiple of n: cos(place) is 1 or -1
        return e + (s - e) * (math.cos(math.pi * place / n) + 1) / 2

    return value


def steps(values: list[float], milestones: list[int]) -> Formula:
    return lambda t: values[sum(m <= t for m in milestones)]


def cyclic(low: float, high: float, up: int, down: int, mode: str = "triangular", gamma: float = 1.0) -> Formula:
    def value(t: int) -> float:
        cycle, place = divmod(t, up + down)
        height = place / up if place <= up else (up + down - place) / down
        scale = {"triangular": 1.0, "triangular2": 0.5**cycle, "exp_range": gamma**t}[mode]
        return low + (high - low) * height * scale

    return value


def one_cycle(
    s: float, h: float, n: int = 1000, p: float = 0.3, d: float = 1e4, three: bool = False, anneal: str = "cos"
) -> Formula:
    ends = [p * n - 1, *[2 * p * n - 2] * three, n - 1]
    rates = [s, h, *[s] * three, s / d]

    def value(t: int) -> float:
        k = sum(end < t for end in ends[:-1])
        begin = [0, *ends][k]
        part, first, last = (t - begin) / (ends[k] - begin), rates[k], rates[k + 1]
        return (
            first + (last - first) * part
            if anneal == "linear"
            else last + (first - last) * (math.cos(math.pi * part) + 1) / 2
        )

    return value


FLAT = "ours keeps its last value; theirs continues, a line below 0 and a cosine upwards"
NEVER = "ours cycles as in Keras, reaches the end at every multiple of total_iters and continues on a longer curve; theirs stays at the end"
SQUARE = "each of our cycles is half a cosine from the peak; theirs is a square wave from the first restart on"

CASES = [
    Case("Constant", {"val": 0.1, "total_iters": 7}, "Constant(0.1)", lambda t: 0.1, (7,)),
    Case(
        "Polynomial",
        {"initial_val": 0.1, "end_val": 0.01, "total_iters": 90, "power": 2.5},
        "Polynomial(0.1, 0.01, 90, power=2.5)",
        polynomial(0.1, 0.01, 90, 2.5),
        (90,),
    ),
    Case(
        "Polynomial",
        {"initial_val": 1.0, "end_val": 0.0, "total_iters": 40, "cycle": True},
        "Polynomial(1.0, 0.0, 40, cycle=True)",
        polynomial(1.0, 0.0, 40, cycle=True),
        (40, 80),
        41,
        NEVER,
    ),
    Case(
        "Linear",
        {"initial_val": 0.0, "end_val": 0.1, "total_iters": 90},
        "Linear(0.0, 0.1, 90)",
        polynomial(0.0, 0.1, 90),
        (90,),
    ),
    Case(
        "Linear",
        {"initial_val": 1.0, "end_val": 0.5, "total_iters": 40, "cycle": True},
        "Polynomial(1.0, 0.5, 40, cycle=True)",
        polynomial(1.0, 0.5, 40, cycle=True),
        (40, 80),
        41,
        NEVER,
    ),
    Case(
        "Exponential",
        {"initial_val": 0.1, "total_iters": 90, "decay_rate": 0.3},
        "Exponential(0.1, 0.3, 90)",
        exponential(0.1, 90, 0.3),
        (90, 180),
    ),
    Case(
        "Exponential",
        {"initial_val": 0.1, "total_iters": 90, "decay_rate": 0.3, "staircase": True},
        "Exponential(0.1, 0.3, 90, staircase=True)",
        exponential(0.1, 90, 0.3, stairs=True),
        (90, 180),
    ),
    Case(
        "InverseExponentialTimeDecay",
        {"initial_val": 0.1, "step_exponent": 2, "total_iters": 90, "decay_rate": 0.3},
        "InverseTime(0.1, 0.3, 90, exponent=2)",
        inverse_time(0.1, 2, 90, 0.3),
        (90,),
    ),
    Case(
        "InverseExponentialTimeDecay",
        {"initial_val": 0.1, "step_exponent": 1, "total_iters": 90, "decay_rate": 0.3, "staircase": True},
        "InverseTime(0.1, 0.3, 90, exponent=1, staircase=True)",
        inverse_time(0.1, 1, 90, 0.3, stairs=True),
        (90, 180),
    ),
    Case("InverseSquareRootDecay", {}, "InverseSqrt(1.0, 1)", inverse_sqrt(), (1, 100)),
    Case(
        "InverseSquareRootDecay",
        {"initial_val": 0.1, "scale": 2.0, "warmup_steps": 64},
        "InverseSqrt(0.025, 64)",
        inverse_sqrt(0.1, 2.0, 64),
        (64, 1000),
    ),
    Case(
        "CosineDecay",
        {"initial_val": 0.1, "end_val": 0.01, "total_iters": 90},
        "Cosine(0.1, 0.01, 90)",
        wave(0.1, 0.01, 90, last=90),
        (90,),
    ),
    Case(
        "PiecewiseConstant",
        {"vals": [0.1, 0.02, 0.003], "milestones": [10, 25]},
        "PiecewiseConstant([0.1, 0.02, 0.003], [10, 25])",
        steps([0.1, 0.02, 0.003], [10, 25]),
        (10, 25),
    ),
    Case(
        "MultiStep",
        {"initial_val": 0.1, "gamma": 0.3, "milestones": [10, 25, 25]},
        "MultiStep(0.1, 0.3, [10, 25, 25])",
        steps([0.1, 0.03, 0.009, 0.0027], [10, 25, 25]),
        (10, 25),
    ),
    Case(
        "Step",
        {"initial_val": 0.1, "step_size": 7, "gamma": 0.3},
        "Step(0.1, 0.3, 7)",
        exponential(0.1, 7, 0.3, stairs=True),
        (7, 14, 28),
    ),
    Case(
        "CosineAnnealing",
        {"initial_val": 0.1, "T_max": 40, "eta_min": 0.01},
        "CosineAnnealing(0.1, 0.01, 40)",
        wave(0.1, 0.01, 40),
        (40, 80),
    ),
    Case(
        "CosineAnnealingWarmRestarts",
        {"initial_val": 1.0, "T_0": 4, "eta_min": 0.0},
        "WarmRestarts(1.0, 0.0, 4)",
        restarts(1.0, 0.0, 4),
        (4, 8, 12),
        5,
        SQUARE,
    ),
    Case(
        "Multiplicative",
        {"initial_val": 0.1, "coefficient": 0.99},
        "Exponential(0.1, 0.99, 1)",
        exponential(0.1, 1, 0.99),
        (200,),
    ),
    Case(
        "Cyclic",
        {"base_val": 0.01, "max_val": 0.1, "step_size_up": 10, "step_size_down": 30},
        "Cyclic(0.01, 0.1, 10, 30)",
        cyclic(0.01, 0.1, 10, 30),
        (10, 40, 50, 80),
    ),
    Case(
        "Cyclic",
        {"base_val": 0.01, "max_val": 0.1, "step_size_up": 10, "mode": "triangular2"},
        "Cyclic(0.01, 0.1, 10, mode='triangular2')",
        cyclic(0.01, 0.1, 10, 10, "triangular2"),
        (10, 20, 40, 60),
    ),
    Case(
        "Cyclic",
        {
            "base_val": 0.01,
            "max_val": 0.1,
            "step_size_up": 10,
            "mode": "exp_range",
            "gamma": 0.97,
            "scale_mode": "iterations",
        },
        "Cyclic(0.01, 0.1, 10, mode='exp_range', gamma=0.97)",
        cyclic(0.01, 0.1, 10, 10, "exp_range", 0.97),
        (10, 20, 40, 60),
    ),
    Case(
        "OneCycle",
        {"initial_val": 0.01, "max_val": 0.1},
        "OneCycle(0.01, 0.1, 1e-06, 999, 299)",
        one_cycle(0.01, 0.1),
        (299, 1000),
        1000,
        FLAT,
    ),
    Case(
        "OneCycle",
        {
            "initial_val": 0.04,
            "max_val": 1.0,
            "total_steps": 10,
            "pct_start": 0.35,
            "final_div_factor": 4.0,
            "anneal_strategy": "linear",
        },
        "OneCycle(0.04, 1.0, 0.01, 9, 2.5, ease='linear')",
        one_cycle(0.04, 1.0, 10, 0.35, 4.0, anneal="linear"),
        (2, 10),
        10,
        FLAT,
    ),
    Case(
        "OneCycle",
        {"initial_val": 0.04, "max_val": 1.0, "total_steps": 100, "final_div_factor": 8.0, "three_phase": True},
        "OneCycle(0.04, 1.0, 0.005, 99, 29, three_phase=True)",
        one_cycle(0.04, 1.0, 100, 0.3, 8.0, three=True),
        (29, 58, 100),
        100,
        FLAT,
    ),
]
