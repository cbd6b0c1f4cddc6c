"""Every step of one long schedule: python benchmarks/every_step.py [--curve cosine] [--steps 4294967296] [--processes 2]

All 2**32 steps, none left out, are evaluated in float64 and compared, bit for bit, with two others: the same schedule
lowered to C and compiled here, and the formula in numpy's 80-bit long double, written in another form. Where the long
double disagrees, mpmath decides. It also counts the places where the curve turns back.
"""

import argparse
import functools
import multiprocessing
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from mpmath import mp
from tqdm import tqdm

import tracelr
from tracelr import Schedule
from tracelr.lowering import lower
from tracelr.lowering.targets._target import Artifact

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support import row
from support.oracle import to_float32, ulps
from support.row import Exact

CHUNK = 2**20
Long = Callable[[np.ndarray], np.ndarray]
long = np.longdouble
START, END, RATE = 6e-4, 6e-5, 0.9
PI = long("3.14159265358979323846264338327950288")


def built(name: str, last: int) -> tuple[Schedule, Exact, Long]:
    """Return the schedule, its oracle, and its formula in long double, for steps 0 to `last`."""
    every, span, tenth = max(last // 100, 1), long(START) - long(END), max(last // 10, 1)
    rate = np.log2(long(RATE)) / every
    return {
        "linear": (
            tracelr.Linear(START, END, last),
            row.linear(START, END, last),
            lambda t: long(END) + span * (last - t) / last,
        ),
        "cosine": (
            tracelr.Cosine(START, END, last),
            row.cosine(START, END, last),
            lambda t: long(END) + span * np.sin(PI / 2 * (last - t) / last) ** 2,
        ),
        "exponential": (
            tracelr.Exponential(START, RATE, every),
            row.exponential(START, RATE, every),
            lambda t: long(START) * np.exp2(t * rate),
        ),
        "inverse_sqrt": (
            tracelr.InverseSqrt(START, tenth),
            row.inverse_sqrt(START, tenth),
            lambda t: long(START) * np.sqrt(tenth / np.maximum(t, tenth)),
        ),
    }[name]


@functools.cache
def prepared(name: str, last: int) -> tuple[Schedule, Exact, Long, Artifact]:
    mp.prec = 300
    torch.set_num_threads(1)
    schedule, exact, formula = built(name, last)
    return schedule, exact, formula, lower(schedule, "c")


def check(name: str, last: int, begin: int, end: int) -> tuple[int, int, int, float]:
    """Return how many of the steps from `begin` to `end` differ in C, are misrounded, turn back, and the worst distance."""
    schedule, exact, formula, compiled = prepared(name, last)
    steps = torch.arange(max(begin - 1, 0), end)  # one before, to see a turn across the border of two chunks
    rates = schedule(steps)
    lowered = int((rates.view(torch.int32) != compiled.run(steps).view(torch.int32)).sum())
    expected = formula(steps.numpy().astype(long)).astype(np.float32)
    wrong, worst = 0, 0.0
    for index in np.flatnonzero(rates.numpy() != expected):
        got, want = rates[index].item(), exact(int(steps[index]))
        if got != to_float32(want):
            wrong, worst = wrong + 1, max(worst, ulps(got, want))
    return lowered, wrong, int((rates.diff() > 0).sum()), worst


def _check(job: tuple[str, int, int, int]) -> tuple[int, int, int, float]:
    return check(*job)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--curve", default="cosine", choices=["linear", "cosine", "exponential", "inverse_sqrt"])
    parser.add_argument("--steps", type=int, default=2**32, help="how many steps, from 0 on (default: 2**32)")
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    options = parser.parse_args()
    if np.finfo(long).nmant < 63:
        raise SystemExit(
            "every_step: numpy's long double is no wider than a double here; it needs the 80 bits of an x86 machine"
        )
    last = options.steps - 1
    prepared(options.curve, last)[3].run(torch.arange(2))  # compiled once, before the processes part
    jobs = [(options.curve, last, at, min(at + CHUNK, last + 1)) for at in range(0, last + 1, CHUNK)]
    total, worst = [0, 0, 0], 0.0
    with multiprocessing.get_context("fork").Pool(options.processes) as pool:
        for *counts, off in tqdm(pool.imap_unordered(_check, jobs), total=len(jobs), unit="Mstep", disable=None):
            total = [a + b for a, b in zip(total, counts, strict=True)]
            worst = max(worst, off)
    print(
        f"{options.curve}: {last + 1:,} steps; {total[0]:,} differ in C; {total[1]:,} not the nearest float32"
        f"{f' (at most {worst:.12g} units off)' if total[1] else ''}; {total[2]:,} turns back"
    )


if __name__ == "__main__":
    main()
