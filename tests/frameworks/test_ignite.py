"""pytorch-ignite: it never calls `step()`, but increments `last_epoch` and writes what `get_lr()` returns."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from frameworks.common import DECAY, adamw, network, rates, sgd, used
from support.optimizers import float32
from torch import Tensor

from tracelr import Cosine, Linear, Scheduler


@pytest.fixture(scope="module")
def ignite() -> Any:  # imported here: it takes seconds, and every worker collects every file
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("ignite.handlers")
        return pytest.importorskip("ignite")


def engine(ignite: Any, model: Any, optimizer: Any) -> Any:
    def update(_: Any, batch: Tensor) -> None:
        optimizer.zero_grad()
        model(batch).square().mean().backward()
        optimizer.step()

    return ignite.engine.Engine(update)


@pytest.mark.parametrize("lr", [0.5, torch.tensor(0.5)], ids=["float", "tensor"])
def test_every_rate_is_the_closed_form(ignite: Any, lr: float | Tensor) -> None:
    model = network()
    optimizer, scheduler = adamw(model, lr)
    made = used(optimizer)
    trainer = engine(ignite, model, optimizer)
    trainer.add_event_handler(ignite.engine.Events.ITERATION_STARTED, ignite.handlers.LRScheduler(scheduler))
    trainer.run([torch.ones(2, 4)] * 12, max_epochs=2)
    assert made == rates(24)
    assert isinstance(optimizer.param_groups[0]["lr"], Tensor) == isinstance(lr, Tensor)


def test_resume(ignite: Any) -> None:
    model = network()
    optimizer, scheduler = adamw(model)
    handler, trainer = ignite.handlers.LRScheduler(scheduler), engine(ignite, model, optimizer)
    trainer.add_event_handler(ignite.engine.Events.ITERATION_STARTED, handler)
    trainer.run([torch.ones(2, 4)] * 9, max_epochs=1)
    saved = optimizer.state_dict(), handler.state_dict()
    optimizer, scheduler = adamw(model)
    made = used(optimizer)
    handler, trainer = ignite.handlers.LRScheduler(scheduler), engine(ignite, model, optimizer)
    handler.load_state_dict(saved[1])
    optimizer.load_state_dict(saved[0])
    trainer.add_event_handler(ignite.engine.Events.ITERATION_STARTED, handler)
    trainer.run([torch.ones(2, 4)] * 9, max_epochs=1)
    assert made == rates(9, start=9)


def test_its_warmup_goes_before_ours(ignite: Any) -> None:
    optimizer = sgd()
    fall = Cosine(1.0, 0.0, 10)
    made = used(optimizer)
    values: list[Any] = [None] * 8
    handler = ignite.handlers.create_lr_scheduler_with_warmup(
        Scheduler(optimizer, lr=fall), warmup_start_value=0.0, warmup_duration=4, output_simulated_values=values
    )
    trainer = ignite.engine.Engine(lambda _, batch: optimizer.step())
    trainer.add_event_handler(ignite.engine.Events.ITERATION_STARTED, handler)
    trainer.run(range(8), max_epochs=1)
    # ignite includes the peak in its warm-up: four values from 0 to 1, then those of the schedule from step 1 on
    assert made == pytest.approx([0.0, 1 / 3, 2 / 3, *rates(5, schedule=fall)], rel=1e-7)  # recorded in float32
    assert [float32(value) for _, value in values] == made
    ours = Linear(0.0, 1.0, 3).then(fall)
    assert made == pytest.approx(rates(8, schedule=ours), rel=1e-6)


def test_simulated_values_touch_nothing(ignite: Any) -> None:
    optimizer = sgd(torch.tensor(1.0))
    scheduler = Scheduler(optimizer, lr=Cosine(1.0, 0.0, 10))
    for _ in range(3):
        scheduler.step()
    held = optimizer.param_groups[0]["lr"]
    values = ignite.handlers.LRScheduler.simulate_values(6, scheduler)
    assert [(step, float32(value)) for step, value in values] == list(
        enumerate(rates(6, start=3, schedule=Cosine(1.0, 0.0, 10)))
    )
    assert scheduler.last_epoch == 3
    assert held.item() == rates(1, start=3, schedule=Cosine(1.0, 0.0, 10))[0]


def test_a_handler_that_steps_drives_every_key(ignite: Any) -> None:
    model = network()
    optimizer, scheduler = adamw(model)
    made, decays = used(optimizer), used(optimizer, "weight_decay")
    trainer = engine(ignite, model, optimizer)
    trainer.add_event_handler(ignite.engine.Events.ITERATION_COMPLETED, lambda _: scheduler.step())
    trainer.run([torch.ones(2, 4)] * 12, max_epochs=1)
    assert made == rates(12)
    assert decays == rates(12, schedule=DECAY)
