"""What a schedule costs a step on a CUDA device, against peers in the same process: python benchmarks/gpu.py

AdamW over 8 groups of four 1024 x 1024 weights. The fused update with the schedule, against the same with a constant rate,
and against the update by hand with torch's scheduler after it, each compiled plainly and under CUDA graphs. Ratios as in
train_step.py. Then, of 10 updates each, what the profiler saw: copies from and to the host, waits of the host for the
device, launches of kernels and of graphs. The cost of the schedule is what it has more than the constant rate.
"""

import statistics
import sys
from collections.abc import Iterable
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from train_step import FLAT, RATE, Call, fused, interleaved, optimizer, outside, ratio

# The names of a trace's events begin so. Kernels are counted by their launches, because a kernel may have any name.
KINDS = {
    "copies from the host": ("Memcpy HtoD",),
    "copies to the host": ("Memcpy DtoH",),
    "waits": ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize", "cuStreamSynchronize"),
    "kernels": ("cudaLaunchKernel", "cuLaunchKernel", "cudaLaunchCooperativeKernel"),
    "graphs": ("cudaGraphLaunch", "cuGraphLaunch"),
}
UPDATES = 10


def counted(names: Iterable[str]) -> dict[str, int]:
    """Return how many of the events so named are of each kind."""
    found = dict.fromkeys(KINDS, 0)
    for name in names:
        for kind, beginnings in KINDS.items():
            found[kind] += name.startswith(beginnings)
    return found


def more(ours: dict[str, int], flat: dict[str, int]) -> dict[str, int]:
    """Return what the schedule adds to a constant rate."""
    return {kind: ours[kind] - flat[kind] for kind in KINDS}


def seen(call: Call) -> dict[str, int]:
    """Return what the profiler sees of some updates. Its own start and stop wait too: the same for each variant."""
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as trace:
        for _ in range(UPDATES):
            call()
    return counted(event.name for event in trace.events())


def driven() -> Any:
    return optimizer(8, device="cuda", size=1024, weights=4)


def main() -> int:
    if not torch.cuda.is_available():
        print("benchmarks/gpu.py needs a CUDA device", file=sys.stderr)
        return 1
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    for mode, options in {"compiled": {}, "CUDA graphs": {"mode": "reduce-overhead"}}.items():
        variants = {
            "fuse": fused(driven(), RATE, **options),
            "constant": fused(driven(), FLAT, **options),
            "outside": outside(driven(), **options),
        }
        times = interleaved(variants, rounds=100, calls=50, wait=torch.cuda.synchronize)
        print(f"{mode}: {statistics.median(times['fuse']):.1f} us an update")
        print(f"    to a constant rate: {ratio(times, 'fuse', 'constant')}")
        print(f"    to torch's scheduler outside: {ratio(times, 'fuse', 'outside')}")
        counts = {name: seen(call) for name, call in variants.items()}
        for name, count in counts.items():
            print(f"    {UPDATES} updates, {name}: {count}")
        print(f"    of the schedule: {more(counts['fuse'], counts['constant'])}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
