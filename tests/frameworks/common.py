"""Shared by the framework tests: a schedule, two small models, and the rates that an optimizer used."""

from __future__ import annotations

import torch
from support.optimizers import float32
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from tracelr import Cosine, Linear, Schedule, Scheduler

RATE = Linear(0.0, 1e-2, 5).then(Cosine(1e-2, 1e-4, 20))
DECAY = Linear(0.04, 0.4, 30)


def rates(count: int, start: int = 0, stride: int = 1, schedule: Schedule = RATE) -> list[float]:
    """Return the closed form at the steps of a run."""
    return [schedule(step).item() for step in range(start, start + count * stride, stride)]


def used(optimizer: Optimizer, key: str = "lr") -> list[float]:
    """Return a list that grows at each update by the value that the first group holds under `key`, in float32."""
    seen: list[float] = []
    optimizer.register_step_pre_hook(lambda o, args, kwargs: seen.append(float32(o.param_groups[0][key])))
    return seen


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1))


def adamw(model: nn.Module, lr: float | Tensor = 0.5) -> tuple[Optimizer, Scheduler]:
    """Return an optimizer of two groups with two schedules."""
    weights, biases = ([p for p in model.parameters() if p.ndim == n] for n in (2, 1))
    optimizer = AdamW([{"params": weights}, {"params": biases}], lr=lr, weight_decay=0.5)
    return optimizer, Scheduler(optimizer, lr=RATE, weight_decay=DECAY)


def sgd(lr: float | Tensor = 1.0) -> Optimizer:
    return SGD([nn.Parameter(torch.ones(2))], lr=lr)
