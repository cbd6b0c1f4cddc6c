"""How far each way to compute a schedule is from the exact value: python benchmarks/exactness.py

Every row is one curve over 100,000 steps, 6,000 of them sampled, both ends densely. A column is a way to compute it:
tracelr in float64, in pairs of float32 and in float32, the textbook formula in float32 on the same step tensor, and torch's
own scheduler, stepped. A cell is the largest distance from the exact value in float32 units, and how many are not the
nearest float32.
"""

import math
import random
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from mpmath import mp
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, LRScheduler, PolynomialLR

from tracelr import Cosine, Exponential, Linear, Polynomial, Schedule, precision

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import row
from oracle import to_float32, ulps

N, START, RATE = 100_000, 6e-4, 0.99995
Build = Callable[[torch.optim.Optimizer], LRScheduler]


def textbook(name: str, t: Tensor) -> Tensor:
    """Return the usual formula, in float32 as a model's own dtype would have it."""
    x = t.to(torch.float32) / N
    formulas = {
        "linear to 0": START * (1 - x),
        "cosine to 0": START * 0.5 * (1 + torch.cos(math.pi * x)),
        "square to 0": START * (1 - x) ** 2,
        "exponential": START * torch.tensor(RATE) ** t,
    }
    return formulas[name]


CURVES: dict[str, tuple[Schedule, row.Exact, Build]] = {
    "linear to 0": (Linear(START, 0.0, N), row.linear(START, 0.0, N), lambda o: PolynomialLR(o, N, 1.0)),
    "cosine to 0": (Cosine(START, 0.0, N), row.cosine(START, 0.0, N), lambda o: CosineAnnealingLR(o, N)),
    "square to 0": (Polynomial(START, 0.0, N, 2.0), row.polynomial(START, 0.0, N, 2.0), lambda o: PolynomialLR(o, N, 2.0)),
    "exponential": (Exponential(START, RATE, 1), row.exponential(START, RATE, 1), lambda o: ExponentialLR(o, RATE)),
}


def stepped(build: Build) -> Tensor:
    """Return what torch's scheduler puts into the group at every step, rounded to float32."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=START)
    scheduler, rates = build(optimizer), []
    for _ in range(N + 1):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return torch.tensor(rates, dtype=torch.float64).to(torch.float32)


def main() -> None:
    mp.prec = 300
    draw = random.Random(0)
    edge = 500
    sample = {*range(edge), *range(N + 1 - edge, N + 1), *(draw.randrange(N + 1) for _ in range(6000 - 2 * edge))}
    steps = torch.tensor(sorted(sample))
    heads = ["tracelr float64", "tracelr two_float", "tracelr float32", "textbook float32", "torch, stepped"]
    print(f"{'':12} " + " ".join(f"{head:>18}" for head in heads))
    for name, (schedule, exact, build) in CURVES.items():
        ours = []
        for arithmetic in ("float64", "two_float", "float32"):
            with precision(arithmetic):
                ours.append(schedule(steps))
        cells = []
        for values in (*ours, textbook(name, steps), stepped(build)[steps]):
            pairs = [(got, exact(step)) for step, got in zip(steps.tolist(), values.tolist(), strict=True)]
            worst = max(ulps(got, want) for got, want in pairs if want)
            cells.append(f"{worst:.3g}, {sum(got != to_float32(want) for got, want in pairs)}")
        print(f"{name:12} " + " ".join(f"{cell:>18}" for cell in cells))
    print(f"\n{len(steps)} steps of each; cells: largest distance in float32 units, values not the nearest float32")


if __name__ == "__main__":
    main()
