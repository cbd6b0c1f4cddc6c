"""`Language`: how a language writes what `emitter.py` prints."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import torch

from tracelr._torch import OpOverload

Template: TypeAlias = "str | dict[torch.dtype, str]"


class Language(ABC):
    """Abstract base: how a language writes numbers, names and functions. @ in a text is the name of its function."""

    target: str
    ops: Mapping[OpOverload, Template]
    types: Mapping[torch.dtype, str]
    head: str  # what stands between the comments and the tables
    array: str  # the entry point for many steps
    about_array: str
    about_bits: str  # what keeps the bits, and what gives them up
    unused: str  # the statement of a function that does not read its step
    single: str = ""  # the end of the name of a function of float: the f of sinf
    tables_inside: bool  # in the function, where device code sees them

    @abstractmethod
    def literal(self, value: float, dtype: torch.dtype) -> str:
        """Return a constant of `dtype`."""

    @abstractmethod
    def cast(self, value: str, source: torch.dtype, dtype: torch.dtype) -> str:
        """Return `value`, an operand of `source`, as an expression of `dtype`."""

    @abstractmethod
    def local(self, name: str, dtype: torch.dtype, value: str) -> str:
        """Return the statement that names a value."""

    @abstractmethod
    def sum(self, name: str, count: int, term: str, dtype: torch.dtype) -> list[str]:
        """Return the lines that name the sum, in int64, of `term`, which is of `dtype`, over k = 0 .. count - 1."""

    @abstractmethod
    def declare(self, name: str, dtype: torch.dtype, values: Sequence[str]) -> str:
        """Return the declaration of a constant table."""

    @abstractmethod
    def entry(self, table: str, k: str | None) -> str:
        """Return the entry of `table` at `k`, an int64 operand or the loop's k."""

    @abstractmethod
    def helper(self, helper: str, name: str) -> str:
        """Return the function `helper`, called `name`_`helper`; what it calls itself is written as @another."""

    def returned(self, value: str) -> str:
        """Return the operand `value` as what the function returns, a float32."""
        return value

    def over_steps(self, name: str) -> str:
        """Return the entry point for many steps."""
        return self.array.replace("@", name)

    @abstractmethod
    def main(self, name: str, body: Sequence[str]) -> str:
        """Return the function `name` of one step."""

    @abstractmethod
    def file(self, name: str, about: Sequence[str], parts: Sequence[str]) -> str:
        """Return the text of the file: comments, then code."""
