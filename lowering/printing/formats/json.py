"""json: a graph as a document for other programs, tables included.

A number is a JSON number, and so exact. A value that JSON cannot express is an object of one key: {"node": name},
{"float": "nan"}, {"torch": "float64"}, {"device": "cpu"}. A schedule's document has every operand as data. In the document
of another graph the operands are text, and the nodes of schedules are marked.
"""

from __future__ import annotations

import json
import math
from typing import Any

import torch
from torch import Tensor, fx

from tracelr.lowering.graph import Graph
from tracelr.lowering.printing.listing import Line, Listing
from tracelr.lowering.spec import dtype_of

FORMAT, VERSION = "tracelr.graph", 1


def write(listing: Listing) -> str:
    """Return the graph as JSON, one node per line."""
    graph = listing.graph
    head: dict[str, Any] = {"format": FORMAT if graph is not None else f"{FORMAT}.whole", "version": VERSION}
    if graph is None:
        head["heading"] = listing.heading
        nodes = [_shown(line) for line in listing.lines]
    else:
        head |= {"title": graph.title, "signature": graph.signature, "batch": graph.batch, "typed": graph.typed}
        nodes = [_node(graph, line) for line in listing.lines]
    results = [node.name for node in listing.results]
    head["result"] = results[0] if graph is not None else results
    lines = [f"  {_text(key)}: {_text(value)}," for key, value in head.items()]
    body = ",\n".join(f"    {_text(node)}" for node in nodes)
    return "\n".join(["{", *lines, '  "nodes": [', body, "  ]", "}"])


def _encode(value: Any) -> Any:
    """Return an operand as plain JSON."""
    if isinstance(value, fx.Node):
        return {"node": value.name}
    if isinstance(value, (list, tuple)):
        return [_encode(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if isinstance(value, (torch.dtype, torch.layout, torch.memory_format)):
        return {"torch": str(value).removeprefix("torch.")}
    return {"device": str(value)} if isinstance(value, torch.device) else value


def _node(graph: Graph, line: Line) -> dict[str, Any]:
    node = line.node
    entry: dict[str, Any] = {"name": line.name, "type": line.type}
    if node.op == "placeholder":
        return entry | {"op": "input"}
    if node.op == "get_attr":
        tensor = graph.tensor(node).detach()
        return entry | {"op": "tensor", "path": str(node.target), "dtype": _encode(dtype_of(node)), "value": _values(tensor)}
    entry |= {"op": str(node.target), "args": _encode(list(node.args))}
    if node.kwargs:
        entry["kwargs"] = {key: _encode(value) for key, value in node.kwargs.items()}
    return entry | {"owner": line.owner, "class": line.kind, "source": line.source}


def _values(tensor: Tensor) -> Any:
    return _encode(tensor.tolist())


def _shown(line: Line) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": line.name, "type": line.type, "op": line.op, "operands": line.operands}
    entry["inputs"] = [node.name for node in line.node.all_input_nodes]
    return entry | {"owner": line.owner, "class": line.kind, "source": line.source, "schedule": line.marked}


def _text(value: Any) -> str:
    return json.dumps(value, allow_nan=False)
