"""`continue_with`: another schedule from now on, against the closed form; in the state, and inside fused updates."""

from __future__ import annotations

import copy
from fractions import Fraction
from typing import Any

import pytest
import torch
from support.optimizers import float32, held, sgd, train
from torch import nn
from torch.optim import SGD, AdamW

from tracelr import Constant, Linear, Plateau, Scheduler, fuse
from tracelr.errors import CheckpointError, OptimizerError, ScheduleError, TracelrWarning

FIRST = (Fraction(1), Fraction(1, 4), 16)
THEN = (Fraction(1, 2), Fraction(2), 8)
KINDS: list[tuple[Any, int]] = [("jump", 0), ("scale", 0), ("shift", 0), ("jump", 1), ("jump", 4), ("jump", 16)]


def line(curve: tuple[Fraction, Fraction, int], step: int) -> Fraction:
    start, end, steps = curve
    return start + (end - start) * min(step, steps) / steps


def schedule(curve: tuple[Fraction, Fraction, int]) -> Linear:
    return Linear(float(curve[0]), float(curve[1]), curve[2])


def closed_form(step: int, at: int, join: str, warm: int) -> float:
    if step < at:
        return float(line(FIRST, step))
    present, then = line(FIRST, at), line(THEN, step - at)
    if join == "scale":
        return float(then * present / line(THEN, 0))
    if join == "shift":
        return float(then + present - line(THEN, 0))
    u = min(Fraction(step - at, warm), 1) if warm else 1
    return float((1 - u) * present + u * then)


@pytest.mark.parametrize("at", [0, 5, 16, 40])
@pytest.mark.parametrize(("join", "warm"), KINDS)
def test_every_later_rate_is_the_closed_form(join: Any, warm: int, at: int) -> None:
    optimizer = sgd()
    scheduler = Scheduler(optimizer, lr=schedule(FIRST))
    scheduler.last_epoch = at
    rates = scheduler.continue_with(schedule(THEN), join=join, warm=warm)
    assert rates.before == [closed_form(at - 1, at, join, warm) if at > 16 else float(line(FIRST, at))]
    for step in range(at, at + 20):
        assert held(optimizer) == [float32(closed_form(step, at, join, warm))]
        optimizer.step()
        scheduler.step()
    assert scheduler.last_epoch == at + 20


@pytest.mark.parametrize(("join", "warm"), KINDS)
def test_a_fused_update_goes_on_with_it(join: Any, warm: int) -> None:
    weight = nn.Parameter(torch.zeros(1))
    optimizer = SGD([weight], lr=0.1)
    scheduler = Scheduler(optimizer, lr=schedule(FIRST))
    update = fuse(optimizer, scheduler, backend="aot_eager")
    used = []
    for step in range(12):
        if step == 5:
            scheduler.continue_with(schedule(THEN), join=join, warm=warm)
        weight.data.zero_()
        weight.grad = torch.ones(1)
        update()
        used.append(-weight.item())
    assert used == [float32(closed_form(step, 5, join, warm)) for step in range(12)]


@pytest.mark.parametrize("optimizer_first", [True, False])
@pytest.mark.parametrize(("join", "warm"), KINDS)
def test_it_is_a_part_of_the_state(join: Any, warm: int, optimizer_first: bool) -> None:
    def build() -> tuple[Any, Scheduler]:
        optimizer = AdamW([nn.Parameter(torch.zeros(1))], lr=0.5)
        return optimizer, Scheduler(optimizer, lr=schedule(FIRST), on_change="strict")

    optimizer, scheduler = build()
    scheduler.last_epoch = 5
    scheduler.continue_with(schedule(THEN), join=join, warm=warm)
    optimizer.step()
    scheduler.step()
    saved = copy.deepcopy((optimizer.state_dict(), scheduler.state_dict()))
    for _ in range(2):  # of a resumed run, resumed again
        optimizer, scheduler = build()
        loads: list[tuple[Any, Any]] = [(optimizer, saved[0]), (scheduler, saved[1])]
        for one, state in loads if optimizer_first else loads[::-1]:
            one.load_state_dict(state)
        assert held(optimizer) == [float32(closed_form(6, 5, join, warm))]
        assert scheduler.peek(12) == [closed_form(12, 5, join, warm)]
        saved = copy.deepcopy((optimizer.state_dict(), scheduler.state_dict()))


