"""accelerate in one process; in two, see test_ranks.py."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from frameworks.common import DECAY, adamw, network, rates, used
from support.optimizers import float32, held
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset


@pytest.fixture
def accelerate() -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("accelerate")
    yield module
    for kept in (module.state.AcceleratorState, module.state.GradientState, module.state.PartialState):
        kept._reset_state()


def run(accelerate: Any, accumulate: int, lr: float | Tensor = 0.5) -> tuple[Any, Any, list[float], list[float]]:
    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=accumulate)
    model = network()
    optimizer, scheduler = adamw(model, lr)
    made, decays = used(optimizer), used(optimizer, "weight_decay")
    loader = DataLoader(TensorDataset(torch.ones(24, 4)), batch_size=2)
    model, optimizer, loader, scheduler = accelerator.prepare(model, optimizer, loader, scheduler)
    for (x,) in loader:
        with accelerator.accumulate(model):
            accelerator.backward(model(x).square().mean())
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
    return accelerator, scheduler, made, decays


@pytest.mark.parametrize("lr", [0.5, torch.tensor(0.5)], ids=["float", "tensor"])
@pytest.mark.parametrize(("accumulate", "updates"), [(1, 12), (4, 3)])
def test_every_rate_is_the_closed_form(accelerate: Any, lr: float | Tensor, accumulate: int, updates: int) -> None:
    _, scheduler, made, decays = run(accelerate, accumulate, lr)
    assert made == rates(updates)
    assert decays == rates(updates, schedule=DECAY)
    assert [*map(float32, scheduler.get_last_lr())] == rates(1, start=updates) * 2


def test_save_state_and_load_state(accelerate: Any, tmp_path: Path) -> None:
    accelerator, scheduler, *_ = run(accelerate, 1)
    accelerator.save_state(str(tmp_path))
    scheduler.step()
    accelerator.load_state(str(tmp_path))
    assert scheduler.scheduler.last_epoch == 12
    assert held(scheduler.scheduler.optimizer) == rates(1, start=12) * 2


def test_a_scheduler_that_is_not_prepared_is_saved_when_registered(accelerate: Any, tmp_path: Path) -> None:
    accelerator = accelerate.Accelerator(cpu=True)
    model = network()
    optimizer, scheduler = adamw(model)
    model, optimizer = accelerator.prepare(model, optimizer)
    accelerator.register_for_checkpointing(scheduler)
    scheduler.last_epoch = 5
    accelerator.save_state(str(tmp_path))
    scheduler.step()
    accelerator.load_state(str(tmp_path))
    assert held(scheduler.optimizer) == rates(1, start=5) * 2
