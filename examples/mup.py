"""muP by a factor for each param group: one peak rate for every width.

Under Adam, a matrix inside a network of width w learns at the peak times `base / w`, which the output is multiplied by, too
(Yang et al. 2022, arXiv 2203.03466, table 8). One schedule drives all groups; each has its factor. Printed is how far a few
updates move the output: about as far at every width with the factors, further and further without.

    python examples/mup.py --steps 8
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor, nn

from tracelr import Assignment, Cosine, Linear, Scheduler

BASE, WIDTHS, PEAK = 64, (64, 256, 1024), 1e-3


class Network(nn.Module):
    def __init__(self, width: int, mup: bool) -> None:
        super().__init__()
        self.first, self.hidden, self.last = nn.Linear(16, width), nn.Linear(width, width), nn.Linear(width, 1)
        self.scale = BASE / width if mup else 1.0
        nn.init.normal_(self.hidden.weight, std=width**-0.5)
        nn.init.zeros_(self.last.weight)  # so that what moves the output is the updates alone

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.hidden(torch.relu(self.first(x))))
        output: Tensor = self.last(x) * self.scale
        return output


def run(width: int, mup: bool, steps: int) -> tuple[float, dict[str, list[float]]]:
    """Train; return how far the output moved, in root mean square, and the rates that the groups had."""
    torch.manual_seed(0)
    model = Network(width, mup)
    wide = [model.hidden.weight]
    others = [p for p in model.parameters() if p is not wide[0]]
    groups = [{"params": wide, "width_factor": BASE / width if mup else 1.0}, {"params": others, "width_factor": 1.0}]
    optimizer = torch.optim.Adam(groups)
    rate = Linear(start=0.0, end=PEAK, steps=2).then(Cosine(start=PEAK, end=0.0, steps=max(steps - 2, 1)))
    scheduler = Scheduler(optimizer, [Assignment("lr", None, rate, factor="width_factor")])

    x = torch.randn(256, 16, generator=torch.Generator().manual_seed(1))
    rates = dict[str, list[float]](hidden=[], others=[])
    y = x[:, :1]
    with torch.no_grad():
        before = model(x)
    for _ in range(steps):
        for name, value in zip(rates, scheduler.get_last_lr(), strict=True):
            rates[name].append(value)
        optimizer.zero_grad()
        (model(x) - y).square().mean().backward()
        optimizer.step()
        scheduler.step()
    with torch.no_grad():
        return float((model(x) - before).square().mean().sqrt()), rates


def main(steps: int = 8) -> dict[bool, list[float]]:
    moved = {mup: [run(width, mup, steps)[0] for width in WIDTHS] for mup in (True, False)}
    for mup, distances in moved.items():
        found = "  ".join(f"width {width}: {distance:.3f}" for width, distance in zip(WIDTHS, distances, strict=True))
        print(f"{'with' if mup else 'without'} factors, the output moves by  {found}")
    return moved


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=8)
    main(parser.parse_args().steps)
