"""Random schedules of every class with their oracles: rising and falling, zero ends, rates near 1, lengths from 1 to 2**53.

The proof of exactness in `test_exact.py` and the tables of `benchmarks/exactness.py` are made of them. `Lambda` is left out: what
it computes is its author's.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from mpmath import mpf

import tracelr
from support import row
from support.row import Exact
from support.rows import cycles, phases, shapes
from tracelr import Schedule

LENGTHS = [1, 2, 3, 10, 10**5, 2**24 - 1, 2**24 + 3, 2**31 + 11, 10**12, 2**53]
RATES = [0.9, 0.1, 0.5, 0.96, 1.0, 1 - 1e-7]
POWERS = [1, 2, 3, 4, 0.5, 1.5, 3.7, 10]


@dataclass(frozen=True)
class Case:
    """`last` is the step where the curve ends, or the last that is worth looking at; at `ends` its formula changes.

    `monotone` is as in a row of the table.
    """

    schedule: Schedule
    exact: Exact
    last: int
    ends: tuple[int, ...] = ()
    monotone: int = 0

    @property
    def kind(self) -> str:
        return type(self.schedule).__name__


class Draw:
    """Draws hyper-parameters, each from a list of hard ones or at random."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def steps(self, most: int = 2**53) -> int:
        choice = self.random.choice([*LENGTHS, *(int(2 ** (53 * self.random.random())) for _ in LENGTHS)])
        return max(1, min(choice, most))

    def ends(self) -> tuple[float, float]:
        one, two = self.random.random(), self.random.random()
        return self.random.choice([(6e-4, 0.0), (6e-4, 6e-5), (0.0, 1.0), (1.0, 0.1), (1e-6, one), (one, two)])

    def rate(self) -> float:
        return self.random.choice([*RATES, 0.01 + 0.99 * self.random.random()])

    def power(self) -> float:
        return self.random.choice([*POWERS, 0.05 + 4 * self.random.random()])

    def flag(self) -> bool:
        return self.random.random() < 0.5

    def milestones(self, count: int) -> list[int]:
        reach = self.random.choice([count + 1, 10**5, 2**24 + 3, 2**53])
        return sorted(self.random.sample(range(1, max(reach, count + 1) + 1), count))


def _way(start: float, end: float) -> int:
    return (end > start) - (end < start)


def curves(draw: Draw) -> Iterator[Case]:
    """Yield one random case of every curve that goes from one value to another."""
    for kind in ("Linear", "Cosine", "Polynomial", "Tanh", "Rex", "CosinePower"):
        start, end, steps = *draw.ends(), draw.steps()
        extra: tuple[float, ...] = ()
        if kind == "Tanh":
            extra = -8 * draw.random.random(), 8 * draw.random.random()
        elif kind in ("Polynomial", "CosinePower"):
            extra = (draw.power(),)
        module: Any = row if kind in ("Linear", "Cosine", "Polynomial") else shapes
        formula = getattr(module, "cosine_power" if kind == "CosinePower" else kind.lower())
        flat = kind == "Tanh"  # it reaches neither its start nor its end
        schedule = getattr(tracelr, kind)(start, end, steps, *extra)
        yield Case(schedule, formula(start, end, steps, *extra), steps, (steps,), 0 if flat else _way(start, end))
    for power in (None, draw.random.choice(POWERS)):
        bent = (*draw.ends(), draw.steps(), draw.random.choice(POWERS), power)
        yield Case(tracelr.KDecay(*bent), shapes.k_decay(*bent), bent[2], (bent[2],), _way(*bent[:2]))
    for restart in (False, True):
        waving, count = (*draw.ends(), draw.steps()), Fraction(draw.random.randint(1, 20), draw.random.randint(1, 8))
        schedule = tracelr.CosineWaves(*waving, float(count), restart)
        yield Case(schedule, shapes.waves(*waving, count, restart), waving[2], (waving[2],))
    easing = draw.random.choice(["linear", "cosine", "sqrt", "square", "1-sqrt", "1-square", "exponential", "log"])
    ramp = (*draw.ends(), draw.steps(), easing, draw.random.uniform(0.01, 0.99), draw.flag())
    yield Case(tracelr.Ramp(*ramp), phases.ramp(*ramp), ramp[2], (ramp[2],), _way(*ramp[:2]))


def decays(draw: Draw) -> Iterator[Case]:
    """Yield one random case of every curve without end."""
    cycling = (*draw.ends(), draw.steps(2**50), draw.random.choice(POWERS), True)
    yield Case(tracelr.Polynomial(*cycling), row.polynomial(*cycling), cycling[2], (cycling[2],))
    for stairs in (False, True):
        inverse = (draw.ends()[0], draw.rate(), draw.steps(), 1.0, stairs)
        yield Case(tracelr.InverseTime(*inverse), row.inverse_time(*inverse), 100 * inverse[2], (inverse[2],), -1)
        falling = (draw.ends()[0], draw.rate(), draw.steps(), stairs)
        yield Case(tracelr.Exponential(*falling), row.exponential(*falling), 100 * falling[2], (falling[2],), -1)
    root = (draw.ends()[0], draw.steps())
    yield Case(tracelr.InverseSqrt(*root), row.inverse_sqrt(*root), 100 * root[1], (root[1],), -1)
    law = (draw.ends()[0], draw.random.choice([*POWERS, 0.51]), draw.steps(), draw.random.choice([0, 1, -1]))
    shifted = (*law[:3], law[3] * law[2])
    yield Case(tracelr.PowerLaw(*shifted), shapes.power_law(*shifted), 100 * law[2], (law[2],), -1)
    test = (draw.ends()[0], draw.rate(), draw.steps(2**50), draw.flag())
    yield Case(tracelr.RangeTest(*test), _range_test(*test), 100 * test[2], (test[2] - 1, test[2]), 1)
    for kind in ("uniform", "normal"):
        seed, spread = draw.random.randrange(2**53), draw.random.random() / 3
        yield Case(tracelr.Noise(seed, spread, kind), shapes.noise(seed, spread, kind), 2**53)


