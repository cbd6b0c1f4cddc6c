"""A hypergradient: the loss at the end of a run, differentiated by the peak of its schedule, and a few steps along it.

The peak is a tensor in the schedule's fields, so a gradient flows through every rate, and through every update, to it.

    python examples/hypergradient.py --steps 12
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tracelr import Cosine, Linear

UPDATES, WARM = 20, 4


class Run(NamedTuple):
    """The peak rate, the last loss and its derivative by the peak, before each step on the peak."""

    peaks: list[float]
    losses: list[float]
    slopes: list[float]


def data() -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(64, 8, generator=draw)
    return x, torch.tanh(x @ torch.randn(8, 1, generator=draw))


def last_loss(peak: Tensor) -> Tensor:
    """Train from scratch by SGD under a warm-up and a cosine of this peak; the loss at the end still knows the peak."""
    x, y = data()
    draw = torch.Generator().manual_seed(1)
    weights = [torch.randn(8, 16, generator=draw) / 8, torch.randn(16, 1, generator=draw) / 4]
    weights = [weight.requires_grad_() for weight in weights]
    schedule = Linear(start=0.0, end=peak, steps=WARM).then(Cosine(start=peak, end=0.0, steps=UPDATES - WARM))

    def loss() -> Tensor:
        return nn.functional.mse_loss(torch.tanh(x @ weights[0]) @ weights[1], y)

    for step in range(UPDATES):
        gradients = torch.autograd.grad(loss(), weights, create_graph=True)
        rate = schedule(step)
        weights = [weight - rate * gradient for weight, gradient in zip(weights, gradients, strict=True)]
    return loss()


def slope(peak: Tensor) -> tuple[Tensor, Tensor]:
    """Return the last loss, and its derivative by the peak."""
    peak = peak.detach().requires_grad_()
    loss = last_loss(peak)
    (derivative,) = torch.autograd.grad(loss, peak)
    return loss.detach(), derivative


def main(steps: int = 12, start: float = 0.02) -> Run:
    peak, run = torch.tensor(start), Run([], [], [])
    for k in range(steps):
        loss, derivative = slope(peak)
        for kept, value in zip(run, (peak, loss, derivative), strict=True):
            kept.append(float(value))
        print(
            f"step {k:2}  peak rate {run.peaks[-1]:.4f}  last loss {run.losses[-1]:.4f}  d loss / d peak {derivative:+.4f}"
        )
        peak = peak * torch.exp(-0.5 * (peak * derivative / loss).clamp(-1, 1))  # descend in the logarithms of both
    return run


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=12)
    main(parser.parse_args().steps)
