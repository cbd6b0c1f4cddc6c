"""torch.optim.lr_scheduler beside ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from peer import Peer
from torch.optim import lr_scheduler


def stepped(build: Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler]) -> Callable[[list[int]], Sequence[float]]:
    """Return what `build` gives at the steps, stepped from 0 with a Python float for the rate."""

    def values(steps: list[int]) -> list[float]:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        scheduler, found = build(optimizer), {}
        for step in range(max(steps) + 1):
            found[step] = float(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        return [found[step] for step in steps]

    return values


DOUBLE = "float64, stepped, there"

PEERS = [
    Peer(
        "torch",
        "ExponentialLR(optimizer, gamma=0.99)",
        "Exponential(0.1, 0.99, 1)",
        stepped(lambda o: lr_scheduler.ExponentialLR(o, 0.99)),
        (1000,),
        1e-7,
        DOUBLE,
    ),
]
