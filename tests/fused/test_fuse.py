"""The update and the schedule are one graph, and train as the uncompiled update and schedule do."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from support.optimizers import float32
from support.resumed_training import STEPS, train
from torch import Tensor, nn
from torch._dynamo.utils import counters
from torch.optim import SGD, AdamW, Optimizer

from tracelr import Cosine, Linear, Scale, Schedule, Scheduler, fuse
from tracelr.errors import OptimizerError
from tracelr.schedules.base import DEEPEST

RATE = Linear(0.0, 1e-2, 20).then(Cosine(1e-2, 1e-4, 150))
Make = Callable[[list[nn.Parameter]], Optimizer]
OPTIMIZERS: dict[str, Make] = {
    "adamw": lambda p: AdamW(p),
    "adamw_tensor": lambda p: AdamW(p, lr=torch.tensor(0.1)),
    "adamw_groups": lambda p: AdamW([{"params": p[:2]}, {"params": p[2:], "weight_decay": 0.0}]),
    "sgd": lambda p: SGD(p, lr=0.1),
    "sgd_momentum": lambda p: SGD(p, lr=0.1, momentum=0.9),
    "sgd_dampened": lambda p: SGD(p, lr=torch.tensor(0.1), momentum=0.9, dampening=0.1),
}


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))


def backward(model: nn.Module, step: int) -> None:
    x = torch.randn(4, 8, generator=torch.Generator().manual_seed(step))
    model(x).square().mean().backward()


def rates(optimizer: Optimizer) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]


@pytest.mark.parametrize(
    ("backend", "name"),
    [
        *(("aot_eager", name) for name in OPTIMIZERS),
        ("inductor", "adamw_groups"),  # Inductor has all of them below
        *(pytest.param("inductor", name, marks=pytest.mark.slow) for name in OPTIMIZERS if name != "adamw_groups"),
    ],
)
def test_one_graph_no_breaks_no_recompiles(backend: str, name: str) -> None:
    make = OPTIMIZERS[name]
    counters.clear()
    model = network()
    optimizer = make(list(model.parameters()))
    scheduler = Scheduler(optimizer, lr=RATE)
    update = fuse(optimizer, scheduler, backend=backend)
    tensors = [group["lr"] for group in optimizer.param_groups]
    seen = []

    def one(step: int) -> None:
        optimizer.zero_grad()
        backward(model, step)
        seen.append(rates(optimizer))
        update()

    train(optimizer, scheduler, one)
    assert scheduler.last_epoch == STEPS
    assert all(a is group["lr"] for a, group in zip(tensors, optimizer.param_groups, strict=True))
    assert seen == [[rate] * len(tensors) for rate in RATE(torch.arange(STEPS)).tolist()]


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_the_same_weights_as_uncompiled(make: Make) -> None:
    compiled, plain = network(), network()
    optimizers = make(list(compiled.parameters())), make(list(plain.parameters()))
    schedulers = [Scheduler(optimizer, lr=RATE) for optimizer in optimizers]
    update = fuse(optimizers[0], schedulers[0])
    for step in range(50):
        for model, optimizer in zip((compiled, plain), optimizers, strict=True):
            optimizer.zero_grad()
            backward(model, step)
        update()
        optimizers[1].step()
        schedulers[1].step()
        assert rates(optimizers[0]) == list(map(float32, rates(optimizers[1])))
    for a, b in zip(compiled.parameters(), plain.parameters(), strict=True):
        # compiled Adam corrects its bias in float32, eager Adam in Python floats: up to 1e-5, whatever the schedule
        assert torch.allclose(a, b, rtol=0, atol=2e-5)


@pytest.mark.parametrize("backend", ["eager", "inductor"])
def test_a_rate_of_zero_leaves_weights_without_gradients_alone(backend: str) -> None:
    # torch's formula, as Dynamo traces it, gives 0 / -0 here: a warm-up from 0 would turn every unused weight into NaN
    weight = nn.Parameter(torch.tensor([1.0, 1.0, 0.0]))
    optimizer = AdamW([weight], weight_decay=0.0)
    scheduler = Scheduler(optimizer, lr=Linear(0.0, 0.5, 2).then(Linear(0.5, 0.0, 2)))
    update = fuse(optimizer, scheduler, backend=backend)
    held = []
    for _ in range(6):
        weight.grad = torch.tensor([1.0, 0.0, 0.0])
        update()
        held.append(weight.detach().clone())
    assert torch.equal(held[0], torch.tensor([1.0, 1.0, 0.0]))
    assert held[1][0] < 1.0
    assert torch.equal(held[5], held[3])
    assert held[5][1:].tolist() == [1.0, 0.0]
    assert scheduler.get_last_lr() == [0.0]


def test_fusing_many_pairs_does_not_exhaust_dynamo() -> None:
    counters.clear()
    for k in range(10):  # Dynamo's limit is 8 variants of one code object
        weight = nn.Parameter(torch.ones(k + 1))
        optimizer = SGD([weight], lr=0.1)
        update = fuse(optimizer, Scheduler(optimizer, lr=RATE), backend="eager")
        weight.grad = torch.ones_like(weight)
        update()
    assert counters["stats"]["unique_graphs"] == 10


def test_one_pairs_numbers_are_no_inputs_of_another() -> None:
    for decay in (0.01, 0.02, 0.03):  # Dynamo makes an input of a number that has changed, if it takes the regions for one
        weight = nn.Parameter(torch.ones(2))
        weight.grad = torch.ones(2)
        optimizer = AdamW([weight], weight_decay=decay)
        update = fuse(optimizer, Scheduler(optimizer, lr=RATE), backend="eager")
        update()
        assert "item" not in update.capture()[0].code


def test_the_schedule_is_in_the_graph_and_the_rate_is_no_constant() -> None:
    graphs: list[torch.fx.GraphModule] = []

    def keep(graph: torch.fx.GraphModule, _: Any) -> Callable[..., Any]:
        graphs.append(graph)
        return graph.forward

    weight = nn.Parameter(torch.ones(2))
    optimizer = SGD([weight], lr=0.1)
    update = fuse(optimizer, Scheduler(optimizer, lr=Cosine(0.5, 0.0, 4)), backend=keep)
    weight.grad = torch.ones(2)
    update()
    update()
    targets = [str(node.target) for node in graphs[0].graph.nodes]
    assert sum("sin" in target for target in targets) == 1
    assert not any("item" in target for target in targets)
    moved = torch.tensor(1.0) - Cosine(0.5, 0.0, 4)(torch.arange(2)).sum()
    assert torch.equal(weight.detach(), moved.expand(2))


def fused(optimizer: Optimizer, scheduler: Any = None) -> object:
    return fuse(optimizer, scheduler or Scheduler(optimizer, lr=RATE))


MISTAKES: list[tuple[Callable[[nn.Parameter], object], str]] = [
    (
        lambda w: fuse("adam", None),  # type: ignore[arg-type]
        "fuse(optimizer): given 'adam'; allowed: a torch.optim.Optimizer; to fix it: pass one, such as AdamW or SGD.",
    ),
    (
        lambda w: fuse(SGD([w], lr=0.1), None),  # type: ignore[arg-type]
        "fuse(scheduler): given None; allowed: a tracelr.Scheduler that drives this optimizer; "
        "to fix it: build it as Scheduler(optimizer, lr=...).",
    ),
]


@pytest.mark.parametrize(("mistake", "message"), MISTAKES, ids=[m[1].split(";")[0] for m in MISTAKES])
def test_the_message(mistake: Callable[[nn.Parameter], object], message: str) -> None:
    with pytest.raises(OptimizerError) as caught:
        mistake(nn.Parameter(torch.ones(1)))
    assert str(caught.value) == message


def test_recompiles_would_be_noticed() -> None:
    # shows that the counters above can fail: a float rate that changes outside recompiles, and they count it
    weight = nn.Parameter(torch.ones(2))
    optimizer = SGD([weight], lr=0.1)
    weight.grad = torch.ones(2)
    update = torch.compile(SGD.step.__wrapped__.__wrapped__, backend="eager")

    def train() -> None:
        for step in range(3):
            optimizer.param_groups[0]["lr"] = 0.1 / (step + 1)
            update(optimizer)

    with (
        torch.no_grad(),
        torch._dynamo.config.patch(error_on_recompile=True),
        pytest.raises(torch._dynamo.exc.RecompileError),
    ):
        train()


def test_a_group_added_after_fusing_is_updated_at_its_schedule() -> None:
    first, second = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    optimizer = SGD([first], lr=0.1)
    scheduler = Scheduler(optimizer, lr=RATE)
    update = fuse(optimizer, scheduler, backend="aot_eager")
    first.grad = second.grad = torch.ones(1)
    for _ in range(3):
        update()
    optimizer.add_param_group({"params": [second]})
    before = first.item()
    update()
    assert (before - first.item(), 1.0 - second.item()) == (pytest.approx(RATE(3).item(), rel=1e-4),) * 2
    assert [group["lr"].item() for group in optimizer.param_groups] == [RATE(4).item()] * 2


def test_another_optimizers_scheduler_is_refused() -> None:
    weight = nn.Parameter(torch.ones(1))
    with pytest.raises(OptimizerError, match=r"fuse\(scheduler\): given Scheduler of SGD, step 0"):
        fuse(SGD([weight], lr=0.1), Scheduler(SGD([weight], lr=0.1), lr=RATE))


def test_the_rate_becomes_a_tensor_with_the_same_value() -> None:
    optimizer = SGD([nn.Parameter(torch.ones(1))], lr=0.1)
    scheduler = Scheduler(optimizer, lr=RATE)
    scheduler.last_epoch = 30
    fuse(optimizer, scheduler)
    lr = optimizer.param_groups[0]["lr"]
    assert isinstance(lr, Tensor)
    assert lr.item() == RATE(30).item()


@pytest.mark.parametrize("backend", ["eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_schedules_nested_to_their_limit(backend: str) -> None:
    schedule: Schedule = Linear(0.0, 1.0, 8)
    for _ in range(DEEPEST - 1):
        schedule = Scale(schedule, 1.0)
    model = network()
    optimizer = SGD(model.parameters(), lr=0.1)
    scheduler = Scheduler(optimizer, lr=schedule)
    limit = sys.getrecursionlimit()
    update = fuse(optimizer, scheduler, backend=backend, check=True)
    for step in range(5):
        backward(model, step)
        update()
        assert rates(optimizer) == [(step + 1) / 8]
    assert sys.getrecursionlimit() <= max(limit, 2000)  # Inductor sets 2000
