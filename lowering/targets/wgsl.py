"""WGSL, the language of WebGPU: a function and a compute shader that maps it over steps. `OPS` translates each op.

WGSL has neither float64 nor int64, and promises no bits of its float32: an implementation may round up or down,
reassociate, fuse a product into a sum, flush subnormal numbers, ignore the sign of zero and the presence of infinities,
and be off by 2.5 units in the last place in a quotient (WGSL 15.7, "Floating Point Evaluation"; nothing in the language
switches that off). Operations on u32 and i32 are exact, and wrap. So all arithmetic of a graph is written with these: a
float32 is its bits in a u32, an int64 is a vec2<u32>, and the bits are the same on every device. Only the result is an
f32, so that a rate below 1.2e-38 may come out as 0. Functions that are not written with integers (sin,
exp, log, pow and similar ones, which only graphs of the arithmetic "float32" hold) are WGSL's own: their bits are not
promised.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from tracelr._torch import OpOverload
from tracelr.errors import LoweringError, Unquoted
from tracelr.lowering.graph import Graph
from tracelr.lowering.spec import DTYPES, aten
from tracelr.lowering.targets._clike.emitter import emit
from tracelr.lowering.targets._clike.language import Language, Template
from tracelr.lowering.targets._target import SourceText, Target
from tracelr.lowering.targets._wgsl import float32, int64, run

_INT, _FLOAT, _BITS, _BOOL = torch.int64, torch.float32, torch.int32, torch.bool
HELPERS = {**int64.HELPERS, **float32.HELPERS}
LONGEST = 2047
"""How many numbers a table may hold: the most that WGSL takes in one constant."""


def _any(name: str, native: str) -> dict[torch.dtype, str]:
    """Return the row of an op: a function that the text defines for int64 and float32, WGSL's own for int32."""
    operands = ", ".join(f"{{{k}}}" for k in range(native.count("{")))
    return {_INT: f"@{name}_i64({operands})", _FLOAT: f"@{name}_f32({operands})", _BITS: native}


def _native(call: str) -> Template:
    return {_FLOAT: f"bitcast<u32>({call.replace('{0}', 'bitcast<f32>({0})').replace('{1}', 'bitcast<f32>({1})')})"}


OPS: dict[OpOverload, Template] = {
    aten.add.Tensor: _any("add", "{0} + {1}"),
    aten.sub.Tensor: _any("sub", "{0} - {1}"),
    aten.mul.Tensor: _any("mul", "{0} * {1}"),
    aten.div.Tensor: {_FLOAT: "@div_f32({0}, {1})"},
    aten.remainder.Tensor: {_INT: "@remainder_i64({0}, {1})"},
    aten.minimum.default: _any("minimum", "min({0}, {1})"),
    aten.maximum.default: _any("maximum", "max({0}, {1})"),
    aten.clamp.Tensor: _any("clamp", "min(max({0}, {1}), {2})"),
    aten.neg.default: _any("neg", "-{0}"),
    aten.abs.default: _any("abs", "abs({0})"),
    aten.bitwise_and.Tensor: {**_any("and", "{0} & {1}"), _BOOL: "{0} && {1}"},
    aten.bitwise_or.Tensor: {**_any("or", "{0} | {1}"), _BOOL: "{0} || {1}"},
    aten.bitwise_not.default: {_BOOL: "!{0}"},
    aten.bitwise_right_shift.Tensor: _any("shr", "{0} >> bitcast<u32>({1})"),
    aten.bitwise_left_shift.Tensor: _any("shl", "{0} << bitcast<u32>({1})"),
    aten.view.dtype: {_FLOAT: "bitcast<u32>({0})", _BITS: "bitcast<i32>({0})"},
    aten.where.self: "select({2}, {1}, {0})",
    aten.reciprocal.default: {_FLOAT: "@reciprocal_f32({0})"},
    aten.sqrt.default: {_FLOAT: "@sqrt_f32({0})"},
    aten.rsqrt.default: {_FLOAT: "@reciprocal_f32(@sqrt_f32({0}))"},
    aten.floor.default: {_FLOAT: "@floor_f32({0})"},
    aten.ceil.default: {_FLOAT: "@ceil_f32({0})"},
    aten.round.default: {_FLOAT: "@round_f32({0})"},
    aten.trunc.default: {_FLOAT: "@trunc_f32({0})"},
    aten.expm1.default: {_FLOAT: "@expm1_f32({0})"},
    aten.log1p.default: {_FLOAT: "@log1p_f32({0})"},
    aten.pow.Tensor_Scalar: _native("pow({0}, {1})"),
    aten.pow.Tensor_Tensor: _native("pow({0}, {1})"),
}
"""Each op as WGSL. {0} {1} {2} are operands, {t} the short name of their dtype, @ comes before the name of a function."""
for _op in ("lt", "le", "gt", "ge", "eq", "ne"):
    OPS[getattr(aten, _op).Tensor] = f"@{_op}_{{t}}({{0}}, {{1}})"
