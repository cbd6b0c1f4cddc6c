"""The traced graphs of the rows of the table: each row is traced once in a process."""

from __future__ import annotations

from functools import cache

from torch import Tensor, int32

from support.table import ROWS
from tracelr.lowering import Graph, trace


@cache
def traced(name: str, batch: bool = False) -> Graph:
    return trace(ROWS[name].schedule, batch)


def bits(rates: Tensor) -> Tensor:
    return rates.view(int32)
