"""OpenCL C: the function of C and a kernel that maps it over steps; in "two_float" for devices without float64 too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, lru_cache
from importlib.util import find_spec
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from tracelr.arithmetic import arithmetic_for
from tracelr.errors import LoweringError, Unquoted
from tracelr.lowering.graph import Graph
from tracelr.lowering.spec import aten, dtype_of
from tracelr.lowering.targets import c
from tracelr.lowering.targets._clike.dialect import Dialect
from tracelr.lowering.targets._clike.emitter import emit
from tracelr.lowering.targets._target import SourceText, Target

AS_WRITTEN = "#pragma OPENCL FP_CONTRACT OFF"

DIALECT = Dialect(
    target="opencl",
    ops={
        **c.OPS,
        aten.mul.Tensor: {
            torch.int64: "(long)((ulong){0} * (ulong){1})",
            torch.float64: "{0} * {1}",
            torch.float32: "{0} * {1}",
        },
        aten.view.dtype: {torch.int32: "as_int({0})", torch.float32: "as_float({0})"},
    },
    head=f"#pragma OPENCL EXTENSION cl_khr_fp64 : enable\n{AS_WRITTEN}",
    array="""\
__kernel void @_array(__global const long *step, __global float *out, const ulong n)
{
    const size_t i = get_global_id(0);
    if (i < n) {
        out[i] = @(step[i]);
    }
}""",
    about_array="@_array(step, out, n): a kernel of one dimension, out[i] = @(step[i]) for every i < n.",
    function="static inline",
    table="__constant",
    types={torch.int64: "long", torch.int32: "int", torch.float64: "double", torch.float32: "float", torch.bool: "int"},
    single="",
    long="{}L",
)
WITHOUT_FLOAT64 = replace(DIALECT, head=AS_WRITTEN)


@final
class Source(SourceText):
    """OpenCL C text. `run` builds it, once in a process, for the first device that has what it needs."""

    def __init__(self, text: str, name: str, wide: bool) -> None:
        super().__init__(text, name)
        self._wide = wide

    def evaluate(self, steps: Tensor) -> Tensor:
        return load(self._text, self._name, self._wide)(steps)


@final
class OpenCL(Target):
    """OpenCL C: `float lr(long step)` and a kernel `lr_array(step, out, n)`, for a device with float64.

    Inside `tracelr.precision("two_float")` it is for a device without. A parameter is written as the value it has when it is
    lowered.
    """

    def emit(self, graph: Graph, name: str) -> Source:
        wide = any(dtype_of(node) == torch.float64 for node in graph.nodes)
        return Source(emit(DIALECT if wide else WITHOUT_FLOAT64, graph, name), name, wide)

    def missing(self) -> str | None:
        return _missing(_in_force())

    def runs(self) -> str:
        device = _device(_in_force()) if find_spec("pyopencl") else None
        return f"{device.platform.name}, {device.name}" if device else ""


TARGET = OpenCL()


def load(text: str, name: str, wide: bool = True) -> Callable[[Tensor], Tensor]:
    """Build `text`, which defines the kernel `name_array(step, out, n)`, and return it as a function of int64 steps [n].

    It is built for the first device with float64, or, if it is not `wide`, for the first device.
    """
    if (absent := _missing(wide)) is not None:
        allowed = "OpenCL with float64" if wide else "OpenCL"
        raise LoweringError("artifact.run", Unquoted("no OpenCL"), allowed, f"install {absent}")
    import pyopencl as cl

    queue, program = _build(text, wide)
    kernel = cl.Kernel(program, f"{name}_array")

    def run(steps: Tensor) -> Tensor:
        rates = np.empty(len(steps), np.float32)
        if len(steps):
            flags = cl.mem_flags
            given = cl.Buffer(queue.context, flags.READ_ONLY | flags.COPY_HOST_PTR, hostbuf=steps.numpy())
            out = cl.Buffer(queue.context, flags.WRITE_ONLY, rates.nbytes)
            kernel(queue, (len(steps),), None, given, out, np.uint64(len(steps)))
            cl.enqueue_copy(queue, rates, out)
        return torch.from_numpy(rates)

    return run


@lru_cache(maxsize=64)
def _build(text: str, wide: bool) -> tuple[Any, Any]:
    import pyopencl as cl

    context = cl.Context([_device(wide)])
    return cl.CommandQueue(context), cl.Program(context, text).build()


def _in_force() -> bool:
    return arithmetic_for(None).name == "float64"


def _missing(wide: bool) -> str | None:
    if find_spec("pyopencl") is None:
        return "pyopencl (pip install 'tracelr[opencl]')"
    with_float64 = " with float64" if wide else ""
    absent = f"an OpenCL device{with_float64}; on a CPU that is PoCL (Debian: pocl-opencl-icd)"
    return absent if _device(wide) is None else None


@cache
def _device(wide: bool) -> Any:
    import pyopencl as cl

    try:
        devices = [device for platform in cl.get_platforms() for device in platform.get_devices()]
    except cl.Error:  # OpenCL raises an error if there is no platform
        return None
    return next((device for device in devices if device.double_fp_config or not wide), None)
