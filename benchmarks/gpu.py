"""What a schedule costs a step on a CUDA device, against peers in the same run: python benchmarks/gpu.py

AdamW over 8 groups of four 1024 x 1024 weights. The fused update with the schedule, against the same with a constant rate,
against a compiled update with torch's scheduler outside it, plain and under CUDA graphs. Medians, the variants taking turns.
"""

import statistics
import sys
import warnings
from collections.abc import Callable
from time import perf_counter
from typing import Any

import torch
from torch.optim import AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

from tracelr import Constant, Cosine, Linear, Schedule, Scheduler, fuse

warnings.filterwarnings("ignore", message=".*lr_scheduler.step.*before.*")
RATE = Linear(1e-6, 1e-3, 1000).then(Cosine(1e-3, 0.0, 100_000))
GROUPS, WEIGHTS, SIZE = 8, 4, 1024


def optimizer() -> AdamW:
    groups = []
    for _ in range(GROUPS):
        weights = [torch.nn.Parameter(torch.randn(SIZE, SIZE, device="cuda")) for _ in range(WEIGHTS)]
        for weight in weights:
            weight.grad = torch.randn_like(weight)
        groups.append({"params": weights})
    return AdamW(groups, lr=torch.tensor(1e-3, device="cuda"))


def fused(rate: Schedule, **options: Any) -> Callable[[], object]:
    driven = optimizer()
    return fuse(driven, Scheduler(driven, lr=rate), **options)


def outside(**options: Any) -> Callable[[], object]:
    driven = optimizer()
    update = fuse(driven, Scheduler(driven, lr=Constant(1e-3)), **options)
    parts = [LinearLR(driven, 1e-3, 1.0, 1000), CosineAnnealingLR(driven, 100_000)]
    theirs = SequentialLR(driven, parts, [1000])

    def update_then_step() -> None:
        update()
        theirs.step()

    return update_then_step


def medians(variants: dict[str, Callable[[], object]], rounds: int = 30, calls: int = 50) -> dict[str, float]:
    """Return microseconds a call, the variants taking turns; the device is waited for after each turn."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(rounds + 3):
        for name, call in variants.items():
            torch.cuda.synchronize()
            start = perf_counter()
            for _ in range(calls):
                call()
            torch.cuda.synchronize()
            if turn >= 3:
                times[name].append((perf_counter() - start) / calls * 1e6)
    return {name: statistics.median(each) for name, each in times.items()}


def main() -> int:
    if not torch.cuda.is_available():
        print("benchmarks/gpu.py needs a CUDA device", file=sys.stderr)
        return 1
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    for name, options in {"compiled": {}, "CUDA graphs": {"mode": "reduce-overhead"}}.items():
        us = medians(
            {"schedule": fused(RATE, **options), "constant": fused(Constant(1e-3), **options), "torch": outside(**options)}
        )
        print(
            f"{name}: {us['schedule']:.1f} us an update; ratio {us['schedule'] / us['constant']:.2f} to a constant one, "
            f"{us['schedule'] / us['torch']:.2f} to torch's scheduler outside"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
