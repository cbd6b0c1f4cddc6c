"""Kinds of numbers: what a param group may hold, what it holds then, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from support.optimizers import RATE, float32, held, sgd, weights
from torch import Tensor, nn
from torch.optim import SGD, AdamW

from tracelr import Constant, Cosine, Linear, Plateau, Scheduler, _torch, fuse
from tracelr.errors import OptimizerError

DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int8]


@pytest.mark.parametrize("value", [0.1, 0.3, 1e-3, 6e-4, 3.3e-7, 2 / 3, 1e-30])
def test_a_float_is_the_number_that_was_written(value: float) -> None:
    optimizer = sgd()
    scheduler = Scheduler(optimizer, lr=Constant(value))
    assert optimizer.param_groups[0]["lr"] == value
    assert scheduler.get_last_lr() == scheduler.get_lr() == scheduler.peek(7) == [value]
    assert json.loads(json.dumps(scheduler.state_dict()))["_last_lr"] == [value]


@pytest.mark.parametrize("schedule", [RATE, Cosine(0.3, 0.1, 70), Linear(0.1, 0.7, 30) * 0.3], ids=repr)
def test_float32_of_a_float_has_the_promised_bits(schedule: Any) -> None:
    optimizer, tensors = sgd(), sgd(torch.tensor(1.0))
    every = [Scheduler(optimizer, lr=schedule), Scheduler(tensors, lr=schedule)]
    for step in range(90):
        assert type(optimizer.param_groups[0]["lr"]) is float
        assert held(optimizer) == held(tensors) == [schedule(step).item()]
        for each, scheduler in zip((optimizer, tensors), every, strict=True):
            each.step()
            scheduler.step()


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)], ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("default", [torch.float32, torch.float64], ids=str)
def test_a_tensor_is_float32_without_a_dimension(dtype: torch.dtype, shape: tuple[int, ...], default: torch.dtype) -> None:
    optimizer = sgd()
    optimizer.param_groups[0]["lr"] = torch.ones(shape, dtype=dtype)
    torch.set_default_dtype(default)
    try:
        scheduler = Scheduler(optimizer, lr=RATE)
        first = optimizer.param_groups[0]["lr"]
        for _ in range(3):
            optimizer.step()
            scheduler.step()
    finally:
        torch.set_default_dtype(torch.float32)
    tensor = optimizer.param_groups[0]["lr"]
    assert tensor is first
    assert (tensor.dtype, tensor.shape, tensor.item()) == (torch.float32, (), RATE(3).item())


@pytest.mark.skipif(_torch.RELEASE < (2, 6), reason="fuse needs torch 2.6")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.int64], ids=str)
def test_a_fused_update_uses_it(dtype: torch.dtype) -> None:
    weight = nn.Parameter(torch.zeros(1))
    optimizer = SGD([weight], lr=0.1)
    optimizer.param_groups[0]["lr"] = torch.ones(1, dtype=dtype)
    update = fuse(optimizer, Scheduler(optimizer, lr=Linear(1.0, 0.0, 3)), backend="aot_eager")
    used = []
    for _ in range(4):
        weight.data.zero_()
        weight.grad = torch.ones(1)
        update()
        used.append(-weight.item())
    assert used == [1.0, float32(2 / 3), float32(1 / 3), 0.0]


@pytest.mark.parametrize("number", [np.float32(0.5), np.float64(0.5), np.int64(1), 1], ids=repr)
def test_numpy_scalars_and_ints_are_numbers(number: Any) -> None:
    optimizer = AdamW(weights(), lr=0.1)
    optimizer.param_groups[0]["lr"] = number
    scheduler = Scheduler(optimizer, lr_factor=Linear(1.0, 0.0, 4))
    optimizer.step()
    scheduler.step()
    assert type(optimizer.param_groups[0]["lr"]) is float
    assert held(optimizer) == [0.75 * float(number)]


REFUSED: dict[str, Any] = {
    "a float32 tensor of shape [2]": torch.ones(2),
    "a float32 tensor of shape [0]": torch.ones(0),
    "a complex64 tensor of shape []": torch.tensor(1j),
    "a float32 tensor of shape [] that requires a gradient": torch.tensor(1.0, requires_grad=True),
    "a float32 tensor of shape [] on the meta device": torch.tensor(1.0, device="meta"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_another_tensor_is_refused_and_nothing_changes(text: str) -> None:
    optimizer = sgd(groups=2)
    optimizer.param_groups[1]["lr"] = REFUSED[text]
    with pytest.raises(OptimizerError) as caught:
        Scheduler(optimizer, lr=RATE)
    assert str(caught.value).startswith(f"Scheduler: lr of group 1: given {text}; allowed: a real tensor of one element")
    assert optimizer.param_groups[0]["lr"] == 1.0
    assert "initial_lr" not in optimizer.param_groups[0]


@pytest.mark.parametrize("value", ["0.1", None, True, [0.1]], ids=repr)
def test_what_is_no_number_is_refused(value: Any) -> None:
    optimizer = sgd()
    optimizer.param_groups[0]["lr"] = value
    with pytest.raises(OptimizerError, match="allowed: a number to be set"):
        Scheduler(optimizer, lr=RATE)


def test_what_frameworks_read_is_floats_where_the_group_holds_a_tensor() -> None:
    optimizer = AdamW(weights(), lr=torch.tensor(0.1))
    plateau = Plateau(factor=0.5, patience=0)
    scheduler = Scheduler(optimizer, lr=Constant(0.5) * plateau.scale)
    kept = [scheduler.get_last_lr()]
    for loss in (1.0, 1.0):
        plateau.update(loss)
        kept.append(scheduler.get_last_lr())
    assert kept == [[0.5], [0.5], [0.25]]
    assert all(type(rate) is float for rates in kept for rate in rates)
    assert isinstance(optimizer.param_groups[0]["lr"], Tensor)
    json.dumps(scheduler.state_dict())
