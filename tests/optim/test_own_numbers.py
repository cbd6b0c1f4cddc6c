"""Whose number an update uses: that of the schedule, or the group's own times a factor; and who is told of it."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from support.optimizers import float32, held, weights
from torch import Tensor
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from tracelr import Assignment, Constant, Cosine, Linear, Scheduler, fuse
from tracelr.errors import OptimizerError, TracelrWarning

FALL = Linear(1.0, 0.0, 8)
OWN = (0.1, 0.01, 0.001)


def layers(lr: float | Tensor = 1e-3, own: tuple[float, ...] = OWN) -> SGD:
    return SGD([{"params": weights(), "lr": number} for number in own], lr=lr)


@pytest.mark.parametrize("fused", [False, True])
def test_a_factor_is_torchs_lambda_of_the_base_rates(fused: bool) -> None:
    ours, theirs = layers(), layers()
    scheduler, reference = Scheduler(ours, lr_factor=FALL), LambdaLR(theirs, lambda step: FALL(step).item())
    update = fuse(ours, scheduler, backend="aot_eager") if fused else None
    for group in ours.param_groups:
        group["params"][0].grad = torch.ones(2)
    for _ in range(4):
        assert held(ours) == held(theirs)
        if update is None:
            ours.step()
            scheduler.step()
        else:
            update()
        theirs.step()
        reference.step()
    assert [group["initial_lr"] for group in ours.param_groups] == [*OWN]


@pytest.mark.parametrize("optimizer_first", [True, False])
@pytest.mark.parametrize("times", [1, 2])
def test_a_factor_is_applied_once_whatever_is_loaded(optimizer_first: bool, times: int) -> None:
    before = layers()
    scheduler = Scheduler(before, lr_factor=FALL)
    for _ in range(3):
        before.step()
        scheduler.step()
    for _ in range(times):
        saved = copy.deepcopy((before.state_dict(), scheduler.state_dict()))
        before = layers()
        scheduler = Scheduler(before, lr_factor=FALL)
        loads: list[tuple[Any, Any]] = [(before, saved[0]), (scheduler, saved[1])]
        for one, state in loads if optimizer_first else loads[::-1]:
            one.load_state_dict(state)
    assert held(before) == [float32(own * FALL(3).item()) for own in OWN]


def test_a_second_scheduler_over_an_old_optimizer_multiplies_the_first_numbers() -> None:
    optimizer = layers()
    first = Scheduler(optimizer, lr_factor=Constant(0.5))
    optimizer.step()
    first.step()
    first.detach()
    second = Scheduler(optimizer, lr_factor=Constant(2.0))
    assert held(optimizer) == [float32(2 * own) for own in OWN]
    assert second.base_lrs == [*OWN]


def test_a_group_that_is_unfrozen_later_keeps_its_own_number() -> None:
    optimizer = layers(own=(0.5,))
    scheduler = Scheduler(optimizer, lr_factor=FALL)
    for _ in range(4):
        optimizer.step()
        scheduler.step()
    optimizer.add_param_group({"params": weights(), "lr": 0.25})
    optimizer.step()
    assert held(optimizer) == [0.25, 0.125]
    scheduler.step()
    assert held(optimizer) == [0.5 * FALL(5).item(), 0.25 * FALL(5).item()]


@pytest.mark.parametrize("name", ["weight_decay_factor", "momentum_factor"])
def test_every_factor_multiplies_the_number_that_the_group_was_made_with(name: str) -> None:
    key = name.removesuffix("_factor")
    groups = [{"params": weights(), key: number} for number in (0.5, 0.25)]
    optimizer = SGD(groups, lr=0.1, momentum=0.5, weight_decay=0.5)
    given: dict[str, Any] = {name: FALL}
    scheduler = Scheduler(optimizer, **given)
    for step in range(3):
        assert held(optimizer, key) == [0.5 * FALL(step).item(), 0.25 * FALL(step).item()]
        optimizer.step()
        scheduler.step()
    assert [group[f"initial_{key}"] for group in optimizer.param_groups] == [0.5, 0.25]


def test_a_factor_and_a_number_of_the_group_differ() -> None:
    optimizer = SGD([{"params": weights(), "lr": 0.5, "scale": 0.25}], lr=1.0)
    Scheduler(optimizer, [Assignment("lr", None, Constant(2.0), "scale")])
    assert held(optimizer) == [0.5]
    optimizer = SGD([{"params": weights(), "lr": 0.25, "scale": 0.25}], lr=1.0)
    Scheduler(optimizer, [Assignment("lr", None, Constant(2.0), "lr")])
    assert held(optimizer) == [0.5]


def told(build: Callable[[], object]) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        kept = build()
    assert kept is not None
    assert {one.category for one in caught} <= {TracelrWarning}
    return [str(one.message) for one in caught]


def test_numbers_that_are_overwritten_are_said_once_with_the_remedies() -> None:
    (text,) = told(lambda: Scheduler(layers(), lr=FALL))
    assert text == (
        "tracelr: one schedule drives lr of every group: it overwrites the number of the param groups (0.1, 0.01, 0.001). "
        "lr_factor=<schedule> multiplies the number of each group, lr=[...] has one schedule for each"
    )


def tagged(tag: str) -> Optimizer:
    return SGD([{"params": weights(), "lr": 0.5}, {"params": weights(), "lr": 0.25, "tags": tag}], lr=1.0)


SILENT: dict[str, Callable[[], object]] = {
    "the same number": lambda: Scheduler(layers(own=(0.1, 0.1)), lr=FALL),
    "one group": lambda: Scheduler(layers(own=(0.1,)), lr=FALL),
    "a factor": lambda: Scheduler(layers(), lr_factor=FALL),
    "a list": lambda: Scheduler(layers(), lr=[FALL, None, FALL]),
    "a tag": lambda: Scheduler(tagged("a"), [Assignment("lr", ("a",), FALL)]),
    "another key": lambda: Scheduler(layers(), weight_decay=FALL),
}


@pytest.mark.parametrize("case", SILENT)
def test_nothing_is_said_where_nothing_is_lost(case: str) -> None:
    assert told(SILENT[case]) == []


def test_a_list_leaves_alone_what_has_none() -> None:
    optimizer = layers()
    scheduler = Scheduler(optimizer, lr=[None, FALL, None])
    optimizer.step()
    scheduler.step()
    assert held(optimizer) == [float32(0.1), FALL(1).item(), float32(0.001)]


@pytest.mark.parametrize("tag", ["norm", ("norm",), ["other", "norm"]])
def test_a_tag_is_one_tag_as_a_string_or_in_a_list(tag: Any) -> None:
    optimizer = tagged("norm")
    Scheduler(optimizer, [Assignment("lr", tag, FALL)])
    assert held(optimizer) == [0.5, 1.0]
    optimizer = tagged("n")
    with pytest.raises(OptimizerError, match=r"Assignment\.tags"):
        Scheduler(optimizer, [Assignment("lr", tag, FALL)])


def test_a_weight_decay_of_0_beside_others_stays_0() -> None:
    def decays(*own: float, tag: str = "") -> Optimizer:
        return AdamW([{"params": weights(), "weight_decay": one, "tags": tag} for one in own], lr=0.1)

    rise = Cosine(0.5, 0.25, 8)
    optimizer = decays(0.1, 0.0, 0.1)
    scheduler = Scheduler(optimizer, weight_decay=rise)
    assert held(optimizer, "weight_decay") == [0.5, 0.0, 0.5]
    optimizer.add_param_group({"params": weights(), "weight_decay": 0.0})
    optimizer.step()
    scheduler.step()
    assert held(optimizer, "weight_decay") == [rise(1).item(), 0.0, rise(1).item(), 0.0]

    optimizer = decays(0.0, 0.0)
    Scheduler(optimizer, weight_decay=rise)
    assert held(optimizer, "weight_decay") == [0.5, 0.5]

    optimizer = decays(0.1, 0.0, tag="a")
    Scheduler(optimizer, [Assignment("weight_decay", ("a",), rise)])
    assert held(optimizer, "weight_decay") == [0.5, 0.5]


@pytest.mark.parametrize("name", ["scal", "learning_rate", "initial"])
def test_a_factor_that_no_group_has_is_an_error(name: str) -> None:
    optimizer = layers()
    with pytest.raises(OptimizerError, match=rf"Assignment\.factor: given '{name}'") as caught:
        Scheduler(optimizer, [Assignment("lr", None, FALL, name)])
    assert 'pass factor="lr"' in str(caught.value)
    assert held(optimizer) == [*map(float32, OWN)]
