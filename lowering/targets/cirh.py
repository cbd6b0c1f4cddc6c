"""CIRH: the text that Cerebras' compiler makes of a training step, here of a schedule alone. `OPS` writes each op.

A machine of Cerebras has no float64, nothing that reads the bits of a float, and for int64 no masks and no shifts. So a
schedule is traced in the arithmetic "two_float" without bits, and what is left is written with the ops that there are.
Some differ from torch's. A quotient of integers is cut off towards zero, so that a shift and a remainder of a negative
number are corrected. Their compiler folds the cast of a float to the nearest integer, so that a fraction is cut off before
it. A sum of comparisons would be one bit wide, so that each becomes an int64 first.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias, final

import numpy as np
import torch
from torch import Tensor, fx

from tracelr._torch import OpOverload
from tracelr.lowering.graph import Graph
from tracelr.lowering.spec import RESHAPES, Shape, aten, dtype_of, names, op_of, shape_of, type_of
from tracelr.lowering.targets import _cirh_interpreter
from tracelr.lowering.targets._refusals import one_step, refusal
from tracelr.lowering.targets._target import SourceText, Target

_I64, _F32, _I1 = torch.int64, torch.float32, torch.bool
_TYPES = {_I64: "i64", _F32: "f32", _I1: "i1"}
_WHOLE = {aten.floor.default, aten.ceil.default, aten.round.default, aten._to_copy.default}
_LIMITS = {_I64: (-(2**63), 2**63 - 1), _F32: (-torch.inf, torch.inf)}


@final
class Value(NamedTuple):
    """A value of the text."""

    name: str
    dtype: torch.dtype
    shape: Shape

    @property
    def type(self) -> str:
        return f"tensor<{''.join(f'{size}x' for size in self.shape)}{_TYPES[self.dtype]}>"


Row: TypeAlias = "str | Callable[..., Value | None]"


@final
class Writer:
    """The lines of a function. What was written once is not written again."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.made: dict[str, Value] = {}
        self.noted = ""

    def op(self, text: str, dtype: torch.dtype, shape: Shape) -> Value:
        """Add an op, written as `text` after the equals sign."""
        if text not in self.made:
            self.made[text] = Value(f"%{len(self.made)}", dtype, shape)
            self.lines.append(f"    {self.made[text].name} = cirh.{text}")
        return self.made[text]

    def note(self, text: str) -> None:
        """Add a comment of one line, in ASCII, if it is not the one before again."""
        if text and text != self.noted:
            self.lines.append(f"    // {re.sub(r'[^ -~]', '?', ' '.join(text.split()))}")
            self.noted = text

    def constant(self, value: Any, dtype: torch.dtype, shape: Shape = ()) -> Value:
        """Add a constant: one number, which may fill a shape, or a list."""
        listed = ", ".join(_literal(one, dtype) for one in value) if isinstance(value, list) else ""
        text = f"[{listed}]" if isinstance(value, list) else _literal(value, dtype)
        return self.op(f"Const dense<{text}> : {Value('', dtype, shape).type}", dtype, shape)

    def alike(self, name: str, *operands: Value) -> Value:
        """Add an op whose operands and result have one type."""
        return self.op(f"{name} {_listed(operands)} : {operands[0].type}", *operands[0][1:])

    def other(self, name: str, operands: tuple[Value, ...], dtype: torch.dtype, shape: Shape, attributes: str = "") -> Value:
        """Add an op that is written with all its types."""
        types = f"({', '.join(one.type for one in operands)}) -> {Value('', dtype, shape).type}"
        return self.op(f"{name} {_listed(operands)}{f' {{{attributes}}}' if attributes else ''} : {types}", dtype, shape)

    def compare(self, direction: str, a: Value, b: Value) -> Value:
        mask = Value("", _I1, a.shape)
        types = a.type if a.dtype == _I1 else f"{a.type} -> {mask.type}"
        return self.op(f'Compare {_listed((a, b))} {{comparison_direction = "{direction}"}} : {types}', *mask[1:])

    def below_zero(self, x: Value) -> Value:
        return self.compare("LT", x, self.constant(0, x.dtype, x.shape))

    def select(self, mask: Value, a: Value, b: Value) -> Value:
        return self.other("Select", (mask, a, b), a.dtype, a.shape)

    def cast(self, x: Value, dtype: torch.dtype) -> Value:
        """Add a cast. A float that becomes an integer is whole."""
        if dtype == _I1:
            return self.compare("NE", x, self.constant(0, x.dtype, x.shape))
        made = Value("", dtype, x.shape)
        return self.op(f"Cast {x.name} {{Truncate = false}} : {x.type} -> {made.type}", *made[1:])

    def broadcast(self, x: Value, shape: Shape) -> Value:
        if x.shape == shape:
            return x
        places = _dense(range(len(shape) - len(x.shape), len(shape)))
        return self.other("BroadcastInDim", (x,), x.dtype, shape, f"broadcast_dimensions = {places}")

    def divided(self, x: Value, n: Value) -> tuple[Value, Value]:
        """Return the quotient of two int64, cut off towards zero, and what it leaves."""
        quotient = self.alike("Div", x, n)
        return quotient, self.alike("Sub", x, self.alike("Mul", quotient, n))


