"""The edges of the formulas: what happens where numbers are very large or small, or exactly between two stairs."""

from __future__ import annotations

import random

import pytest
import torch
from support.exact_values import exact
from support.oracle import to_float32

from tracelr import InverseTime, precision

# -- stairs ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arithmetic", ["float64", "two_float"])
def test_a_stair_that_is_a_power_or_a_root_begins_at_its_step(arithmetic: str) -> None:
    draw, compared = random.Random(5), 0
    for exponent in (0.5, 0.25, 0.75, 1.5, 2.5, 2.0, 3.0, 4.0, 5.0, 7.0):
        power, roots = exponent.as_integer_ratio()
        for _ in range(40):
            root, stair = int(2 ** draw.uniform(0, 20)), draw.choice([1, 2, 3, 7, 1000, 2**20])
            at, steps = root**roots, root**power // stair
            if at > 2**50 or not 1 <= steps <= 2**53 or root**power != stair * steps:
                continue
            schedule = InverseTime(start=1.0, rate=1.0, steps=steps, exponent=exponent, staircase=True)
            around = [at - 1, at, at + 1]
            with precision(arithmetic):
                got = schedule(torch.tensor(around)).tolist()
            assert got == [to_float32(exact(schedule, step).value) for step in around], (schedule, at)
            compared += 1
    assert compared > 60
