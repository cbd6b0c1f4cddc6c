"""A schedule belongs to its param group: groups that are removed, reordered, replaced or added keep or get the right one."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from support.optimizers import float32, held, train, weights
from torch import nn
from torch.optim import SGD, AdamW
from torch.optim.lr_scheduler import LambdaLR

from tracelr import Assignment, Constant, Linear, Scheduler, fuse
from tracelr.errors import OptimizerError, TracelrWarning

A, B, C = (Linear(start, 0.0, 8) for start in (1.0, 2.0, 4.0))


def three(**options: Any) -> SGD:
    return SGD([{"params": weights(), "tags": tag} for tag in "abc"], lr=0.5, **options)


def moves(optimizer: Any, update: Callable[[], Any]) -> list[float]:
    """Return by how much an update with a gradient of 1 moves the weights of each group: under SGD, the rate that it used."""
    every = [p for group in optimizer.param_groups for p in group["params"]]
    for p in every:
        p.data.zero_()
        p.grad = torch.ones_like(p)
    update()
    return [-group["params"][0][0].item() for group in optimizer.param_groups]


def remove(optimizer: Any) -> list[int]:
    optimizer.param_groups[:] = [group for group in optimizer.param_groups if group["tags"] != "b"]
    return [0, 2]


def turn(optimizer: Any) -> list[int]:
    optimizer.param_groups.reverse()
    return [2, 1, 0]


def rotate(optimizer: Any) -> list[int]:
    optimizer.param_groups.append(optimizer.param_groups.pop(0))
    return [1, 2, 0]


def other_list(optimizer: Any) -> list[int]:
    optimizer.param_groups = list(optimizer.param_groups)
    return [0, 1, 2]


def other_dicts(optimizer: Any) -> list[int]:
    optimizer.param_groups[:] = [dict(group) for group in optimizer.param_groups[::-1]]
    return [2, 1, 0]


def other_lists_of_parameters(optimizer: Any) -> list[int]:
    optimizer.param_groups[0] |= {"params": list(optimizer.param_groups[0]["params"])}
    optimizer.param_groups[:] = [{**group, "params": list(group["params"])} for group in optimizer.param_groups[::-1]]
    return [2, 1, 0]


def loaded(optimizer: Any) -> list[int]:
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    return [0, 1, 2]


def first_two_removed(optimizer: Any) -> list[int]:
    del optimizer.param_groups[:2]
    return [2]


MOVES = [remove, turn, rotate, other_list, other_dicts, other_lists_of_parameters, loaded, first_two_removed]


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("kind", ["float", "tensor", "fused"])
def test_every_group_keeps_its_schedule(kind: str, move: Callable[[Any], list[int]]) -> None:
    optimizer = three()
    if kind == "tensor":
        for group in optimizer.param_groups:
            group["lr"] = torch.tensor(0.5)
    scheduler = Scheduler(optimizer, lr=[A, B, C])
    fused = fuse(optimizer, scheduler, backend="aot_eager") if kind == "fused" else None

    def update() -> None:
        nonlocal fused
        if fused is None:
            optimizer.step()
            scheduler.step()
            return
        try:
            fused()
        except OptimizerError as error:  # a compiled update may refuse other groups, before anything moves
            if "call fuse(optimizer, scheduler) again" not in str(error):
                raise
            fused = fuse(optimizer, scheduler, backend="aot_eager")
            fused()

    assert moves(optimizer, update) == [1.0, 2.0, 4.0]
    left = [(A, B, C)[k] for k in move(optimizer)]
    for step in (1, 2):
        assert moves(optimizer, update) == [schedule(step).item() for schedule in left]
    assert scheduler.get_last_lr() == [schedule(3).item() for schedule in left]


def test_a_group_added_later_follows_what_all_follow_before_its_first_update() -> None:
    ours, theirs = SGD(weights(), lr=1.0), SGD(weights(), lr=1.0)
    scheduler, reference = Scheduler(ours, lr=A), LambdaLR(theirs, lambda step: A(step).item())
    for _ in range(3):
        for optimizer, each in ((ours, scheduler), (theirs, reference)):
            optimizer.step()
            each.step()
    ours.add_param_group({"params": weights()})
    # torch's own scheduler gives the new group its first rate only at the next call of step()
    assert moves(ours, ours.step) == [A(3).item()] * 2
    assert held(theirs) == [A(3).item()]


@pytest.mark.parametrize("fused", [False, True])
def test_a_group_added_later_follows_the_schedule_of_its_tag(fused: bool) -> None:
    optimizer = three()
    given = [Assignment("lr", (tag,), schedule) for tag, schedule in (("a", A), ("b", B))]
    scheduler = Scheduler(optimizer, given)
    for tag in "bc":
        optimizer.add_param_group({"params": weights(), "tags": tag, "lr": 0.125})
    update = fuse(optimizer, scheduler, backend="aot_eager") if fused else optimizer.step
    assert moves(optimizer, update) == [1.0, 2.0, 0.5, 2.0, 0.125]


def test_a_list_is_for_the_groups_of_its_moment() -> None:
    optimizer = three()
    scheduler = Scheduler(optimizer, lr=[A, B, C])
    optimizer.add_param_group({"params": weights(), "lr": 0.125})
    with pytest.warns(TracelrWarning, match="has no schedule for a param group that was added later") as caught:
        used = [moves(optimizer, lambda: train(optimizer, scheduler)) for _ in range(2)]
    assert used == [[1.0, 2.0, 4.0, 0.125], [0.875, 1.75, 3.5, 0.125]]
    assert len(caught) == 1
    turn(optimizer)
    assert moves(optimizer, optimizer.step) == [0.125, 3.0, 1.5, 0.75]


def test_groups_that_are_united_need_the_same_schedule() -> None:
    optimizer = three()
    scheduler = Scheduler(optimizer, [Assignment("lr", ("a", "b"), A), Assignment("lr", ("c",), C)])
    first, second, third = optimizer.param_groups
    optimizer.param_groups[:] = [{**first, "params": [*first["params"], *second["params"]]}, third]
    assert moves(optimizer, optimizer.step) == [1.0, 4.0]
    scheduler.step()
    optimizer.param_groups[:] = [{**first, "params": [*first["params"], *third["params"]]}]
    with pytest.raises(OptimizerError, match="parameters of groups whose schedules differ"):
        optimizer.step()


def test_a_group_that_is_split_is_followed_in_both_parts() -> None:
    optimizer = SGD([{"params": weights(2)}], lr=0.5)
    scheduler = Scheduler(optimizer, lr=A)
    (whole,) = optimizer.param_groups
    optimizer.param_groups[:] = [{**whole, "params": [p]} for p in whole["params"]]
    assert moves(optimizer, optimizer.step) == [1.0, 1.0]
    scheduler.step()
    assert moves(optimizer, optimizer.step) == [A(1).item()] * 2


def test_a_group_that_is_frozen_and_comes_back_has_its_schedule() -> None:
    optimizer = three()
    scheduler = Scheduler(optimizer, lr=A)
    frozen = optimizer.param_groups.pop(1)
    for _ in range(2):
        optimizer.step()
        scheduler.step()
    optimizer.add_param_group(frozen)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TracelrWarning)  # the group has the number of its last update
        assert moves(optimizer, optimizer.step) == [A(2).item()] * 3


def test_the_state_is_that_of_the_present_groups() -> None:
    optimizer = three()
    scheduler = Scheduler(optimizer, lr=A, weight_decay=None)
    optimizer.add_param_group({"params": weights()})
    state = scheduler.state_dict()
    other = SGD([{"params": weights()} for _ in range(4)], lr=0.5)
    resumed = Scheduler(other, lr=A)
    resumed.load_state_dict(state)
    assert held(other) == [1.0] * 4
    assert len(scheduler.get_last_lr()) == len(scheduler.peek(0)) == 4


@pytest.mark.parametrize("key", ["weight_decay", "betas"])
def test_every_key_moves_with_its_group(key: str) -> None:
    optimizer = AdamW([{"params": weights()} for _ in range(2)], weight_decay=0.5)
    schedules = [Linear(0.5, 0.25, 8), Constant(0.125)]
    given: Any = {key: schedules} if key == "weight_decay" else {key: (schedules, None)}
    scheduler = Scheduler(optimizer, **given)
    turn(optimizer)
    optimizer.step()
    scheduler.step()
    found = [group[key] if key == "weight_decay" else group[key][0] for group in optimizer.param_groups]
    assert [*map(float32, found)] == [0.125, schedules[0](1).item()]


def test_another_optimizer_gets_what_the_first_one_was_asked_to_follow() -> None:
    first, second = three(), three()
    scheduler = Scheduler(first, lr=[A, B, C])
    first.step()
    scheduler.step()
    scheduler.optimizer = second
    assert moves(second, second.step) == [0.875, 1.75, 3.5]
    scheduler.step()
    assert held(first) == [0.875, 1.75, 3.5]
    assert held(second) == [0.75, 1.5, 3.0]
    with pytest.raises(OptimizerError, match="an object with param_groups"):
        scheduler.optimizer = nn.Linear(1, 1)  # type: ignore[assignment]
