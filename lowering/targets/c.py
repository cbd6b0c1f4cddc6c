"""C: a header of one function, in C99 that is also C++11.

`OPS` has the translation of each op. A target in a dialect of C (CUDA, HIP, OpenCL) has `{**c.OPS, ...}` and a `Dialect`.
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from tracelr._torch import OpOverload
from tracelr.lowering.graph import Graph
from tracelr.lowering.spec import aten
from tracelr.lowering.targets._clike import compiler
from tracelr.lowering.targets._clike.dialect import Dialect
from tracelr.lowering.targets._clike.emitter import emit
from tracelr.lowering.targets._clike.language import Template
from tracelr.lowering.targets._target import SourceText, Target

_INT, _BITS, _DOUBLE, _FLOAT, _BOOL = torch.int64, torch.int32, torch.float64, torch.float32, torch.bool

OPS: dict[OpOverload, Template] = {
    aten.add.Tensor: "{0} + {1}",
    aten.sub.Tensor: "{0} - {1}",
    # Signed overflow is undefined in C and wraps in torch; of numbers in the range of steps only a product can overflow.
    aten.mul.Tensor: {
        _INT: "(int64_t)((uint64_t){0} * (uint64_t){1})",
        _DOUBLE: "@product_f64({0}, {1})",
        _FLOAT: "@product_f32({0}, {1})",
    },
    aten.div.Tensor: "{0} / {1}",
    aten.remainder.Tensor: "@remainder_{t}({0}, {1})",
    aten.minimum.default: "@minimum_{t}({0}, {1})",
    aten.maximum.default: "@maximum_{t}({0}, {1})",
    aten.clamp.Tensor: "@clamp_{t}({0}, {1}, {2})",
    aten.neg.default: "-{0}",
    aten.abs.default: {_INT: "{0} < 0 ? -{0} : {0}", _DOUBLE: "fabs({0})", _FLOAT: "fabs{f}({0})"},
    aten.lt.Tensor: "{0} < {1}",
    aten.le.Tensor: "{0} <= {1}",
    aten.gt.Tensor: "{0} > {1}",
    aten.ge.Tensor: "{0} >= {1}",
    aten.eq.Tensor: "{0} == {1}",
    aten.ne.Tensor: "{0} != {1}",
    aten.bitwise_and.Tensor: {_INT: "{0} & {1}", _BITS: "{0} & {1}", _BOOL: "{0} && {1}"},
    aten.bitwise_or.Tensor: {_INT: "{0} | {1}", _BITS: "{0} | {1}", _BOOL: "{0} || {1}"},
    aten.bitwise_not.default: "!{0}",
    aten.bitwise_right_shift.Tensor: "{0} >> {1}",
    aten.view.dtype: {_BITS: "@bits({0})", _FLOAT: "@from_bits({0})"},
    aten.where.self: "{0} ? {1} : {2}",
    aten.reciprocal.default: "1 / {0}",
    aten.sqrt.default: "sqrt{f}({0})",
    aten.rsqrt.default: "1 / sqrt{f}({0})",
    aten.exp.default: "exp{f}({0})",
    aten.exp2.default: "exp2{f}({0})",
    aten.expm1.default: "expm1{f}({0})",
    aten.log.default: "log{f}({0})",
    aten.log2.default: "log2{f}({0})",
    aten.log1p.default: "log1p{f}({0})",
    aten.sin.default: "sin{f}({0})",
    aten.cos.default: "cos{f}({0})",
    aten.tanh.default: "tanh{f}({0})",
    aten.floor.default: "floor{f}({0})",
    aten.ceil.default: "ceil{f}({0})",
    aten.round.default: "rint{f}({0})",
    aten.trunc.default: "trunc{f}({0})",
    aten.pow.Tensor_Scalar: "pow{f}({0}, {1})",
    aten.pow.Tensor_Tensor: "pow{f}({0}, {1})",
}
"""Each op as C. {0} {1} {2} are operands, {f} is "f" for float, {t} the dtype's short name, @ the name of the function."""

HEAD = "#include <math.h>\n#include <stddef.h>\n#include <stdint.h>\n#include <string.h>"
ABOUT_ARRAY = "@_array(step, out, n): the same for n steps at once, out[i] = @(step[i])."
ARRAY = """\
void @_array(const int64_t *step, float *out, size_t n)
{
    for (size_t i = 0; i < n; ++i) {
        out[i] = @(step[i]);
    }
}"""

DIALECT = Dialect("c", OPS, HEAD, f"static inline {ARRAY}", ABOUT_ARRAY)


@final
class Header(SourceText):
    """A header file. `run` compiles it with the system's compiler, once."""

    def __init__(self, text: str, name: str, built_by: compiler.Compiler) -> None:
        super().__init__(text, name)
        self._compiler = built_by

    def evaluate(self, steps: Tensor) -> Tensor:
        return self._compiler.load(self._text, self._name)(steps)


@final
class C(Target):
    """A C99 header, valid C++11: `float lr(int64_t step)` and `lr_array(step, out, n)`.

    A parameter is written as the value it has when it is lowered.
    """

    def emit(self, graph: Graph, name: str) -> Header:
        return Header(emit(DIALECT, graph, name), name, compiler.CC)

    def missing(self) -> str | None:
        return compiler.CC.missing()


TARGET = C()
