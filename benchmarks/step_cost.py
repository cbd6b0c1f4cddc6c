"""What a schedule costs a step, against torch's own scheduler in the same run: python benchmarks/step_cost.py

Eager: `scheduler.step()` for a float and for a tensor rate, against torch's SequentialLR of LinearLR and CosineAnnealingLR.
Fused: one compiled region of AdamW's update and the schedule, against the region with a constant rate, and against that
region followed by torch's scheduler. The variants take turns; medians are printed.
"""

import statistics
import warnings
from collections.abc import Callable
from time import perf_counter

import torch
from torch.optim import AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

from tracelr import Constant, Cosine, Linear, Scheduler, fuse

warnings.filterwarnings("ignore", message=".*lr_scheduler.step.*before.*")
RATE = Linear(1e-6, 1e-3, 1000).then(Cosine(1e-3, 0.0, 100_000))


def optimizer(lr: float | torch.Tensor, groups: int) -> AdamW:
    weights = [[torch.nn.Parameter(torch.randn(64, 64))] for _ in range(groups)]
    for (weight,) in weights:
        weight.grad = torch.randn_like(weight)
    return AdamW([{"params": weight} for weight in weights], lr=lr)


def torchs(chosen: AdamW) -> SequentialLR:
    parts = [LinearLR(chosen, 1e-3, 1.0, 1000), CosineAnnealingLR(chosen, 100_000)]
    return SequentialLR(chosen, parts, [1000])


def medians(variants: dict[str, Callable[[], object]], rounds: int = 40, calls: int = 100) -> dict[str, float]:
    """Return microseconds a call, the variants taking turns."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(rounds + 3):
        for name, call in variants.items():
            start = perf_counter()
            for _ in range(calls):
                call()
            if turn >= 3:
                times[name].append((perf_counter() - start) / calls * 1e6)
    return {name: statistics.median(each) for name, each in times.items()}


def eager(groups: int) -> None:
    for kind, lr in (("float", 1e-3), ("tensor", torch.tensor(1e-3))):
        ours, theirs = Scheduler(optimizer(lr, groups), lr=RATE), torchs(optimizer(lr, groups))
        us = medians({"tracelr": ours.step, "torch": theirs.step})
        a, b = us["tracelr"], us["torch"]
        print(f"eager step, {kind} rate, {groups} groups: {a:.1f} us, torch {b:.1f} us, ratio {a / b:.2f}")


def fused(groups: int) -> None:
    mine = optimizer(torch.tensor(1e-3), groups)
    scheduled = fuse(mine, Scheduler(mine, lr=RATE))
    flat = optimizer(torch.tensor(1e-3), groups)
    constant = fuse(flat, Scheduler(flat, lr=Constant(1e-3)))
    outside = optimizer(torch.tensor(1e-3), groups)
    update, theirs = fuse(outside, Scheduler(outside, lr=Constant(1e-3))), torchs(outside)

    def update_then_step() -> None:
        update()
        theirs.step()

    us = medians({"schedule": scheduled, "constant": constant, "torch": update_then_step})
    ours, flat_us, torch_us = us["schedule"], us["constant"], us["torch"]
    print(
        f"fused update, {groups} groups: {ours:.1f} us; ratio {ours / flat_us:.2f} to a constant rate ({flat_us:.1f} us), "
        f"{ours / torch_us:.2f} to torch's scheduler outside ({torch_us:.1f} us)"
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    for count in (1, 8):
        eager(count)
        fused(count)
