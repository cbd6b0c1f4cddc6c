"""The examples of every schedule, and the picture of them."""

from __future__ import annotations

import math

import tracelr
from tracelr import Schedule
from tracelr.drawing.svg import svg
from tracelr.schedules.describe.sampling import curve

EXAMPLES: dict[str, tuple[str, ...]] = {
    "Clamp": ("Clamp(Cosine(1.0, 0.0, 100), low=0.2, high=0.8)",),
    "Constant": ("Constant(0.5)",),
    "Cosine": ("Cosine(1.0, 0.1, 100)",),
    "CosineAnnealing": ("CosineAnnealing(1.0, 0.0, 40)",),
    "CosinePower": tuple(f"CosinePower(1.0, 0.0, 100, power={p})" for p in (0.5, 2.0, 5.0)),
    "CosineWaves": ("CosineWaves(1.0, 0.0, 100, cycles=2.5)", "CosineWaves(1.0, 0.0, 100, cycles=3.0, restart=True)"),
    "Cyclic": tuple(f"Cyclic(0.1, 1.0, 15, 25, mode={m!r}, gamma=0.98)" for m in ("triangular", "triangular2", "exp_range")),
    "Exponential": ("Exponential(1.0, 0.5, 30)", "Exponential(1.0, 0.5, 30, staircase=True)"),
    "Interpolate": tuple(f"Interpolate([0.0, 1.0, 0.4, 0.0], [0, 20, 60, 100], {k!r})" for k in ("linear", "cosine")),
    "InverseSqrt": ("InverseSqrt(1.0, 20)",),
    "InverseTime": ("InverseTime(1.0, 1.0, 25)", "InverseTime(1.0, 1.0, 25, staircase=True)"),
    "KDecay": tuple(f"KDecay(1.0, 0.0, 100, k={k})" for k in (0.5, 1.0, 3.0)),
    "Lambda": ("Lambda(lambda step: (step / 8).sin() / (1 + step / 16))",),
    "Linear": ("Linear(1.0, 0.1, 100)",),
    "Loop": ("Loop(Linear(1.0, 0.2, 30), period=30)",),
    "MultiStep": ("MultiStep(1.0, 0.5, [30, 60, 90])",),
    "Noise": ("Noise(seed=7, spread=0.1)",),
    "OneCycle": ("OneCycle(0.1, 1.0, 0.0, 100, 30)", "OneCycle(0.1, 1.0, 0.0, 100, 30, 'linear', three_phase=True)"),
    "PiecewiseConstant": ("PiecewiseConstant([1.0, 0.4, 0.1], [40, 80])",),
    "Polynomial": tuple(f"Polynomial(1.0, 0.0, 100, power={p})" for p in (0.5, 1.0, 2.0)),
    "PowerLaw": ("PowerLaw(1.0, 0.5, 10)", "PowerLaw(1.0, 1.0, 10)"),
    "Product": ("Cosine(1.0, 0.0, 100) * Step(1.0, 0.6, 25)",),
    "Ramp": tuple(f"Ramp(1.0, 0.0, 100, {kind!r})" for kind in ("1-sqrt", "square", "exponential", "log")),
    "RangeTest": ("RangeTest(0.1, 1.0, 40)", "RangeTest(0.1, 1.0, 40, staircase=True)"),
    "Rex": ("Rex(1.0, 0.0, 100)",),
    "Scale": ("0.5 * Cosine(1.0, 0.0, 100)",),
    "Sequential": (
        "Sequential([Linear(0.0, 1.0, 20), Cosine(0.6, 0.0, 80)], [20])",
        "Sequential([Linear(0.0, 1.0, 20), Cosine(0.6, 0.0, 80)], [20], join='scale')",
    ),
    "Shift": ("Shift(Cosine(1.0, 0.0, 70), by=30)",),
    "Shorten": ("Shorten(Cosine(1.0, 0.0, 100), steps=60)",),
    "Step": ("Step(1.0, 0.6, 20)",),
    "Stretch": ("Stretch(Step(1.0, 0.6, 10), factor=5, divisor=2)",),
    "Sum": ("Linear(0.6, 0.0, 100) + CosineAnnealing(0.2, 0.0, 12)",),
    "Tanh": ("Tanh(1.0, 0.0, 100)",),
    "WSD": ("WSD(1.0, 15, 45, 40)", "WSD(1.0, 15, 45, 40, decay_kind='1-sqrt')"),
    "WarmRestarts": ("WarmRestarts(1.0, 0.0, 20, 2.0)", "WarmRestarts(1.0, 0.0, 20, 1.0, decay=0.7)"),
}
"""What the page of schedules draws. A class that is not listed is drawn from the first call in its docstring."""


def examples(name: str) -> tuple[str, ...]:
    """Return the expressions that show a schedule class."""
    if name in EXAMPLES:
        return EXAMPLES[name]
    doc = vars(tracelr)[name].__doc__ or ""
    start = doc.index(f"{name}(")
    depth, stop = 0, start
    for stop in range(start, len(doc)):
        depth += {"(": 1, ")": -1}.get(doc[stop], 0)
        if doc[stop] == ")" and not depth:
            break
    return (doc[start : stop + 1],)


def build(expression: str) -> Schedule:
    """Return the schedule that an expression of tracelr's names makes."""
    schedule = eval(expression, dict(vars(tracelr)))
    assert isinstance(schedule, Schedule), expression
    return schedule


def picture(name: str) -> str:
    """Return the picture of a schedule class, on one line: a curve for each of its examples."""
    schedules = [build(expression) for expression in examples(name)]
    last = max(math.ceil(1.2 * (schedule.length or 100)) for schedule in schedules)
    last = max(last, 120) if name in EXAMPLES else last
    curves = [curve(schedule, last=last) for schedule in schedules]
    return svg(curves, f"The curve of {name}", alone=False).replace("\n", "")