def test_a_state_of_before_takes_it_back() -> None:
    optimizer = sgd()
    scheduler = Scheduler(optimizer, lr=schedule(FIRST))
    scheduler.last_epoch = 5
    before = copy.deepcopy((optimizer.state_dict(), scheduler.state_dict()))
    scheduler.continue_with(Constant(0.125))
    assert held(optimizer) == [0.125]
    optimizer.load_state_dict(before[0])
    scheduler.load_state_dict(before[1])
    assert held(optimizer) == [float(line(FIRST, 5))]


def test_one_after_the_other_and_every_key_for_itself() -> None:
    optimizer = sgd(groups=2)
    scheduler = Scheduler(optimizer, lr=Constant(1.0), weight_decay=Constant(0.5))
    scheduler.last_epoch = 4
    scheduler.continue_with(Linear(1.0, 0.0, 4), key="weight_decay", join="scale")
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    scheduler.last_epoch = 6
    assert scheduler.continue_with(Linear(2.0, 0.0, 8)) == ([1.0, 1.0], [2.0, 2.0])
    scheduler.last_epoch = 10
    assert scheduler.continue_with(Constant(4.0), warm=2) == ([1.0, 1.0], [1.0, 1.0])
    assert [scheduler.peek(step)[0] for step in (11, 12, 99)] == [2.5, 4.0, 4.0]
    assert [scheduler.peek(step, "weight_decay")[0] for step in (4, 6, 8)] == [0.5, 0.25, 0.0]


def test_it_starts_from_the_present_factor_of_a_plateau_and_follows_groups() -> None:
    plateau = Plateau(factor=0.5, patience=0)
    optimizer = sgd()
    scheduler = Scheduler(optimizer, lr=Constant(1.0) * plateau.scale)
    for loss in (1.0, 1.0):
        plateau.update(loss)
    assert scheduler.continue_with(Linear(1.0, 0.0, 4), join="scale") == ([0.5], [0.5])
    optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(1))]})
    scheduler.last_epoch = 2
    assert held(optimizer) == [0.25, 0.25]


def test_the_new_schedule_multiplies_the_own_numbers_too() -> None:
    optimizer = SGD([{"params": [nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (0.5, 0.25)], lr=1.0)
    scheduler = Scheduler(optimizer, lr_factor=Constant(1.0))
    assert scheduler.continue_with(Constant(0.5)) == ([0.5, 0.25], [0.25, 0.125])


MISTAKES: list[tuple[Any, type[Exception], str]] = [
    (lambda s: s.continue_with(0.1), OptimizerError, r"Scheduler\.continue_with\(schedule\): given 0\.1"),
    (lambda s: s.continue_with(Constant(0.1), join="glue"), ScheduleError, r"Scheduler\.continue_with\(join\)"),
    (lambda s: s.continue_with(Constant(0.1), warm=-1), ScheduleError, r"Scheduler\.continue_with\(warm\)"),
    (lambda s: s.continue_with(Constant(0.1), join="scale", warm=2), ScheduleError, '"jump" beside warm'),
    (lambda s: s.continue_with(Constant(0.1), key="momentum"), OptimizerError, "given 'momentum'; allowed: lr"),
    (lambda s: s.load_state_dict({"last_epoch": 2, "continued": "[3]"}), CheckpointError, "continued"),
    (lambda s: s.load_state_dict({"last_epoch": 2, "continued": '[{"key": "lr"}]'}), CheckpointError, "continued"),
]


@pytest.mark.parametrize(("mistake", "error", "text"), MISTAKES, ids=[row[2] for row in MISTAKES])
def test_a_mistake_changes_nothing(mistake: Any, error: type[Exception], text: str) -> None:
    optimizer = sgd()
    scheduler = Scheduler(optimizer, lr=schedule(FIRST))
    before = scheduler.state_dict()
    with pytest.raises(error, match=text):
        mistake(scheduler)
    assert scheduler.state_dict() == before
    assert held(optimizer) == [1.0]


def test_a_changed_schedule_says_how_far_the_rate_moves_and_says_it_again_at_the_next_step() -> None:
    before = Scheduler(sgd(), lr=Constant(0.5)).state_dict()
    optimizer = sgd()
    scheduler = Scheduler(optimizer, lr=Constant(0.25))
    with pytest.warns(TracelrWarning, match=r"the rate of the next update moves 0\.5 -> 0\.25"):
        scheduler.load_state_dict(before)
    with pytest.warns(TracelrWarning, match=r"Constant\.value 0\.5 -> 0\.25.* moves 0\.5 -> 0\.25") as caught:
        train(optimizer, scheduler, 3)
    assert len(caught) == 1
