"""Correct rounding for random hyper-parameters and lengths up to 2**53, against the formulas of `row.py`."""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction

import pytest
import row
import rows_shapes as shapes
import torch
from oracle import probes, to_float32, ulps
from row import Exact

import tracelr
from tracelr import Schedule

LENGTHS = [1, 2, 3, 10, 10**5, 2**24 - 1, 2**24 + 3, 2**31 + 11, 10**12, 2**53]
RATES = [0.9, 0.1, 0.5, 0.96, 1.0, 1 - 1e-7]
POWERS = [1, 2, 3, 4, 0.5, 1.5, 3.7, 10]


def cases(draw: random.Random) -> Iterator[tuple[Schedule, Exact, int]]:
    """Yield one random schedule of each kind, its oracle and its last step: rising and falling, zero ends, rates near 1."""

    def steps() -> int:
        return draw.choice([*LENGTHS, *(int(2 ** (53 * draw.random())) for _ in LENGTHS)])

    def ends() -> tuple[float, float]:
        pairs = [(6e-4, 0.0), (6e-4, 6e-5), (0.0, 1.0), (1.0, 0.1), (1e-6, draw.random()), (draw.random(), draw.random())]
        return draw.choice(pairs)

    def rate() -> float:
        return draw.choice([*RATES, 0.01 + 0.99 * draw.random()])

    for kind in ("Linear", "Cosine", "Polynomial"):
        power = (draw.choice([*POWERS, 0.05 + 4 * draw.random()]),) if kind == "Polynomial" else ()
        args = (*ends(), steps(), *power)
        yield getattr(tracelr, kind)(*args), getattr(row, kind.lower())(*args), args[2]
    cycling = (*ends(), min(steps(), 2**50), draw.choice(POWERS), True)
    yield tracelr.Polynomial(*cycling), row.polynomial(*cycling), cycling[2]
    for stairs in (False, True):
        inverse = (ends()[0], rate(), steps(), 1.0, stairs)
        yield tracelr.InverseTime(*inverse), row.inverse_time(*inverse), 100 * inverse[2]
        falling = (ends()[0], rate(), steps(), stairs)
        yield tracelr.Exponential(*falling), row.exponential(*falling), 100 * falling[2]
    root = (ends()[0], steps())
    yield tracelr.InverseSqrt(*root), row.inverse_sqrt(*root), 100 * root[1]
    tangent = (*ends(), steps(), -8 * draw.random(), 8 * draw.random())
    yield tracelr.Tanh(*tangent), shapes.tanh(*tangent), tangent[2]
    reflected = (*ends(), steps())
    yield tracelr.Rex(*reflected), shapes.rex(*reflected), reflected[2]
    for power in (None, draw.choice(POWERS)):
        bent = (*ends(), steps(), draw.choice(POWERS), power)
        yield tracelr.KDecay(*bent), shapes.k_decay(*bent), bent[2]
    raised = (*ends(), steps(), draw.choice(POWERS))
    yield tracelr.CosinePower(*raised), shapes.cosine_power(*raised), raised[2]
    for restart in (False, True):
        waving, cycles = (*ends(), steps()), Fraction(draw.randint(1, 20), draw.randint(1, 8))
        schedule = tracelr.CosineWaves(*waving, float(cycles), restart)
        yield schedule, shapes.waves(*waving, cycles, restart), waving[2]
    law = (ends()[0], draw.choice([*POWERS, 0.51]), steps(), draw.choice([0, steps(), -steps()]))
    yield tracelr.PowerLaw(*law), shapes.power_law(*law), 100 * law[2]
    for kind in ("uniform", "normal"):
        seed, spread = draw.randrange(2**53), draw.random() / 3
        yield tracelr.Noise(seed, spread, kind), shapes.noise(seed, spread, kind), 2**53


# float64 puts its result within about 2 of its own units of the exact value, so only an exact value this close to the middle of
# two float32 numbers (in float32 units) can go to the wrong one: about one in 10**8. docs/numerics.md says more.
NEAR_TIE = 2.0**-27


def misrounded(seed: int, random_steps: int) -> tuple[int, list[tuple[Schedule, int, float, float]]]:
    """Return how many values were compared, and the misrounded ones as (schedule, step, got, distance in units)."""
    count, wrong = 0, []
    for schedule, exact, last in cases(random.Random(seed)):
        steps = [step for step in probes((last, last // 100), seed, random_steps) if step <= 2 * last]
        for step, got in zip(steps, schedule(torch.tensor(steps)).tolist(), strict=True):
            want = exact(step)
            if got != to_float32(want):
                wrong.append((schedule, step, got, ulps(got, want)))
        count += len(steps)
    return count, wrong


@pytest.mark.parametrize("seed", range(12))
def test_random_schedules_are_correctly_rounded(seed: int) -> None:
    count, wrong = misrounded(seed, random_steps=60)
    assert count > 500
    assert wrong == []


@pytest.mark.slow
def test_a_million_values_are_correctly_rounded_but_for_near_ties() -> None:
    total, ties = 0, 0
    for seed in range(1000, 1200):
        count, wrong = misrounded(seed, random_steps=100)
        assert [case for case in wrong if case[-1] > 0.5 + NEAR_TIE] == []
        total, ties = total + count, ties + len(wrong)
    assert total > 1_000_000
    assert ties <= 4


@pytest.mark.parametrize("steps", [1, 7, 1000, 2**24 + 3, 2**31 + 11, 2**53])
def test_end_points_are_bit_exact(steps: int) -> None:
    draw = random.Random(steps)
    for _ in range(300):
        start, end = 10 ** draw.uniform(-9, 1), 10 ** draw.uniform(-9, 1)
        want = [torch.tensor(start).item(), torch.tensor(end).item()]
        at = torch.tensor([0, steps])
        assert tracelr.Linear(start, end, steps)(at).tolist() == want
        assert tracelr.Cosine(start, end, steps)(at).tolist() == want
        assert tracelr.Polynomial(start, end, steps, draw.choice([1.0, 2.0, 0.5, 3.7]))(at).tolist() == want
        assert tracelr.Exponential(start, 0.5, steps)(at).tolist() == [want[0], torch.tensor(start * 0.5).item()]


@pytest.mark.parametrize("width", [1, 3, 7, 1000, 2**24 + 1, 2**31 + 11])
def test_no_wrong_stair(width: int) -> None:
    stairs = [*range(1, 40), 2**20, 2**20 + 1]
    edges = [k * width + d for k in stairs for d in (-1, 0, 1)]
    exponential = tracelr.Exponential(1.0, 0.9999, width, staircase=True)(torch.tensor(edges)).tolist()
    inverse = tracelr.InverseTime(1.0, 0.01, width, staircase=True)(torch.tensor(edges)).tolist()
    exact = row.exponential(1.0, 0.9999, width, staircase=True), row.inverse_time(1.0, 0.01, width, staircase=True)
    assert exponential == [to_float32(exact[0](edge)) for edge in edges]
    assert inverse == [to_float32(exact[1](edge)) for edge in edges]
