"""The dialects of C: what sets one apart from the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import torch

from tracelr._torch import OpOverload
from tracelr.lowering.targets import _words
from tracelr.lowering.targets._helpers import HELPERS, Helper
from tracelr.lowering.targets._language import Language, Template
from tracelr.lowering.targets._words import C_TYPES


@final
@dataclass(frozen=True)
class Dialect(Language):
    """A dialect of C: what differs between the languages that are one."""

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
    single: str = "f"  # what the name of a function of float ends in
    long: str = "INT64_C({})"
    helpers: Mapping[str, Helper] = field(default_factory=lambda: HELPERS)
    words: str = ""
    about_bits: str = "whether or not products may be fused; -ffast-math and its like give them up."
    unused: str = "(void)step;"

    def literal(self, value: float, dtype: torch.dtype) -> str:
        return _words.literal(value, dtype, self.types, self.long)

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

    def whole(self, name: str, about: Sequence[str], parts: Sequence[str]) -> str:
        guard = f"TRACELR_{name}_H"
        return "\n\n".join(["\n".join(about), f"#ifndef {guard}\n#define {guard}", *parts, "#endif"]) + "\n"


def function(head: str, body: Sequence[str]) -> str:
    """Return a function of a C-like language."""
    return "\n".join([head, "{", *(line if line.startswith("#") else f"    {line}" for line in body), "}"])
