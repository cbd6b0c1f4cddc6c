"""HIP: the header of CUDA for hipcc, which has other macros for its compiler and its device."""

from __future__ import annotations

from dataclasses import replace

from tracelr.lowering.targets import cuda
from tracelr.lowering.targets._clike.helpers import with_device_products

_UNFUSED = ["#pragma clang fp contract(off)", "return a * b; /* never fused into a sum */"]

DIALECT = replace(
    cuda.DIALECT,
    target="hip",
    head=cuda.HEAD.format(compiler="__HIPCC__", device="__HIP_DEVICE_COMPILE__"),
    helpers=with_device_products("__HIP_DEVICE_COMPILE__", f64=_UNFUSED, f32=_UNFUSED),
)


TARGET = cuda.HostAndDevice(DIALECT)
