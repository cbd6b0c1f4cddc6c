"""The functions that count in the benchmarks, tested without a GPU."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module("gpu")
    for name in ("gpu", "train_step"):
        sys.modules.pop(name, None)


# Names of events in the trace of an update on a device, kernels left out.
TRACE = [
    "aten::copy_",
    "Torch-Compiled Region: 0/0",
    "cudaLaunchKernel",
    "cudaLaunchKernelExC",
    "cuLaunchKernel",
    "cuLaunchKernelEx",
    "cudaGraphLaunch",
    "cudaMemcpyAsync",
    "Memcpy HtoD (Pageable -> Device)",
    "Memcpy DtoH (Device -> Pageable)",
    "Memcpy DtoD (Device -> Device)",
    "Memset (Device)",
    "cudaStreamSynchronize",
    "cudaDeviceSynchronize",
    "cudaEventSynchronize",
    "cudaStreamWaitEvent",
    "triton_poi_fused_add_0",
]


def test_events_are_counted_by_kind(gpu: Any) -> None:
    assert gpu.counted(TRACE * 2) == {
        "copies from the host": 2,
        "copies to the host": 2,
        "waits": 6,
        "kernels": 8,
        "graphs": 2,
    }
    assert set(gpu.counted([]).values()) == {0}


def test_a_schedule_costs_what_it_has_more_than_a_constant_rate(gpu: Any) -> None:
    flat = gpu.counted(TRACE)
    ours = gpu.counted([*TRACE, "Memcpy HtoD (Pinned -> Device)", "cudaLaunchKernel"])
    nothing = dict.fromkeys(gpu.KINDS, 0)
    assert gpu.more(flat, flat) == nothing
    assert gpu.more(ours, flat) == nothing | {"copies from the host": 1, "kernels": 1}


def test_a_profile_gives_the_names(gpu: Any) -> None:
    with profile(activities=[ProfilerActivity.CPU]) as trace:
        torch.ones(2).add_(1)
    assert "aten::add_" in {event.name for event in trace.events()}


def test_without_a_device_it_says_so(gpu: Any, capsys: pytest.CaptureFixture[str]) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a device")
    assert gpu.main() == 1
    assert capsys.readouterr().err == "benchmarks/gpu.py needs a CUDA device\n"


def test_kernels_are_counted_in_generated_code(gpu: Any) -> None:
    import train_step  # type: ignore[import-not-found]

    host = "    def call(self, args):\n        cpp_fused_add_0(arg0_1, arg1_1)\n        cpp_fused_mul_1(arg0_1)\n"
    device = "            triton_poi_fused_add_0.run(arg0_1, 8, stream=stream0)\n"
    assert train_step.kernels(["cpp_fused_add_0 = async_compile.cpp_pybinding(...)\n" + host, device]) == 3


def test_turns_and_ratios(gpu: Any) -> None:
    import train_step

    calls: list[str] = []
    times = train_step.interleaved({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=4, calls=3)
    assert {name: len(each) for name, each in times.items()} == {"a": 4, "b": 4}
    assert (calls.count("a"), calls.count("b")) == (17, 17)
    assert train_step.ratio({"a": [2.0, 4.0, 6.0], "b": [1.0, 2.0, 3.0]}, "a", "b") == "2.000 [2.00, 2.00] (2.0 us)"


def test_the_variants_train(gpu: Any) -> None:
    import train_step

    for make in (train_step.by_hand, train_step.outside):
        driven = train_step.optimizer(2, size=4)
        before = driven.param_groups[1]["params"][0].detach().clone()
        make(driven, backend="eager")()
        assert not torch.equal(driven.param_groups[1]["params"][0], before)
