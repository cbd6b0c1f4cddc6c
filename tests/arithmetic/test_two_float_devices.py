"""Pairs of float32 on devices without float64: they are the default, no table is float64, gradients, a scheduler."""

from __future__ import annotations

from contextvars import Context
from typing import Any

import pytest
import torch
from support.optimizers import held

import tracelr
from tracelr.arithmetic import F64, TWO_FLOAT, arithmetic_for
from tracelr.arithmetic import base as wide
from tracelr.lowering import trace

pytestmark = pytest.mark.usefixtures("two_float")


def test_a_device_without_float64_computes_in_pairs() -> None:
    outside = Context()  # of the fixture
    assert outside.run(arithmetic_for, torch.device("mps")) is TWO_FLOAT
    assert outside.run(arithmetic_for, torch.device("cpu")) is F64
    assert repr(TWO_FLOAT) == "<arithmetic two_float>"


def test_no_table_is_float64_where_no_tensor_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = tracelr.PiecewiseConstant([0.1, 0.7], [3]).then(tracelr.Interpolate([0.1, 0.2], [1, 5]), at=9)
    names = {name for name, _ in schedule.named_buffers()}
    assert {"schedules.0.values_table", "schedules.0.values_high_table", "schedules.0.values_low_table"} <= names
    want = schedule(torch.arange(20))
    monkeypatch.setattr(tracelr.schedules.tables, "WITHOUT_FLOAT64", wide.WITHOUT_FLOAT64 | {"meta"})
    made: list[torch.dtype] = []
    real = torch.Tensor.to

    def to(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        moved = real(tensor, *args, **kwargs)
        if moved.device.type == "meta":
            made.append(moved.dtype)
        return moved

    monkeypatch.setattr(torch.Tensor, "to", to)
    schedule.to("meta")
    assert made
    assert torch.float64 not in made
    assert {buffer.dtype for buffer in schedule.buffers()} == {torch.int64, torch.float32}
    schedule.to_empty(device="cpu")
    assert {buffer.dtype for buffer in schedule.buffers()} == {torch.int64, torch.float32, torch.float64}
    assert torch.equal(schedule(torch.arange(20)), want)


def test_a_table_may_hold_what_float32_cannot() -> None:
    schedule = tracelr.MultiStep(1e30, 1e20, [1])
    assert schedule(torch.arange(2)).tolist() == [torch.tensor(1e30).item(), 2.0**126]


def test_gradients_are_those_of_float32() -> None:
    start = torch.nn.Parameter(torch.tensor(6e-4))
    rate = torch.nn.Parameter(torch.tensor(0.97))
    schedule = tracelr.Exponential(start, rate, 7) + tracelr.Cosine(start, 0.0, 100)
    value = schedule(50)
    value.backward()
    with torch.no_grad():
        assert torch.equal(value, schedule(50))
    want_start = 0.97 ** (50 / 7) + 0.5
    assert start.grad is not None
    assert start.grad.item() == pytest.approx(want_start, rel=1e-5)
    assert rate.grad is not None
    assert rate.grad.item() == pytest.approx(6e-4 * 50 / 7 * 0.97 ** (50 / 7 - 1), rel=1e-5)
    traced = trace(schedule)  # lowered code has no gradients
    assert not any("cos" in str(node.target) for node in traced.nodes)


def test_a_scheduler_that_has_stepped_follows_the_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    parameter = torch.nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    wave = tracelr.Sequential([tracelr.Linear(0.0, 1.0, 10), tracelr.Cosine(1.0, 0.1, 1000)], [10], join="shift") * 0.37
    scheduler = tracelr.Scheduler(optimizer, lr=wave)
    used = set()
    for name in ("two_float", "float32", "float64", "two_float"):
        for _ in range(40):
            with tracelr.precision(name):
                optimizer.step()
                scheduler.step()
                assert held(optimizer) == [wave(scheduler.last_epoch).item()]
        with tracelr.precision(name):
            used.add(tuple(wave(torch.arange(1, 200)).tolist()))
    assert len(used) == 2  # that of float32 is another curve
