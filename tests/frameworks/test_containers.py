"""torchtitan and DeepSpeed, neither of which is installed: only the calls that their code makes on a scheduler.

The two classes below are no copies. They make the calls that torchtitan's `LRSchedulersContainer` (as of August 2026) and
DeepSpeed's engine (as of August 2026) make, in that order, as read in their sources; what those do besides is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from frameworks.common import RATE, network, rates, used
from support.optimizers import float32
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from tracelr import Constant, Scheduler


class Titan:
    """One scheduler for each optimizer; the state is only the step."""

    def __init__(self, schedulers: list[Scheduler]) -> None:
        assert all(isinstance(one, LRScheduler) for one in schedulers)
        self.schedulers = schedulers

    def step(self) -> None:
        for scheduler in self.schedulers:
            scheduler.step()

    def metrics(self) -> dict[str, float]:
        return {
            f"lr/{type(s.optimizer).__name__}/{i}": float(lr)
            for s in self.schedulers
            for i, lr in enumerate(s.get_last_lr())
        }

    def state_dict(self) -> dict[str, Any]:
        return {"last_epoch": self.schedulers[0].last_epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for scheduler in self.schedulers:
            scheduler.last_epoch = state["last_epoch"]
            scheduler._step_count = state["last_epoch"] + 1
            scheduler._last_lr = scheduler.get_lr()


def titan(lr: float | Tensor) -> tuple[list[Optimizer], Titan]:
    optimizers = [SGD([nn.Parameter(torch.ones(2))], lr=lr), AdamW([nn.Parameter(torch.ones(2))], lr=lr)]
    return optimizers, Titan([Scheduler(optimizer, lr=RATE) for optimizer in optimizers])


def run(optimizers: list[Optimizer], container: Titan, count: int) -> None:
    for _ in range(count):
        for optimizer in optimizers:
            optimizer.step()
        container.step()


@pytest.mark.parametrize("lr", [0.5, torch.tensor(0.5)], ids=["float", "tensor"])
@pytest.mark.parametrize("optimizers_first", [True, False])
def test_torchtitans_container(lr: float | Tensor, optimizers_first: bool) -> None:
    optimizers, container = titan(lr)
    made = [used(optimizer) for optimizer in optimizers]
    run(optimizers, container, 9)
    assert made == [rates(9)] * 2
    assert {name: float32(lr) for name, lr in container.metrics().items()} == {
        "lr/SGD/0": RATE(9).item(),
        "lr/AdamW/0": RATE(9).item(),
    }
    saved = [optimizer.state_dict() for optimizer in optimizers]
    optimizers, restored = titan(lr.clone() if isinstance(lr, Tensor) else lr)
    made = [used(optimizer) for optimizer in optimizers]
    if not optimizers_first:
        restored.load_state_dict(container.state_dict())
    for optimizer, state in zip(optimizers, saved, strict=True):
        optimizer.load_state_dict(state)
    if optimizers_first:
        restored.load_state_dict(container.state_dict())
    run(optimizers, restored, 9)
    assert made == [rates(9, start=9)] * 2


class Engine:
    """DeepSpeed takes a callable scheduler for a factory, and a `TypeError` of `step()` as a sign of Megatron's signature."""

    def __init__(self, optimizer: Optimizer, scheduler: Any, batch: int) -> None:
        self.optimizer, self.batch = optimizer, batch
        self.scheduler = scheduler(optimizer) if isinstance(scheduler, Callable) else scheduler  # type: ignore[arg-type]
        if isinstance(self.scheduler, LRScheduler):
            assert isinstance(optimizer, Optimizer)

    def step(self, overflow: bool) -> None:
        if not overflow:
            self.optimizer.step()
            try:
                self.scheduler.step(**{})
            except TypeError:
                self.scheduler.step(self.batch)

    def get_lr(self) -> list[Any]:
        return [group["lr"] for group in self.optimizer.param_groups]


@pytest.mark.parametrize("factory", [False, True], ids=["instance", "factory"])
def test_deepspeeds_engine(factory: bool) -> None:
    def build() -> tuple[Engine, list[float]]:
        optimizer = AdamW(network().parameters(), lr=0.5)
        made = used(optimizer)
        return Engine(optimizer, (lambda o: Scheduler(o, lr=RATE)) if factory else Scheduler(optimizer, lr=RATE), 256), made

    engine, made = build()
    for step in range(12):
        engine.step(overflow=step in (2, 3, 7))
    assert made == rates(9)
    assert [*map(float32, engine.get_lr())] == [RATE(9).item()]
    saved = engine.optimizer.state_dict(), engine.scheduler.state_dict()
    engine, made = build()
    engine.optimizer.load_state_dict(saved[0])
    engine.scheduler.load_state_dict(saved[1])
    for _ in range(3):
        engine.step(overflow=False)
    assert made == rates(3, start=9)


def test_nothing_that_a_container_takes_for_something_else() -> None:
    scheduler = Scheduler(SGD([nn.Parameter(torch.ones(2))], lr=1.0), lr=Constant(0.5))
    assert not callable(scheduler)  # DeepSpeed: a factory
    assert not hasattr(scheduler, "total_steps")  # accelerate: stops there
    assert not hasattr(scheduler, "_schedulers")  # SequentialLR: a composition
