"""The unit of a step, skipped updates, and values at later steps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.optimizers import RATE, float32, held, sgd
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from tracelr import Assignment, Linear, Scheduler
from tracelr.errors import OptimizerError


def rate(optimizer: Optimizer) -> float:
    return held(optimizer)[0]


@pytest.mark.parametrize("lr", [0.1, torch.tensor(0.1)], ids=["float", "tensor"])
def test_the_unit_may_be_tokens(lr: float | Tensor) -> None:
    optimizer = sgd(lr)
    tokens = Linear(0.0, 1.0, 10**12)
    scheduler = Scheduler(optimizer, lr=tokens)
    for batch in (2**20, 2**21, torch.tensor(2**22)):
        optimizer.step()
        scheduler.step(increment=batch)
    assert scheduler.last_epoch == 7 * 2**20
    assert rate(optimizer) == tokens(7 * 2**20).item()


@pytest.mark.parametrize("lr", [0.1, torch.tensor(0.1)], ids=["float", "tensor"])
@pytest.mark.parametrize("skipped", [True, 1.0, torch.tensor(1.0), torch.tensor([1.0])], ids=str)
def test_a_skipped_update_does_not_advance(lr: float | Tensor, skipped: Any) -> None:
    optimizer = sgd(lr)
    scheduler = Scheduler(optimizer, lr=RATE)
    seen = []
    for found in (0.0, skipped, torch.tensor(0.0), False, skipped, None):
        optimizer.step()
        scheduler.step(found_inf=found)
        seen.append((scheduler.last_epoch, rate(optimizer)))
    assert [count for count, _ in seen] == [1, 1, 2, 3, 3, 4]
    assert all(value == RATE(count).item() for count, value in seen)


def test_in_a_compiled_region_neither_needs_the_host() -> None:
    graphs: list[torch.fx.GraphModule] = []

    def keep(graph: torch.fx.GraphModule, _: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    optimizer = sgd(torch.tensor(0.1))
    scheduler = Scheduler(optimizer, lr=RATE)

    def region(tokens: Tensor, found: Tensor) -> None:
        scheduler.step(increment=tokens, found_inf=found)

    compiled = torch.compile(region, fullgraph=True, backend=keep)
    for found, tokens, count in ((0.0, 3, 3), (1.0, 5, 3), (0.0, 4, 7)):
        compiled(torch.tensor(tokens), torch.tensor(found))
        assert scheduler.last_epoch == count
        assert rate(optimizer) == RATE(count).item()
    assert len(graphs) == 1
    assert not any("item" in str(node.target) for node in graphs[0].graph.nodes)


def test_a_gradient_scalers_verdict_is_followed() -> None:
    optimizer = sgd()
    scheduler = Scheduler(optimizer, lr=RATE)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    weight = optimizer.param_groups[0]["params"][0]
    made = 0
    for step in range(6):
        optimizer.zero_grad()
        scaler.scale((weight * (float("inf") if step % 3 == 1 else 1.0)).sum()).backward()
        scaler.unscale_(optimizer)
        (found,) = scaler._found_inf_per_device(optimizer).values()
        made += not found.item()
        scaler.step(optimizer)
        scheduler.step(found_inf=found)
        scaler.update()
    assert (made, scheduler.last_epoch) == (4, 4)
    assert rate(optimizer) == RATE(4).item()


def test_looking_ahead_touches_nothing() -> None:
    optimizer = AdamW([{"params": [nn.Parameter(torch.ones(1))], "tags": tag} for tag in "ab"], lr=torch.tensor(0.5))
    scheduler = Scheduler(optimizer, [Assignment("lr", ("a",), RATE), Assignment("weight_decay", None, RATE)])
    optimizer.step()
    scheduler.step()
    before = [dict(group) for group in optimizer.param_groups]
    steps = torch.arange(3, 900, 7)
    assert torch.equal(scheduler.curve(3, 900, 7), torch.stack([RATE(steps), torch.full(steps.shape, 0.5)]))
    assert torch.equal(scheduler.curve(3, 900, 7, key="weight_decay"), torch.stack([RATE(steps)] * 2))
    assert scheduler.peek(300) == [RATE(300).item(), 0.5]
    assert scheduler.last_epoch == 1
    assert [dict(group) for group in optimizer.param_groups] == before
    with pytest.raises(OptimizerError) as caught:
        scheduler.peek(3, key="momentum")
    assert str(caught.value) == (
        "Scheduler.curve(key): given 'momentum'; allowed: lr, weight_decay; to fix it: use a key that has a schedule."
    )


def test_a_removed_group_is_forgotten() -> None:
    optimizer = AdamW([{"params": [nn.Parameter(torch.ones(1))]} for _ in range(3)])
    scheduler = Scheduler(optimizer, lr=RATE)
    del optimizer.param_groups[2]
    optimizer.step()
    scheduler.step()
    assert [*map(float32, scheduler.get_last_lr())] == [RATE(1).item()] * 2
