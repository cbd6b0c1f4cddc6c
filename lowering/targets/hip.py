"""HIP: the header of CUDA for hipcc, whose compiler and device have macros of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import final

from tracelr.lowering.graph import Graph
from tracelr.lowering.target import Target
from tracelr.lowering.targets import _toolchain, c, cuda
from tracelr.lowering.targets._helpers import with_device_products

_UNFUSED = ["#pragma clang fp contract(off)", "return a * b; /* never fused into a sum */"]

DIALECT = replace(
    cuda.DIALECT,
    target="hip",
    head=cuda.HEAD.format(compiler="__HIPCC__", device="__HIP_DEVICE_COMPILE__"),
    helpers=with_device_products("__HIP_DEVICE_COMPILE__", f64=_UNFUSED, f32=_UNFUSED),
)


@final
class Hip(Target):
    """A header: `__host__ __device__ float lr(int64_t step)` and `lr_array(step, out, n)` under hipcc, C++11 elsewhere.

    A parameter is written as the value it has when it is lowered. `run` runs the host's half.
    """

    def emit(self, graph: Graph, name: str) -> c.Header:
        return c.Header(DIALECT.emit(graph, name), name, _toolchain.CXX)

    def runs(self) -> str:
        return "the host's half alone"

    def missing(self) -> str | None:
        return _toolchain.CXX.missing()


TARGET = Hip()
