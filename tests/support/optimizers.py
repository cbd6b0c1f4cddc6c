"""A schedule, small optimizers for it to drive, and an optimizer that torch does not have."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from tracelr import Cosine, Linear

RATE = Linear(0.0, 1e-2, 5).then(Cosine(1e-2, 1e-4, 600))


def float32(value: float | Tensor) -> float:
    """Return what an update uses of a number: a group holds a float before its last rounding."""
    return torch.as_tensor(value).float().item()


def held(optimizer: Any, key: str = "lr") -> list[float]:
    """Return what every param group holds under `key`, in float32."""
    return [float32(group[key]) for group in optimizer.param_groups]


def train(optimizer: Any, scheduler: Any, updates: int = 1) -> None:
    """Make updates, each with the step of the scheduler after it."""
    for _ in range(updates):
        optimizer.step()
        scheduler.step()


def weights(count: int = 1) -> list[nn.Parameter]:
    return [nn.Parameter(torch.ones(2)) for _ in range(count)]


def sgd(lr: float | Tensor = 1.0, groups: int = 1, weight_decay: float = 0.5) -> Optimizer:
    return SGD([{"params": [w]} for w in weights(groups)], lr=lr, weight_decay=weight_decay)


class Lion(Optimizer):
    """Lion (Chen et al. 2023), as a user would write an optimizer."""

    def __init__(self, params: Any, lr: float | Tensor = 1e-3, beta: float = 0.9, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "beta": beta, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(p)
                update = torch.sign(group["beta"] * state["momentum"] + (1 - group["beta"]) * p.grad)
                if group["weight_decay"] != 0:
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(-group["lr"] * update)
                state["momentum"].lerp_(p.grad, 1 - group["beta"])
