"""For the tests of exactness: the steps to look at, and how near to a tie float64 can be wrong."""

from __future__ import annotations

import random

import torch

import tracelr
from support.cases import Case
from support.oracle import probes

# float64 puts its result within about 2 float64 units of the exact value, so only an exact value this close to the middle of
# two float32 numbers (in float32 units) can go to the wrong one: about one in 10**8. docs/numerics.md says more.
NEAR_TIE = 2.0**-27


def steps_of(case: Case, seed: int, random_steps: int) -> list[int]:
    ends = tuple({*case.ends, case.last, max(case.last // 100, 1)})
    return [step for step in probes(ends, seed, random_steps) if step <= 2 * case.last]


def assert_ends_are_exact(steps: int, count: int) -> None:
    draw = random.Random(steps)
    for _ in range(count):
        start, end = 10 ** draw.uniform(-9, 1), 10 ** draw.uniform(-9, 1)
        want = [torch.tensor(start).item(), torch.tensor(end).item()]
        at = torch.tensor([0, steps])
        assert tracelr.Linear(start, end, steps)(at).tolist() == want
        assert tracelr.Cosine(start, end, steps)(at).tolist() == want
        assert tracelr.Polynomial(start, end, steps, draw.choice([1.0, 2.0, 0.5, 3.7]))(at).tolist() == want
        assert tracelr.Exponential(start, 0.5, steps)(at).tolist() == [want[0], torch.tensor(start * 0.5).item()]
