"""Random trees of schedules on every target that runs here, in float64 and in pairs: the bits of eager."""

from __future__ import annotations

import random
from functools import cache

import pytest
import torch
from support.trees import LAST, Trees, steps_of

from tracelr import MultiStep, PiecewiseConstant, Schedule, Sequential, precision
from tracelr.errors import LoweringError, TracelrError
from tracelr.lowering import Graph, lower, passes, target_names, trace
from tracelr.lowering.targets import find

SLOW_TARGETS = {"aoti", "inductor", "pt2", "triton"}
"""Targets that take seconds for each schedule."""
WITHOUT_FLOAT64 = {"cirh", "metal", "wgsl"}
ARITHMETICS = ("float64", "two_float")


def with_tables(draw: Trees, depth: int) -> Schedule:
    """Return a random tree after tables of 0, 1 and 2 milestones, whose values have every sign."""
    tables: list[Schedule] = [
        PiecewiseConstant(
            [draw.random.choice([1.0, -1.0]) * draw.number() for _ in range(entries + 1)], draw.milestones(entries)
        )
        for entries in range(3)
    ]
    tables += [MultiStep(draw.number(), draw.rate(), draw.milestones(entries)) for entries in range(3)]
    draw.random.shuffle(tables)
    while True:
        try:
            return Sequential([*tables, draw.tree(depth)], draw.milestones(len(tables)))
        except TracelrError:
            continue  # a range that fields have together


def bits(rates: torch.Tensor) -> list[int]:
    return rates.view(torch.int32).tolist()  # type: ignore[no-any-return]


@cache
def traced(seed: int, arithmetic: str, depth: int) -> tuple[Schedule, torch.Tensor, Graph]:
    schedule = with_tables(Trees(f"target {seed}", wild=seed % 2 == 1), depth)
    at = {step + k for step in steps_of(schedule, random.Random(seed), 40) for k in (-1, 0, 1)}
    with precision(arithmetic):
        return schedule, torch.tensor(sorted(step for step in at if 0 <= step <= LAST)), passes.run(trace(schedule))


def check(target: str, arithmetic: str, seeds: range, depth: int) -> None:
    if (reason := find(target).missing()) is not None:
        pytest.skip(f"needs {reason}")
    for seed in seeds:
        schedule, steps, graph = traced(seed, arithmetic, depth)
        if target in WITHOUT_FLOAT64 and arithmetic == "float64":
            with pytest.raises(LoweringError):
                lower(graph, target)
            return
        with precision(arithmetic):
            artifact = lower(schedule if target == "cirh" else graph, target)  # on cirh nothing reads the bits of a number
            want = schedule(steps)
        assert bits(artifact.run(steps)) == bits(want), schedule


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@pytest.mark.parametrize("target", sorted({*target_names()} - SLOW_TARGETS))
def test_a_random_tree_has_the_bits_of_eager(target: str, arithmetic: str) -> None:
    check(target, arithmetic, range(1), 0)


@pytest.mark.slow
@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@pytest.mark.parametrize("target", target_names())
def test_many_random_trees_on_every_target_have_the_bits_of_eager(target: str, arithmetic: str) -> None:
    check(target, arithmetic, range(1, 5) if target in SLOW_TARGETS else range(1, 41), 2)
