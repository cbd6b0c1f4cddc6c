"""A graph as the lines that every format of a dump shows. In a larger graph the lines of schedules are marked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, final

import torch
from torch import fx

from tracelr import _torch
from tracelr._torch import OpOverload, qualified_name
from tracelr.lowering.graph import Graph
from tracelr.lowering.provenance import kind_of, line_of, of_schedule, owner_of
from tracelr.lowering.spec import type_of

Spell: TypeAlias = "Callable[[fx.Node], str]"

_TYPED_BY_DTYPE = ("aten.full.default", "aten._to_copy.default")


@final
class Line(NamedTuple):
    """One node as text. `marked` says that it belongs to a schedule, in a graph that holds more than a schedule."""

    node: fx.Node
    name: str
    type: str
    op: str
    operands: str
    owner: str
    kind: str
    source: str
    marked: bool


@final
@dataclass(frozen=True)
class Listing:
    """The nodes of a graph in the order in which they run, its inputs first. `graph` is set if a schedule was traced."""

    module: fx.GraphModule
    graph: Graph | None
    lines: tuple[Line, ...]
    results: tuple[fx.Node, ...]

    @property
    def heading(self) -> str:
        """Return what the graph is, on one line."""
        if self.graph is not None:
            return f"{self.graph.signature}: {self.graph.title}"
        marked = [line for line in self.lines if line.marked]
        kinds = list(dict.fromkeys(line.kind for line in marked if line.kind and line.node.op != "placeholder"))
        found = f"{len(marked) or 'none'} of them a schedule's"
        return f"graph of {len(self.lines)} nodes, {found}" + (f": {', '.join(kinds)}" if kinds else "")


def listing_of(graph: Graph | fx.GraphModule) -> Listing:
    """Return the lines of a schedule's graph, or of any `fx.GraphModule`: what torch.compile hands to a backend, an export.

    In such a module a node belongs to a schedule if torch's tracer recorded that it comes from the formula of one.
    """
    if isinstance(graph, Graph):
        module, own = graph.module, graph
    else:
        module, own = graph, None
    lines = tuple(_line(own, node) for node in module.graph.nodes if node.op != "output")
    results: list[fx.Node] = []
    fx.node.map_arg(_torch.output_node(module.graph).args, results.append)
    return Listing(module, own, lines, tuple(results))


def _line(graph: Graph | None, node: fx.Node) -> Line:
    marked = graph is None and of_schedule(node)
    origin = next(iter(node.users)) if marked and node.op in ("placeholder", "get_attr") else node
    owner = owner_of(origin)
    return Line(
        node,
        node.name,
        type_of(node),
        op_of_line(graph, node),
        operands(graph, node, lambda operand: operand.name),
        owner,
        kind_of(origin),
        line_of(origin) if origin is node else "",
        marked,
    )


def op_of_line(graph: Graph | None, node: fx.Node) -> str:
    """Return the op as dumps show it, such as "clamp.Tensor"; or "input", "table" or "parameter"."""
    if node.op == "placeholder":
        return "input"
    if node.op == "get_attr":
        return "table" if graph is not None and graph.constant(node) else "parameter"
    return str(callee(node)).removeprefix("aten.").removesuffix(".default")


def callee(node: fx.Node) -> str:
    """Return what a node calls, without an address in it."""
    if node.op != "call_function":
        return f"{'Tensor.' if node.op == 'call_method' else ''}{node.target}"
    if isinstance(node.target, OpOverload):
        return str(node.target)
    name = qualified_name(node.target)  # type: ignore[arg-type]  # a call's target is its op
    return name.replace("_operator.", "operator.")


def operands(graph: Graph | None, node: fx.Node, spell: Spell) -> str:
    """Return the operands of a node as text; `spell` gives the text of an operand that is a node."""
    if node.op == "placeholder":
        return ""
    if node.op == "get_attr":
        if graph is not None and graph.constant(node):
            return ", ".join(map(repr, graph.tensor(node).flatten().tolist()))
        return str(node.target)
    parts = [_spelled(arg, spell) for arg in node.args if graph is None or arg != []]
    if graph is None or str(node.target) not in _TYPED_BY_DTYPE:
        parts += [f"{key}={_spelled(value, spell)}" for key, value in node.kwargs.items()]
    return ", ".join(parts)


def _spelled(value: Any, spell: Spell) -> str:
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_spelled(part, spell) for part in value) + "]"
    if isinstance(value, fx.Node):
        return spell(value)
    return str(value) if isinstance(value, (torch.dtype, torch.layout, torch.memory_format)) else repr(value)
