"""Run as a file, in a new process, because Triton reads from the environment at import whether it interprets or compiles.

Reads jobs as JSON from the standard input, and tracelr is not imported. A job has the `file` of a generated Python file and
the `name` of its function, and either `steps` and `rates`, two files of numpy, or `arch`, `signature` and `out`.
"""

from __future__ import annotations

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

SUFFIX = {"cuda": "ptx", "hip": "amdgcn"}


def load(path: str) -> Any:
    """Import the file at `path`."""
    spec = spec_from_file_location("generated", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def interpret(job: dict[str, Any]) -> None:
    """Write the rates that `name_array` gives for the steps."""
    import numpy as np
    import torch

    steps = np.load(job["steps"])
    block = min(2 ** max(len(steps) - 1, 0).bit_length(), 2**18)  # a program of the interpreter costs more than its steps
    rates = getattr(load(job["file"]), f"{job['name']}_array")(torch.from_numpy(steps), block)
    np.save(job["rates"], rates.numpy())


def compile(job: dict[str, Any]) -> None:
    """Write the assembly that `name_kernel` compiles to, for a device that need not be present."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    backend, arch, warp = job["arch"]
    kernel = getattr(load(job["file"]), f"{job['name']}_kernel")
    source = ASTSource(fn=kernel, signature=job["signature"], constexprs={"BLOCK": 128})
    made = triton.compile(source, target=GPUTarget(backend, arch, warp), options={"enable_fp_fusion": False})
    Path(job["out"]).write_text(made.asm[SUFFIX[backend]])


if __name__ == "__main__":
    for each in json.load(sys.stdin):
        (compile if "arch" in each else interpret)(each)
