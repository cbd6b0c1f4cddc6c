"""What changed between two runs is named field by field."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest
import torch
from support.optimizers import held, sgd
from torch import Tensor, nn
from torch.optim import SGD, AdamW

from tracelr import Assignment, Constant, Cosine, Interpolate, Linear, Schedule, Scheduler
from tracelr.errors import CheckpointError
from tracelr.optim.state import describe_changes

COSINE = Cosine(1.0, 0.0, 1000)
CASES: list[tuple[Schedule, Schedule, str]] = [
    (COSINE, Cosine(1.0, 0.0, 1000), ""),
    (COSINE, Cosine(1.0, 0.0, 2000), "lr of groups 0, 1: Cosine.steps 1000 -> 2000"),
    (
        COSINE,
        Cosine(0.5, 0.0, 2000),
        "lr of groups 0, 1: Cosine.start 1.0 -> 0.5; lr of groups 0, 1: Cosine.steps 1000 -> 2000",
    ),
    (COSINE, Constant(0.5), "lr of groups 0, 1: Cosine(start=1.0, end=0.0, steps=1000) -> Constant(value=0.5)"),
    (
        Linear(0.0, 1.0, 10).then(COSINE),
        Linear(0.0, 1.0, 10).then(Cosine(1.0, 0.25, 1000)),
        "lr of groups 0, 1: Sequential.schedules[1].end 0.0 -> 0.25",
    ),
    (
        Linear(0.0, 1.0, 10).then(COSINE),
        Linear(0.0, 1.0, 20).then(COSINE),
        "lr of groups 0, 1: Sequential.schedules[0].steps 10 -> 20; lr of groups 0, 1: Sequential.milestones[0] 10 -> 20",
    ),
]


def described(schedule: Schedule) -> Any:
    optimizer = SGD([{"params": [nn.Parameter(torch.ones(1))]} for _ in range(2)], lr=1.0)
    return json.loads(Scheduler(optimizer, lr=schedule).state_dict()["schedules"])


@pytest.mark.parametrize(("then", "now", "text"), CASES, ids=[case[2][-40:] or "none" for case in CASES])
def test_the_fields_are_named(then: Schedule, now: Schedule, text: str) -> None:
    assert describe_changes(described(then), described(now)) == text


def test_groups_keys_and_factors() -> None:
    def state(factor: float, *more: Assignment) -> Any:
        groups = [{"params": [nn.Parameter(torch.ones(1))], "tags": tag, "adjust": factor} for tag in "ab"]
        given = [Assignment("lr", ("a",), COSINE, "adjust"), *more]
        return json.loads(Scheduler(AdamW(groups), given).state_dict()["schedules"])

    decay = Assignment("weight_decay", ("b",), Constant(0.5))
    assert describe_changes(state(0.5), state(0.5)) == ""
    assert describe_changes(state(0.5), state(1.0)) == "lr of group 0: factor 0.5 -> 1.0"
    assert describe_changes(state(1.0), state(0.25)) == "lr of group 0: factor 1.0 -> 0.25"
    assert describe_changes(state(0.5), state(0.5, decay)) == "weight_decay of group 1: nothing -> Constant(value=0.5)"
    assert describe_changes(state(0.5, decay), state(0.5)) == "weight_decay of group 1: Constant(value=0.5) -> nothing"
    moved = describe_changes(state(0.5), state(0.5, Assignment("lr", ("b",), COSINE, "adjust")))
    assert moved == "lr of group 1: nothing -> 0.5 * Cosine(start=1.0, end=0.0, steps=1000)"


def test_many_groups_are_counted() -> None:
    then, now = COSINE.to_dict(), Constant(0.5).to_dict()
    text = describe_changes({"lr": [then] * 64 + [now, then, now]}, {"lr": [now] * 65 + [now, then]})
    assert text == (
        "lr of groups 0 to 63, 65: Cosine(start=1.0, end=0.0, steps=1000) -> Constant(value=0.5); "
        "lr of group 66: Constant(value=0.5) -> Cosine(start=1.0, end=0.0, steps=1000)"
    )


def test_a_long_table_is_cut_short() -> None:
    knots = list(range(0, 200, 10))
    then, now = (Interpolate(milestones=knots, values=[k * scale for k in range(20)]) for scale in (1.0, 0.5))
    text = describe_changes({"lr": [then.to_dict()]}, {"lr": [now.to_dict()]})
    assert text.startswith(
        "lr of group 0: Interpolate.values[1] 1.0 -> 0.5; lr of group 0: Interpolate.values[2] 2.0 -> 1.0"
    )
    assert text.endswith("; and 11 more")


def test_strict_names_every_field() -> None:
    state = Scheduler(sgd(), lr=Linear(0.0, 1.0, 10).then(COSINE)).state_dict()
    scheduler = Scheduler(sgd(), lr=Linear(0.0, 2.0, 20).then(Cosine(2.0, 0.0, 500)), on_change="strict")
    with pytest.raises(CheckpointError) as caught:
        scheduler.load_state_dict(state)
    assert str(caught.value) == (
        "Scheduler.load_state_dict: given lr of group 0: Sequential.schedules[0].end 1.0 -> 2.0; "
        "lr of group 0: Sequential.schedules[0].steps 10 -> 20; lr of group 0: Sequential.schedules[1].start 1.0 -> 2.0; "
        "lr of group 0: Sequential.schedules[1].steps 1000 -> 500; lr of group 0: Sequential.milestones[0] 10 -> 20; "
        "allowed: the schedules of the checkpoint; "
        'to fix it: pass those, or on_change="new" or "checkpoint".'
    )


@pytest.mark.parametrize("lr", [1.0, torch.tensor(1.0)], ids=["float", "tensor"])
@pytest.mark.parametrize("optimizer_first", [True, False])
def test_the_new_schedule_holds_at_once_in_any_order_of_loading(lr: float | Tensor, optimizer_first: bool) -> None:
    before = sgd()
    old = Scheduler(before, lr=Constant(0.5))
    old.last_epoch = 5
    optimizer = sgd(lr)
    scheduler = Scheduler(optimizer, lr=COSINE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if optimizer_first:
            optimizer.load_state_dict(before.state_dict())
        scheduler.load_state_dict(old.state_dict())
        if not optimizer_first:
            optimizer.load_state_dict(before.state_dict())
    assert held(optimizer) == [COSINE(5).item()]


def test_a_tensor_that_others_put_into_the_group_is_not_written() -> None:
    optimizer = sgd(torch.tensor(1.0))
    scheduler = Scheduler(optimizer, lr=COSINE)
    ours, foreign = optimizer.param_groups[0]["lr"], torch.tensor(0.125)
    optimizer.param_groups[0]["lr"] = foreign
    scheduler.load_state_dict({"last_epoch": 500})
    assert optimizer.param_groups[0]["lr"] is ours
    assert (ours.item(), foreign.item()) == (0.5, 0.125)
