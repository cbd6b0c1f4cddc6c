"""The traced graphs of the rows of the table: each row is traced once, whoever asks."""

from __future__ import annotations

from functools import cache

from table import ROWS
from torch import Tensor, int32

from tracelr.lowering import Graph, passes, trace


@cache
def traced(name: str, batch: bool = False) -> Graph:
    return trace(ROWS[name].schedule, batch)


@cache
def finished(name: str, batch: bool = False) -> Graph:
    """Return the graph of a row after all passes."""
    return passes.run(traced(name, batch))


def bits(rates: Tensor) -> Tensor:
    return rates.view(int32)
