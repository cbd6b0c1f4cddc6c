"""What a lowered graph may hold: the ops, their dtypes, and what each promises. Checked between all stages.

There are two vocabularies. `OPS` is what targets see: every value operand is a node, all of one dtype. `TRACED` holds
the other ops of torch's own graphs; the passes of `tracelr.lowering.passes` rewrite or remove them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import torch
from torch import Tensor, fx

from tracelr._torch import OpOverload
from tracelr.errors import LoweringError, Unquoted
from tracelr.lowering.diagnostics import INSTEAD, MASKS, SUMS
from tracelr.lowering.provenance import where_of

aten = torch.ops.aten
Shape: TypeAlias = "tuple[int | str, ...]"

DTYPES = {torch.int64: "i64", torch.float64: "f64", torch.float32: "f32", torch.int32: "i32", torch.bool: "b8"}
"""The dtypes of a lowered graph, and the short names that dumps use."""

_BOOLS = frozenset({torch.bool})
_INTS = frozenset({torch.int64, torch.int32})  # int32: the bits of a float32
_FLOATS = frozenset({torch.float64, torch.float32})
_NUMBERS = _INTS | _FLOATS
_ALL = _NUMBERS | _BOOLS


@final
@dataclass(frozen=True)
class Op:
    """One row: where the value operands stand, which dtypes they take, what comes out (None: the operands' own dtype)."""

    takes: frozenset[torch.dtype] = _ALL
    values: tuple[int, ...] = (0,)
    gives: torch.dtype | None = None
    also: tuple[tuple[int, torch.dtype], ...] = ()  # operands of a fixed dtype: a mask, an index
    casts: bool = False  # the result's dtype is its keyword `dtype`
    views: bool = False  # the result's dtype is its second argument, and its bits are the operand's


_BINARY = Op(_NUMBERS, (0, 1))
_COMPARISON = Op(_NUMBERS, (0, 1), torch.bool)
_LOGIC = Op(_INTS | _BOOLS, (0, 1))
_FUNCTION = Op(_FLOATS)
_SHAPE = Op(_ALL)
_CONSTANT = Op(values=(), casts=True)

OPS: dict[OpOverload, Op] = {
    aten.full.default: _CONSTANT,
    aten.full_like.default: _CONSTANT,
    aten._to_copy.default: Op(casts=True),
    aten.add.Tensor: _BINARY,
    aten.sub.Tensor: _BINARY,
    aten.mul.Tensor: _BINARY,
    aten.div.Tensor: Op(_FLOATS, (0, 1)),
    aten.remainder.Tensor: _BINARY,
    aten.minimum.default: _BINARY,
    aten.maximum.default: _BINARY,
    aten.clamp.Tensor: Op(_NUMBERS, (0, 1, 2)),
    aten.neg.default: Op(_NUMBERS),
    aten.abs.default: Op(_NUMBERS),
    aten.lt.Tensor: _COMPARISON,
    aten.le.Tensor: _COMPARISON,
    aten.gt.Tensor: _COMPARISON,
    aten.ge.Tensor: _COMPARISON,
    aten.eq.Tensor: Op(_ALL, (0, 1), torch.bool),
    aten.ne.Tensor: Op(_ALL, (0, 1), torch.bool),
    aten.bitwise_and.Tensor: _LOGIC,
    aten.bitwise_or.Tensor: _LOGIC,
    aten.bitwise_not.default: Op(_BOOLS),
    aten.bitwise_right_shift.Tensor: Op(_INTS, (0, 1)),  # of signed integers: by 1 it is floor(i / 2)
    aten.view.dtype: Op(frozenset({torch.float32, torch.int32}), views=True),
    aten.where.self: Op(_ALL, (1, 2), also=((0, torch.bool),)),
    aten.reciprocal.default: _FUNCTION,
    aten.sqrt.default: _FUNCTION,
    aten.rsqrt.default: _FUNCTION,
    aten.exp.default: _FUNCTION,
    aten.exp2.default: _FUNCTION,
    aten.expm1.default: _FUNCTION,
    aten.log.default: _FUNCTION,
    aten.log2.default: _FUNCTION,
    aten.log1p.default: _FUNCTION,
    aten.sin.default: _FUNCTION,
    aten.cos.default: _FUNCTION,
    aten.tanh.default: _FUNCTION,
    aten.floor.default: _FUNCTION,
    aten.ceil.default: _FUNCTION,
    aten.round.default: _FUNCTION,
    aten.trunc.default: _FUNCTION,
    aten.pow.Tensor_Scalar: _FUNCTION,  # the exponent is an attribute: eager picks its kernel by it
    aten.pow.Tensor_Tensor: Op(_FLOATS, (0, 1)),
    aten.sum.dim_IntList: Op(_INTS | _BOOLS, gives=torch.int64),  # never of floats: their sum depends on the order
    aten.index_select.default: Op(also=((2, torch.int64),)),
    aten.view.default: _SHAPE,
    aten.expand.default: _SHAPE,
    aten.unsqueeze.default: _SHAPE,
    aten.squeeze.dims: _SHAPE,
    aten.sym_size.int: _SHAPE,  # the length of a batch, where an op asks for a shape
}
"""The ops of a typed graph: the keys of every target's table."""

RESHAPES = frozenset({aten.view.default, aten.expand.default, aten.unsqueeze.default, aten.squeeze.dims})
"""Ops that only change a shape, which does not matter where every value is one number or one row of numbers."""

SPELLINGS: dict[OpOverload, OpOverload] = {
    aten.lt.Scalar: aten.lt.Tensor,
    aten.le.Scalar: aten.le.Tensor,
    aten.gt.Scalar: aten.gt.Tensor,
    aten.ge.Scalar: aten.ge.Tensor,
    aten.eq.Scalar: aten.eq.Tensor,
    aten.ne.Scalar: aten.ne.Tensor,
    aten.add.Scalar: aten.add.Tensor,
    aten.sub.Scalar: aten.sub.Tensor,
    aten.mul.Scalar: aten.mul.Tensor,
    aten.div.Scalar: aten.div.Tensor,
    aten.remainder.Scalar: aten.remainder.Tensor,
    aten.remainder.Scalar_Tensor: aten.remainder.Tensor,
    aten.pow.Scalar: aten.pow.Tensor_Tensor,
    aten.clamp.default: aten.clamp.Tensor,
    aten.clamp_min.default: aten.maximum.default,
    aten.clamp_min.Tensor: aten.maximum.default,
    aten.clamp_max.default: aten.minimum.default,
    aten.clamp_max.Tensor: aten.minimum.default,
    aten.bitwise_and.Scalar: aten.bitwise_and.Tensor,
    aten.bitwise_or.Scalar: aten.bitwise_or.Tensor,
    aten.__rshift__.Scalar: aten.bitwise_right_shift.Tensor,
    aten.__rshift__.Tensor: aten.bitwise_right_shift.Tensor,
    aten.bitwise_right_shift.Tensor_Scalar: aten.bitwise_right_shift.Tensor,
    aten.logical_and.default: aten.bitwise_and.Tensor,
    aten.logical_or.default: aten.bitwise_or.Tensor,
    aten.logical_not.default: aten.bitwise_not.default,
}
"""Other overloads of the same ops. `type_scalars` replaces each key by its value."""

CONSTANTS = frozenset({aten.scalar_tensor.default, aten.full.default, aten.full_like.default})
COPIES = frozenset(
    {aten.clone.default, aten.alias.default, aten.detach.default, aten.detach_.default, aten.lift_fresh_copy.default}
)
ASSERTS = frozenset({aten._assert_tensor_metadata.default, aten._assert_scalar.default, aten.sym_constrain_range.default})
TRACED = frozenset(SPELLINGS) | CONSTANTS | COPIES | ASSERTS
"""The ops that a graph may hold beside `OPS` until its scalars are typed."""


def op_of(node: fx.Node) -> Any:
    """Return the aten overload that a node calls; None for an input, a field or the output."""
    return node.target if node.op == "call_function" else None


def dtype_of(node: fx.Node) -> torch.dtype | None:
    """Return the dtype of a node's value; None for what is not a tensor."""
    value = _value_of(node)
    return value.dtype if isinstance(value, Tensor) else None


def _value_of(node: fx.Node) -> Any:
    return node.meta.get("val", node.meta.get("example_value"))  # Dynamo's name for it


def shape_of(node: fx.Node) -> Shape:
    """Return the shape of a node's value; the one dynamic length is "N"."""
    value = _value_of(node)
    return tuple(size if isinstance(size, int) else "N" for size in value.shape) if isinstance(value, Tensor) else ()


def type_of(node: fx.Node) -> str:
    """Return the dtype and shape as dumps show them, such as "i64[]" or "f64[N, 3]"."""
    dtype = dtype_of(node)
    short = "?" if dtype is None else DTYPES.get(dtype, str(dtype).removeprefix("torch."))
    return f"{short}[{', '.join(map(str, shape_of(node)))}]"


def verify(graph: fx.Graph, typed: bool) -> None:
    """Check that `graph` is legal: `lr(step: i64) -> f32` over known ops and dtypes.

    With `typed`, it may hold only `OPS`: no Python number stands where a value is computed with, and the value operands of
    an op share its dtype. Raises `LoweringError` naming the op, its node, the author's line and what is allowed.
    """
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    if len(inputs) != 1 or dtype_of(inputs[0]) != torch.int64:
        raise LoweringError("graph inputs", Unquoted([n.name for n in inputs]), "one int64 step", "trace a schedule")
    for node in graph.nodes:
        if node.op == "output":
            (result,) = node.args
            if not isinstance(result, fx.Node) or dtype_of(result) != torch.float32:
                raise LoweringError("graph output", result, "one float32 value", "return ops.round(...) of one value")
            continue
        row, op = OPS.get(op_of(node)), op_of(node)
        if op is not None and row is None and (typed or op not in TRACED):
            fix = "write it with these ops, or add a row to tracelr.lowering.spec.OPS"
            fix = INSTEAD.get(str(op).split(".")[1], fix)
            raise _refusal(node, str(op), names(OPS), fix)
        if op in ASSERTS or op == aten.sym_size.int:
            continue
        if dtype_of(node) not in DTYPES:
            fix = "compute with ops, or in int64, float64 and bool"
            raise _refusal(node, type_of(node), f"the dtypes {', '.join(DTYPES.values())}", fix)
        if typed and row is not None:
            _verify_operands(node, row)


def _verify_operands(node: fx.Node, row: Op) -> None:
    for at, dtype in row.also:
        _operand(node, at, frozenset({dtype}))
    found = {_operand(node, at, row.takes) for at in row.values if at < len(node.args) and node.args[at] is not None}
    if len(found) > 1:
        kinds = " and ".join(sorted(DTYPES[dtype] for dtype in found))
        raise _refusal(node, f"operands of {kinds}", "operands of one dtype", "run passes.type_scalars")
    keywords = set(node.kwargs) - ({"dtype"} if row.casts else set())
    if keywords or (row.casts and "dtype" not in node.kwargs):
        given = f"keywords {sorted(node.kwargs)}"
        raise _refusal(node, given, "dtype alone, where the op is a constant or a cast", "write the op without them")
    gives = node.kwargs["dtype"] if row.casts else node.args[1] if row.views else row.gives or next(iter(found), None)
    if gives != dtype_of(node):
        raise _refusal(node, f"a result of {type_of(node)}", f"{gives}", "rebuild the node")


def _operand(node: fx.Node, at: int, takes: frozenset[torch.dtype]) -> torch.dtype:
    operand = node.args[at]
    if not isinstance(operand, fx.Node):
        given = f"the untyped scalar {operand!r} in {node.format_node()}"
        raise _refusal(node, given, "a node of a known dtype", "run passes.type_scalars")
    dtype = dtype_of(operand)
    if dtype not in takes:
        allowed = ", ".join(DTYPES[dtype] for dtype in DTYPES if dtype in takes)
        summed = node.target == aten.sum.dim_IntList
        fix = SUMS if summed else MASKS if dtype == torch.bool else "cast it with .to(...)"
        raise _refusal(node, f"{type_of(operand)} as operand {at}", allowed, fix)
    assert dtype is not None
    return dtype


def names(ops: Iterable[OpOverload]) -> str:
    """Return the names of ops as dumps show them, in order."""
    return ", ".join(sorted(str(op).removeprefix("aten.").removesuffix(".default") for op in ops))


def _refusal(node: fx.Node, given: str, allowed: str, fix: str) -> LoweringError:
    return LoweringError(where_of(node), Unquoted(given), allowed, fix)
