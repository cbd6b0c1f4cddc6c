"""The traced graphs of the rows of the table: each row is traced once in a process."""

from __future__ import annotations

from functools import cache

import pytest
from torch import Tensor, int32

from support.table import ROWS, SOME
from tracelr.lowering import Graph, trace

EVERY_BUT_SOME_SLOW = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in SOME else pytest.mark.slow) for name in ROWS]
)


@cache
def traced(name: str, batch: bool = False) -> Graph:
    return trace(ROWS[name].schedule, batch)


def bits(rates: Tensor) -> Tensor:
    return rates.view(int32)
