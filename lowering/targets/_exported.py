"""A graph as an exported program of torch, and calling what was made of one over steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tracelr._torch import alone
from tracelr.lowering.graph import Graph

if TYPE_CHECKING:
    from torch.export import ExportedProgram

_PLACES = ("stack_trace", "from_node", "source_fn_stack", "torch_fn", "nn_module_stack", "seq_nr", "original_aten", "custom")


def program(graph: Graph) -> ExportedProgram:
    """Return `graph` as an exported program without any trace of where, when or by whom it was written."""
    from torch.export import Dim, export

    dynamic = ({0: Dim("N", min=1)},) if graph.batch else None
    with alone():
        exported = export(graph.module, (example(graph),), dynamic_shapes=dynamic, strict=False)
    for node in exported.graph.nodes:
        for place in _PLACES:
            node.meta.pop(place, None)
    return exported


def example(graph: Graph) -> Tensor:
    """Return steps of the shape that `graph` takes."""
    return torch.arange(7) if graph.batch else torch.tensor(5)


def run_over(graph: Graph, function: Callable[[Tensor], Tensor], steps: Tensor) -> Tensor:
    """Call what was made of `graph` for int64 `steps` of shape [n]: once if it is a batch, else step by step."""
    with torch.no_grad():
        if not len(steps):
            return torch.empty(0)
        return function(steps) if graph.batch else torch.stack([function(step).clone() for step in steps.unbind()])
