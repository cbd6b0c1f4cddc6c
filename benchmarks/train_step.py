"""What a schedule costs a training step, against peers in the same process: python benchmarks/train_step.py [GROUPS ...]

(a) AdamW's update and the schedule in one compiled region, against the compiled update with a constant rate, twice: as
    `fuse` makes it, and written by hand, without tracelr.
(b) The same region, against the update by hand followed by torch's SequentialLR of LinearLR and CosineAnnealingLR.
(c) Eager: `scheduler.step()` against torch's, for float and for tensor rates; a step of 4096 tokens;
    and the check before each update.
(d) Once: the compile time that the schedule adds, and the kernels that it adds to the generated code.

The variants take turns in short blocks, in another order each round. A ratio is the median of the ratios of the rounds, with
the quartiles in brackets, which show how quiet the machine was. Groups: 1 and 8 if none are given.
"""

import itertools
import random
import re
import statistics
import sys
import warnings
from collections.abc import Callable
from time import perf_counter
from typing import Any

import torch
from torch._inductor.utils import run_and_get_code
from torch.optim import AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

from tracelr import Constant, Cosine, Linear, Schedule, Scheduler, Stretch, fuse

RATE = Linear(1e-6, 1e-3, 1000).then(Cosine(1e-3, 0.0, 100_000))
FLAT = Constant(1e-3)
KERNEL = re.compile(r"^\s+(?:\w*cpp_fused\w*\(|\w*triton_\w+\.run\()", re.MULTILINE)
Call = Callable[[], object]
Times = dict[str, list[float]]


def optimizer(groups: int, lr: float | None = None, device: str = "cpu", size: int = 64, weights: int = 1) -> AdamW:
    """Return AdamW over `groups` groups with gradients, with one float rate or a tensor rate for each group."""
    made = []
    for _ in range(groups):
        parameters = [torch.nn.Parameter(torch.randn(size, size, device=device)) for _ in range(weights)]
        for parameter in parameters:
            parameter.grad = torch.randn_like(parameter)
        made.append({"params": parameters, "lr": torch.tensor(1e-3, device=device) if lr is None else lr})
    return AdamW(made)


def fused(driven: AdamW, rate: Schedule, **options: Any) -> Call:
    return fuse(driven, Scheduler(driven, lr=rate), **options)


def by_hand(driven: AdamW, **options: Any) -> Call:
    """Return the update compiled without tracelr, below torch's decorators, because those break the graph."""
    step: Any = AdamW.step
    while hasattr(step, "__wrapped__"):
        step = step.__wrapped__

    def update() -> None:
        with torch.no_grad():
            step(driven)

    own = type(update)(update.__code__.replace(), update.__globals__, "update", None, update.__closure__)
    return torch.compile(own, fullgraph=True, **options)


def torchs(driven: AdamW) -> SequentialLR:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parts = [LinearLR(driven, 1e-3, 1.0, 1000), CosineAnnealingLR(driven, 100_000)]
        scheduler = SequentialLR(driven, parts, [1000])
    driven._opt_called = True  # type: ignore[attr-defined]  # else it warns that no update came before it
    return scheduler


def outside(driven: AdamW, **options: Any) -> Call:
    """Return the update by hand, with torch's scheduler after it."""
    update = by_hand(driven, **options)
    scheduler = torchs(driven)

    def update_then_step() -> None:
        update()
        scheduler.step()

    return update_then_step


def interleaved(variants: dict[str, Call], rounds: int, calls: int, wait: Call = lambda: None) -> Times:
    """Return microseconds a call, one number for each round."""
    times: Times = {name: [] for name in variants}
    for call in variants.values():
        for _ in range(5):
            call()
    order = list(variants)
    for _ in range(rounds):
        random.shuffle(order)
        for name in order:
            call = variants[name]
            wait()
            start = perf_counter()
            for _ in range(calls):
                call()
            wait()
            times[name].append((perf_counter() - start) / calls * 1e6)
    return times


