"""The table of the README, torch's LRScheduler beside tracelr, measured here: python benchmarks/beside_torch.py

One run for both: a linear warm-up of 2,000 steps and a cosine of 98,000 to a tenth, AdamW, 8 groups of one 64 x 64 weight.
A time is the least of its rounds, a ratio their median.
"""

import random
import statistics
import warnings
from typing import Any

import torch
from torch._dynamo.utils import counters
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR
from train_step import Call, Times, by_hand, interleaved, optimizer

from tracelr import Cosine, Linear, Schedule, Scheduler, fuse
from tracelr.interop.readers import READERS

PEAK, END, WARM, LAST = 6e-4, 6e-5, 2_000, 100_000


def rate(last: int = LAST) -> Schedule:
    return Linear(0.0, PEAK, WARM).then(Cosine(PEAK, END, last - WARM))


def torchs(driven: torch.optim.Optimizer, last: int = LAST) -> SequentialLR:
    for group in driven.param_groups:
        group["lr"] = torch.full_like(group["lr"], PEAK) if isinstance(group["lr"], torch.Tensor) else PEAK
    return SequentialLR(driven, [LinearLR(driven, 1e-9, 1.0, WARM), CosineAnnealingLR(driven, last - WARM, END)], [WARM])


def then(update: Call, scheduler: LRScheduler) -> Call:
    def both() -> None:
        update()
        scheduler.step()

    return both


def graphs(call: Call, steps: int = 200) -> tuple[int, int]:
    """Return the graph breaks, and how often something was compiled again."""
    torch._dynamo.reset()
    counters.clear()
    for _ in range(steps):
        call()
    return sum(counters["graph_break"].values()), counters["stats"]["unique_graphs"] - 1


def compiled(lr: float | None) -> Call:
    driven = optimizer(8, lr)
    call: Call = torch.compile(then(driven.step, torchs(driven)), backend="aot_eager")
    return call


def fused(**options: Any) -> Call:
    driven = optimizer(8)
    call: Call = fuse(driven, Scheduler(driven, lr=rate()), **options)
    return call


def ends() -> tuple[bool, bool]:
    """Return whether the last value, as float32, is the nearest to the exact one: torch's and ours."""
    driven = optimizer(1, PEAK)
    scheduler = torchs(driven)
    for _ in range(LAST):
        scheduler.step()
    return torch.tensor(scheduler.get_last_lr()[0]) == torch.tensor(END), rate()(LAST) == torch.tensor(END)


def loaded(ours: bool) -> str:
    """Return what happens with a checkpoint of a run of half the length."""

    def build(last: int) -> Any:
        driven = optimizer(1, PEAK)
        return Scheduler(driven, lr=rate(last)) if ours else torchs(driven, last)

    new, state = build(LAST), build(LAST // 2).state_dict()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        new.load_state_dict(state)
    length = new.schedules()[0].length if ours else new._schedulers[1].T_max + WARM
    return f"{'a warning names the change' if caught else 'silent'}, {length:,} steps"


def said(times: Times, name: str) -> str:
    to = statistics.median(a / b for a, b in zip(times[name], times["tracelr"], strict=True))
    return f"{min(times[name]):.1f} us, {to:.1f}"


def main() -> None:
    warnings.simplefilter("ignore")
    random.seed(0)
    float_rate, tensor_rate, ours = graphs(compiled(1e-3)), graphs(compiled(None)), graphs(fused(backend="aot_eager"))
    torch._dynamo.reset()

    mine, other = optimizer(8, 1e-3), optimizer(8, 1e-3)
    eager = {"tracelr": Scheduler(mine, lr=rate()), "torch": torchs(other)}
    for driven in (mine, other):  # the first step says in which order they are called
        driven.step()
    stepped = interleaved({name: one.step for name, one in eager.items()}, rounds=20, calls=2048)
    outside = optimizer(8)
    updates = {"tracelr": fused(), "torch": then(by_hand(outside), torchs(outside))}
    updated = interleaved(updates, rounds=200, calls=10)

    end = ["yes" if one else "no" for one in ends()]
    rows = [
        ("", "torch", "tracelr"),
        ("graph breaks, update and scheduler compiled as one function", float_rate[0], ours[0]),
        ("compiled again in 200 steps, rate a float", float_rate[1], ours[1]),
        ("compiled again in 200 steps, rate a tensor", tensor_rate[1], ours[1]),
        ("compiled update, and its schedule; ratio", said(updated, "torch"), said(updated, "tracelr")),
        ("scheduler.step() in eager code; ratio", said(stepped, "torch"), said(stepped, "tracelr")),
        (f"nearest float32 at step {LAST:,}", *end),
        ("formats of configuration files", 0, len(READERS)),
        ("a checkpoint of a run of half the length is loaded", loaded(False), loaded(True)),
    ]
    lines = [f"| {' | '.join(map(str, row))} |" for row in rows]
    print("\n".join([lines[0], "|---|---|---|", *lines[1:]]))


if __name__ == "__main__":
    main()
