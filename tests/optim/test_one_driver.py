"""One scheduler drives a number: a second one is refused, a dead one writes nothing, and a wrong order of calls is said."""

from __future__ import annotations

import copy
import gc
import weakref
from typing import Any

import pytest
import torch
from support.optimizers import held, sgd, train, weights
from torch.optim import SGD

from tracelr import Assignment, Constant, Linear, Plateau, Scheduler, _torch, fuse, lr_scheduler, weight_decay_scheduler
from tracelr.errors import OptimizerError, TracelrWarning

FALL = Linear(1.0, 0.0, 8)


@pytest.mark.parametrize("given", [{"lr": FALL}, {"lr_factor": FALL}, {"lr": [None, FALL]}], ids=["lr", "factor", "list"])
def test_a_second_scheduler_on_a_number_is_refused_and_names_the_first(given: dict[str, Any]) -> None:
    optimizer = sgd(groups=2)
    first = Scheduler(optimizer, lr=Constant(0.5))
    with pytest.raises(OptimizerError) as caught:
        Scheduler(optimizer, **given)
    assert "the first is Scheduler(SGD, lr=Constant(value=0.5), last_epoch=0)" in str(caught.value)
    assert "first.detach()" in str(caught.value)
    optimizer.step()
    first.step()
    assert held(optimizer) == [0.5, 0.5]


def test_two_schedulers_of_different_numbers_are_one_driver_each() -> None:
    optimizer = SGD([{"params": weights(), "tags": tag} for tag in "ab"], lr=1.0, weight_decay=1.0)
    every = [
        Scheduler(optimizer, [Assignment("lr", ("a",), FALL)]),
        Scheduler(optimizer, [Assignment("lr", ("b",), Constant(0.25))]),
        Scheduler(optimizer, weight_decay=FALL),
    ]
    optimizer.step()
    for one in every:
        one.step()
    assert held(optimizer) == [0.875, 0.25]
    assert held(optimizer, "weight_decay") == [0.875, 0.875]


def test_after_detach_the_numbers_stay_and_another_one_may_drive() -> None:
    optimizer = sgd()
    first = Scheduler(optimizer, lr=FALL)
    optimizer.step()
    first.step()
    first.detach()
    assert held(optimizer) == [0.875]
    optimizer.param_groups[0]["lr"] = 3.0
    optimizer.step()
    assert held(optimizer) == [3.0]
    second = Scheduler(optimizer, lr=Constant(0.25))
    assert held(optimizer) == [0.25]
    second.step()
    first.detach()  # once more does nothing
    assert held(optimizer) == [0.25]


@pytest.mark.parametrize("call", ["step", "last_epoch", "load_state_dict", "continue_with"])
def test_a_detached_scheduler_writes_nothing(call: str) -> None:
    optimizer = sgd()
    first = Scheduler(optimizer, lr=FALL)
    state = first.state_dict()
    first.detach()
    second = Scheduler(optimizer, lr=Constant(0.25))
    calls = {
        "step": first.step,
        "last_epoch": lambda: setattr(first, "last_epoch", 3),
        "load_state_dict": lambda: first.load_state_dict(state),
        "continue_with": lambda: first.continue_with(Constant(2.0)),
    }
    with pytest.raises(OptimizerError, match="a detached scheduler"):
        calls[call]()
    assert held(optimizer) == [0.25]
    assert second.last_epoch == 0


def test_a_scheduler_without_references_is_gone_at_once() -> None:
    optimizer = sgd()
    gc.disable()
    try:
        for schedule in (FALL, Constant(0.5), Constant(0.25)):
            scheduler = Scheduler(optimizer, lr=schedule)
            optimizer.step()
            scheduler.step()
            gone = weakref.ref(scheduler)
            del scheduler
            assert gone() is None
    finally:
        gc.enable()
    optimizer.param_groups[0]["lr"] = 3.0
    optimizer.step()
    assert held(optimizer) == [3.0]


