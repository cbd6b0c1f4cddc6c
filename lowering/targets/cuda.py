"""CUDA: the header of C as a `__host__ __device__` function, to be pasted or included in a kernel.

For any compiler but nvcc it is plain C++. `run` compiles and runs this half.
"""

from __future__ import annotations

from typing import final

from tracelr.lowering.graph import Graph
from tracelr.lowering.targets import c
from tracelr.lowering.targets._clike import compiler
from tracelr.lowering.targets._clike.dialect import Dialect
from tracelr.lowering.targets._clike.emitter import emit
from tracelr.lowering.targets._clike.helpers import with_device_products
from tracelr.lowering.targets._target import Target

HEAD = """\
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined({compiler})
#define TRACELR_@_FUNCTION static __host__ __device__ __forceinline__
#else
#define TRACELR_@_FUNCTION static inline
#endif

#if defined({device})
#define TRACELR_@_TABLE static __constant__ const
#else
#define TRACELR_@_TABLE static const
#endif"""

DIALECT = Dialect(
    target="cuda",
    ops=c.OPS,
    head=HEAD.format(compiler="__CUDACC__", device="__CUDA_ARCH__"),
    array=f"TRACELR_@_FUNCTION {c.ARRAY}",
    about_array=c.ABOUT_ARRAY,
    function="TRACELR_@_FUNCTION",
    table="TRACELR_@_TABLE",
    tables_inside=True,
    helpers=with_device_products(
        "__CUDA_ARCH__",
        f64=["return __dmul_rn(a, b); /* never fused into a sum */"],
        f32=["return __fmul_rn(a, b); /* never fused into a sum */"],
    ),
)


@final
class HostAndDevice(Target):
    """A header: `__host__ __device__ float lr(int64_t step)` and `lr_array(step, out, n)` for a device, C++11 elsewhere.

    A parameter is written as the value it has when it is lowered. `run` runs the host's half.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def emit(self, graph: Graph, name: str) -> c.Header:
        return c.Header(emit(self._dialect, graph, name), name, compiler.CXX)

    def runs(self) -> str:
        return "the host's half alone; its device half is for nvcc or hipcc, and was not run"

    def missing(self) -> str | None:
        return compiler.CXX.missing()


TARGET = HostAndDevice(DIALECT)
