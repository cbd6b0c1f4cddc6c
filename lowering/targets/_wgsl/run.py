"""Run a WGSL compute shader over steps, on the first WebGPU device, through wgpu."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tracelr.errors import LoweringError, Unquoted

GROUP = 64
"""Steps of one workgroup."""
_MOST = GROUP * 65535  # the workgroups of one dispatch that every device takes


def missing() -> str | None:
    """Return what to install to run a shader here; None if one can be run."""
    if find_spec("wgpu") is None:
        return "wgpu (pip install 'tracelr[wgpu]')"
    found = _device() is not None
    return None if found else "a WebGPU device; on a CPU that is Mesa's lavapipe (Debian: mesa-vulkan-drivers)"


def device_name() -> str:
    """Return the name of the device that runs a shader here, empty if there is none."""
    device = _device() if find_spec("wgpu") else None
    info = device.adapter.info if device else {}
    return f"{info['device']}, by {info['backend_type']}, through wgpu" if info else ""


def load(text: str, name: str) -> Callable[[Tensor], Tensor]:
    """Compile `text`, which defines the shader `name_array`, and return it as a function of int64 steps [n]."""
    if (absent := missing()) is not None:
        raise LoweringError("artifact.run", Unquoted("no WebGPU"), "a WebGPU device", f"install {absent}")

    def run(steps: Tensor) -> Tensor:
        return torch.cat([torch.empty(0), *(_dispatch(text, name, part) for part in torch.split(steps, _MOST) if len(part))])

    return run


def compute(text: str, entry: str, inputs: list[np.ndarray[Any, Any]], out: np.dtype[Any], count: int) -> Any:
    """Run the shader `entry` of `text` over `count` items; bindings are `inputs` and, after them, the result."""
    wgpu = import_module("wgpu")

    device = _device()
    pipeline = _pipeline(text, entry)
    storage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC
    buffers = [device.create_buffer_with_data(data=one, usage=storage) for one in inputs]
    buffers.append(device.create_buffer(size=count * out.itemsize, usage=storage))
    bindings = [{"binding": k, "resource": {"buffer": one, "offset": 0, "size": one.size}} for k, one in enumerate(buffers)]
    group = device.create_bind_group(layout=pipeline.get_bind_group_layout(0), entries=bindings)
    encoder = device.create_command_encoder()
    work = encoder.begin_compute_pass()
    work.set_pipeline(pipeline)
    work.set_bind_group(0, group)
    work.dispatch_workgroups(-(-count // GROUP))
    work.end()
    device.queue.submit([encoder.finish()])
    return np.frombuffer(device.queue.read_buffer(buffers[-1]), out)


def _dispatch(text: str, name: str, steps: Tensor) -> Tensor:
    words = steps.numpy().view(np.uint32)
    rates = compute(text, f"{name}_array", [words], np.dtype(np.float32), len(steps))
    return torch.from_numpy(rates.copy())


@lru_cache(maxsize=256)
def _pipeline(text: str, entry: str) -> Any:
    device = _device()
    module = device.create_shader_module(code=text)
    return device.create_compute_pipeline(layout="auto", compute={"module": module, "entry_point": entry})


@cache
def _device() -> Any:
    wgpu = import_module("wgpu")

    try:
        adapter = wgpu.gpu.request_adapter_sync(power_preference="high-performance")
        return adapter.request_device_sync()
    except Exception:  # wgpu has no special error for "no adapter"
        return None
