"""How targets refuse a graph: as a batch, or for a node that a target has no text for."""

from __future__ import annotations

from torch import fx

from tracelr.errors import LoweringError, Unquoted
from tracelr.lowering.graph import Graph
from tracelr.lowering.provenance import where_of


def one_step(graph: Graph, target: str) -> None:
    """Raise `LoweringError` if `graph` is a batch."""
    if graph.batch:
        given, fix = Unquoted("a batch graph"), "lower the schedule, or trace(schedule)"
        raise LoweringError(f"lower(graph, {target!r})", given, "a graph of one step", fix)


def refusal(node: fx.Node, target: str, given: str, allowed: str) -> LoweringError:
    """Return the error of a node that `target` has no text for."""
    where, fix = f"{where_of(node)}, in the target {target}", "write it so, or add a row to the target's OPS"
    return LoweringError(where, Unquoted(given), allowed, fix)
