"""Which arithmetic a schedule is traced in for a target, and how float64 is removed for a target that has none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from tracelr.arithmetic import arithmetic_for, bits, precision
from tracelr.errors import LoweringError, Unquoted
from tracelr.lowering.graph import Graph, trace
from tracelr.lowering.passes import Copy, run
from tracelr.lowering.provenance import where_of
from tracelr.lowering.spec import aten, dtype_of, op_of
from tracelr.lowering.targets._target import Target


def arithmetic_of(target: Target) -> str:
    """Return the name of the arithmetic in force if `target` takes it, else of the first that it takes."""
    name = arithmetic_for(None).name
    return name if name in target.arithmetics else target.arithmetics[0]


def graph_for(schedule: Graph | nn.Module, target: Target, name: str) -> Graph:
    """Return a graph that `target`, called `name`, can write. A schedule is traced in the arithmetic of the target."""
    if isinstance(schedule, Graph):
        graph = run(schedule)
    else:
        with precision(arithmetic_of(target)), bits.without_bits(not target.bits):
            graph = run(trace(schedule))
    reads = [node for node in graph.nodes if op_of(node) == aten.view.dtype]
    if reads and not target.bits:
        where, given = f"{where_of(reads[0])}, in the target {name}", Unquoted("a graph that reads the bits of a number")
        raise LoweringError(where, given, f"a graph that reads none, as {name} cannot", "lower the schedule itself")
    if "float64" in target.arithmetics or not _wide(graph):
        return graph
    frozen = _freeze(graph)
    if wide := _wide(frozen):
        where, given = f"{where_of(wide[0])}, in the target {name}", Unquoted("a graph in float64")
        allowed = f"a graph in {' or '.join(map(repr, target.arithmetics))}, as {name} has no float64"
        fix = f"lower the schedule itself, or trace it inside tracelr.precision({target.arithmetics[0]!r})"
        if not isinstance(schedule, Graph):
            fix = "write the formula with the methods of the arithmetic, which computes without float64"
        raise LoweringError(where, given, allowed, fix)
    return frozen


def _wide(graph: Graph) -> list[fx.Node]:
    return [node for node in graph.nodes if dtype_of(node) == torch.float64]


def _freeze(graph: Graph) -> Graph:
    """Return `graph` with all that does not depend on the step computed, so that no float64 field or table is left."""
    known: dict[fx.Node, Tensor] = {}
    tensors: dict[str, Any] = {}
    copy = Copy()
    for node in graph.nodes:
        if node.op == "get_attr":
            known[node] = graph.tensor(node).detach()
        elif op_of(node) is not None and all(source in known for source in node.all_input_nodes):
            args, kwargs = fx.node.map_arg((node.args, node.kwargs), known.__getitem__)
            known[node] = node.target(*args, **kwargs)  # type: ignore[operator]  # a call's target is its op
        else:
            for source in node.all_input_nodes:
                if source not in copy.now:
                    copy.now[source] = _constant(copy, source, known[source], tensors)
            copy.now[node] = copy.keep(node)
    return replace(graph, module=fx.GraphModule(tensors, copy.graph))


def _constant(copy: Copy, node: fx.Node, value: Tensor, tensors: dict[str, Any]) -> fx.Node:
    if value.ndim == 0:
        return copy.full(node, value.item(), value.dtype)
    name = f"{node.name}_table"
    tensors[name] = value
    made = copy.graph.create_node("get_attr", name, name=name)
    made.meta = node.meta
    return made
