"""An illegal graph is refused before the passes and after each of them, and the error names its node and line."""

from __future__ import annotations

import inspect

import pytest
import torch
from support.operations import formula
from torch import fx

from tracelr import Cosine, Linear, Schedule
from tracelr.errors import LoweringError
from tracelr.lowering import Graph, passes, trace
from tracelr.lowering.spec import aten, op_of
from tracelr.schedules.fields import Scalar


def test_a_pass_that_breaks_the_graph_is_caught_before_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    def forget_a_type(graph: Graph) -> Graph:
        next(node for node in graph.nodes if op_of(node) == aten.mul.Tensor).update_arg(1, 0.5)
        return graph

    def never(graph: Graph) -> Graph:
        raise AssertionError

    monkeypatch.setattr(passes, "PASSES", (*passes.PASSES, forget_a_type, never))
    with pytest.raises(LoweringError, match=r"given the untyped scalar 0\.5 in"):
        list(passes.stages(Linear(0.0, 1.0, 4)))


class TakesATangent(Schedule):
    """Uses an op that no target has."""

    factor: Scalar

    def forward(self, step, ops):
        return torch.tan(ops.integer(step))


def test_an_unknown_op_is_named_with_its_node_and_line() -> None:
    with pytest.raises(LoweringError) as caught:
        passes.run(trace(TakesATangent(1.0)))
    text = str(caught.value)
    line = inspect.getsourcelines(TakesATangent)[1] + 6
    assert text.startswith(
        f"aten.tan.default at node 'tan', from `return torch.tan(ops.integer(step))` (test_passes_errors.py:{line}): given "
        "aten.tan.default; allowed: _to_copy, abs, add.Tensor, "
    )
    assert text.endswith("to fix it: write it with these ops, or add a row to tracelr.lowering.spec.OPS.")


def edited(change) -> Graph:
    """Return the graph of `Cosine`, through all passes, with one edit of its nodes."""
    graph = passes.run(trace(Cosine(0.0, 1.0, 4)))
    nodes = {node.name: node for node in graph.nodes}
    change(nodes)
    return graph


def test_an_untyped_scalar_is_refused_once_scalars_are_typed() -> None:
    graph = edited(lambda nodes: nodes["mul"].update_arg(1, 0.5))
    with pytest.raises(LoweringError, match=r"given the untyped scalar 0.5 in .*; allowed: a node of a known dtype"):
        graph.check()


def retype(node: fx.Node, dtype: torch.dtype) -> None:
    node.meta["val"] = torch.empty((), dtype=dtype, device="meta")


EDITS = {
    r"operands of f64 and i64; allowed: operands of one dtype": lambda n: n["minimum"].update_arg(1, n["where"]),
    r"i64\[\] as operand 0; allowed: f64, f32": lambda n: n["div"].update_arg(0, n["step"]),
    r"i64\[\] as operand 0; allowed: b8": lambda n: n["where"].update_arg(0, n["step"]),
    r"keywords \['alpha'\]": lambda n: n["mul"].update_kwarg("alpha", 2),
    r"keywords \['dtype', 'pin_memory'\]": lambda n: n["full"].update_kwarg("pin_memory", False),
    r"given complex64\[\]; allowed: the dtypes i64, f64, f32, i32, b8": lambda n: retype(n["mul"], torch.complex64),
    r"a result of f32\[\]; allowed: torch.float64": lambda n: retype(n["div"], torch.float32),
    r"graph output: .* one float32 value": lambda n: n["output"].update_arg(0, n["where"]),
    r"graph inputs: given \['step'\]; allowed: one int64 step": lambda n: retype(n["step"], torch.int32),
}


@pytest.mark.parametrize("message", EDITS)
def test_an_illegal_graph_is_refused(message: str) -> None:
    with pytest.raises(LoweringError, match=message):
        edited(EDITS[message]).check()


def test_alpha_is_refused_rather_than_dropped() -> None:
    with pytest.raises(LoweringError, match="alpha"):
        passes.run(trace(formula(lambda s: torch.add(s.double(), s.double(), alpha=2))))
