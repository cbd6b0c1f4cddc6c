"""On a CUDA device: the bits of the CPU, CUDA graphs, and no copy from the host. Run it by `pytest -m gpu`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from support.oracle import probes
from support.table import ROWS, Row
from torch import Tensor, nn, optim
from torch.profiler import ProfilerActivity, profile

from tracelr import Cosine, Linear, Scheduler, fuse

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]
RATE = Linear(0.0, 1e-2, 5).then(Cosine(1e-2, 0.0, 60))
MODES: dict[str, dict[str, Any]] = {"default": {}, "cuda_graphs": {"mode": "reduce-overhead"}}


@pytest.fixture(autouse=True)
def quiet_device(_strict: None) -> Iterator[None]:
    """Ignore two warnings that torch causes itself: of its empty first CUDA graph, and of the cycles of its profiler."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, message="The CUDA Graph is empty")
        warnings.filterwarnings("ignore", category=UserWarning, message="Warning: Profiler clears events")
        yield


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_every_row_has_the_bits_of_the_cpu(row: Row) -> None:
    steps = torch.tensor(probes(row.ends, seed=11, random_steps=300))
    want = row.schedule.to("cpu")(steps)
    try:
        got = row.schedule.to("cuda")(steps.cuda()).cpu()
    finally:
        row.schedule.to("cpu")  # `to` moves the schedule that all tests share
    assert torch.equal(got, want)


@pytest.mark.parametrize("name", ["sequential_nested", "polynomial_cycle", "warm_restarts_growing"])
def test_compiled_schedules_have_the_bits_of_the_cpu(name: str) -> None:
    steps = torch.tensor(probes(ROWS[name].ends, seed=12, random_steps=300))
    want = ROWS[name].schedule.to("cpu")(steps)
    try:
        got = torch.compile(ROWS[name].schedule.to("cuda"), fullgraph=True)(steps.cuda()).cpu()
    finally:
        ROWS[name].schedule.to("cpu")
    assert torch.equal(got, want)


def built(kind: Any) -> tuple[list[nn.Parameter], optim.Optimizer, Scheduler]:
    torch.manual_seed(0)
    weights = [nn.Parameter(torch.randn(16, 16, device="cuda")) for _ in range(4)]
    optimizer = kind([{"params": weights[:2]}, {"params": weights[2:]}])
    return weights, optimizer, Scheduler(optimizer, lr=RATE, weight_decay=Linear(0.0, 0.1, 50))


def give_gradients(weights: list[nn.Parameter], step: int) -> None:
    for weight in weights:  # in place, because a captured CUDA graph reads these addresses
        new = torch.randn(weight.shape, generator=torch.Generator().manual_seed(step)).cuda()
        if weight.grad is None:
            weight.grad = new
        else:
            weight.grad.copy_(new)


@pytest.mark.parametrize("kind", [optim.SGD, optim.AdamW], ids=["sgd", "adamw"])
@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_a_fused_update_follows_the_schedule(kind: Any, mode: dict[str, Any]) -> None:
    weights, optimizer, scheduler = built(kind)
    others, plain, reference = built(kind)
    update = fuse(optimizer, scheduler, **mode)
    for step in range(40):
        give_gradients(weights, step)
        give_gradients(others, step)
        assert [float(group["lr"]) for group in optimizer.param_groups] == [RATE(step).item()] * 2
        update()
        plain.step()
        reference.step()
    assert scheduler.last_epoch == 40
    for a, b in zip(weights, others, strict=True):
        assert torch.allclose(a, b, rtol=0, atol=5e-5)  # the float32 bias correction of a compiled Adam


@pytest.mark.parametrize("name", ["Adam", "AdamW", "NAdam", "RAdam", "Adamax", "ASGD", "Adadelta", "RMSprop", "Rprop"])
def test_capturable_optimizers(name: str) -> None:
    made = []
    for fused in (True, False):
        torch.manual_seed(0)
        weights = [nn.Parameter(torch.randn(16, 16, device="cuda")) for _ in range(2)]
        optimizer = getattr(optim, name)(weights, lr=torch.tensor(0.1, device="cuda"), capturable=True)
        scheduler = Scheduler(optimizer, lr=Cosine(1e-2, 1e-4, 30))
        update = fuse(optimizer, scheduler) if fused else None
        for step in range(20):
            give_gradients(weights, step)
            if update is None:
                optimizer.step()
                scheduler.step()
            else:
                update()
        made.append(weights)
    for a, b in zip(*made, strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-4)


def test_the_self_check_passes() -> None:
    _, optimizer, scheduler = built(optim.AdamW)
    fuse(optimizer, scheduler, check=True)
    fuse(optimizer, scheduler, check=True, mode="reduce-overhead")
    Scheduler(optimizer, lr=RATE, check=True)


def test_a_fused_step_copies_nothing_from_the_host() -> None:
    weights, optimizer, scheduler = built(optim.AdamW)
    update = fuse(optimizer, scheduler)
    for step in range(5):
        give_gradients(weights, step)
        update()
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        for _ in range(10):
            update()
        torch.cuda.synchronize()
    copies = [event.key for event in seen.key_averages() if "HtoD" in event.key]
    assert copies == []


def test_a_captured_cuda_graph_moves_the_schedule_with_every_replay() -> None:
    weights, optimizer, scheduler = built(optim.AdamW)
    update = fuse(optimizer, scheduler)
    give_gradients(weights, 0)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            update()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        update()
    before = scheduler.last_epoch  # a capture records and does not run
    for count in range(1, 20):
        graph.replay()
        assert scheduler.last_epoch == before + count
        assert [float(group["lr"]) for group in optimizer.param_groups] == [RATE(before + count).item()] * 2


def test_a_skipped_update_is_not_seen_by_the_host() -> None:
    lr: Tensor = torch.tensor(0.1, device="cuda")
    optimizer = optim.SGD([nn.Parameter(torch.ones(2, device="cuda"))], lr=lr)
    scheduler = Scheduler(optimizer, lr=RATE)
    for found in (0.0, 1.0, 0.0):
        scheduler.step(found_inf=torch.tensor(found, device="cuda"))
    assert scheduler.last_epoch == 2
    assert lr.item() == RATE(2).item()
