"""The traced graphs of the rows of the table: each row is traced once in a process."""

from __future__ import annotations

from functools import cache

import pytest
from torch import Tensor, int32

from support.table import ROWS
from tracelr.lowering import Graph, trace

OF_EACH_KIND = {"linear_down", "exponential_stairs", "piecewise_constant", "sequential_nested"}
SOME = [name for k, name in enumerate(ROWS) if k % 4 == 0 or name in OF_EACH_KIND]
"""The rows that the quick tests take where each costs a trace of its own or a compilation; the slow tests take the others."""
EVERY_BUT_SOME_SLOW = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in SOME else pytest.mark.slow) for name in ROWS]
)


@cache
def traced(name: str, batch: bool = False) -> Graph:
    return trace(ROWS[name].schedule, batch)


def bits(rates: Tensor) -> Tensor:
    return rates.view(int32)
