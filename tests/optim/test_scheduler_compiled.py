"""A scheduler in a compiled region: the same call, the same count, one evaluation."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from support.optimizers import RATE, sgd

from tracelr import Cosine, Scheduler, _torch


def test_a_compiled_region_steps_with_the_same_call() -> None:
    optimizer = sgd(torch.tensor(0.1), groups=2)
    scheduler = Scheduler(optimizer, lr=RATE)
    region = torch.compile(lambda: scheduler.step(), fullgraph=True, backend="aot_eager")
    for count in range(1, 4):
        region()
        assert scheduler.last_epoch == count
        assert scheduler.get_last_lr() == [RATE(count).item()] * 2
        assert [group["lr"].item() for group in optimizer.param_groups] == [RATE(count).item()] * 2
    scheduler.step()  # eager code continues from that step
    assert scheduler.last_epoch == 4
    assert optimizer.param_groups[0]["lr"].item() == RATE(4).item()


def test_a_copy_counts_for_itself() -> None:
    first = Scheduler(sgd(torch.tensor(0.1)), lr=RATE)
    first.step()
    second = copy.deepcopy(first)
    torch.compile(lambda: second.step(), fullgraph=True, backend="eager")()
    assert (first.last_epoch, second.last_epoch) == (1, 2)
    assert second.get_last_lr() == [second.optimizer.param_groups[0]["lr"].item()] == [RATE(2).item()]
    held = second.optimizer.param_groups[0]["lr"]
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    assert second.optimizer.param_groups[0]["lr"] is held
    assert held.item() == RATE(2).item()


def test_a_compiled_region_evaluates_a_shared_schedule_once() -> None:
    graphs: list[torch.fx.GraphModule] = []

    def keep(graph: torch.fx.GraphModule, _: Any) -> Callable[..., Any]:
        graphs.append(graph)
        return graph.forward

    scheduler = Scheduler(sgd(torch.tensor(0.1), groups=4), lr=Cosine(1.0, 0.0, 10))
    torch.compile(lambda: scheduler.step(), fullgraph=True, backend=keep)()
    assert sum("sin" in str(node.target) for node in graphs[0].graph.nodes) == 1
    assert sum("copy_" in str(node.target) for node in graphs[0].graph.nodes) == 4


def test_a_float_rate_in_a_compiled_region_is_an_error() -> None:
    scheduler = Scheduler(sgd(0.1), lr=RATE)
    # Dynamo shows the arguments, not the message; that of torch 2.6 the types of some, that of 2.8 only that there is an error,
    # and that of 2.11 its class.
    error = (
        r"OptimizerError.*'Scheduler.step\(\) in a compiled region'.*a tensor lr'.*'call torch.compile through tracelr.fuse"
    )
    with pytest.raises(Exception, match=error if not (2, 7) <= _torch.RELEASE < (2, 13) else f"Observed exception|{error}"):
        torch.compile(lambda: scheduler.step(), fullgraph=True, backend="eager")()
