"""`Dialect`: what differs between C, CUDA, HIP, OpenCL and Metal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import torch

from tracelr._torch import OpOverload
from tracelr.lowering.targets._clike.helpers import HELPERS, Helper
from tracelr.lowering.targets._clike.language import Language, Template

C_TYPES = {
    torch.int64: "int64_t",
    torch.int32: "int32_t",
    torch.float64: "double",
    torch.float32: "float",
    torch.bool: "int",
}


@final
@dataclass(frozen=True)
class Dialect(Language):
    """How one dialect of C writes numbers, names, tables and functions."""

    target: str
    ops: Mapping[OpOverload, Template]
    head: str
    array: str
    about_array: str
    function: str = "static inline"
    opening: tuple[str, ...] = ()  # the first lines of a function that computes with floats
    table: str = "static const"
    tables_inside: bool = False
    types: Mapping[torch.dtype, str] = field(default_factory=lambda: C_TYPES)
    single: str = "f"  # the end of the name of a function of float
    long: str = "INT64_C({})"
    helpers: Mapping[str, Helper] = field(default_factory=lambda: HELPERS)
    about_bits: str = "whether or not the compiler fuses products into sums. Flags such as -ffast-math break this."
    unused: str = "(void)step;"

    def literal(self, value: float, dtype: torch.dtype) -> str:
        return literal(value, dtype, self.types, self.long)

    def cast(self, value: str, source: torch.dtype, dtype: torch.dtype) -> str:
        return f"{value} != 0" if dtype == torch.bool else f"({self.types[dtype]}){value}"

    def local(self, name: str, dtype: torch.dtype, value: str) -> str:
        return f"const {self.types[dtype]} {name} = {value};"

    def sum(self, name: str, count: int, term: str, dtype: torch.dtype) -> list[str]:
        kind = self.types[torch.int64]
        loop = f"for ({kind} k = 0; k < {self.literal(count, torch.int64)}; ++k) {{"
        return [f"{kind} {name} = 0;", loop, f"    {name} += {term};", "}"]

    def declare(self, name: str, dtype: torch.dtype, values: Sequence[str]) -> str:
        return f"{self.table} {self.types[dtype]} {name}[] = {{{', '.join(values)}}};"

    def entry(self, table: str, k: str | None) -> str:
        return f"{table}[{k}]"

    def helper(self, helper: str, name: str) -> str:
        dtype, parameters, body, *other = self.helpers[helper]
        kind, takes = self.types[dtype], self.types[other[0] if other else dtype]
        head = f"{self.function} {kind} @_{helper}({', '.join(f'{takes} {x}' for x in parameters)})"
        suffix = self.single if dtype == torch.float32 else ""
        lines = [line.replace("{kind}", kind).replace("{f}", suffix) for line in body]
        return function(head.replace("@", name), [*(self.opening if dtype.is_floating_point else ()), *lines])

    def main(self, name: str, body: Sequence[str]) -> str:
        head = f"{self.function} float @({self.types[torch.int64]} step)".replace("@", name)
        return function(head, [*self.opening, *body])

    def file(self, name: str, about: Sequence[str], parts: Sequence[str]) -> str:
        guard = f"TRACELR_{name}_H"
        return "\n\n".join(["\n".join(about), f"#ifndef {guard}\n#define {guard}", *parts, "#endif"]) + "\n"


def function(head: str, body: Sequence[str]) -> str:
    """Return a function of a C-like language."""
    return "\n".join([head, "{", *(line if line.startswith("#") else f"    {line}" for line in body), "}"])


def literal(value: float, dtype: torch.dtype, types: Mapping[torch.dtype, str] = C_TYPES, long: str = "INT64_C({})") -> str:
    """Return a constant as an expression that C99 and C++11 both read as exactly this value.

    Decimal digits, because hexadecimal ones came to C++ in 2017; Python prints as many as it takes to read the value back.
    """
    if dtype == torch.bool:
        return str(int(value))
    if dtype in (torch.int64, torch.int32):
        form, smallest = (long, -(2**63)) if dtype == torch.int64 else ("{}", -(2**31))
        digits = form.format(abs(int(value)) if value != smallest else -(smallest + 1))
        return f"(-{digits} - 1)" if value == smallest else f"(-{digits})" if value < 0 else digits
    kind = types[dtype]
    if math.isnan(value):
        return f"(({kind})NAN)"
    if math.isinf(value):
        return f"(({kind}){'-' if value < 0 else ''}INFINITY)"
    digits = repr(abs(value)) + ("f" if dtype == torch.float32 else "")
    return f"(-{digits})" if math.copysign(1.0, value) < 0 else digits