def _floor_shift(to: Writer, x: Value, bits: int) -> Value:
    quotient, rest = to.divided(x, to.constant(2**bits, _I64, x.shape))
    return to.alike("Sub", quotient, to.cast(to.below_zero(rest), _I64))


def _shift(to: Writer, x: Value, by: Value | int) -> Value | None:
    return _floor_shift(to, x, by) if x.dtype == _I64 and isinstance(by, int) else None


def _and(to: Writer, x: Value, y: Value | int) -> Value | None:
    if isinstance(y, Value):
        return to.alike("And", x, y) if x.dtype == _I1 else None
    bits = (y + 1).bit_length() - 1
    if y != 2**bits - 1:
        return None
    return to.alike("Sub", x, to.alike("Mul", _floor_shift(to, x, bits), to.constant(2**bits, _I64, x.shape)))


def _remainder(to: Writer, x: Value, n: Value) -> Value | None:
    if x.dtype != _I64:
        return None
    rest = to.divided(x, n)[1]
    apart = to.compare("NE", to.below_zero(rest), to.below_zero(n))
    wrong = to.alike("And", apart, to.compare("NE", rest, to.constant(0, _I64, x.shape)))
    return to.select(wrong, to.alike("Add", rest, n), rest)


def _clamp(to: Writer, x: Value, low: Value | None = None, high: Value | None = None) -> Value:
    both = [
        limit if isinstance(limit, Value) else to.constant(other, x.dtype, x.shape)
        for limit, other in zip((low, high), _LIMITS[x.dtype], strict=True)
    ]
    return to.other("Clamp", (x, *both), x.dtype, x.shape)


def _trunc(to: Writer, x: Value) -> Value:
    return to.select(to.below_zero(x), to.alike("Ceil", x), to.alike("Floor", x))


OPS: dict[OpOverload, Row] = {
    aten.add.Tensor: "Add",
    aten.sub.Tensor: "Sub",
    aten.mul.Tensor: "Mul",
    aten.div.Tensor: "Div",
    aten.remainder.Tensor: _remainder,
    aten.minimum.default: lambda to, x, y: _clamp(to, x, None, y),
    aten.maximum.default: lambda to, x, y: _clamp(to, x, y),
    aten.clamp.Tensor: _clamp,
    aten.neg.default: lambda to, x: to.alike("Mul", x, to.constant(-1, x.dtype, x.shape)),
    aten.abs.default: "Abs",
    aten.lt.Tensor: lambda to, x, y: to.compare("LT", x, y),
    aten.le.Tensor: lambda to, x, y: to.compare("LE", x, y),
    aten.gt.Tensor: lambda to, x, y: to.compare("GT", x, y),
    aten.ge.Tensor: lambda to, x, y: to.compare("GE", x, y),
    aten.eq.Tensor: lambda to, x, y: to.compare("EQ", x, y),
    aten.ne.Tensor: lambda to, x, y: to.compare("NE", x, y),
    aten.bitwise_and.Tensor: _and,
    aten.bitwise_or.Tensor: lambda to, x, y: to.alike("Or", x, y) if x.dtype == _I1 and isinstance(y, Value) else None,
    aten.bitwise_not.default: "Not",
    aten.bitwise_right_shift.Tensor: _shift,
    aten.where.self: lambda to, mask, x, y: to.select(mask, x, y),
    aten.reciprocal.default: "Reciprocal",
    aten.sqrt.default: "Sqrt",
    aten.rsqrt.default: "Rsqrt",
    aten.exp.default: lambda to, x: to.other("Exp", (x,), x.dtype, x.shape),
    aten.log.default: "Log",
    aten.sin.default: "Sin",
    aten.cos.default: "Cos",
    aten.tanh.default: "Tanh",
    aten.floor.default: "Floor",
    aten.ceil.default: "Ceil",
    aten.round.default: "Round",
    aten.trunc.default: _trunc,
    aten.pow.Tensor_Scalar: lambda to, x, p: to.alike("Pow", x, to.constant(p, x.dtype, x.shape)),
    aten.pow.Tensor_Tensor: "Pow",
}
"""Each op as the name of an op of CIRH, or as a function that writes it, and returns None for operands that it has no text
for. Exp, Log, Sin, Cos, Tanh, Pow and Rsqrt have the machine's own last bits. The arithmetic uses the first two, and in such
a way that these do not matter."""

_BY_HAND = RESHAPES | {
    *(aten.full.default, aten._to_copy.default, aten.sum.dim_IntList, aten.index_select.default),
}


