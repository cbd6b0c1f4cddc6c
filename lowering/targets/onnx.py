"""ONNX: a model of one output, built op by op from `OPS`. Its constants keep their float64.

ONNX has no exp2, log2, log1p, expm1 or trunc; they are written with ops that have float64 kernels in onnxruntime. A lookup
is a sum of comparisons and a Gather. Division of int64 is not used: a graph has the remainder, and Mod is exact.
"""

from __future__ import annotations

import math
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor

from tracelr._torch import OpOverload
from tracelr.errors import LoweringError, Unquoted
from tracelr.lowering.graph import Graph
from tracelr.lowering.spec import aten
from tracelr.lowering.targets._onnx_builder import Builder, Row
from tracelr.lowering.targets._target import Artifact, Target

if TYPE_CHECKING:
    from onnx import ModelProto


def _remainder(m: Builder, a: str, b: str) -> str:
    if m.dtype == torch.int64:  # the smallest integer modulo -1 traps on a CPU; anything modulo 1 is the same 0
        minus, one = m.number(-1, torch.int64), m.number(1, torch.int64)
        return m("Mod", a, m("Where", m("Equal", b, minus), one, b), fmod=0)
    zero, r = m.number(0.0), m("Mod", a, b, fmod=1)
    other_sign = m("Xor", m("Less", r, zero), m("Less", b, zero))
    return m("Where", m("And", m("Not", m("Equal", r, zero)), other_sign), m("Add", r, b), r)


def _where(m: Builder, mask: str, a: str, b: str) -> str:
    if m.dtype != torch.bool:
        return m("Where", mask, a, b)
    return m("Or", m("And", mask, a), m("And", m("Not", mask), b))


def _logic(word: str) -> Row:
    return lambda m, a, b: m(word if m.dtype == torch.bool else f"Bitwise{word}", a, b)


def _right_shift(m: Builder, x: str, bits: str) -> str:
    # BitShift is for unsigned integers, and Div cuts off: of a multiple it is exact.
    power = m("BitShift", m("Cast", m.number(1), to=m.unsigned), m("Cast", bits, to=m.unsigned), direction="LEFT")
    unit = m("Cast", power, to=m.types[m.dtype])
    return m("Div", m("Sub", x, m("Mod", x, unit, fmod=0)), unit)


def _trunc(m: Builder, x: str) -> str:
    return m("Where", m("Less", x, m.number(0.0)), m("Ceil", x), m("Floor", x))


def _log1p(m: Builder, x: str) -> str:
    # The method of Kahan: log(u) has the error of u = 1 + x, and x / (u - 1) takes it out.
    one = m.number(1.0)
    u = m("Add", one, x)
    small, large, log = m("Equal", u, one), m("Equal", u, x), m("Log", u)
    near = m("Where", m("Or", small, large), one, m("Sub", u, one))
    return m("Where", small, x, m("Where", large, log, m("Mul", log, m("Div", x, near))))


def _expm1(m: Builder, x: str) -> str:
    one = m.number(1.0)
    e = m("Exp", x)
    less = m("Sub", e, one)
    same, near = m("Equal", e, one), m("Less", m("Abs", x), one)
    log = m("Log", m("Where", m("And", near, m("Not", same)), e, m.number(2.0)))
    return m("Where", same, x, m("Where", near, m("Div", m("Mul", less, x), log), less))


OPS: dict[OpOverload, Row] = {
    aten.add.Tensor: "Add",
    aten.sub.Tensor: "Sub",
    aten.mul.Tensor: "Mul",
    aten.div.Tensor: "Div",
    aten.remainder.Tensor: _remainder,
    aten.minimum.default: "Min",
    aten.maximum.default: "Max",
    aten.clamp.Tensor: lambda m, x, low, high: m("Min", m("Max", x, low), high),
    aten.neg.default: "Neg",
    aten.abs.default: "Abs",
    aten.lt.Tensor: "Less",
    aten.le.Tensor: "LessOrEqual",
    aten.gt.Tensor: "Greater",
    aten.ge.Tensor: "GreaterOrEqual",
    aten.eq.Tensor: "Equal",
    aten.ne.Tensor: lambda m, a, b: m("Not", m("Equal", a, b)),
    aten.bitwise_and.Tensor: _logic("And"),
    aten.bitwise_or.Tensor: _logic("Or"),
    aten.bitwise_right_shift.Tensor: _right_shift,
    aten.bitwise_not.default: "Not",
    aten.where.self: _where,
    aten.reciprocal.default: "Reciprocal",
    aten.sqrt.default: "Sqrt",
    aten.rsqrt.default: lambda m, x: m("Reciprocal", m("Sqrt", x)),
    aten.exp.default: "Exp",
    aten.exp2.default: lambda m, x: m("Pow", m.number(2.0), x),
    aten.expm1.default: _expm1,
    aten.log.default: "Log",
    aten.log2.default: lambda m, x: m("Div", m("Log", x), m.number(math.log(2.0))),
    aten.log1p.default: _log1p,
    aten.sin.default: "Sin",
    aten.cos.default: "Cos",
    aten.tanh.default: "Tanh",
    aten.floor.default: "Floor",
    aten.ceil.default: "Ceil",
    aten.round.default: "Round",
    aten.trunc.default: _trunc,
    aten.pow.Tensor_Scalar: "Pow",
    aten.pow.Tensor_Tensor: "Pow",
}
"""Each op as an ONNX op, or as a function of the model and the operands that returns the name of its value."""


@final
class Model(Artifact):
    """An ONNX model from `step` (int64) to the rate (float32), 0-d, or [N] for a batch graph. It runs in onnxruntime."""

    def __init__(self, model: ModelProto, batch: bool) -> None:
        self.model, self._batch = model, batch

    @property
    def text(self) -> str:
        from onnx import printer

        return str(printer.to_text(self.model))

    @property
    def bytes(self) -> bytes:
        return bytes(self.model.SerializeToString(deterministic=True))

    def evaluate(self, steps: Tensor) -> Tensor:
        if (absent := TARGET.missing()) is not None:
            raise LoweringError("artifact.run", Unquoted("no onnxruntime"), "onnxruntime", f"install {absent}")
        session = _session(self.bytes)
        if self._batch:
            return torch.from_numpy(session.run(None, {"step": steps.numpy()})[0])
        each = (one.reshape(()) for one in steps.numpy()[:, None])  # arrays of shape []: onnxruntime takes no scalars
        return torch.tensor([float(session.run(None, {"step": step})[0]) for step in each], dtype=torch.float32)


@final
class Onnx(Target):
    """An ONNX model of opset 20, or 26 where it reads the bits of a float, as the arithmetic "two_float" does.

    A parameter is an initializer of the same name, with the value that it has when it is lowered.
    """

    def emit(self, graph: Graph, name: str) -> Model:
        if find_spec("onnx") is None:
            given, allowed = Unquoted("no onnx"), "the package onnx"
            raise LoweringError("lower(schedule, 'onnx')", given, allowed, "install it: pip install 'tracelr[onnx]'")
        return Model(Builder(graph, name, OPS).model(), graph.batch)

    def missing(self) -> str | None:
        absent = [package for package in ("onnx", "onnxruntime") if find_spec(package) is None]
        return f"{' and '.join(absent)} (pip install 'tracelr[onnx]')" if absent else None


TARGET = Onnx()


@lru_cache(maxsize=64)
def _session(model: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
