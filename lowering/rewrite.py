"""Copy a graph node by node: what every pass does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import torch
from torch import Tensor, fx

from tracelr.lowering.graph import Graph
from tracelr.lowering.spec import aten


@final
class Copy:
    """A graph under construction, and where each node of the old one went."""

    def __init__(self) -> None:
        self.graph = fx.Graph()
        self.now: dict[fx.Node, fx.Node] = {}

    def keep(self, node: fx.Node) -> fx.Node:
        """Copy `node` as it is."""
        return self.graph.node_copy(node, self.now.__getitem__)

    def emit(self, like: fx.Node, value: Tensor, target: Any, *args: Any, **kwargs: Any) -> fx.Node:
        """Add a node that stands where `like` stood and has a value of `value`'s dtype and shape."""
        node = self.graph.call_function(target, args, kwargs)
        node.meta = {**like.meta, "val": value}
        return node

    def full(self, like: fx.Node, value: Any, dtype: torch.dtype) -> fx.Node:
        """Add the constant `value`, rounded to `dtype` as torch rounds it."""
        exact = torch.tensor(value, dtype=dtype, device="cpu").item()
        return self.emit(like, torch.empty((), dtype=dtype, device="meta"), aten.full.default, [], exact, dtype=dtype)


def rebuild(graph: Graph, visit: Callable[[Copy, fx.Node], fx.Node | None], **changes: Any) -> Graph:
    """Return a graph of what `visit` makes of each node; None leaves a node out, and nothing may use it then."""
    copy = Copy()
    for node in graph.nodes:
        moved = visit(copy, node)
        if moved is not None:
            copy.now[node] = moved
    return graph.rebuilt(copy.graph, **changes)
