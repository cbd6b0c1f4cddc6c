"""Schedules for any number of any param groups: keys, tags, factors, and their checkpoints."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from support.optimizers import float32
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from tracelr import Assignment, Constant, Cosine, Linear, Schedule, Scheduler
from tracelr.errors import CheckpointError, OptimizerError, show

RATE = Linear(0.0, 1e-2, 5).then(Cosine(1e-2, 1e-4, 600))
DECAY = Linear(0.04, 0.4, 100)


def groups(*extra: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"params": [nn.Parameter(torch.ones(2))], **one} for one in extra]


def adamw(*extra: dict[str, Any]) -> Optimizer:
    return AdamW(groups(*extra), lr=0.1, weight_decay=0.01)


def held(optimizer: Optimizer, key: str) -> list[Any]:
    return [group[key] for group in optimizer.param_groups]


def used(optimizer: Optimizer, key: str) -> list[float]:
    return [float32(group[key]) for group in optimizer.param_groups]


def test_every_key_follows_its_own_schedule() -> None:
    optimizer = adamw({}, {})
    scheduler = Scheduler(optimizer, lr=RATE, weight_decay=DECAY, betas=(None, Linear(0.9, 0.99, 10)))
    for step in range(300):
        assert used(optimizer, "lr") == [RATE(step).item()] * 2
        assert used(optimizer, "weight_decay") == [DECAY(step).item()] * 2
        assert [first for first, _ in held(optimizer, "betas")] == [0.9] * 2
        assert [float32(second) for _, second in held(optimizer, "betas")] == [Linear(0.9, 0.99, 10)(step).item()] * 2
        optimizer.step()
        scheduler.step()
    assert scheduler.get_last_lr() == held(optimizer, "lr")
    assert used(optimizer, "lr") == [RATE(300).item()] * 2


def test_momentum_and_one_schedule_a_group() -> None:
    optimizer = SGD(groups({}, {}), lr=0.1, momentum=0.5)
    Scheduler(optimizer, momentum=[Constant(0.8), Constant(0.25)])
    assert held(optimizer, "momentum") == [0.8, 0.25]
    assert held(optimizer, "lr") == [0.1, 0.1]


def test_a_rate_without_a_schedule_is_left_alone_and_reported() -> None:
    optimizer = adamw({"tags": "a"}, {"lr": 0.5})
    scheduler = Scheduler(optimizer, [Assignment("lr", ("a",), RATE)])
    optimizer.step()
    scheduler.step()
    assert scheduler.get_last_lr() == scheduler.get_lr() == held(optimizer, "lr")
    assert used(optimizer, "lr") == [RATE(1).item(), 0.5]


def test_tags_pick_groups() -> None:
    optimizer = adamw({"tags": "a"}, {"tags": ["b", "c"]}, {}, {"tags": []})
    Scheduler(optimizer, [Assignment("lr", ("a", "c"), Constant(1.0)), Assignment("lr", (None,), Constant(2.0))])
    assert held(optimizer, "lr") == [1.0, 1.0, 2.0, 0.1]
    assert held(optimizer, "weight_decay") == [0.01] * 4


@pytest.mark.parametrize("tensors", [False, True], ids=["floats", "tensors"])
def test_a_factor_multiplies_before_the_one_rounding(tensors: bool) -> None:
    optimizer = adamw({"adjust": 0.3}, {"adjust": 0.7}, {})
    if tensors:
        for group in optimizer.param_groups:
            group["lr"] = torch.tensor(0.1)
    scheduler = Scheduler(optimizer, [Assignment("lr", None, RATE, "adjust")])
    for step in range(1, 20):
        optimizer.step()
        scheduler.step()
        assert used(optimizer, "lr") == [(RATE * 0.3)(step).item(), (RATE * 0.7)(step).item(), RATE(step).item()]
        assert scheduler.get_last_lr() == [float(lr) for lr in held(optimizer, "lr")]


def test_factors_in_a_compiled_region_are_the_bits_of_eager_and_evaluate_once() -> None:
    graphs: list[torch.fx.GraphModule] = []

    def keep(graph: torch.fx.GraphModule, _: Any) -> Callable[..., Any]:
        graphs.append(graph)
        return graph.forward

    optimizer = adamw({"adjust": 0.3}, {"adjust": 0.7}, {})
    for group in optimizer.param_groups:
        group["lr"] = torch.tensor(0.1)
    scheduler = Scheduler(optimizer, [Assignment("lr", None, Cosine(1e-2, 1e-4, 600), "adjust")])
    region = torch.compile(lambda: scheduler.step(), fullgraph=True, backend=keep)
    for step in range(1, 20):
        region()
        wanted = [(Cosine(1e-2, 1e-4, 600) * f)(step).item() for f in (0.3, 0.7, 1.0)]
        assert [lr.item() for lr in held(optimizer, "lr")] == wanted
    assert sum("sin" in str(node.target) for node in graphs[0].graph.nodes) == 1


def test_a_group_added_later_is_picked_up_by_its_tags_and_has_its_own_tensor() -> None:
    lr = torch.tensor(0.1)
    optimizer = AdamW(groups({"tags": "a"}), lr=lr)
    scheduler = Scheduler(optimizer, [Assignment("lr", ("a",), RATE)])
    optimizer.add_param_group(groups({"tags": "a"})[0])
    optimizer.add_param_group(groups({"tags": "b"})[0])
    scheduler.step()
    rates = held(optimizer, "lr")
    assert [rate.item() for rate in rates[:2]] == [RATE(1).item()] * 2
    assert len(set(map(id, rates))) == 3
    assert rates[0] is lr
    left = rates[2].item()
    scheduler.step()
    assert rates[2].item() == left


def test_a_group_without_a_schedule_does_not_share_a_scheduled_tensor() -> None:
    optimizer = AdamW(groups({}, {"tags": "a"}), lr=torch.tensor(0.5))
    Scheduler(optimizer, [Assignment("lr", ("a",), Constant(1.0))])
    assert [rate.item() for rate in held(optimizer, "lr")] == [0.5, 1.0]


def test_what_load_returns_goes_in_as_it_is() -> None:
    optimizer = adamw({})
    Scheduler(optimizer, Constant(0.25))
    assert held(optimizer, "lr") == [0.25]


def test_tensors_under_any_key_keep_their_identity() -> None:
    beta, decay = torch.tensor(0.9), torch.tensor(0.01)
    optimizer = AdamW(groups({}), betas=(beta, torch.tensor(0.99)), weight_decay=0.0)
    optimizer.param_groups[0]["weight_decay"] = decay
    scheduler = Scheduler(optimizer, weight_decay=DECAY, betas=(Linear(0.9, 0.8, 10), None))
    scheduler.step()
    optimizer.load_state_dict(optimizer.state_dict())
    scheduler.step()
    group = optimizer.param_groups[0]
    assert group["betas"][0] is beta
    assert group["weight_decay"] is decay
    assert (beta.item(), decay.item()) == (Linear(0.9, 0.8, 10)(2).item(), DECAY(2).item())


def saved(scheduler: Scheduler) -> Any:
    file = io.BytesIO()
    torch.save(scheduler.state_dict(), file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def build(decay: Schedule, on_change: Any = "new", weight_decay: float = 0.01) -> tuple[Optimizer, Scheduler]:
    optimizer = AdamW(groups({"tags": "a", "adjust": 0.5}, {"tags": "b"}), lr=0.1, weight_decay=weight_decay)
    given = [Assignment("lr", None, RATE, "adjust"), Assignment("weight_decay", ("b",), decay)]
    return optimizer, Scheduler(optimizer, given, on_change=on_change)


def test_a_checkpoint_holds_every_key() -> None:
    _, before = build(DECAY)
    before.last_epoch = 7
    optimizer, after = build(DECAY)
    after.load_state_dict(saved(before))
    assert used(optimizer, "lr") == [(RATE * 0.5)(7).item(), RATE(7).item()]
    assert used(optimizer, "weight_decay") == [float32(0.01), DECAY(7).item()]
    assert after.state_dict() == before.state_dict()


def test_a_changed_schedule_of_any_key_is_reported() -> None:
    state = saved(build(DECAY)[1])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        optimizer, scheduler = build(Constant(0.25))
        scheduler.load_state_dict(state)
    change = "weight_decay of group 1: Linear(start=0.04, end=0.4, steps=100) -> Constant(value=0.25)"
    assert change in str(caught[0].message)
    assert held(optimizer, "weight_decay") == [0.01, 0.25]
    with pytest.raises(CheckpointError, match="given weight_decay of group 1: Linear"):
        build(Constant(0.25), "strict")[1].load_state_dict(state)
    optimizer, scheduler = build(Constant(0.25), "checkpoint")
    scheduler.load_state_dict(state)
    assert held(optimizer, "weight_decay") == [0.01, 0.04]
    assert used(optimizer, "lr") == [(RATE * 0.5)(0).item(), RATE(0).item()]


A = Assignment("lr", ("a",), RATE)
NUMBERS = "lr, eps, weight_decay, betas[0], betas[1]"
MISTAKES: list[tuple[Callable[[], object], str]] = [
    (
        lambda: Scheduler(adamw({})),
        "Scheduler(optimizer): given nothing to schedule; allowed: a schedule for at least one key; "
        "to fix it: pass lr=<schedule>.",
    ),
    (
        lambda: Scheduler(adamw({}), [RATE]),  # type: ignore[list-item]
        f"Scheduler(assignments): given {str([RATE])[:77]}...; allowed: a schedule, or a list of tracelr.Assignment; "
        "to fix it: pass lr=<schedule>, or what tracelr.load returned.",
    ),
    (
        lambda: Scheduler(adamw({}), [Assignment("lr", None, 0.1)]),  # type: ignore[arg-type]
        "Assignment.schedule: given 0.1; allowed: a schedule; to fix it: pass Constant(...) for a number.",
    ),
    (
        lambda: Scheduler(adamw({"tags": "b"}, {}), [A]),
        "Assignment.tags: given ('a',); allowed: tags of the param groups: 'b'; "
        'to fix it: put "tags" into the param groups.',
    ),
    (
        lambda: Scheduler(adamw({}), [A]),
        "Assignment.tags: given ('a',); allowed: tags of the param groups: no group has any; "
        'to fix it: put "tags" into the param groups.',
    ),
    (
        lambda: Scheduler(adamw({"tags": ["a", "b"]}), [A, Assignment("lr", ("b",), Constant(0.1))]),
        "Scheduler: lr of group 0: given both Linear(start=0.0, end=0.01, ste... and Constant(value=0.1);"
        " allowed: one schedule; to fix it: give them different tags, or leave one out.",
    ),
    (
        lambda: Scheduler(adamw({}), momentum=RATE),
        f"Scheduler: momentum of group 0: given 'momentum'; allowed: {NUMBERS}; to fix it: use a key that the group has.",
    ),
    (
        lambda: Scheduler(adamw({}), [Assignment("betas[2]", None, RATE)]),
        f"Scheduler: betas[2] of group 0: given 'betas[2]'; allowed: {NUMBERS}; to fix it: use a key that the group has.",
    ),
    (
        lambda: Scheduler(adamw({}), [Assignment("foreach", None, RATE)]),
        "Scheduler: foreach of group 0: given None; allowed: a number to be set; to fix it: use a key that holds one.",
    ),
    (
        lambda: Scheduler(adamw({}), [Assignment("betas.0", None, RATE)]),
        "Scheduler(key): given 'betas.0'; allowed: a key of the param groups, such as \"lr\", or one with an index, such as "
        '"betas[0]"; to fix it: write it in one of these forms.',
    ),
    (
        lambda: Scheduler(adamw({}), betas=RATE),  # type: ignore[arg-type]
        f"Scheduler(betas): given {show(RATE)}; allowed: a pair of schedules, of which one may be None; "
        "to fix it: pass betas=(<schedule>, None) for the first.",
    ),
    (
        lambda: Scheduler(adamw({"adjust": "x"}), [Assignment("lr", None, RATE, "adjust")]),
        "Scheduler: adjust of a param group: given 'x'; allowed: a finite number within the float32 range; "
        "to fix it: remove the quotes.",
    ),
]


@pytest.mark.parametrize(("mistake", "message"), MISTAKES, ids=[m[1].split(";")[0][:60] for m in MISTAKES])
def test_the_message(mistake: Callable[[], object], message: str) -> None:
    with pytest.raises(OptimizerError) as caught:
        mistake()
    assert str(caught.value) == message
