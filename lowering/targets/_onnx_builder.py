"""Build an ONNX model from a graph, op by op, with the table of the target "onnx"."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, final

import torch
from torch import Tensor, fx

from tracelr._torch import OpOverload
from tracelr.errors import LoweringError
from tracelr.lowering.graph import Graph
from tracelr.lowering.spec import RESHAPES, aten, dtype_of, names, op_of, shape_of
from tracelr.lowering.targets._clike.emitter import made_from
from tracelr.lowering.targets._refusals import refusal

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET, IR = 20, 10
"""The opset of a model, and the version of the file format that came with it."""
BITCAST_OPSET, BITCAST_IR = 26, 13
"""The same for a model that contains a BitCast."""

Row: TypeAlias = "str | Callable[..., str]"


@final
class Builder:
    """An ONNX graph under construction. Every value has the step's shape, or one more axis at the end, a row."""

    def __init__(self, graph: Graph, name: str, ops: Mapping[OpOverload, Row]) -> None:
        from onnx import TensorProto, helper

        self.graph, self.name, self.ops, self.helper = graph, name, ops, helper
        self.types = {
            torch.int64: TensorProto.INT64,
            torch.float64: TensorProto.DOUBLE,
            torch.float32: TensorProto.FLOAT,
            torch.int32: TensorProto.INT32,
            torch.bool: TensorProto.BOOL,
        }
        self.unsigned = TensorProto.UINT64
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self.names: dict[fx.Node, str] = {}
        self.moving: set[fx.Node] = set()  # the nodes that depend on the step
        self.node: fx.Node = graph.nodes[0]
        self.dtype = torch.int64

    def __call__(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; return the name of its value."""
        output = f"v_{len(self.nodes)}_{self.node.name}"
        self.nodes.append(self.helper.make_node(op, inputs, [output], doc_string=self.graph.note(self.node), **attributes))
        return output

    def number(self, value: float, dtype: torch.dtype | None = None) -> str:
        """Return the name of a constant, in the dtype of the present operation."""
        dtype = self.dtype if dtype is None else dtype
        return self._constant(f"{dtype} {value!r}", torch.tensor(value, dtype=dtype))

    def _constant(self, key: str, value: Tensor, name: str = "", note: str = "") -> str:
        if key not in self.constants:
            raw = value.detach().numpy().tobytes()
            tensor = self.helper.make_tensor(
                name or f"v_c{len(self.constants)}", self.types[value.dtype], value.shape, raw, raw=True
            )
            tensor.doc_string = note
            self.constants[key] = tensor
        return str(self.constants[key].name)

    def model(self) -> ModelProto:
        """Return the model."""
        for node in self.graph.nodes:
            self._add(node)
        (step,) = (node for node in self.graph.nodes if node.op == "placeholder")
        self.node, result = step, self.names[self.graph.result]
        if self.graph.result not in self.moving:
            result = self("Expand", result, self("Shape", "step"))
        self.nodes.append(self.helper.make_node("Identity", [result], [self.name]))
        shape = ["N"] if self.graph.batch else []
        inputs = [self.helper.make_tensor_value_info("step", self.types[torch.int64], shape)]
        outputs = [self.helper.make_tensor_value_info(self.name, self.types[torch.float32], shape)]
        note = (
            f"{self.graph.signature}: the learning rate at an optimizer step. Made from {', '.join(made_from(self.graph))}."
        )
        made = self.helper.make_graph(self.nodes, self.name, inputs, outputs, list(self.constants.values()), note)
        casts = any(node.op_type == "BitCast" for node in self.nodes)
        opset = [self.helper.make_opsetid("", BITCAST_OPSET if casts else OPSET)]
        version = BITCAST_IR if casts else IR
        return self.helper.make_model(made, opset_imports=opset, ir_version=version, producer_name="tracelr")

    def _add(self, node: fx.Node) -> None:
        self.node, op = node, op_of(node)
        if node.op == "placeholder":
            self.names[node] = "step"
            self.moving.add(node)
        elif node.op == "get_attr":
            value = self.graph.tensor(node)
            note = "" if self.graph.constant(node) else "a parameter, at the value it had when this was made"
            row = value.flatten() if value.numel() > 1 else value.reshape(())
            self.names[node] = self._constant(str(node.target), row, f"v_f_{node.name}", note)
        elif op in (aten.full.default, aten.full_like.default):
            dtype = dtype_of(node)
            self.names[node] = self.number(node.args[1], dtype)  # type: ignore[arg-type]  # fx: of any kind
        elif op in RESHAPES:
            self.names[node] = self.names[node.args[0]]  # type: ignore[index]  # fx: of any kind
            self.moving |= {node} if node.args[0] in self.moving else set()
        elif node.op == "call_function" and op != aten.sym_size.int:
            self.moving |= {node} if self.moving & set(node.all_input_nodes) else set()
            self.names[node] = self._computed(node)

    def _computed(self, node: fx.Node) -> str:
        op, shape = op_of(node), shape_of(node)
        if sum(size not in (1, "N") for size in shape) > 1 or 0 in shape:
            raise self._refusal(f"a value of shape {list(shape)}", "one element, or one row of them")
        dtype = dtype_of(node)
        assert dtype is not None
        if op == aten._to_copy.default:
            return self("Cast", self.names[node.args[0]], to=self.types[dtype])  # type: ignore[index]  # fx: of any kind
        if op == aten.view.dtype:
            return self("BitCast", self.names[node.args[0]], to=self.types[dtype])  # type: ignore[index]  # as above
        if op == aten.index_select.default:
            table, _, index = node.args
            assert isinstance(table, fx.Node)
            if table in self.moving:
                raise self._refusal("a table that depends on the step", "index_select from a table")
            row = self.names[table]
            row = row if _is_row(table) else self("Unsqueeze", row, self._constant("first axis", torch.tensor([0])))
            return self("Gather", row, self.names[index], axis=0)  # type: ignore[index]  # fx: of any kind
        if op == aten.sum.dim_IntList:
            counted = self("Cast", self.names[node.args[0]], to=self.types[torch.int64])  # type: ignore[index]  # as above
            return self("ReduceSum", counted, self._last_axis(), keepdims=0) if _is_row(node.args[0]) else counted
        if op == aten.add.Tensor and dtype.is_floating_point:
            # onnxruntime drops a sum with 0, which makes 0 of -0, so it becomes a difference.
            for zero, other in (node.args[:2], node.args[1::-1]):
                if self._is_zero(zero):
                    minus = self("Neg", self._operand(other, _is_row(node)))
                    return self("Sub", self.number(0.0, dtype), minus)
        self.dtype = dtype_of(node.all_input_nodes[-1]) or dtype
        return self._row(op, [self._operand(x, _is_row(node)) for x in node.args])

    def _is_zero(self, x: Any) -> bool:
        if not isinstance(x, fx.Node):
            return False
        if x.op == "get_attr":
            value = self.graph.tensor(x)
            return bool(value.numel() == 1 and value == 0)
        if op_of(x) == aten._to_copy.default or op_of(x) in RESHAPES:
            return self._is_zero(x.args[0])
        return op_of(x) in (aten.full.default, aten.full_like.default) and bool(x.args[1] == 0)

    def _row(self, op: OpOverload | None, values: list[str]) -> str:
        if op == aten.clamp.Tensor and "" in (values := [*values, ""][:3]):
            op = aten.minimum.default if values[1] == "" else aten.maximum.default
            values = [value for value in values if value]
        row = self.ops.get(op)  # type: ignore[arg-type]  # None has no row
        if row is None:
            raise self._refusal(str(op), names(self.ops))
        return self(row, *values) if isinstance(row, str) else row(self, *values)

    def _operand(self, x: Any, among_rows: bool) -> str:
        """Return the name of an operand's value; beside rows, one number per step becomes a row of length 1."""
        if not isinstance(x, fx.Node):
            return "" if x is None else self.number(float(x), dtype_of(self.node))
        name = self.names[x]
        return self("Unsqueeze", name, self._last_axis()) if among_rows and x in self.moving and not _is_row(x) else name

    def _last_axis(self) -> str:
        return self._constant("last axis", torch.tensor([-1]))

    def _refusal(self, given: str, allowed: str) -> LoweringError:
        return refusal(self.node, "onnx", given, allowed)


def _is_row(node: Any) -> bool:
    return math.prod(size for size in shape_of(node) if isinstance(size, int)) > 1
