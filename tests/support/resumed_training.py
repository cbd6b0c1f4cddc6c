"""A training by fused updates that is resumed half way."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch._dynamo.utils import counters
from torch.optim import Optimizer

from tracelr import Scheduler

STEPS = 200


def train(optimizer: Optimizer, scheduler: Scheduler, one: Callable[[int], None]) -> None:
    """Call `one` for every step, with a checkpoint load in the middle; assert one graph, no breaks and no recompiles.

    The graphs are those since `counters.clear()`.
    """
    with torch._dynamo.config.patch(error_on_recompile=True):
        for step in range(STEPS):
            if step == STEPS // 2:
                saved = copy.deepcopy((optimizer.state_dict(), scheduler.state_dict()))
                optimizer.load_state_dict(saved[0])
                scheduler.load_state_dict(saved[1])
            one(step)
    assert counters["stats"]["unique_graphs"] == 1
    assert sum(counters["graph_break"].values()) == 0
