"""Speed before and after a change, as ratios in one run: python benchmarks/before_after.py OLD_CHECKOUT [--turns 7]

Both checkouts take turns in fresh processes, each with its own PYTHONPATH and its own empty cache of compiled code. A ratio
is the median of the ratios of the turns, new over old, with the least and the greatest in brackets, which show how quiet the
machine was. Where the code under test is only some of what is timed, the rest is timed beside it, and the difference is
printed too.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from tqdm import tqdm

NEW = Path(__file__).resolve().parents[1]
Numbers = dict[str, float]

# Each measurement runs in a process of its own and returns numbers by name; a name ends with its unit.


def import_time() -> Numbers:
    start = perf_counter()
    import torch  # noqa: F401

    middle = perf_counter()
    import tracelr

    _ = tracelr.Scheduler  # the first name is what imports the rest

    return {"import over torch, ms": (perf_counter() - middle) * 1e3, "import torch itself, ms": (middle - start) * 1e3}


def eager_step() -> Numbers:
    import torch

    result = {}
    for kind in ("float", "tensor"):
        for groups in (1, 8):
            optimizer = adamw(groups, torch.tensor(1e-3) if kind == "tensor" else 1e-3)
            # As many calls as are served from one evaluation, so that each repetition pays for one.
            us = best(scheduler(optimizer, "schedule").step, calls=2048, repetitions=10)
            result[f"eager step, {kind} rate, {groups} groups, us"] = us
    return result


def fused_step(rate: str) -> Numbers:
    """Measure one rate alone: of two equal updates in a process, the one that was built first is slower."""
    import torch

    from tracelr import fuse

    result = {}
    for groups in (1, 8):
        optimizer = adamw(groups, torch.tensor(1e-3))
        update = fuse(optimizer, scheduler(optimizer, rate))
        result[f"fused step, {groups} groups, {rate}, us"] = best(update, calls=400, repetitions=10)
    return result


def first_call(kind: str, groups: int, rate: str) -> Numbers:
    import torch

    from tracelr import fuse

    warm = torch.compile(lambda x: x + 1, fullgraph=True)  # what is imported once is not counted
    warm(torch.ones(3))
    optimizer = optimizer_of(kind, groups, torch.tensor(1e-3))
    update = fuse(optimizer, scheduler(optimizer, rate))
    start = perf_counter()
    update()
    return {f"first call, {kind}, {groups} groups, {rate}, s": perf_counter() - start}


def curve() -> Numbers:
    import torch

    from tracelr import precision

    result = {}
    steps = torch.arange(10**6)
    for arithmetic in ("float64", "float32", "two_float"):
        with precision(arithmetic), torch.no_grad():
            ms = best(lambda: warmup_cosine()(steps), calls=1, repetitions=10) / 1e3
            result[f"curve of 10^6 steps, {arithmetic}, ms"] = ms
    return result


MEASUREMENTS: dict[str, Callable[[], Numbers]] = {
    "import": import_time,
    "eager": eager_step,
    "fused-schedule": lambda: fused_step("schedule"),
    "fused-constant": lambda: fused_step("constant"),
    "curve": curve,
} | {
    f"first-{kind}-{groups}-{rate}": lambda kind=kind, groups=groups, rate=rate: first_call(kind, groups, rate)
    for kind in ("SGD", "AdamW")
    for groups in (1, 8)
    for rate in ("schedule", "constant")
}


def adamw(groups, lr):
    return optimizer_of("AdamW", groups, lr)


def optimizer_of(kind, groups, lr):
    import torch

    made = []
    for _ in range(groups):
        weight = torch.nn.Parameter(torch.randn(64, 64))
        weight.grad = torch.randn_like(weight)
        made.append({"params": [weight], "lr": lr.clone() if isinstance(lr, torch.Tensor) else lr})
    return getattr(torch.optim, kind)(made)


def warmup_cosine():
    from tracelr import Cosine, Linear

    return Linear(1e-6, 1e-3, 1000).then(Cosine(1e-3, 0.0, 1_000_000))


def scheduler(optimizer, rate):
    from tracelr import Constant, Scheduler

    return Scheduler(optimizer, lr=warmup_cosine() if rate == "schedule" else Constant(1e-3))


def best(call: Callable[[], object], calls: int, repetitions: int) -> float:
    """Return microseconds a call, in the best of the repetitions: whatever else runs only adds."""
    for _ in range(5):
        call()
    times = []
    for _ in range(repetitions):
        start = perf_counter()
        for _ in range(calls):
            call()
        times.append((perf_counter() - start) / calls * 1e6)
    return min(times)


def child(name: str, checkout: str) -> None:
    """Measure in this process, and print the numbers as the last line."""
    warnings.simplefilter("ignore")  # of an update that came before no step
    if name != "import":
        import torch

        torch.set_num_threads(1)
    numbers = MEASUREMENTS[name]()
    import tracelr

    if Path(checkout).resolve() not in Path(str(tracelr.__file__)).resolve().parents:
        raise SystemExit(f"measured {tracelr.__file__}, which is not of {checkout}")
    print(json.dumps(numbers))


def measured(name: str, checkout: Path) -> Numbers:
    with tempfile.TemporaryDirectory() as cache:
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        environment |= {"PYTHONPATH": str(checkout / "src"), "TORCHINDUCTOR_CACHE_DIR": cache}
        command = [sys.executable, str(Path(__file__).resolve()), str(checkout), "--child", name]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cache)
    if done.returncode:
        raise SystemExit(f"{name} of {checkout} failed:\n{done.stderr}")
    numbers: Numbers = json.loads(done.stdout.splitlines()[-1])
    return numbers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path, help="a checkout of the code before")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--only", default="", help="the measurements whose name holds this word")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.old)
        return
    checkouts = {"old": options.old.resolve(), "new": NEW}
    names = [name for name in MEASUREMENTS if options.only in name]
    times: dict[str, dict[str, list[float]]] = {"old": {}, "new": {}}
    for checkout in checkouts.values():  # what is written once (bytecode) is there for both
        measured("import", checkout)
    for turn in tqdm(range(options.turns), disable=None):
        for name in names:
            for which in ("old", "new") if turn % 2 else ("new", "old"):
                for key, value in measured(name, checkouts[which]).items():
                    times[which].setdefault(key, []).append(value)
    table(times["old"], times["new"])


def table(old: dict[str, list[float]], new: dict[str, list[float]]) -> None:
    """Print a line for each number, and one for what a schedule adds to a constant rate in the same turn."""
    for name in [name for name in old if ", schedule" in name]:
        for times in (old, new):
            pairs = zip(times[name], times[name.replace("schedule", "constant")], strict=True)
            times[f"    {name.replace('schedule', 'of the schedule')}"] = [ours - flat for ours, flat in pairs]
    print(f"{'':56} {'before':>9} {'after':>9}  after / before")
    for name in old:
        ratios = [b / a if a else float("nan") for a, b in zip(old[name], new[name], strict=True)]
        before, after, middle = (statistics.median(values) for values in (old[name], new[name], ratios))
        print(f"{name:56} {before:9.3f} {after:9.3f}  {middle:.3f} [{min(ratios):.2f}, {max(ratios):.2f}]")


if __name__ == "__main__":
    main()
