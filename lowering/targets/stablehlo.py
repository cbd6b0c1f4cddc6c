"""StableHLO: the text that XLA compiles for CPU, GPU and TPU. `OPS` says what each op is in `jax.lax`.

XLA treats floats as real numbers: it turns x / c into x * (1 / c), (x + c) - c into x, exp(a) * exp(b) into
exp(a + b), and it flushes subnormal numbers to zero. Every float value therefore goes through an `optimization_barrier`, so
that each operation stands alone, and a subnormal result is put together as an integer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any, TypeAlias, final

import torch
from torch import Tensor, fx

from tracelr._torch import OpOverload
from tracelr.errors import LoweringError
from tracelr.lowering.graph import Graph
from tracelr.lowering.spec import aten, dtype_of, names, op_of, shape_of
from tracelr.lowering.targets import _toolchain
from tracelr.lowering.targets._refusals import one_step, refusal
from tracelr.lowering.targets._target import Artifact, Target

Row: TypeAlias = "str | Callable[..., Any]"

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")
_NUMPY = {torch.int64: "int64", torch.float64: "float64", torch.float32: "float32", torch.int32: "int32", torch.bool: "bool"}
_FLOATS = (torch.float64, torch.float32)
_AS_WRITTEN = {"xla_backend_optimization_level": "0"}  # otherwise LLVM may round a * b + c once


def _jax() -> Any:
    import jax

    return jax


def _like(lax: Any, x: Any, value: float) -> Any:
    return lax.optimization_barrier(lax.full_like(x, value))


def _remainder(lax: Any, a: Any, b: Any) -> Any:
    r, zero = lax.rem(a, b), lax.full_like(a, 0)
    other_side = lax.bitwise_and(lax.ne(r, zero), lax.ne(lax.lt(r, zero), lax.lt(b, zero)))
    return lax.select(other_side, lax.add(r, b), r)


def _clamp(lax: Any, x: Any, low: Any = None, high: Any = None) -> Any:
    raised = x if low is None else lax.max(x, low)
    return raised if high is None else lax.min(raised, high)


def _log1p(lax: Any, x: Any) -> Any:
    # The method of Kahan; lax.log1p is off by 128 float64 ulps near -0.41.
    barrier = lax.optimization_barrier
    u = barrier(lax.add(x, _like(lax, x, 1.0)))
    log, d = barrier(lax.log(u)), barrier(lax.sub(u, _like(lax, x, 1.0)))
    near = lax.select(lax.eq(u, x), log, lax.div(barrier(lax.mul(log, x)), d))
    return lax.select(lax.eq(d, lax.full_like(d, 0)), x, near)


OPS: dict[OpOverload, Row] = {
    aten.add.Tensor: "add",
    aten.sub.Tensor: "sub",
    aten.mul.Tensor: "mul",
    aten.div.Tensor: "div",
    aten.remainder.Tensor: _remainder,
    aten.minimum.default: "min",
    aten.maximum.default: "max",
    aten.clamp.Tensor: _clamp,
    aten.neg.default: "neg",
    aten.abs.default: "abs",
    aten.lt.Tensor: "lt",
    aten.le.Tensor: "le",
    aten.gt.Tensor: "gt",
    aten.ge.Tensor: "ge",
    aten.eq.Tensor: "eq",
    aten.ne.Tensor: "ne",
    aten.bitwise_and.Tensor: "bitwise_and",
    aten.bitwise_or.Tensor: "bitwise_or",
    aten.bitwise_not.default: "bitwise_not",
    aten.bitwise_right_shift.Tensor: "shift_right_arithmetic",
    aten.where.self: "select",
    aten.reciprocal.default: lambda lax, x: lax.div(_like(lax, x, 1.0), x),
    aten.sqrt.default: "sqrt",
    aten.rsqrt.default: lambda lax, x: lax.div(_like(lax, x, 1.0), lax.optimization_barrier(lax.sqrt(x))),
    aten.exp.default: "exp",
    aten.exp2.default: lambda lax, x: lax.pow(_like(lax, x, 2.0), x),  # lax.exp2 is exp(x ln 2), off by 350 float64 ulps
    aten.expm1.default: "expm1",
    aten.log.default: "log",
    aten.log2.default: lambda lax, x: lax.div(lax.optimization_barrier(lax.log(x)), _like(lax, x, math.log(2.0))),
    aten.log1p.default: _log1p,
    aten.sin.default: "sin",
    aten.cos.default: "cos",
    aten.tanh.default: "tanh",
    aten.floor.default: "floor",
    aten.ceil.default: "ceil",
    aten.round.default: lambda lax, x: lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN),
    aten.trunc.default: lambda lax, x: lax.select(lax.lt(x, lax.full_like(x, 0)), lax.ceil(x), lax.floor(x)),
    aten.pow.Tensor_Scalar: lambda lax, x, p: lax.pow(x, _like(lax, x, p)),
    aten.pow.Tensor_Tensor: "pow",
}
"""Each op as the name of a function of `jax.lax`, or as a function of `jax.lax` and the operands."""

_RESHAPES = frozenset({aten.view.default, aten.unsqueeze.default, aten.squeeze.dims})
_BY_HAND = _RESHAPES | {
    *(aten.full.default, aten._to_copy.default, aten.expand.default, aten.view.dtype),
    *(aten.sum.dim_IntList, aten.index_select.default),
}


def evaluate(graph: Graph, step: Any) -> Any:
    """Return the learning rate at one int64 JAX scalar. Trace it under `jax.enable_x64(True)`."""
    lax = _jax().lax
    env: dict[fx.Node, Any] = {}
    for node in graph.nodes[:-1]:
        value = step if node.op == "placeholder" else _value(graph, node, env)
        alone = dtype_of(node) in _FLOATS and node.target not in _RESHAPES
        env[node] = lax.optimization_barrier(value) if alone else value
    return env[graph.result]


def _value(graph: Graph, node: fx.Node, env: dict[fx.Node, Any]) -> Any:
    lax, jnp = _jax().lax, _jax().numpy
    if node.op == "get_attr":
        return jnp.asarray(graph.tensor(node).detach().cpu().numpy())
    dtype, op = _NUMPY[dtype_of(node)], op_of(node)  # type: ignore[index]  # an op has a dtype
    operands: list[Any] = [env[operand] if isinstance(operand, fx.Node) else operand for operand in node.args]
    if op == aten.full.default:
        return jnp.asarray(operands[1], dtype)
    if op in _RESHAPES:
        return lax.reshape(operands[0], shape_of(node))
    if op == aten.expand.default:
        return jnp.broadcast_to(operands[0], shape_of(node))
    if op == aten._to_copy.default:
        return _cast(lax, operands[0], dtype)
    if op == aten.view.dtype:
        return lax.bitcast_convert_type(operands[0], dtype)
    if op == aten.sum.dim_IntList:
        return lax.reshape(jnp.sum(operands[0], operands[1], dtype=dtype), shape_of(node))
    if op == aten.index_select.default:
        table, axis, index = operands
        return jnp.take(table, index, axis=axis, mode="clip")
    row, at = OPS[op], [i for i, operand in enumerate(operands) if not isinstance(operand, (float, int, type(None)))]
    for i, operand in zip(at, jnp.broadcast_arrays(*(operands[i] for i in at)), strict=True):
        operands[i] = operand
    return getattr(lax, row)(*operands) if isinstance(row, str) else row(lax, *operands)


def _cast(lax: Any, x: Any, dtype: str) -> Any:
    if dtype == "bool":
        return lax.ne(x, lax.full_like(x, 0))
    cast = lax.convert_element_type(x, dtype)
    if dtype != "float32" or x.dtype != "float64":
        return cast
    # A subnormal float32 is its distance from zero in units of 2**-149, which XLA leaves alone in an integer.
    distance = lax.abs(x)
    units = lax.round(lax.mul(distance, lax.full_like(x, 2.0**149)), lax.RoundingMethod.TO_NEAREST_EVEN)
    bits = lax.convert_element_type(units, "int32")
    signed = lax.select(lax.lt(x, lax.full_like(x, 0)), lax.bitwise_or(bits, lax.full_like(bits, -(2**31))), bits)
    subnormal = lax.bitwise_and(lax.gt(distance, lax.full_like(x, 0)), lax.lt(distance, lax.full_like(x, 2.0**-126)))
    return lax.select(subnormal, lax.bitcast_convert_type(signed, "float32"), cast)


@final
class Module(Artifact):
    """StableHLO of one function, `tensor<i64> -> tensor<f32>`. `run` compiles it for the CPU, with JAX."""

    def __init__(self, graph: Graph, name: str) -> None:
        self._function = partial(evaluate, graph)
        self._function.__name__ = name  # type: ignore[attr-defined]  # a function's name can be set

    @cached_property
    def text(self) -> str:
        return self.on("cpu")

    def on(self, platform: str) -> str:
        """Return the text lowered for `platform`, one of `PLATFORMS`, which need not be present."""
        if platform not in PLATFORMS:
            raise LoweringError("module.on(platform)", platform, ", ".join(PLATFORMS), "use one of these names")
        jax = _jax()
        with jax.enable_x64(True):
            step = jax.ShapeDtypeStruct((), "int64")
            return str(jax.jit(self._function).trace(step).lower(lowering_platforms=(platform,)).as_text())

    def evaluate(self, steps: Tensor) -> Tensor:
        jax = _jax()
        # One step after another: XLA would again divide by the reciprocal of a constant that it may spread over a batch.
        with jax.enable_x64(True), jax.default_device("cpu"):
            lowered = jax.jit(lambda steps: jax.lax.map(self._function, steps)).lower(steps.numpy())
            return torch.tensor(jax.device_get(lowered.compile(compiler_options=_AS_WRITTEN)(steps.numpy())))


@final
class StableHLO(Target):
    """StableHLO, written by JAX, whose 64-bit mode is on only while it writes."""

    def emit(self, graph: Graph, name: str) -> Module:
        _toolchain.need("lower(graph, 'stablehlo')", "jax", "stablehlo")
        one_step(graph, "stablehlo")
        for node in graph.nodes:
            op = op_of(node)
            if op is not None and op not in OPS and op not in _BY_HAND:
                raise refusal(node, "stablehlo", str(op), names(OPS))
        return Module(graph, name)

    def missing(self) -> str | None:
        return _toolchain.missing("jax", "stablehlo")


TARGET = StableHLO()
