"""Each Cerebras curve with its formula as read in cerebras_pytorch 2.10, in 300-bit mpmath (set in conftest.py).

The formulas are written independently of `src`, and are wrong where the original is wrong. Of a short case for each curve,
`until` is the first step at which ours differs, and `differs` says how. `AT_2000` are calls with the lengths of a run, for
comparisons with what their compiler makes of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from mpmath import mp, mpf

from support.row import Exact, exponential, inverse_time, piecewise, sequence
from tracelr.interop.cerebras.curves import LR


@dataclass(frozen=True)
class Case:
    """`given` are the parameters by their names in the curve, `ours` is an expression of tracelr's names."""

    stem: str
    given: dict[str, Any]
    ours: str
    exact: Exact
    ends: tuple[int, ...]
    until: int | None = None
    differs: str = ""

    def formula(self, step: int) -> float:
        return float(self.exact(step))

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


def polynomial(s: float, e: float, n: int, p: float = 1.0, cycle: bool = False) -> Exact:
    def exact(t: int) -> Any:
        if t >= n:
            return mpf(e)
        return (mpf(s) - mpf(e)) * (1 - mpf(t) / (n * (math.ceil((t + 1) / n) if cycle else 1))) ** mpf(p) + mpf(e)

    return exact


def inverse_sqrt(s: float = 1.0, c: float = 1.0, n: int = 1) -> Exact:
    return lambda t: mpf(s) * mpf(c) / mp.sqrt(max(t, n))


def wave(s: float, e: float, n: int, last: float = math.inf) -> Exact:
    return lambda t: mpf(e) + (mpf(s) - mpf(e)) * (mp.cos(mp.pi * min(t, last) / n) + 1) / 2


