"""Cerebras schedulers and param groups: tags pick groups, factors scale them, lr and weight decay are separate."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tracelr import _torch, fuse
from tracelr.lr_scheduler import ChainedLR, ConstantLR, LinearLR, ScalePerParamLR, SequentialLR
from tracelr.weight_decay_scheduler import ConstantWD, LinearWD, ScalePerParamWD, SequentialWD


def groups(*extra: dict[str, object], lr: float = 1.0) -> torch.optim.SGD:
    made = [{"params": [nn.Parameter(torch.ones(3))], **keys} for keys in extra]
    return torch.optim.SGD(made, lr=lr, weight_decay=0.5)


def held(optimizer: torch.optim.Optimizer, key: str = "lr") -> list[float]:
    return [float(group[key]) for group in optimizer.param_groups]


@pytest.mark.parametrize(
    ("tags", "driven"),
    [
        (None, [0, 1, 2, 3]),
        ("a", [0, 1]),
        (["a"], [0, 1]),
        (["b", "a"], [0, 1, 2]),
        ({"b"}, [1, 2]),
        ([None], [3]),
        ([None, "b"], [1, 2, 3]),
    ],
)
def test_tags_pick_groups(tags, driven):
    optimizer = groups({"tags": "a"}, {"tags": ["a", "b"]}, {"tags": ["b"]}, {})
    scheduler = LinearLR(optimizer, 0.25, 0.0, 2, param_group_tags=tags)
    assert held(optimizer) == [0.25 if k in driven else 1.0 for k in range(4)]
    optimizer.step()
    scheduler.step()
    assert held(optimizer) == [0.125 if k in driven else 1.0 for k in range(4)]
    assert scheduler.get_last_lr() == held(optimizer)


def test_several_schedulers_share_an_optimizer():
    optimizer = groups({"tags": "a"}, {})
    tagged = LinearLR(optimizer, 1.0, 0.0, 4, param_group_tags="a")
    others = ConstantLR(optimizer, 0.125, param_group_tags=[None])
    decay = LinearWD(optimizer, 0.0, 1.0, 4)
    for _ in range(2):
        optimizer.step()
        for scheduler in (tagged, others, decay):
            scheduler.step()
    assert held(optimizer) == [0.5, 0.125]
    assert held(optimizer, "weight_decay") == [0.5, 0.5]


def test_a_sequence_has_the_tags_of_its_children():
    optimizer = groups({"tags": "a"}, {})
    unbound = SequentialLR([LinearLR(0.0, 0.5, 2), ConstantLR(0.5, param_group_tags="a")], param_group_tags="a")
    assert unbound.param_group_tags == ("a",)
    scheduler = unbound.bind(optimizer)
    assert scheduler.param_group_tags == ("a",)
    scheduler.step()
    assert held(optimizer) == [0.25, 1.0]


def test_bound_children_may_have_the_tags_in_any_order():
    optimizer = groups({"tags": "a"}, {"tags": "b"}, {})
    children = [LinearLR(optimizer, 0.0, 0.5, 2, param_group_tags=["a", "b"]), ConstantLR(0.5)]
    SequentialLR(optimizer, children, param_group_tags=["b", "a"])
    assert held(optimizer) == [0.0, 0.0, 1.0]


def test_weight_decay_schedulers_have_tags_too():
    optimizer = groups({"tags": "a"}, {})
    SequentialWD(optimizer, [ConstantWD(0.25, 2), ConstantWD(0.125)], param_group_tags=[None])
    assert held(optimizer, "weight_decay") == [0.5, 0.25]


def test_a_factor_of_the_group_multiplies():
    optimizer = groups({"adjust_learning_rate": 0.5}, {"adjust_learning_rate": 0.25, "adjust_val": 3.0}, {})
    scheduler = ScalePerParamLR(optimizer, SequentialLR([LinearLR(0.0, 1.0, 2), ConstantLR(1.0)]))
    decay = ScalePerParamWD(LinearWD(1.0, 0.0, 2)).bind(optimizer)
    assert held(optimizer, "weight_decay") == [1.0, 3.0, 1.0]
    optimizer.step()
    scheduler.step()
    decay.step()
    assert held(optimizer) == [0.25, 0.125, 0.5]
    assert held(optimizer, "weight_decay") == [0.5, 1.5, 0.5]


def test_a_factor_of_the_group_applies_only_with_the_tag():
    optimizer = groups({"tags": "a", "adjust_learning_rate": 0.5}, {"adjust_learning_rate": 0.25})
    ScalePerParamLR(optimizer, ConstantLR(0.5), param_group_tags="a")
    assert held(optimizer) == [0.25, 1.0]


def test_the_inner_scheduler_may_be_bound_already():
    optimizer = groups({"adjust_learning_rate": 0.5}, {})
    ScalePerParamLR(optimizer, LinearLR(optimizer, 0.5, 0.0, 4))
    assert held(optimizer) == [0.25, 0.5]


def test_a_checkpoint_keeps_tags_and_factors():
    def build() -> tuple[torch.optim.SGD, ScalePerParamLR]:
        optimizer = groups({"tags": "a", "adjust_learning_rate": 0.5}, {})
        return optimizer, ScalePerParamLR(optimizer, LinearLR(1.0, 0.0, 4), param_group_tags="a")

    (first, scheduler), (second, resumed) = build(), build()
    for _ in range(3):
        first.step()
        scheduler.step()
    resumed.load_state_dict(scheduler.state_dict())
    assert held(second) == [0.125, 1.0]


@pytest.mark.skipif(_torch.RELEASE < (2, 6), reason="fuse needs torch 2.6")
def test_it_goes_into_the_compiled_update():
    optimizer = groups({"tags": "a"}, {})
    update = fuse(optimizer, ChainedLR(optimizer, [LinearLR(0.5, 0.0, 4), ConstantLR(3.0)], param_group_tags="a"))
    for group in optimizer.param_groups:
        group["params"][0].grad = torch.ones(3)
    update()
    update()
    assert held(optimizer) == [0.25, 1.0]
