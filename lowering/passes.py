"""The passes between torch's graph and a target's: named functions Graph -> Graph, run in the order of `PASSES`.

No pass changes a bit of the result, and none reassociates. `stages` yields the graph after each, for dumps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, final

import torch
from torch import Tensor, fx, nn

from tracelr.errors import LoweringError
from tracelr.lowering.graph import Graph, trace
from tracelr.lowering.spec import ASSERTS, CONSTANTS, COPIES, OPS, SPELLINGS, aten, dtype_of, op_of, shape_of

_RESHAPES = frozenset({aten.view.default, aten.expand.default, aten.squeeze.dims})
_ROUNDINGS = frozenset({aten.floor.default, aten.ceil.default, aten.round.default, aten.trunc.default})


@final
class Copy:
    """A graph under construction; `now` has the new node for each node of the old graph."""

    def __init__(self) -> None:
        self.graph = fx.Graph()
        self.now: dict[fx.Node, fx.Node] = {}

    def keep(self, node: fx.Node) -> fx.Node:
        """Copy `node` as it is."""
        return self.graph.node_copy(node, self.now.__getitem__)

    def emit(self, like: fx.Node, value: Tensor, target: Any, *args: Any, **kwargs: Any) -> fx.Node:
        """Add a node in the place of `like`; its value has the dtype and shape of `value`."""
        node = self.graph.call_function(target, args, kwargs)
        node.meta = {**like.meta, "val": value}
        return node

    def full(self, like: fx.Node, value: Any, dtype: torch.dtype) -> fx.Node:
        """Add the constant `value`, rounded to `dtype` as torch rounds it."""
        exact = torch.tensor(value, dtype=dtype, device="cpu").item()
        return self.emit(like, torch.empty((), dtype=dtype, device="meta"), aten.full.default, [], exact, dtype=dtype)


def rebuild(graph: Graph, visit: Callable[[Copy, fx.Node], fx.Node | None], **changes: Any) -> Graph:
    """Return a graph of the nodes that `visit` returns for the old ones. One for which it returns None is left out."""
    copy = Copy()
    for node in graph.nodes:
        moved = visit(copy, node)
        if moved is not None:
            copy.now[node] = moved
    return graph.rebuilt(copy.graph, **changes)


def drop_noops(graph: Graph) -> Graph:
    """Drop assertions, copies, and casts and reshapes that change nothing."""

    def visit(copy: Copy, node: fx.Node) -> fx.Node | None:
        op = op_of(node)
        if op in ASSERTS:
            return None
        source = node.args[0] if op is not None and node.args else None
        if not isinstance(source, fx.Node):
            return copy.keep(node)
        same = dtype_of(node) == dtype_of(source) and (
            op in COPIES
            or op == aten._to_copy.default
            or (op in _RESHAPES and shape_of(node) == shape_of(source))
            or (op in _ROUNDINGS and dtype_of(source) == torch.int64)
            or (op == aten.pow.Tensor_Scalar and node.args[1] == 1)
        )
        if same:
            return copy.now[source]
        kept = copy.keep(node)
        if op == aten._to_copy.default:
            kept.kwargs = {"dtype": dtype_of(node)}
        return kept

    return rebuild(graph, visit)


def expand_powers(graph: Graph) -> Graph:
    """Replace each power for which eager torch has a special kernel by the operations of that kernel."""
    own = {0.5: aten.sqrt.default, -0.5: aten.rsqrt.default, -1: aten.reciprocal.default}

    def visit(copy: Copy, node: fx.Node) -> fx.Node:
        if op_of(node) != aten.pow.Tensor_Scalar:
            return copy.keep(node)
        base, power = node.args
        assert isinstance(base, fx.Node)
        x, value = copy.now[base], node.meta["val"]
        if dtype_of(base) != dtype_of(node):
            x = copy.emit(node, base.meta["val"].to(value.dtype), aten._to_copy.default, x, dtype=value.dtype)
        if power in (2, 3, -2):
            square = copy.emit(node, value, aten.mul.Tensor, x, x)
            if power == 3:
                return copy.emit(node, value, aten.mul.Tensor, square, x)
            return square if power == 2 else copy.emit(node, value, aten.reciprocal.default, square)
        if power in own:
            return copy.emit(node, value, own[power], x)  # type: ignore[index]  # fx: an operand of any kind
        return copy.emit(node, value, aten.pow.Tensor_Scalar, x, power)

    return rebuild(graph, visit)


def type_scalars(graph: Graph) -> Graph:
    """Give every Python number the dtype its operation computes in, and make every conversion of an operand a node.

    An aten scalar has no dtype, so each target would pick one. In float32, a comparison of a step with 2**24 + 1 is wrong.
    """

    def visit(copy: Copy, node: fx.Node) -> fx.Node:
        if op_of(node) in CONSTANTS:
            return _constant(copy, node)
        op = SPELLINGS.get(op_of(node), op_of(node))
        if op not in OPS:
            return copy.keep(node)
        dtype = _computes_in(node, op)
        kept = copy.keep(node)
        kept.target = op
        if kept.kwargs.get("alpha") == 1:
            kept.kwargs = {key: value for key, value in kept.kwargs.items() if key != "alpha"}
        with copy.graph.inserting_before(kept):
            kept.args = tuple(
                _typed(copy, node, node.args[at], dtype) if dtype is not None and at in OPS[op].values else arg
                for at, arg in enumerate(kept.args)
            )
        return kept

    return rebuild(graph, visit, typed=True)


def _constant(copy: Copy, node: fx.Node) -> fx.Node:
    dtype, shape = dtype_of(node), shape_of(node)
    assert dtype is not None
    if "N" in shape:  # a batch: the shape is the step's
        kept = copy.keep(node)
        kept.kwargs = {"dtype": dtype}
        return kept
    value = copy.full(node, node.args[0 if op_of(node) == aten.scalar_tensor.default else 1], dtype)
    return copy.emit(node, node.meta["val"], aten.expand.default, value, list(shape)) if shape else value


def _computes_in(node: fx.Node, op: Any) -> torch.dtype | None:
    """Return the dtype to which torch converts the value operands of `node`; None if it converts none."""
    row = OPS[op]
    if len(row.values) > 1 and row.gives is torch.bool:
        operands = [node.args[at] for at in row.values]
        # torch's stub has an overload for each pair of tensor and number, and none for either
        return torch.result_type(*(_sample(x) if isinstance(x, fx.Node) else x for x in operands))  # type: ignore[arg-type]
    return None if row.casts or row.views or row.gives is not None else dtype_of(node)


def _sample(node: fx.Node) -> Tensor:
    return torch.empty((1,) * len(shape_of(node)), dtype=dtype_of(node), device="meta")


def _typed(copy: Copy, node: fx.Node, operand: Any, dtype: torch.dtype) -> fx.Node | None:
    if operand is None:
        return None
    if not isinstance(operand, fx.Node):
        return copy.full(node, operand, dtype)
    if dtype_of(operand) in (dtype, None):
        return copy.now[operand]
    return copy.emit(node, operand.meta["val"].to(dtype), aten._to_copy.default, copy.now[operand], dtype=dtype)


def fold_constants(graph: Graph) -> Graph:
    """Replace what depends only on constants by its value, computed by torch in its dtype. A parameter is not a constant."""

    def visit(copy: Copy, node: fx.Node) -> fx.Node:
        dtype, op = dtype_of(node), op_of(node)
        if shape_of(node) != () or dtype is None or op == aten.full.default:
            return copy.keep(node)
        if node.op == "get_attr" and graph.constant(node):
            return copy.full(node, graph.tensor(node).item(), dtype)
        if op == aten.sum.dim_IntList and 0 in shape_of(node.all_input_nodes[0]):
            return copy.full(node, 0, dtype)
        known = {source: _known(copy.now[source]) for source in node.all_input_nodes}
        if op is None or not known or any(value is None for value in known.values()):
            return copy.keep(node)
        args, kwargs = fx.node.map_arg((node.args, node.kwargs), lambda source: known[source])
        author = node.all_input_nodes[0] if op == aten._to_copy.default else node  # a cast is rarely the line to show
        return copy.full(author, op(*args, **kwargs).item(), dtype)

    with torch.no_grad():
        return rebuild(graph, visit)


def _known(node: fx.Node) -> Any:
    op = op_of(node)
    return op(*node.args, **node.kwargs) if op == aten.full.default else None


def share(graph: Graph) -> Graph:
    """Compute each expression once, however often it is written."""
    seen: dict[str, fx.Node] = {}

    def visit(copy: Copy, node: fx.Node) -> fx.Node:
        moved = copy.keep(node)
        key = repr((moved.op, moved.target, moved.args, moved.kwargs))  # repr tells 0.0 from -0.0, and 1 from 1.0
        first = seen.setdefault(key, moved)
        if first is not moved:
            copy.graph.erase_node(moved)
        return first

    return rebuild(graph, visit)


def drop_dead(graph: Graph) -> Graph:
    """Drop the nodes that the learning rate does not depend on."""
    live = {node for node in graph.nodes if node.op in ("placeholder", "output")}
    for node in reversed(graph.nodes):
        live |= set(node.all_input_nodes) if node in live else set()
    return rebuild(graph, lambda copy, node: copy.keep(node) if node in live else None)


def rename(graph: Graph) -> Graph:
    """Name every node after its op and number the names from the top, so that a dump depends only on the schedule."""

    def visit(copy: Copy, node: fx.Node) -> fx.Node:
        if op_of(node) is None:
            return copy.keep(node)
        args, kwargs = fx.node.map_arg((node.args, node.kwargs), copy.now.__getitem__)
        name = str(node.target).split(".")[1].strip("_")  # aten._to_copy.default
        moved = copy.graph.create_node(node.op, node.target, args, kwargs, name=name)
        moved.meta = node.meta
        return moved

    return rebuild(graph, visit)


PASSES: tuple[Callable[[Graph], Graph], ...] = (
    drop_noops,
    expand_powers,
    type_scalars,
    fold_constants,
    share,
    drop_dead,
    rename,
)
"""The passes, in the order in which they run. `run(graph, stop_after=...)` takes the name of one."""


def stages(graph: Graph | nn.Module) -> Iterator[tuple[str, Graph]]:
    """Yield ("trace", graph), then the name of every pass with the graph it gives. Each graph is checked first.

    A schedule is traced. To see what a pass did, `dump` the graph before it and the graph after it.

    Raises `LoweringError`, naming the op, its node and the author's line, if a graph holds an op that no target knows.

    >>> from tracelr import Linear
    >>> [(name, len(graph.nodes)) for name, graph in stages(Linear(0.0, 1.0, 10))][:4]
    [('trace', 11), ('drop_noops', 8), ('expand_powers', 8), ('type_scalars', 14)]
    """
    graph = graph if isinstance(graph, Graph) else trace(graph)
    graph.check()
    yield "trace", graph
    for one in PASSES:
        graph = one(graph)
        graph.check()
        yield one.__name__, graph


def run(graph: Graph, stop_after: str | None = None) -> Graph:
    """Return `graph` after all passes, or after the one called `stop_after`; the name "trace" stops before the first.

    >>> from tracelr import Linear
    >>> from tracelr.lowering import trace
    >>> run(trace(Linear(0.0, 1.0, 10)), stop_after="drop_noops").typed
    False
    """
    last = PASSES[-1].__name__ if stop_after is None else stop_after
    names = ["trace", *(one.__name__ for one in PASSES)]
    if last not in names:
        raise LoweringError("passes.run(stop_after)", stop_after, ", ".join(names), "use one of these names")
    return next(after for name, after in stages(graph) if name == last)
