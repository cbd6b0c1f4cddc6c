"""Random trees of schedules, with every field over its whole range, against the exact evaluator of `exact_values.py`.

What is allowed beside half a unit of a float32 is what docs/numerics.md states: a part of the size of the largest numbers that
are added up (where they cancel, nothing is nearer), values that pairs of float32 count as 0, and the value at which growth stops.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from mpmath import mp, mpf
from support.exact_values import Exact, exact
from support.trees import trees

from tracelr import (
    WSD,
    Constant,
    Cosine,
    Cyclic,
    Exponential,
    InverseSqrt,
    InverseTime,
    Linear,
    Loop,
    MultiStep,
    OneCycle,
    PiecewiseConstant,
    Polynomial,
    RangeTest,
    Schedule,
    Step,
    precision,
)
from tracelr.arithmetic import LARGEST


@dataclass(frozen=True)
class Bound:
    """`units` of a float32; a part of the size; the smallest value; how much of what pairs lose."""

    units: float
    size: float
    least: float
    lost: float


BOUNDS = {"float64": Bound(0.501, 2.0**-49, 2.0**-149, 2.0**-630), "two_float": Bound(0.6, 2.0**-36, 2.0**-77, 1.0)}


def is_off(got: float, want: Exact, bound: Bound) -> bool:
    value = want.value
    if not math.isfinite(got):
        return True
    if mp.isnan(value):
        return False
    allowed = bound.size * want.size + bound.least + bound.lost * want.lost
    if want.stopped:
        return bool(got != (LARGEST if value > 0 else -LARGEST) and abs(value) - allowed > LARGEST)
    unit = mp.ldexp(1, max(mp.frexp(value)[1] - 24, -149)) if value else mpf(0)
    return bool(abs(mpf(got) - value) > bound.units * unit + allowed)


def check(kind: str, seed: int, count: int) -> None:
    for schedule, steps in trees(kind, seed, count):
        want = [exact(schedule, step) for step in steps]
        for name, bound in BOUNDS.items():
            with precision(name), torch.no_grad():
                got = schedule(torch.tensor(steps)).tolist()
            off = [(t, g, w) for t, g, w in zip(steps, got, want, strict=True) if is_off(g, w, bound)]
            assert off == [], (name, schedule)
        with precision("float32"), torch.no_grad():
            assert schedule(torch.tensor(steps)).isfinite().all(), schedule


FOUND: list[Schedule] = [
    OneCycle(2.0**126, 0.9, -0.47, 5, 0.136, ease="linear"),
    InverseTime(1.0, 1e-30, 8, 8.0, staircase=True),
    InverseTime(1.0, 1e-30, 100_000, 60.0, staircase=True),
    InverseTime(2.0**126, 1.8e-21, 1, 10_000.0, staircase=True),
    InverseTime(3e30, 0.1, 2**48 + 1, 10_000.0),
    InverseTime(0.8, 0.96, 1_636_028_570_921_317, 200.0, staircase=True) + Constant(0.0),
    InverseTime(0.45, 2.0, 1000, 257.0) * 8.5e21,
    RangeTest(8.3e34, 5.7e27, 12, staircase=True),
    RangeTest(-3e30, 4e15, 51, staircase=True),
    RangeTest(0.0, 2.0**126, 12, staircase=True),
    RangeTest(Cosine(0.5, 6e-4, 1770), 4e29, 4),
    Step(0.0, 1.0000244215354896, 1031),
    Step(-5e-324, 1.0000877530703305, 384),
    Step(1e-200, 1.000004036204419, 444),
    Step(6e-4 * Cosine(1.0, 0.5, 100), 2.0, 10),
    MultiStep(Cosine(1e-3, 1e-30, 100), 10.0, list(range(40))),
    Exponential(1e-3, 1.1, 2, staircase=True) * Exponential(6e-4, 0.5, 14304, staircase=True) + Constant(0.1),
    Cyclic(0.56, 0.1, 129, 3, "exp_range", 2.0),
    Cyclic(1.2e-3, 0.0, 17_592_186_044_416, 7, "exp_range", 1e25),
    Loop(Cyclic(1.7e-7, 0.0, 3, 7, "exp_range", 1.1), 1000),
    Cosine(-2e33, -0.1, 1000).then(PiecewiseConstant([1e-12, 1e-35, 0.0], [4, 80]), at=900, join="scale"),
    InverseSqrt(2.0**126, 1000).then(Polynomial(1e-3, -1e36, 141, 10), at=900, join="scale"),
    Step(0.14, 1e25, 5).then(WSD(6e-4, 0, 2**51, 100_000, start=0.1, end=0.65), at=900, join="scale"),
    RangeTest(0.1, 0.5, 100).then(Cosine(1e-3, 0.0, 1000) * Exponential(0.1, 2.0, 7), at=900, join="scale"),
    OneCycle(0.001, 1e-30, 0.0, 2**43 - 1, 2.0**40, ease="linear") * 6e29,
    Linear(1.0, 1e-3, 10**15).warmup(148_558_791, 2.0**126, "1-square", origin="1/n") * 0.001,
]
"""What longer runs found wrong at the ends of the ranges: not a number, a wrong stair, or a part before a join that was moved."""


@pytest.mark.parametrize("schedule", FOUND, ids=[f"{k} {type(one).__name__}" for k, one in enumerate(FOUND)])
def test_what_was_found_stays_mended(schedule: Schedule) -> None:
    steps = [
        *range(14),
        50,
        51,
        52,
        80,
        99,
        100,
        133,
        899,
        900,
        901,
        999,
        1000,
        1031,
        4347,
        *(10**k for k in range(4, 16)),
        2**40,
        2**53,
    ]
    want = [exact(schedule, step) for step in steps]
    for name, bound in BOUNDS.items():
        with precision(name), torch.no_grad():
            got = schedule(torch.tensor(steps)).tolist()
        assert [(t, g, w) for t, g, w in zip(steps, got, want, strict=True) if is_off(g, w, bound)] == [], name
    with precision("float32"), torch.no_grad():
        assert schedule(torch.tensor(steps)).isfinite().all()


@pytest.mark.parametrize("kind", ["curves", "compositions"])
@pytest.mark.parametrize("seed", range(4))
def test_random_trees_are_within_the_stated_bounds(kind: str, seed: int) -> None:
    check(kind, seed, 5_000)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["curves", "compositions"])
@pytest.mark.parametrize("seed", range(100, 140))
def test_four_hundred_thousand_steps_of_random_trees_are_within_the_stated_bounds(kind: str, seed: int) -> None:
    check(kind, seed, 5_000)
