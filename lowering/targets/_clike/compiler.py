"""Run C source text on this machine: the system's compiler, a temporary folder, and ctypes."""

from __future__ import annotations

import ctypes
import os
import shlex
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias, final

import torch
from torch import Tensor

from tracelr.errors import LoweringError, Unquoted
from tracelr.lowering.targets._toolchain import missing_compiler

Function: TypeAlias = "Callable[[Tensor], Tensor]"

_ENTRY = """
#ifdef __cplusplus
extern "C"
#endif
void tracelr_run{k}(const int64_t *s, float *o, size_t n);
void tracelr_run{k}(const int64_t *s, float *o, size_t n) {{ {name}_array(s, o, n); }}
"""


@final
@dataclass(frozen=True)
class Compiler:
    """A compiler of the system: the command in the environment's `variable`, or `default`."""

    language: str
    standard: str
    variable: str
    default: str
    suffix: str
    flags: tuple[str, ...]

    def command(self) -> tuple[str, ...]:
        """Return the command and the user's own flags."""
        return tuple(shlex.split(os.environ.get(self.variable, ""))) or (self.default,)

    def missing(self) -> str | None:
        """Return what to install if there is no such compiler, and None if there is one."""
        try:
            return missing_compiler(self.language, self.command()[0], self.variable)
        except ValueError as error:  # of a quotation without end
            return f"a {self.language} compiler; {self.variable} is not a command ({error})"

    def load(self, text: str, name: str) -> Function:
        """Compile `text`, which defines `name_array(step, out, n)`, and return it as a function of int64 steps [n].

        The same text is compiled once in a process.
        """
        return self.load_all({name: text})[name]

    def load_all(self, texts: Mapping[str, str]) -> dict[str, Function]:
        """Compile texts that define functions of these different names together: one call of the compiler for all."""
        if (absent := self.missing()) is not None:
            given, allowed = Unquoted(f"no {self.language} compiler"), f"a {self.standard} compiler"
            raise LoweringError("artifact.run", given, allowed, f"install {absent}")
        return dict(zip(texts, _compile(self, self.command(), tuple(texts.items())), strict=True))


_FLAGS = ("-O2", "-ffp-contract=off", "-fPIC", "-shared")
CC = Compiler("C", "C99", "CC", "cc", ".c", ("-std=c99", *_FLAGS))
CXX = Compiler("C++", "C++11", "CXX", "c++", ".cpp", ("-std=c++11", *_FLAGS))


@lru_cache(maxsize=256)
def _compile(compiler: Compiler, command: tuple[str, ...], texts: tuple[tuple[str, str], ...]) -> list[Function]:
    entries = [_ENTRY.format(k=k, name=name) for k, (name, _) in enumerate(texts)]
    with TemporaryDirectory(prefix="tracelr-") as folder:
        source, library = Path(folder, f"schedule{compiler.suffix}"), Path(folder, "schedule.so")
        source.write_text("\n".join([*(text for _, text in texts), *entries]))
        line = [*command, *compiler.flags, str(source), "-o", str(library), "-lm"]
        done = subprocess.run(line, capture_output=True, text=True, cwd=folder, check=False)
        if done.returncode:
            given, fix = Unquoted(done.stderr.strip()[:500]), f"report it, or set {compiler.variable} to another compiler"
            names = ", ".join(name for name, _ in texts)
            raise LoweringError(f"{' '.join(command)} of {names}", given, "text that compiles", fix)
        try:
            loaded = ctypes.CDLL(str(library))
        except OSError as error:  # a program that is not a compiler may end well too
            given, fix = Unquoted(f"no library of C ({error})"[:300]), f"set {compiler.variable} to a compiler"
            raise LoweringError(" ".join(command), given, "a compiler", fix, 300) from None
    return [_function(getattr(loaded, f"tracelr_run{k}")) for k in range(len(texts))]


def _function(entry: Callable[..., None]) -> Function:
    entry.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)  # type: ignore[attr-defined]  # ctypes: set by name
    entry.restype = None  # type: ignore[attr-defined]  # ctypes: set by name

    def run(steps: Tensor) -> Tensor:
        rates = torch.empty(steps.shape, dtype=torch.float32)
        entry(steps.data_ptr(), rates.data_ptr(), steps.numel())
        return rates

    return run
