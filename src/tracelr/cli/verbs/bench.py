"""tracelr bench: what a step costs here, beside torch's own scheduler and NumPy."""

from __future__ import annotations

import argparse
import json
import statistics
import warnings
from collections.abc import Callable
from time import perf_counter
from typing import Any, final

import torch

from tracelr.cli.verb import Verb, json_argument

_STEPS = 1_000_000
_SOME = 20_000  # torch's scheduler has to be stepped; a million would take seconds
_WARM, _REST = 1000, 99_000


@final
class Bench(Verb):
    """Measures in one process, the variants taking turns, and prints medians."""

    name = "bench"
    help = "measure what a step and a curve cost on this machine, beside torch and NumPy in the same run"
    example = "tracelr bench"
    steady = False

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        json_argument(parser)

    def run(self, args: argparse.Namespace) -> int:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, about the order of calls: no weights are updated here
            rows = [_step(), *_curve()]
        if args.json:
            print(json.dumps(rows, indent=2))
            return 0
        threads = torch.get_num_threads()
        print(f"a line of {_WARM:,} steps, a cosine of {_REST:,}; torch {torch.__version__}, threads: {threads}")
        for row in rows:
            ours, theirs = (f"{row[key]:,.2f} {row['unit']}" for key in ("tracelr", "other"))
            print(f"{row['what']}: {ours}; {row['peer']}: {theirs}; ratio {row['tracelr'] / row['other']:.3g}")
        return 0


def _optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-3)


def _theirs() -> torch.optim.lr_scheduler.LRScheduler:
    from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

    chosen = _optimizer()
    return SequentialLR(chosen, [LinearLR(chosen, 1e-3, 1.0, _WARM), CosineAnnealingLR(chosen, _REST)], [_WARM])


def _ours() -> Any:
    from tracelr.schedules.cosine import Cosine
    from tracelr.schedules.linear import Linear

    return Linear(1e-6, 1e-3, _WARM).then(Cosine(1e-3, 0.0, _REST))


def _step() -> dict[str, Any]:
    from tracelr.scheduler import Scheduler

    ours, theirs = Scheduler(_optimizer(), lr=_ours()), _theirs()
    us = _medians({"tracelr": ours.step, "other": theirs.step}, calls=1000)
    return {"what": "scheduler.step()", "unit": "us", "peer": "torch's SequentialLR"} | us


def _curve() -> list[dict[str, Any]]:
    import numpy as np

    schedule, steps = _ours(), torch.arange(_STEPS)
    counts = steps.numpy()

    def closed() -> Any:
        line = 1e-6 + (1e-3 - 1e-6) * np.minimum(counts, _WARM) / _WARM
        fall = 1e-3 * (1 + np.cos(np.pi * np.clip(counts - _WARM, 0, _REST) / _REST)) / 2
        return np.where(counts < _WARM, line, fall).astype(np.float32)

    def stepped() -> None:
        theirs = _theirs()
        for _ in range(_SOME):
            theirs.step()

    ms = _medians({"tracelr": lambda: schedule(steps), "numpy": closed, "torch": stepped}, rounds=5, scale=1e3)
    whole = ms["torch"] * _STEPS / _SOME
    what, ours = f"a curve of {_STEPS:,} steps", ms["tracelr"]
    peers = {f"torch, stepped (from {_SOME:,} of them)": whole, "NumPy's closed form": ms["numpy"]}
    return [{"what": what, "unit": "ms", "peer": peer, "tracelr": ours, "other": other} for peer, other in peers.items()]


def _medians(
    variants: dict[str, Callable[[], object]], rounds: int = 20, calls: int = 1, scale: float = 1e6
) -> dict[str, float]:
    """Return the time of a call, the variants taking turns; the first two rounds do not count."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(rounds + 2):
        for name, call in variants.items():
            start = perf_counter()
            for _ in range(calls):
                call()
            if turn >= 2:
                times[name].append((perf_counter() - start) / calls * scale)
    return {name: statistics.median(each) for name, each in times.items()}


VERB = Bench()
