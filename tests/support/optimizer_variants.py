"""An optimizer that torch does not have."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, optim


class Lion(optim.Optimizer):
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
