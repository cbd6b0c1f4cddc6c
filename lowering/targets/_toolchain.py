"""Run C source text on this machine: the system's compiler, a temporary folder, and ctypes."""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from tracelr.errors import NotLowered, Words, explain

FLAGS = ("-std=c99", "-O2", "-ffp-contract=off", "-fPIC", "-shared")
"""How an artifact is compiled to be run here. Without contraction `a * b + c` rounds twice, as torch does."""

_ENTRY = """
void tracelr_run(const int64_t *s, float *o, size_t n);
void tracelr_run(const int64_t *s, float *o, size_t n) {{ {}_array(s, o, n); }}
"""


def compiler() -> list[str]:
    """Return the command of the C compiler: the environment's `CC`, or `cc`."""
    return shlex.split(os.environ.get("CC", "")) or ["cc"]


def missing() -> str | None:
    """Return what to install if there is no C compiler, and None if there is one."""
    command = compiler()[0]
    return None if shutil.which(command) else f"a C compiler; {command!r} was not found (install one, or set CC)"


def load(text: str, name: str) -> Callable[[Tensor], Tensor]:
    """Compile `text`, which defines `name_array(step, out, n)`, and return it as a function of int64 steps [n]."""
    if (absent := missing()) is not None:
        raise NotLowered(explain("artifact.run", Words("no C compiler"), "a C99 compiler", f"install {absent}"))
    with TemporaryDirectory(prefix="tracelr-") as folder:
        source, library = Path(folder, "schedule.c"), Path(folder, "schedule.so")
        source.write_text(f"{text}\n{_ENTRY.format(name)}\n")
        command = [*compiler(), *FLAGS, str(source), "-o", str(library), "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
        if done.returncode:
            given, fix = Words(done.stderr.strip()[:500]), "report it with the schedule, or set CC to another compiler"
            raise NotLowered(explain(f"{' '.join(compiler())} of {name}", given, "text that compiles", fix))
        function = ctypes.CDLL(str(library)).tracelr_run
    function.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
    function.restype = None

    def run(steps: Tensor) -> Tensor:
        rates = torch.empty(steps.shape, dtype=torch.float32)
        function(steps.data_ptr(), rates.data_ptr(), steps.numel())
        return rates

    return run