for _op in ("exp", "exp2", "log", "log2", "sin", "cos", "tanh"):
    OPS[getattr(aten, _op).default] = _native(f"{_op}({{0}})")

ARRAY = """\
@group(0) @binding(0) var<storage, read> NAME_steps: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read_write> NAME_rates: array<f32>;

@compute @workgroup_size(SIZE)
fn NAME_array(@builtin(global_invocation_id) place: vec3<u32>) {
    if (place.x < arrayLength(&NAME_rates)) {
        NAME_rates[place.x] = NAME(NAME_steps[place.x]);
    }
}""".replace("SIZE", str(run.GROUP))


@final
class WGSL(Language):
    """How WGSL writes numbers, names and functions."""

    target = "wgsl"
    ops = OPS
    types = {_INT: "vec2<u32>", _FLOAT: "u32", _BITS: "i32", _BOOL: "bool"}  # noqa: RUF012  # never written to
    head = ""
    about_array = (
        "@_array: a compute shader, @_rates[i] = @(@_steps[i]). A step is an int64 as vec2<u32>(low, high); inside, a"
        " float32 is its bits in a u32."
    )
    about_bits = (
        "on every device, because it is computed with integers, which are exact in WGSL. For exp, log, pow and sin of WGSL"
        " that is not so."
    )
    unused = "_ = step;"
    tables_inside = False
    array = ARRAY

    def literal(self, value: float, dtype: torch.dtype) -> str:
        if dtype == _BOOL:
            return "true" if value else "false"
        if dtype == _INT:
            bits = int(value) % 2**64
            return f"vec2<u32>({bits % 2**32}u, {bits >> 32}u)" + (f"/*{int(value)}*/" if bits >> 32 else "")
        if dtype == _BITS:
            return f"bitcast<i32>({int(value) % 2**32:#x}u)"
        (bits,) = struct.unpack("<I", struct.pack("<f", value))
        return f"{bits:#010x}u/*{value!r}*/"

    def cast(self, value: str, source: torch.dtype, dtype: torch.dtype) -> str:
        return value if source == dtype else f"@{DTYPES[dtype]}_of_{DTYPES[source]}({value})"

    def local(self, name: str, dtype: torch.dtype, value: str) -> str:
        return f"let {name}: {self.types[dtype]} = {value};"

    def sum(self, name: str, count: int, term: str, dtype: torch.dtype) -> list[str]:
        more = f"    {name} = @add_i64({name}, {self.cast(term, dtype, _INT)});"
        return [f"var {name} = vec2<u32>();", f"for (var k = 0u; k < {count}u; k++) {{", more, "}"]

    def declare(self, name: str, dtype: torch.dtype, values: Sequence[str]) -> str:
        if len(values) > LONGEST:
            allowed, fix = f"at most {LONGEST}, as WGSL has it", "use another target, or a curve of fewer points"
            raise LoweringError("lower(schedule, 'wgsl')", Unquoted(f"a table of {len(values)}"), allowed, fix)
        return f"const {name} = array<{self.types[dtype]}, {len(values)}>({', '.join(values)});"

    def entry(self, table: str, k: str | None) -> str:
        return f"{table}[k]" if k == "k" else f"{table}[{k}.x]"

    def helper(self, helper: str, name: str) -> str:
        return HELPERS[helper].replace(f"fn {helper}(", f"fn {name}_{helper}(", 1)

    def returned(self, value: str) -> str:
        return f"bitcast<f32>({value})"

    def over_steps(self, name: str) -> str:
        return self.array.replace("NAME", name)  # in WGSL, @ begins an attribute

    def main(self, name: str, body: Sequence[str]) -> str:
        return "\n".join([f"fn {name}(step: vec2<u32>) -> f32 {{", *(f"    {line}" for line in body), "}"])

    def file(self, name: str, about: Sequence[str], parts: Sequence[str]) -> str:
        return "\n\n".join(["\n".join(about), *parts]) + "\n"


LANGUAGE = WGSL()


@final
class Shader(SourceText):
    """WGSL text. `run` compiles it, once in a process, for the first WebGPU device."""

    def evaluate(self, steps: Tensor) -> Tensor:
        return run.load(self._text, self._name)(steps)


@final
class WebGPU(Target):
    """WGSL: `fn lr(step: vec2<u32>) -> f32` and a compute shader `lr_array`; needs neither float64 nor int64.

    A parameter is written as the value it has when it is lowered.
    """

    arithmetics = ("two_float", "float32")

    def emit(self, graph: Graph, name: str) -> Shader:
        return Shader(emit(LANGUAGE, graph, name), name)

    def missing(self) -> str | None:
        return run.missing()

    def runs(self) -> str:
        return run.device_name()


TARGET = WebGPU()
