"""A schedule, and small optimizers for it to drive."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from tracelr import Cosine, Linear

RATE = Linear(0.0, 1e-2, 5).then(Cosine(1e-2, 1e-4, 600))


def weights(count: int = 1) -> list[nn.Parameter]:
    return [nn.Parameter(torch.ones(2)) for _ in range(count)]


def sgd(lr: float | Tensor = 0.1, groups: int = 1) -> Optimizer:
    return SGD([{"params": [w]} for w in weights(groups)], lr=lr)
