"""Schedules read at other steps: a stretched one is exact, a loop repeats, a shift delays, and each has its length."""

from __future__ import annotations

import functools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import tracelr
from tracelr import Clamp, Constant, Cosine, Linear, Loop, Schedule, Shift, Shorten, Stretch
from tracelr.arithmetic import F64, Arithmetic, Real
from tracelr.lowering import verify


class Clock(Schedule):
    """Its value is its step, which shows at which step an outer schedule reads it."""

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        return ops.integer(step)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 2**26), st.integers(1, 2**26), st.lists(st.integers(0, 2**53), min_size=1, max_size=20))
def test_a_stretched_clock_is_exact(factor: int, divisor: int, steps: list[int]) -> None:
    steps += [factor - 1, factor, 3 * factor - 1, 3 * factor, 2**53]
    got = Stretch(Clock(), factor, divisor).wide(torch.tensor(steps), F64).long().tolist()
    assert got == [min(step * divisor // factor, 2**53) for step in steps]


def test_a_stretched_clock_is_an_integer_in_float32_too() -> None:
    steps = [7 * k + d for k in (1, 1000, 2**20 + 1) for d in (-1, 0, 1)]
    with tracelr.precision("float32"):
        assert Stretch(Clock(), 7)(torch.tensor(steps)).tolist() == [step // 7 for step in steps]


def test_a_loop_repeats_and_a_shift_delays() -> None:
    loop = Loop(Clock(), 5)
    assert loop(torch.arange(12)).tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]
    assert Shift(loop, 3)(torch.arange(6)).tolist() == [0, 0, 0, 0, 1, 2]
    assert Shift(Clock(), -(2**53))(2**53).item() == 2**53


def test_lengths() -> None:
    line = Linear(1.0, 0.0, 10)
    assert [s.length for s in (Shift(line, 5), Shift(line, -4), Shift(line, -40), Shift(Constant(1.0), 3))] == [
        15,
        6,
        0,
        None,
    ]
    assert [s.length for s in (Shorten(line, 4), Shorten(line, 40), Shorten(Constant(1.0), 4))] == [4, 10, 4]
    assert [s.length for s in (Stretch(line, 3), Stretch(line, 1, 3), Stretch(line, 5, 3))] == [30, 4, 17]
    assert Stretch(line, 5, 3)(torch.tensor([16, 17])).tolist() == pytest.approx([0.1, 0.0])
    assert [s.length for s in (Loop(line, 5), line + Constant(1.0), Clamp(line, 0.5))] == [None, 10, 10]
    assert [s.length for s in (line.warmup(5), line.warmup(5, prefix=False), line.cooldown(4, at=8))] == [15, 10, 12]
    assert Shift(Linear(1.0, 0.0, 2**53), 5).length == 2**53


def test_other_clocks_lower_to_the_same_bits() -> None:
    schedule = functools.reduce(lambda s, k: Loop(Shift(Stretch(s, 3 + k, 2), k), 999 + k), range(3), Cosine(6e-4, 6e-5, 50))
    assert verify(Clamp(schedule, 1e-4, 5e-4), targets=["c"]).ok
