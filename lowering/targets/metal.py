"""Metal Shading Language: the function of C and a kernel that maps it over steps. The text is not run here.

Metal has int64 (`long`) and no float64. Under safe math a sum, a difference and a product of float32 are rounded
correctly; the default is fast math, and even safe math may contract a product and a sum of one statement. So each
function switches both off for itself (`#pragma METAL fp`, Metal 3.2); older compilers need `-fno-fast-math` beside the
pragma of clang. Metal may flush subnormal numbers to zero: bits are promised for what is computed in normal ones. exp,
log, pow and sin, which only graphs of the arithmetic "float32" hold, are those of `metal::precise`, for which no bits are
promised.
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from tracelr._torch import OpOverload
from tracelr.errors import LoweringError, Unquoted
from tracelr.lowering.graph import Graph
from tracelr.lowering.spec import aten
from tracelr.lowering.targets import c
from tracelr.lowering.targets._clike.dialect import Dialect
from tracelr.lowering.targets._clike.emitter import emit
from tracelr.lowering.targets._clike.helpers import HELPERS, Helper
from tracelr.lowering.targets._clike.language import Template
from tracelr.lowering.targets._target import SourceText, Target

_SAFE = (
    "#if __METAL_VERSION__ >= 320",
    "#pragma METAL fp math_mode(safe)",
    "#pragma METAL fp contract(off)",
    "#else",
    "#pragma clang fp contract(off)",
    "#endif",
)
_ABS = "{0} < 0 ? -{0} : {0}"
_FUNCTIONS = ("sqrt", "exp", "exp2", "log", "log2", "sin", "cos", "tanh", "floor", "ceil", "trunc")

OPS: dict[OpOverload, Template] = {
    **c.OPS,
    aten.mul.Tensor: {
        torch.int64: "(long)((ulong){0} * (ulong){1})",
        torch.int32: "{0} * {1}",
        torch.float32: "{0} * {1}",
    },
    aten.view.dtype: {torch.int32: "as_type<int>({0})", torch.float32: "as_type<float>({0})"},
    aten.abs.default: {torch.int64: _ABS, torch.int32: _ABS, torch.float32: "metal::fabs({0})"},
    **{getattr(aten, name).default: f"metal::precise::{name}({{0}})" for name in _FUNCTIONS},
    aten.rsqrt.default: "1 / metal::precise::sqrt({0})",
    aten.round.default: "metal::precise::rint({0})",
    aten.expm1.default: "@expm1({0})",
    aten.log1p.default: "@log1p({0})",
    aten.pow.Tensor_Scalar: "metal::precise::pow({0}, {1})",
    aten.pow.Tensor_Tensor: "metal::precise::pow({0}, {1})",
}
"""Each op as Metal, which has no expm1 and no log1p."""

_OWN: dict[str, Helper] = {
    "remainder_f32": (
        torch.float32,
        "ab",
        [line.replace("fmod{f}", "metal::fmod") for line in HELPERS["remainder_f32"][2]],
    ),
    "expm1": (
        torch.float32,
        "x",
        [
            "const float e = metal::precise::exp(x);",
            "return e == 1.0f ? x : (e - 1.0f) * x / metal::precise::log(e); /* the method of Kahan */",
        ],
    ),
    "log1p": (
        torch.float32,
        "x",
        [
            "const float u = 1.0f + x;",
            "return u == 1.0f ? x : metal::precise::log(u) * x / (u - 1.0f); /* the method of Kahan */",
        ],
    ),
}

DIALECT = Dialect(
    target="metal",
    ops=OPS,
    head="#include <metal_stdlib>",
    array="""\
kernel void @_array(device const long *step [[buffer(0)]], device float *out [[buffer(1)]],
                    constant uint &n [[buffer(2)]], uint i [[thread_position_in_grid]])
{
    if (i < n) {
        out[i] = @(step[i]);
    }
}""",
    about_array="@_array(step, out, n): a kernel of one dimension, out[i] = @(step[i]) for every i < n.",
    opening=_SAFE,
    table="constant",
    types={torch.int64: "long", torch.int32: "int", torch.float32: "float", torch.bool: "bool"},
    single="",
    long="{}L",
    helpers={**HELPERS, **_OWN},
    about_bits="with or without fast math, from Metal 3.2 on. For an older Metal, compile with -fno-fast-math.",
)

_NEEDS = "a Mac with Metal, which this library does not drive: the text is only written"


@final
class Source(SourceText):
    """Metal text. Nothing here runs it."""

    def evaluate(self, steps: Tensor) -> Tensor:
        raise LoweringError("artifact.run", Unquoted("no Metal"), _NEEDS, "save the text, and compile it with xcrun metal")


@final
class Metal(Target):
    """Metal: `float lr(long step)` and a kernel `lr_array(step, out, n)`; needs no float64.

    A parameter is written as the value it has when it is lowered.
    """

    arithmetics = ("two_float", "float32")

    def emit(self, graph: Graph, name: str) -> Source:
        return Source(emit(DIALECT, graph, name), name)

    def missing(self) -> str:
        return _NEEDS


TARGET = Metal()