def ratio(times: Times, one: str, other: str) -> str:
    """Return the median of the ratios, and the quartiles."""
    low, middle, high = statistics.quantiles([a / b for a, b in zip(times[one], times[other], strict=True)], n=4)
    return f"{middle:.3f} [{low:.2f}, {high:.2f}] ({statistics.median(times[other]):.1f} us)"


def kernels(code: list[str]) -> int:
    """Return how many kernels generated code calls."""
    return sum(len(KERNEL.findall(text)) for text in code)


def eager(groups: int) -> None:
    for kind, lr in (("float", 1e-3), ("tensor", None)):
        tokens = Stretch(RATE, 4096)
        ours, jumping, uneven = (Scheduler(optimizer(groups, lr), lr=rate) for rate in (RATE, tokens, tokens))
        increments = itertools.cycle([4096 - 7 * k % 1000 for k in range(997)])
        theirs = torchs(optimizer(groups, lr))
        for scheduler in (ours, jumping, uneven):  # the first step says in which order they are called
            scheduler.optimizer.step()
            scheduler.step()
        # As many calls as are served from one evaluation, so that each turn pays for one.
        variants = {
            "tracelr": ours.step,
            "jumping": lambda jumping=jumping: jumping.step(increment=4096),
            "uneven": lambda uneven=uneven, increments=increments: uneven.step(increment=next(increments)),
            "check": ours.settle,
            "torch": theirs.step,
        }
        times = interleaved(variants, rounds=20, calls=2048)
        us, jump, odd, check = (statistics.median(times[name]) for name in ("tracelr", "jumping", "uneven", "check"))
        print(f"(c) eager step, {kind} rate, {groups} groups: {us:.1f} us; to torch's {ratio(times, 'tracelr', 'torch')}")
        print(f"    a step that jumps by 4096: {jump:.1f} us; by another number each time: {odd:.1f} us")
        print(f"    the check before each update: {check:.1f} us")


def compiled(groups: int) -> None:
    """Measure each variant built twice, in both orders: of two equal updates the one that was built first is slower."""
    made: dict[str, Callable[[], Call]] = {
        "fuse": lambda: fused(optimizer(groups), RATE),
        "constant": lambda: fused(optimizer(groups), FLAT),
        "by hand": lambda: by_hand(optimizer(groups)),
        "outside": lambda: outside(optimizer(groups)),
    }
    first = {name: make() for name, make in made.items()}
    last = {f"{name}, last": made[name]() for name in reversed(made)}
    each = interleaved(first | last, rounds=400, calls=max(5, 40 // groups))
    times = {name: each[name] + each[f"{name}, last"] for name in made}
    print(f"fused update, {groups} groups: {statistics.median(times['fuse']):.1f} us")
    print(f"    (a) to a constant rate, fused: {ratio(times, 'fuse', 'constant')}")
    print(f"    (a) to a constant rate, by hand: {ratio(times, 'fuse', 'by hand')}")
    print(f"    (b) to torch's scheduler outside: {ratio(times, 'fuse', 'outside')}")


def compilation(groups: int, rounds: int = 5) -> None:
    """Measure the first call, without any cache."""
    seconds: Times = {"schedule": [], "constant": []}
    counts = {}
    fused(optimizer(1), RATE)()  # what is imported once is not counted
    with torch._inductor.config.patch(force_disable_caches=True), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that caches are disabled
        for _ in range(rounds):
            for name, rate in (("schedule", RATE), ("constant", FLAT)):
                torch._dynamo.reset()
                update = fused(optimizer(groups), rate)
                start = perf_counter()
                code = run_and_get_code(update)[1]
                seconds[name].append(perf_counter() - start)
                counts[name] = kernels(code)
    ours, flat = (statistics.median(seconds[name]) for name in ("schedule", "constant"))
    print(
        f"(d) first call, {groups} groups: {ours:.2f} s, {flat:.2f} s at a constant rate: {ours - flat:+.2f} s; "
        f"kernels {counts['schedule']} and {counts['constant']}"
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    for count in [int(argument) for argument in sys.argv[1:]] or [1, 8]:
        eager(count)
        compiled(count)
        compilation(count, rounds=5 if count < 64 else 1)
