"""What a lowered schedule costs, against the textbook formula lowered the same way, and against torch's own scheduler.

    python benchmarks/lowering.py [TARGET ...]

For each schedule and target: nodes of the graph, bytes of code, seconds to trace and to build (emit, compile, first call),
nanoseconds a step over 100,000 steps at once, and for one call with one step. "naive" is the usual formula in float32 on the
step tensor, through the same trace and the same target; ratios are to it, in the same run. torch's SequentialLR and
MultiStepLR are stepped on the host, with an optimizer of one group. All times are of the processor, compilers included, so
that other work on the machine counts little.
"""

import math
import os
import sys
import warnings
from collections.abc import Callable
from time import process_time
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, MultiStepLR, SequentialLR

from tracelr import Cosine, Linear, MultiStep, Schedule, lowering
from tracelr.lowering.passes import run
from tracelr.lowering.targets import find, lower

warnings.filterwarnings("ignore")
PEAK, WARM, STEPS, COUNT = 6e-4, 2000, 98_000, 100_000
MILESTONES = [900 * k for k in range(1, 101)]
TARGETS = ["c", "cuda", "opencl", "onnx", "pt2", "stablehlo", "inductor", "aoti"]
BATCHED = {"inductor", "aoti", "onnx", "pt2"}  # one step or many is a choice made when the graph is traced
Build = Callable[[torch.optim.Optimizer], LRScheduler]


class WarmCosine(nn.Module):
    """A linear warm-up, then 1 + cos, as most training scripts write it."""

    def forward(self, step: Tensor) -> Tensor:
        t = step.to(torch.float32)
        wave = 0.5 * PEAK * (1 + torch.cos(math.pi * ((t - WARM) / STEPS).clamp(0.0, 1.0)))
        return torch.where(step < WARM, PEAK * t / WARM, wave)


class ThreeParts(nn.Module):
    """Up, flat down, and a cosine, chosen with two `where`s."""

    def forward(self, step: Tensor) -> Tensor:
        t = step.to(torch.float32)
        line = PEAK + (0.5 * PEAK - PEAK) * (t - WARM) / STEPS
        wave = 0.25 * PEAK * (1 + torch.cos(math.pi * ((t - WARM - STEPS) / STEPS).clamp(0.0, 1.0)))
        return torch.where(step < WARM, PEAK * t / WARM, torch.where(step < WARM + STEPS, line, wave))


class Milestones(nn.Module):
    """The rate times 0.97 to the power of the milestones passed."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("milestones_table", torch.tensor(MILESTONES))

    def forward(self, step: Tensor) -> Tensor:
        passed = (step.unsqueeze(-1) >= self.get_buffer("milestones_table")).sum(-1)
        return PEAK * torch.pow(0.97, passed.to(torch.float32))


def sequence(optimizer: torch.optim.Optimizer, parts: int) -> SequentialLR:
    curves = [
        LinearLR(optimizer, 1e-3, 1.0, WARM),
        LinearLR(optimizer, 1.0, 0.5, STEPS),
        CosineAnnealingLR(optimizer, STEPS),
    ]
    return SequentialLR(optimizer, curves if parts == 3 else curves[::2], [WARM, WARM + STEPS][: parts - 1])


UP = Linear(0.0, PEAK, WARM)
CASES: dict[str, tuple[Schedule, nn.Module, Build]] = {
    "warm-up + cosine": (UP.then(Cosine(PEAK, 0.0, STEPS)), WarmCosine(), lambda o: sequence(o, 2)),
    "sequence of three": (
        UP.then(Linear(PEAK, PEAK / 2, STEPS)).then(Cosine(PEAK / 2, 0.0, STEPS)),
        ThreeParts(),
        lambda o: sequence(o, 3),
    ),
    "100 milestones": (MultiStep(PEAK, 0.97, MILESTONES), Milestones(), lambda o: MultiStepLR(o, MILESTONES, 0.97)),
}


class Cost(NamedTuple):
    """What one formula costs on one target. `one` is None where a call takes many steps."""

    nodes: int
    size: int
    trace: float
    build: float
    many: float
    one: float


def spent() -> float:
    """Return the processor seconds of this process and of the compilers it has called."""
    return sum(os.times()[:4])


def seconds(call: Callable[[], object], rounds: int) -> float:
    """Return the processor seconds of a call, the least of many."""
    times = []
    for _ in range(rounds):
        start = process_time()
        call()
        times.append(process_time() - start)
    return min(times)


def cost(schedule: nn.Module, target: str) -> Cost:
    start = spent()
    graph = run(lowering.trace(schedule))
    traced = spent() - start
    start = spent()
    artifact = lower(graph, target)
    artifact.run(0)
    built = spent() - start
    wide = lower(lowering.trace(schedule, batch=True), target) if target in BATCHED else artifact
    steps, single = torch.arange(COUNT), torch.tensor(WARM + 5)
    wide.run(steps)
    many = seconds(lambda: wide.run(steps), 7) / COUNT
    return Cost(len(graph.nodes), len(artifact.text), traced, built, many, seconds(lambda: artifact.run(single), 200))


def stepped(build: Build, count: int = 5000) -> float:
    """Return seconds for one `scheduler.step()` of torch."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=PEAK)
    scheduler = build(optimizer)
    start = process_time()
    for _ in range(count):
        scheduler.step()
    return (process_time() - start) / count


def main(targets: list[str]) -> None:
    torch.set_num_threads(1)
    for name in ("c", "pt2", "inductor"):  # what torch loads on first use is not theirs to pay
        lower(Linear(0.0, 1.0, 3), name).run(1)
    head = "| target | nodes | bytes of code | trace s | build s | ns a step, of many | ns a call with one |"
    for title, (schedule, naive, build) in CASES.items():
        torch_ns = stepped(build) * 1e9
        print(f"\n{title}: torch's scheduler on the host, {torch_ns:.0f} ns a step\n\n{head}\n|---|---|---|---|---|---|---|")
        for target in targets or TARGETS:
            if find(target).missing() is not None:
                continue
            a, b = cost(schedule, target), cost(naive, target)
            print(
                f"| `{target}` | {a.nodes} ({a.nodes / b.nodes:.1f}) | {a.size} ({a.size / b.size:.1f}) "
                f"| {a.trace:.2f} ({a.trace / b.trace:.1f}) | {a.build:.2f} ({a.build / b.build:.1f}) "
                f"| {a.many * 1e9:.0f} ({a.many / b.many:.1f}; {a.many * 1e9 / torch_ns:.3f} of torch's) "
                f"| {a.one * 1e9:.0f} ({a.one / b.one:.1f}) |",
                flush=True,
            )
    print("\nin parentheses: the ratio to the naive formula on the same target")


if __name__ == "__main__":
    main(sys.argv[1:])