def _write(to: Writer, graph: Graph, node: fx.Node, made: dict[fx.Node, Value]) -> Value | None:
    """Write one node; None if there is no text for it."""
    dtype, shape, op = dtype_of(node), shape_of(node), op_of(node)
    if dtype not in _TYPES:
        return None
    if node.op == "get_attr":
        tensor = graph.tensor(node)
        return to.constant(tensor.tolist(), dtype, shape) if tensor.ndim < 2 else None
    if op == aten.full.default:
        return to.constant(node.args[1], dtype, shape)
    if op in (aten.bitwise_and.Tensor, aten.bitwise_right_shift.Tensor) and dtype == _I64:
        x, by = node.args
        assert isinstance(x, fx.Node)
        assert isinstance(by, fx.Node)
        return OPS[op](to, made[x], by.args[1] if op_of(by) == aten.full.default else made[by])  # type: ignore[operator]  # a function
    operands: list[Any] = [made[one] if isinstance(one, fx.Node) else one for one in node.args]
    if op in (aten.view.default, aten.unsqueeze.default, aten.squeeze.dims):
        return to.other("Reshape", (operands[0],), dtype, shape)
    if op == aten.expand.default:
        return to.broadcast(operands[0], shape)
    if op == aten._to_copy.default:
        fraction = operands[0].dtype == _F32 and dtype == _I64 and op_of(node.all_input_nodes[0]) not in _WHOLE
        return to.cast(_trunc(to, operands[0]) if fraction else operands[0], dtype)
    if op == aten.sum.dim_IntList:
        terms = operands[0] if operands[0].dtype == _I64 else to.cast(operands[0], _I64)
        places = _dense(sorted(place % len(terms.shape) for place in operands[1]))
        kept = 'keep_dims = dense<> : tensor<0xi64>, reduce_kind = "ADD"'
        return to.other("Reduce", (terms,), _I64, shape, f"dimensions = {places}, {kept}")
    if op == aten.index_select.default:
        table, place, index = operands
        along = f"axis = {place} : i64, batch_dims = 0 : i64, is_sparse = false"
        return to.other("Gather", (table, index), dtype, shape, along) if table.dtype != _I1 else None
    operands = [to.broadcast(one, shape) if isinstance(one, Value) else one for one in operands]
    row = OPS.get(op)
    return to.alike(row, *operands) if isinstance(row, str) else row and row(to, *operands)


def _literal(value: Any, dtype: torch.dtype) -> str:
    if dtype == _I1:
        return "true" if value else "false"
    if dtype == _I64:
        return str(value)
    single = np.float32(value)
    mantissa, _, exponent = repr(float(str(single))).partition("e")  # the shortest decimal of the float32
    text = f"{mantissa}{'' if '.' in mantissa else '.0'}{f'e{int(exponent):+03}' if exponent else ''}"
    # MLIR reads a decimal as a float64 first. What no decimal names so is written as bits.
    exact = np.isfinite(single) and np.float32(float(text)) == single
    return text if exact else f"0x{single.view(np.uint32):08X}"


def _listed(operands: tuple[Value, ...]) -> str:
    return ", ".join(one.name for one in operands)


def _dense(places: Any) -> str:
    listed = [str(place) for place in places]
    inside = f"[{', '.join(listed)}]" if len(listed) > 1 else "".join(listed)
    return f"dense<{inside}> : tensor<{len(listed)}xi64>"


@final
class Source(SourceText):
    """CIRH text of one function. `run` interprets it, in NumPy."""

    def evaluate(self, steps: Tensor) -> Tensor:
        return torch.from_numpy(_cirh_interpreter.run(self.text, steps.numpy()).copy())


@final
class CIRH(Target):
    """CIRH, `tensor<i64> -> tensor<f32>`, for Cerebras' compiler. A parameter is written as the value it has now."""

    arithmetics = ("two_float",)
    bits = False

    def emit(self, graph: Graph, name: str) -> Source:
        one_step(graph, "cirh")
        to, made = Writer(), dict[fx.Node, Value]()
        for node in graph.nodes:
            if node.op == "placeholder":
                made[node] = Value("%step", _I64, ())
            elif node.op != "output":
                if op_of(node) != aten.full.default:
                    to.note(graph.note(node))
                value = _write(to, graph, node, made)
                if value is None:
                    given = f"{node.target if node.op == 'call_function' else 'a table'} of {_types_of(node)}"
                    raise refusal(node, "cirh", given, f"{names(OPS)}, in i64, f32 or b8, and of i64 no bits")
                made[node] = value
        head = f"func @{name}(%step: tensor<i64>) -> tensor<f32> {{"
        last = f"    return {made[graph.result].name} : tensor<f32>"
        return Source("\n".join(["module {", f"  {head}", *to.lines, last, "  }", "}", ""]), name)

    def runs(self) -> str:
        return "an interpreter of the text, in NumPy"

    def missing(self) -> None:
        return None


def _types_of(node: fx.Node) -> str:
    return ", ".join(type_of(one) for one in node.all_input_nodes) or type_of(node)


TARGET = CIRH()
