"""Random trees of schedules, with every field over its whole range, against the exact evaluator of `exact_values.py`.

What is allowed beside half a unit of a float32 is what docs/numerics.md states: a part of the size of the largest numbers that
are added up (where they cancel, nothing is nearer), values that pairs of float32 count as 0, and the value at which growth stops.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch
from mpmath import mp, mpf
from support.exact_values import Exact, exact
from support.trees import COMPOSITIONS, CURVES, Trees, steps_of

from tracelr import (
    Cosine,
    InverseTime,
    OneCycle,
    PiecewiseConstant,
    RangeTest,
    Schedule,
    Step,
    precision,
)
from tracelr.arithmetic import LARGEST
from tracelr.errors import TracelrError


@dataclass(frozen=True)
class Bound:
    """`units` of a float32; a part of the size; the smallest value; a part of the product of the numbers in the tree."""

    units: float
    size: float
    least: float
    largest: float


BOUNDS = {"float64": Bound(0.501, 2.0**-49, 2.0**-149, 0.0), "two_float": Bound(0.6, 2.0**-36, 2.0**-77, 2.0**-98)}


def largest(schedule: Schedule) -> float:
    """Return the product of all numbers above 1 in the fields of the tree: a small factor may be magnified by them."""
    found = 1.0
    for one in schedule.modules():
        for name in getattr(one, "_rules", ()):
            value = getattr(one, name)
            numbers = [abs(x) for x in (value if isinstance(value, tuple) else (value,)) if isinstance(x, float)]
            found *= max([1.0, *numbers])
    return found


def is_off(got: float, want: Exact, bound: Bound, scale: float) -> bool:
    value = want.value
    if not math.isfinite(got):
        return True
    if want.size >= LARGEST:
        return False
    unit = mp.ldexp(1, max(mp.frexp(value)[1] - 24, -149)) if value else mpf(0)
    return bool(abs(mpf(got) - value) > bound.units * unit + bound.size * want.size + bound.least + bound.largest * scale)


def trees(kind: str, seed: int, count: int) -> Iterator[tuple[Schedule, list[int]]]:
    """Yield trees with `count` steps in all: single curves, or compositions up to three levels deep."""
    made = CURVES if kind == "curves" else COMPOSITIONS
    draw, done = Trees(f"{kind} {seed}", wild=seed % 2 == 0), 0
    while done < count:
        for build in made.values():
            try:
                schedule = build(draw, 0 if kind == "curves" else 3)
            except TracelrError:
                continue
            steps = steps_of(schedule, draw.random, 12)
            done += len(steps)
            yield schedule, steps


def check(kind: str, seed: int, count: int) -> None:
    for schedule, steps in trees(kind, seed, count):
        want, scale = [exact(schedule, step) for step in steps], largest(schedule)
        for name, bound in BOUNDS.items():
            with precision(name), torch.no_grad():
                got = schedule(torch.tensor(steps)).tolist()
            off = [(t, g, w) for t, g, w in zip(steps, got, want, strict=True) if is_off(g, w, bound, scale)]
            assert off == [], (name, schedule)
        with precision("float32"), torch.no_grad():
            assert schedule(torch.tensor(steps)).isfinite().all(), schedule


FOUND: list[Schedule] = [
    OneCycle(2.0**126, 0.9, -0.47, 5, 0.136, ease="linear"),
    InverseTime(1.0, 1e-30, 8, 8.0, staircase=True),
    InverseTime(1.0, 1e-30, 100_000, 60.0, staircase=True),
    InverseTime(2.0**126, 1.8e-21, 1, 10_000.0, staircase=True),
    RangeTest(8.3e34, 5.7e27, 12, staircase=True),
    RangeTest(-3e30, 4e15, 51, staircase=True),
    Step(0.0, 1.0000244215354896, 1031),
    Cosine(-2e33, -0.1, 1000).then(PiecewiseConstant([1e-30, 1e-35, 0.0], [4, 80]), at=900, join="scale"),
]
"""What longer runs found wrong at the ends of the ranges: not a number, a wrong stair, or a part before a join that was moved."""


@pytest.mark.parametrize("schedule", FOUND, ids=[f"{k} {type(one).__name__}" for k, one in enumerate(FOUND)])
def test_what_was_found_stays_mended(schedule: Schedule) -> None:
    steps = [0, 1, 2, 3, 5, 11, 12, 13, 50, 51, 52, 80, 100, 899, 900, 901, 1000, 1031, 10**5, 10**6, 10**12, 2**40, 2**53]
    want, scale = [exact(schedule, step) for step in steps], largest(schedule)
    for name, bound in BOUNDS.items():
        with precision(name), torch.no_grad():
            got = schedule(torch.tensor(steps)).tolist()
        assert [(t, g, w) for t, g, w in zip(steps, got, want, strict=True) if is_off(g, w, bound, scale)] == [], name
    with precision("float32"), torch.no_grad():
        assert schedule(torch.tensor(steps)).isfinite().all()


@pytest.mark.parametrize("kind", ["curves", "compositions"])
@pytest.mark.parametrize("seed", range(4))
def test_random_trees_are_within_the_stated_bounds(kind: str, seed: int) -> None:
    check(kind, seed, 2_000)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["curves", "compositions"])
@pytest.mark.parametrize("seed", range(100, 140))
def test_four_hundred_thousand_steps_of_random_trees_are_within_the_stated_bounds(kind: str, seed: int) -> None:
    check(kind, seed, 5_000)
