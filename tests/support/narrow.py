"""Rows of the table for targets without float64: traced and evaluated in the arithmetic "two_float"."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

import tracelr
from support.oracle import probes
from support.table import ROWS
from tracelr.lowering import Graph, lower, passes, trace
from tracelr.lowering.targets._target import Artifact
from tracelr.lowering.verification import default_steps

FEW = ("linear_down", "cosine_to_zero", "exponential_stairs", "piecewise_constant")
"""A row of each kind: a line, a bounded function, a remainder and a power of two, a table."""
IN_FLOAT64 = frozenset({"lambda"})
"""Rows with a formula that computes in float64 itself."""
WHOLE = tuple(name for name in ROWS if name not in IN_FLOAT64)


@cache
def graph_of(name: str) -> Graph:
    with tracelr.precision("two_float"):
        return passes.run(trace(ROWS[name].schedule))


@cache
def steps_of(name: str) -> Tensor:
    steps = [default_steps(graph_of(name), seed=5), torch.tensor(probes(ROWS[name].ends, seed=6, random_steps=300))]
    return torch.cat(steps)


@cache
def eager(name: str) -> Tensor:
    with tracelr.precision("two_float"):
        return ROWS[name].schedule(steps_of(name))


def artifact(name: str, target: str) -> Artifact:
    return lower(graph_of(name), target, name=f"lr{list(ROWS).index(name)}")


def differing(name: str, rates: Tensor) -> int:
    """Return at how many steps the row `name` differs in any bit from eager."""
    assert len(rates) > 20_000
    return int((rates.view(torch.int32) != eager(name).view(torch.int32)).sum())