def test_a_dead_scheduler_leaves_no_hooks_and_follows_no_plateau() -> None:
    optimizer = sgd()
    plateau = Plateau(factor=0.5, patience=0)
    Scheduler(optimizer, lr=Constant(1.0) * plateau.scale)
    optimizer.param_groups[0]["lr"] = 3.0
    for loss in (1.0, 1.0):
        plateau.update(loss)
    assert held(optimizer) == [3.0]
    assert not optimizer._optimizer_step_pre_hooks


@pytest.mark.parametrize("second", [lr_scheduler.LinearLR, lr_scheduler.CosineDecayLR])
def test_the_newer_one_of_the_cerebras_family_takes_over(second: Any) -> None:
    optimizer = sgd()
    first = lr_scheduler.ConstantLR(optimizer, 0.5)
    newer = second(optimizer, 1.0, 0.0, 8)
    for _ in range(2):
        optimizer.step()
        newer.step()
    assert held(optimizer) == [newer.schedule(2).item()]
    with pytest.raises(OptimizerError, match="a detached scheduler"):
        first.step()
    decay = weight_decay_scheduler.ConstantWD(optimizer, 0.25)
    assert held(optimizer, "weight_decay") == [0.25]
    assert decay.last_epoch == 0
    with pytest.raises(OptimizerError, match="a second scheduler"):
        Scheduler(optimizer, lr=FALL)


def test_a_step_before_the_first_update_is_said_once() -> None:
    optimizer = sgd()
    scheduler = Scheduler(optimizer, lr=FALL)
    scheduler.step()
    with pytest.warns(TracelrWarning, match=r"scheduler\.step\(\) was called before optimizer\.step\(\)") as caught:
        train(optimizer, scheduler, 3)
    assert len(caught) == 1


def test_the_right_order_says_nothing_whatever_comes_before() -> None:
    for build in (lambda s: None, lambda s: setattr(s, "last_epoch", 5), lambda s: s.load_state_dict({"last_epoch": 5})):
        optimizer = sgd()
        scheduler = Scheduler(optimizer, lr=FALL)
        build(scheduler)
        for _ in range(2):
            optimizer.step()
            scheduler.step()


@pytest.mark.skipif(_torch.RELEASE < (2, 6), reason="fuse needs torch 2.6")
def test_a_step_beside_a_fused_update_is_said_once() -> None:
    optimizer = sgd()
    scheduler = Scheduler(optimizer, lr=FALL)
    update = fuse(optimizer, scheduler, backend="aot_eager")
    optimizer.param_groups[0]["params"][0].grad = torch.ones(2)
    update()
    with pytest.warns(TracelrWarning, match="beside a fused update, which steps already: the count doubles") as caught:
        twice = [scheduler.step() for _ in range(2)]
    assert len(caught) == 1
    assert scheduler.last_epoch == 1 + len(twice)


def test_a_copy_of_a_detached_scheduler_drives_nothing() -> None:
    optimizer = sgd()
    first = Scheduler(optimizer, lr=FALL)
    first.detach()
    second = Scheduler(optimizer, lr=Constant(0.5))
    copied, stopped, going = copy.deepcopy((optimizer, first, second))
    copied.step()
    going.step()
    assert copied.param_groups[0]["lr"] == 0.5
    with pytest.raises(OptimizerError, match="a detached scheduler"):
        stopped.step()


def test_a_refused_optimizer_changes_nothing() -> None:
    optimizer, other = sgd(), sgd()
    scheduler, holder = Scheduler(optimizer, lr=FALL), Scheduler(other, lr=Constant(0.5))
    with pytest.raises(OptimizerError, match="one scheduler for each number"):
        scheduler.optimizer = other
    assert (scheduler.optimizer, holder.get_last_lr()) == (optimizer, [0.5])
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == FALL(1).item()
