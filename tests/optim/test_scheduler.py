"""What `Scheduler` has in common with torch's schedulers, and what only it promises."""

from __future__ import annotations

import pytest
import torch
from support.optimizers import RATE, float32, held, sgd, weights
from torch import Tensor
from torch.optim.lr_scheduler import ChainedScheduler, ExponentialLR, LinearLR, LRScheduler, SequentialLR

from tracelr import Constant, Cosine, Linear, Schedule, Scheduler


def rates(schedule: Schedule, count: int) -> list[float]:
    return [schedule(step).item() for step in range(count)]


@pytest.mark.parametrize("lr", [0.1, torch.tensor(0.1), torch.tensor(0.1, dtype=torch.float64)], ids=["float", "f32", "f64"])
def test_the_group_holds_the_rate_of_the_next_update(lr: float | Tensor) -> None:
    optimizer = sgd(lr)
    scheduler = Scheduler(optimizer, lr=RATE)
    seen = []
    for _ in range(600):
        seen += held(optimizer)
        assert scheduler.get_last_lr() == [float(optimizer.param_groups[0]["lr"])]
        optimizer.step()
        scheduler.step()
    assert seen == rates(RATE, 600)
    assert scheduler.last_epoch == 600


def test_a_float_stays_a_float_and_a_tensor_keeps_its_identity() -> None:
    number, tensor = sgd(0.1), sgd(torch.tensor(0.1))
    kept = tensor.param_groups[0]["lr"]
    for optimizer in (number, tensor):
        scheduler = Scheduler(optimizer, lr=RATE)
        for _ in range(3):
            optimizer.step()
            scheduler.step()
    assert type(number.param_groups[0]["lr"]) is float
    assert tensor.param_groups[0]["lr"] is kept
    assert kept.item() == RATE(3).item()


def test_shared_tensors_are_separated() -> None:
    lr = torch.tensor(0.1)
    optimizer = sgd(lr, groups=2)
    Scheduler(optimizer, lr=[Constant(1.0), Constant(2.0)])
    assert [group["lr"].item() for group in optimizer.param_groups] == [1.0, 2.0]
    assert optimizer.param_groups[0]["lr"] is lr


def test_a_group_added_later_is_picked_up() -> None:
    optimizer = sgd(torch.tensor(0.1))
    scheduler = Scheduler(optimizer, lr=RATE)
    optimizer.add_param_group({"params": weights()})
    optimizer.step()
    scheduler.step()
    first, second = (group["lr"] for group in optimizer.param_groups)
    assert first is not second
    assert first.item() == second.item() == RATE(1).item()
    assert len(scheduler.get_last_lr()) == 2


def test_optimizer_step_is_not_patched() -> None:
    optimizer = sgd()
    scheduler = Scheduler(optimizer, lr=RATE)
    assert "step" not in vars(optimizer)
    assert isinstance(scheduler, LRScheduler)
    assert not callable(scheduler)
    assert not hasattr(scheduler, "total_steps")


def test_last_epoch_is_assignable_at_once_and_get_lr_is_pure() -> None:
    optimizer = sgd(torch.tensor(0.1))
    scheduler = Scheduler(optimizer, lr=RATE)
    scheduler.last_epoch = 400
    rate = scheduler.get_lr()[0]
    assert isinstance(rate, Tensor)
    assert rate is not optimizer.param_groups[0]["lr"]
    assert rate.item() == RATE(400).item()
    assert optimizer.param_groups[0]["lr"].item() == RATE(400).item()
    rate.fill_(7.0)
    assert held(optimizer) == [RATE(400).item()]
    assert Scheduler(sgd(), lr=RATE).get_lr() == [0.0]


def test_last_epoch_in_the_constructor_is_torchs() -> None:
    optimizer, reference = sgd(), sgd()
    for each in (optimizer, reference):
        each.param_groups[0]["initial_lr"] = 0.1
    ours = Scheduler(optimizer, lr=RATE, last_epoch=5)
    theirs = ExponentialLR(reference, 0.9, last_epoch=5)
    assert ours.last_epoch == theirs.last_epoch == 6
    assert [*map(float32, ours.get_last_lr())] == [RATE(6).item()]


def test_torch_sequential_and_chained_hold_ours() -> None:
    # torch: the second schedule starts at step 0 at the milestone
    optimizer = sgd()
    decay = Cosine(1.0, 0.0, 10)
    joined = SequentialLR(optimizer, [LinearLR(optimizer, 0.25, 1.0, 3), Scheduler(optimizer, lr=decay)], milestones=[3])
    seen = []
    for _ in range(8):
        seen += held(optimizer)
        optimizer.step()
        joined.step()
    assert seen == [0.25, 0.5, 0.75, *rates(decay, 5)]

    optimizer = sgd()
    chained = ChainedScheduler([Scheduler(optimizer, lr=RATE), ExponentialLR(optimizer, 0.5)])
    for _ in range(4):
        optimizer.step()
        chained.step()
    assert (
        float32(2 * optimizer.param_groups[0]["lr"]) == RATE(4).item()
    )  # torch's members multiply what the first has written


def test_a_tensor_field_is_followed() -> None:
    peak = torch.tensor(1.0)
    optimizer = sgd()
    scheduler = Scheduler(optimizer, lr=Linear(0.0, peak, 4))
    optimizer.step()
    scheduler.step()
    assert scheduler.get_last_lr() == [0.25]
    peak.fill_(2.0)
    scheduler.step()
    assert scheduler.get_last_lr() == [1.0]