def restarts(s: float, e: float, n: int) -> Exact:
    def exact(t: int) -> Any:
        place = t if t < n else (t // n - 1) * n  # a multiple of n: cos(place) is 1 or -1
        return wave(s, e, n)(place)

    return exact


def cyclic(low: float, high: float, up: int, down: int, mode: str = "triangular", gamma: float = 1.0) -> Exact:
    def exact(t: int) -> Any:
        cycle, place = divmod(t, up + down)
        height = mpf(place) / up if place <= up else mpf(up + down - place) / down
        scale = {"triangular": 1, "triangular2": mpf(2) ** -cycle, "exp_range": mpf(gamma) ** t}[mode]
        return mpf(low) + (mpf(high) - mpf(low)) * height * scale

    return exact


def one_cycle(
    s: float, h: float, n: int = 1000, p: float = 0.3, d: float = 1e4, three: bool = False, anneal: str = "cos"
) -> Exact:
    ends = [p * n - 1, *[2 * p * n - 2] * three, n - 1]
    rates = [mpf(s), mpf(h), *[mpf(s)] * three, mpf(s) / mpf(d)]

    def exact(t: int) -> Any:
        k = sum(end < t for end in ends[:-1])
        begin = [0, *ends][k]
        part, first, last = (t - mpf(begin)) / (mpf(ends[k]) - mpf(begin)), rates[k], rates[k + 1]
        return first + (last - first) * part if anneal == "linear" else wave(first, last, 1)(part)

    return exact


FLAT = "ours keeps its last value; theirs continues, a line below 0 and a cosine upwards"
NEVER = "ours cycles as in Keras, reaches the end at every multiple of total_iters and continues on a longer curve; theirs stays at the end"
SQUARE = "each of our cycles is half a cosine from the peak; theirs is a square wave from the first restart on"

CASES = [
    Case("Constant", {"val": 0.1, "total_iters": 7}, "Constant(0.1)", lambda t: mpf(0.1), (7,)),
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
        exponential(0.1, 0.3, 90),
        (90, 180),
    ),
    Case(
        "Exponential",
        {"initial_val": 0.1, "total_iters": 90, "decay_rate": 0.3, "staircase": True},
        "Exponential(0.1, 0.3, 90, staircase=True)",
        exponential(0.1, 0.3, 90, staircase=True),
        (90, 180),
    ),
    Case(
        "InverseExponentialTimeDecay",
        {"initial_val": 0.1, "step_exponent": 2, "total_iters": 90, "decay_rate": 0.3},
        "InverseTime(0.1, 0.3, 90, exponent=2)",
        inverse_time(0.1, 0.3, 90, 2),
        (90,),
    ),
    Case(
        "InverseExponentialTimeDecay",
        {"initial_val": 0.1, "step_exponent": 1, "total_iters": 90, "decay_rate": 0.3, "staircase": True},
        "InverseTime(0.1, 0.3, 90, exponent=1, staircase=True)",
        inverse_time(0.1, 0.3, 90, 1, staircase=True),
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
        piecewise([0.1, 0.02, 0.003], [10, 25]),
        (10, 25),
    ),
    Case(
        "MultiStep",
        {"initial_val": 0.1, "gamma": 0.3, "milestones": [10, 25, 25]},
        "MultiStep(0.1, 0.3, [10, 25, 25])",
        piecewise([0.1, 0.03, 0.009, 0.0027], [10, 25, 25]),
        (10, 25),
    ),
    Case(
        "Step",
        {"initial_val": 0.1, "step_size": 7, "gamma": 0.3},
        "Step(0.1, 0.3, 7)",
        exponential(0.1, 0.3, 7, staircase=True),
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
        exponential(0.1, 0.99, 1),
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


@dataclass(frozen=True)
class Call:
    """A call as their users write it, and the exact value of their formula. It is a call of our class of that name too.

    `differs` says where they differ from ours or from what their documentation says. `ours` is our call, with its exact
    value, where it is written in another way.
    """

    text: str
    exact: Exact
    differs: str = ""
    ours: tuple[str, Exact] | None = None


def called(text: str, names: Mapping[str, Any], optimizer: Any, tag: str | None = None) -> Any:
    """Return the scheduler that a call of the class names in `names` makes for the groups with the tag."""
    kinds = {name: partial(kind, param_group_tags=tag) for name, kind in names.items() if isinstance(kind, type)}
    return eval(text, kinds | {"optimizer": optimizer})


def _product(a: Exact, b: Exact) -> Exact:
    return lambda t: a(t) * b(t)


S, E = 6e-4, 6e-5
NO_CYCLE = "theirs does not cycle: from total_iters on it is the end"
PER_LENGTH = "their documentation says decay_rate every step; it is that for every total_iters"
TIMES = "the formula of their documentation leaves out initial_learning_rate, by which it is multiplied"
SQUARED = "theirs multiplies by the initial rate once for every function, here twice; the functions are its default"
AS_FLOAT32 = "their optimizer for the accelerator makes a float32 of the group's factor, here 0.3"
AT_2000 = [
    Call("ConstantLR(optimizer, 6e-4)", lambda t: mpf(S)),
    Call("PolynomialLR(optimizer, 6e-4, 6e-5, 2000, power=2.5)", polynomial(S, E, 2000, 2.5)),
    Call("PolynomialLR(optimizer, 6e-4, 6e-5, 500, cycle=True)", polynomial(S, E, 500, cycle=True), NO_CYCLE),
    Call("LinearLR(optimizer, 0.0, 6e-4, 2000)", polynomial(0.0, S, 2000)),
    Call("LinearLR(optimizer, 6e-4, 0.0, 2000)", polynomial(S, 0.0, 2000)),
    Call("ExponentialLR(optimizer, 6e-4, 500, 0.5)", exponential(S, 0.5, 500), PER_LENGTH),
    Call("ExponentialLR(optimizer, 6e-4, 50, 0.9, staircase=True)", exponential(S, 0.9, 50, staircase=True)),
    Call("InverseExponentialTimeDecayLR(optimizer, 6e-4, 2, 500, 0.5)", inverse_time(S, 0.5, 500, 2)),
    Call(
        "InverseExponentialTimeDecayLR(optimizer, 6e-4, 1, 50, 0.5, staircase=True)",
        inverse_time(S, 0.5, 50, 1, staircase=True),
    ),
    Call("InverseSquareRootDecayLR(optimizer, 6e-4, 10.0, 100)", inverse_sqrt(S, 10.0, 100), TIMES),
    Call("CosineDecayLR(optimizer, 6e-4, 6e-5, 2000)", wave(S, E, 2000, last=2000)),
    Call("CosineDecayLR(optimizer, 6e-4, 0.0, 2000)", wave(S, 0.0, 2000, last=2000)),
    Call(
        "SequentialLR(optimizer, [LinearLR(optimizer, 0.0, 6e-4, 200), CosineDecayLR(optimizer, 6e-4, 6e-5, 1800)], [200])",
        sequence([polynomial(0.0, S, 200), wave(S, E, 1800, last=1800)], [200]),
    ),
    Call("PiecewiseConstantLR(optimizer, [6e-4, 3e-4, 6e-5], [1000, 1500])", piecewise([S, 3e-4, E], [1000, 1500])),
    Call(
        "MultiStepLR(optimizer, 6e-4, 0.1, [500, 1000, 1500])",
        lambda t: mpf(S) * mpf(0.1) ** sum(m <= t for m in (500, 1000, 1500)),
    ),
    Call("StepLR(optimizer, 6e-4, 50, 0.9)", exponential(S, 0.9, 50, staircase=True)),
    Call("CosineAnnealingLR(optimizer, 6e-4, 500, 6e-5)", wave(S, E, 500)),
    Call(
        "LambdaLR(optimizer, 6e-4)",
        lambda t: mpf(S) ** 2 * mpf(t) / 30 * mpf(0.95) ** t,
        SQUARED,
        (
            "LambdaLR(optimizer, 6e-4, [lambda t: t.float() / 30, lambda t: 0.95 ** t.float()])",
            lambda t: mpf(S) * mpf(t) / 30 * mpf(0.95) ** t,
        ),
    ),
    Call("CosineAnnealingWarmRestarts(optimizer, 6e-4, 500, eta_min=6e-5)", restarts(S, E, 500), SQUARE),
    Call("MultiplicativeLR(optimizer, 6e-4, 0.999)", exponential(S, 0.999, 1)),
    Call(
        "ChainedLR([CosineDecayLR(optimizer, 6e-4, 6e-5, 2000), StepLR(optimizer, 1.0, 500, 0.5)])",
        _product(wave(S, E, 2000, last=2000), exponential(1.0, 0.5, 500, staircase=True)),
    ),
    Call("CyclicLR(optimizer, 6e-5, 6e-4, 200, 600)", cyclic(E, S, 200, 600)),
    Call("CyclicLR(optimizer, 6e-5, 6e-4, 250, mode='triangular2')", cyclic(E, S, 250, 250, "triangular2")),
    Call(
        "CyclicLR(optimizer, 6e-5, 6e-4, 250, mode='exp_range', gamma=0.999)",
        cyclic(E, S, 250, 250, "exp_range", 0.999),
    ),
    Call("OneCycleLR(optimizer, 6e-5, 6e-4, total_steps=2000)", one_cycle(E, S, 2000), FLAT),
    Call(
        "OneCycleLR(optimizer, 6e-5, 6e-4, total_steps=2000, three_phase=True, anneal_strategy='linear')",
        one_cycle(E, S, 2000, three=True, anneal="linear"),
        FLAT,
    ),
    Call(
        "ScalePerParamLR(optimizer, CosineDecayLR(optimizer, 6e-4, 6e-5, 2000))",
        lambda t: mpf(0.3) * wave(S, E, 2000, last=2000)(t),
        AS_FLOAT32,
    ),
]