def stairs(draw: Draw) -> Iterator[Case]:
    """Yield one random case of every curve of steps and of knots."""
    value = draw.ends()[0]
    yield Case(tracelr.Constant(value), lambda t: mpf(value), 1000, (), 1)
    step = (draw.ends()[0], draw.rate(), draw.steps())
    yield Case(tracelr.Step(*step), row.exponential(*step, True), 100 * step[2], (step[2], 7 * step[2]), -1)
    at = draw.milestones(draw.random.randint(1, 12))
    start, gamma = draw.ends()[0], draw.rate()
    yield Case(tracelr.MultiStep(start, gamma, at), cycles.multi_step(start, gamma, at), at[-1], tuple(at), -1)
    values = [draw.random.choice([0.0, 6e-4, draw.random.random()]) for _ in range(len(at) + 1)]
    yield Case(tracelr.PiecewiseConstant(values, at), row.piecewise(values, at), at[-1], tuple(at))
    for kind in ("linear", "cosine"):
        knots = draw.milestones(draw.random.randint(2, 12))
        heights = [draw.random.choice([0.0, 6e-4, draw.random.random()]) for _ in knots]
        exact = cycles.knots(knots, heights, kind)
        yield Case(tracelr.Interpolate(heights, knots, kind), exact, knots[-1], tuple(knots))


def periods(draw: Draw) -> Iterator[Case]:
    """Yield one random case of every curve of cycles or phases."""
    wave = (*draw.ends(), draw.steps(2**50))
    yield Case(tracelr.CosineAnnealing(*wave), cycles.wave(*wave), 3 * wave[2], (wave[2], 2 * wave[2]))
    growth = draw.random.choice([1.0, 2.0, 1.5])
    limit = draw.random.choice([None, 3])
    again = (*draw.ends(), draw.steps(2**45), growth, draw.random.choice([1.0, 0.7]), limit)
    yield Case(tracelr.WarmRestarts(*again), cycles.restarts(*again), 6 * again[2], (again[2], 2 * again[2], 3 * again[2]))
    mode = draw.random.choice(["triangular", "triangular2", "exp_range"])
    up, down = draw.steps(2**50), draw.steps(2**50)
    wheel = (*sorted(draw.ends()), up, down, mode, 1.0 if mode != "exp_range" else 1 - draw.random.random() / (up + down))
    yield Case(tracelr.Cyclic(*wheel), cycles.cyclic(*wheel), 3 * (up + down), (up, up + down, 2 * (up + down)))
    total = max(draw.steps(), 10)
    warm = draw.random.choice([0.3, draw.random.uniform(0.05, 0.45)]) * total
    once = (0.04, 1.0, 4e-6, total, warm, draw.random.choice(["cosine", "linear"]), draw.flag())
    yield Case(tracelr.OneCycle(*once), cycles.one_cycle(*once), total, (int(warm), int(warm) + 1, int(2 * warm), total))
    peak, low = draw.ends()
    lengths = draw.steps(2**50), draw.steps(2**50), draw.steps(2**50)
    kinds = draw.random.choice(["linear", "cosine", "1-sqrt"]), draw.random.choice(["linear", "sqrt", "exponential"])
    wsd = (peak, *lengths, low / 3, low, *kinds)
    turns = lengths[0], lengths[0] + lengths[1], sum(lengths)
    yield Case(tracelr.WSD(*wsd), phases.wsd(*wsd), turns[2], turns)


def composed(draw: Draw) -> Iterator[Case]:
    """Yield random schedules made of schedules: a warm-up before a cosine, a product, a sum."""
    (low, peak), warm, steps = sorted(draw.ends()), draw.steps(2**50), draw.steps(2**50)
    both = tracelr.Linear(low, peak, warm).then(tracelr.Cosine(peak, low, steps))
    exact = row.sequence([row.linear(low, peak, warm), row.cosine(peak, low, steps)], [warm])
    yield Case(both, exact, warm + steps, (warm, warm + steps))
    one, rate = row.cosine(peak, low, steps), draw.rate()
    two, three = row.exponential(peak, rate, warm), row.linear(low, peak, warm)
    wave, fall, rise = (
        tracelr.Cosine(peak, low, steps),
        tracelr.Exponential(peak, rate, warm),
        tracelr.Linear(low, peak, warm),
    )
    ends = tuple(sorted({warm, steps}))
    yield Case(wave * fall, lambda t: one(t) * two(t), ends[-1], ends)
    yield Case(wave + rise, lambda t: one(t) + three(t), ends[-1], ends)


def _range_test(start: float, rate: float, steps: int, staircase: bool) -> Exact:
    def exact(t: int) -> Any:
        return mpf(start) * (1 + mpf(rate) * (mpf((t + 1) // steps) if staircase else mpf(t + 1) / steps))

    return exact


FAMILIES: tuple[Callable[[Draw], Iterator[Case]], ...] = (curves, decays, stairs, periods, composed)


def cases(seed: int) -> Iterator[Case]:
    """Yield every random case of a seed."""
    draw = Draw(seed)
    for family in FAMILIES:
        yield from family(draw)
