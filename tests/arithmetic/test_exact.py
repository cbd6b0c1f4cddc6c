"""Correct rounding for random hyper-parameters and lengths up to 2**53, every class, against the oracles of `cases.py`."""

from __future__ import annotations

import pytest
import torch
from support import row
from support.cases import Case, cases
from support.exactness import NEAR_TIE, assert_ends_are_exact, steps_of
from support.oracle import to_float32, ulps

import tracelr
from tracelr.schedules.base import REGISTRY

# The classes with random cases. The others only move or combine schedules, and have rows in the table.
FRAMES = {"Lambda", "Scale", "Shift", "Loop", "Clamp", "Stretch", "Shorten"}


def misrounded(seed: int, random_steps: int) -> tuple[int, list[tuple[Case, int, float, float]]]:
    """Return how many values were compared, and the misrounded ones as (case, step, got, distance in units)."""
    count, wrong = 0, []
    for case in cases(seed):
        steps = steps_of(case, seed, random_steps)
        for step, got in zip(steps, case.schedule(torch.tensor(steps)).tolist(), strict=True):
            want = case.exact(step)
            if got != to_float32(want):
                wrong.append((case, step, got, ulps(got, want)))
        count += len(steps)
    return count, wrong


def test_every_class_has_a_case() -> None:
    ours = {name for name, cls in REGISTRY.items() if cls.__module__.startswith("tracelr.")}
    assert ours - {case.kind for case in cases(0)} == FRAMES


@pytest.mark.parametrize("seed", range(12))
def test_random_schedules_are_correctly_rounded(seed: int) -> None:
    count, wrong = misrounded(seed, random_steps=20)
    assert count > 2000
    assert wrong == []


@pytest.mark.parametrize("seed", range(3))
def test_laws_of_random_schedules(seed: int) -> None:
    """One step at a time, int32 steps and another order give the same bits. Monotone curves have monotone values."""
    for case in cases(seed):
        steps = steps_of(case, seed, 20)
        at, backwards = torch.tensor(steps), torch.tensor(steps[::-1])
        batch = case.schedule(at)
        single = torch.stack([case.schedule(torch.tensor(step)) for step in steps])
        assert torch.equal(batch.view(torch.int32), single.view(torch.int32)), case
        assert torch.equal(batch.view(torch.int32), case.schedule(backwards).flip(0).view(torch.int32)), case
        short = at[at < 2**31].to(torch.int32)
        assert torch.equal(batch[: len(short)].view(torch.int32), case.schedule(short).view(torch.int32)), case
        if case.monotone:
            assert bool((batch.double().diff() * case.monotone >= 0).all()), case


@pytest.mark.slow
def test_two_million_values_are_correctly_rounded_but_for_near_ties() -> None:
    total, ties = 0, 0
    for seed in range(1000, 1260):
        count, wrong = misrounded(seed, random_steps=60)
        assert [case for case in wrong if case[-1] > 0.5 + NEAR_TIE] == []
        total, ties = total + count, ties + len(wrong)
    assert total > 2_000_000
    assert ties <= 8


@pytest.mark.parametrize("steps", [1, 7, 2**24 + 3, 2**31 + 11, 2**53])
def test_end_points_are_bit_exact(steps: int) -> None:
    assert_ends_are_exact(steps, 300)


@pytest.mark.parametrize("width", [1, 3, 7, 1000, 2**24 + 1, 2**31 + 11])
def test_no_wrong_stair(width: int) -> None:
    stairs = [*range(1, 40), 2**20, 2**20 + 1]
    edges = [k * width + d for k in stairs for d in (-1, 0, 1)]
    exponential = tracelr.Exponential(1.0, 0.9999, width, staircase=True)(torch.tensor(edges)).tolist()
    inverse = tracelr.InverseTime(1.0, 0.01, width, staircase=True)(torch.tensor(edges)).tolist()
    exact = row.exponential(1.0, 0.9999, width, staircase=True), row.inverse_time(1.0, 0.01, width, staircase=True)
    assert exponential == [to_float32(exact[0](edge)) for edge in edges]
    assert inverse == [to_float32(exact[1](edge)) for edge in edges]
