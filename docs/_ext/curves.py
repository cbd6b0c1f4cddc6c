"""Small pictures of curves: SVG in the colours of the page, one line for each schedule."""

from __future__ import annotations

import math
from html import escape

import torch

import tracelr
from tracelr import Schedule

WIDTH, HEIGHT = 460, 190
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 10, 24

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
"""What the page of schedules draws. A class that is not here is drawn as its docstring's first call of it."""


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


def svg(name: str, small: bool = False) -> str:
    """Return the picture of a schedule class; a small one is its curves alone."""
    curves = [build(expression) for expression in examples(name)]
    last = max(math.ceil(1.2 * (curve.length or 100)) for curve in curves)
    last = max(last, 120) if name in EXAMPLES else last
    steps = torch.arange(last + 1)
    drawn = [curve(steps).double() for curve in curves]
    low, high = min(0.0, *(float(c.min()) for c in drawn)), max(float(c.max()) for c in drawn)
    high = high if high > low else low + 1.0
    left, right, top, bottom = (3, 3, 4, 4) if small else (LEFT, RIGHT, TOP, BOTTOM)
    width, height = (120, 60) if small else (WIDTH, HEIGHT)

    def x(step: float) -> float:
        return left + (width - left - right) * step / last

    def y(value: float) -> float:
        return top + (height - top - bottom) * (high - value) / (high - low)

    label = escape(f"The curve of {name}", quote=True)
    parts = [f'<svg class="curve" viewBox="0 0 {width} {height}" width="{width}" role="img" aria-label="{label}">']
    if not small:
        parts += [f'<path class="grid" d="M{LEFT} {y(v):.1f}H{width - RIGHT}"/>' for v in ticks(low, high)]
        parts += [f'<text x="{LEFT - 6}" y="{y(v) + 4:.1f}" text-anchor="end">{v:g}</text>' for v in ticks(low, high)]
        parts += [f'<text x="{x(s):.1f}" y="{height - 6}" text-anchor="middle">{s:g}</text>' for s in ticks(0, last)]
    for k, values in reversed(list(enumerate(drawn))):
        points = " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in enumerate(values.tolist()))
        parts.append(f'<polyline class="line{k}" points="{points}"/>')
    return "".join(parts) + "</svg>"


def ticks(low: float, high: float) -> list[float]:
    """Return three to six round numbers from `low` to `high`."""
    size = 10.0 ** math.floor(math.log10((high - low) / 3))
    size = next(size * k for k in (1, 2, 5, 10) if (high - low) / (size * k) < 6)
    return [round(k * size, 12) for k in range(math.ceil(low / size - 1e-9), math.floor(high / size + 1e-9) + 1)]
