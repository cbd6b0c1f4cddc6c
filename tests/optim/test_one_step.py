"""Schedules as a Python function of one step have the bits of the tensor expression, and steps that jump irregularly use it."""

from __future__ import annotations

import copy
import pickle
import random
import struct
from typing import Any

import pytest
import torch
from support.optimizers import held, sgd
from support.table import ROWS
from support.trees import steps_of, trees
from torch import Tensor

from tracelr import Constant, Cosine, Interpolate, Lambda, Linear, PiecewiseConstant, Schedule, Scheduler, precision
from tracelr.arithmetic import F64
from tracelr.optim.evaluator import is_immutable
from tracelr.optim.one_step import OneStep

WRITTEN = [name for name, row in ROWS.items() if is_immutable(row.schedule) and not row.schedule.has_tensor_fields]


def bits(values: list[float]) -> bytes:
    return struct.pack(f"{len(values)}d", *values)


def by_tensors(schedule: Schedule, step: int) -> list[float]:
    value = schedule.wide(torch.tensor([step]), F64)  # one step, because torch has other functions for long tensors
    return [value.item(), F64.mul(value, 0.3).item()]


def compare(schedule: Schedule, steps: list[int], never_refuses: bool) -> int:
    """Compare both ways at the steps; return how many steps Python can evaluate."""
    function, evaluated = OneStep([(schedule, [1.0, 0.3])], [0, 1]).values, 0
    for step in steps:
        try:
            found = [value for (value,) in function(step)]
        except (ArithmeticError, ValueError):
            assert not never_refuses, (schedule, step)
            continue
        evaluated += 1
        assert bits(found) == bits(by_tensors(schedule, step)), (schedule, step)
    return evaluated


@pytest.mark.parametrize("name", WRITTEN)
def test_every_row_has_the_bits_of_the_tensor_expression(name: str) -> None:
    draw, schedule = random.Random(name), ROWS[name].schedule
    steps = [0, 1, 2, 2**53, *(draw.randrange(10 ** draw.randrange(1, 15)) for _ in range(60))]
    compare(schedule, [*steps, *steps_of(schedule, draw, 20)], never_refuses=True)


@pytest.mark.parametrize("kind", ["curves", "compositions"])
def test_random_trees_have_the_bits_of_the_tensor_expression(kind: str) -> None:
    steps, evaluated = 0, 0
    for schedule, tried in trees(kind, "one step", 1500):
        steps += len(tried)
        evaluated += compare(schedule, tried, never_refuses=False)
    assert evaluated > 0.95 * steps


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("tensors", [False, True])
@pytest.mark.parametrize(
    "name", ["cosine", "sequential_nested", "piecewise_long", "one_cycle", "interpolate", "lambda", "driven"]
)
def test_irregular_steps_are_followed(name: str, tensors: bool, groups: int) -> None:
    optimizer, schedule, draw = sgd(torch.tensor(0.1) if tensors else 0.1, groups), ROWS[name].schedule, random.Random(name)
    others = [Linear(1.0, 0.0, 10**6), schedule][: groups - 1]
    scheduler = Scheduler(optimizer, lr=[schedule, *others])
    count = 0
    for _ in range(40):
        optimizer.step()
        by = draw.choice([1, 2, 40, 700, 4000, draw.randrange(5000)])
        scheduler.step(increment=by)
        count += by
        wanted = [one(count).item() for one in (schedule, *others)]
        assert [torch.tensor(value).item() for value in held(optimizer)] == wanted


def operations(monkeypatch: pytest.MonkeyPatch, schedule: Schedule, increments: list[int]) -> int:
    """Return how many tensors of steps are made for these increments."""
    scheduler, made = Scheduler(sgd(), lr=schedule), list[Any]()
    scheduler.optimizer.step()
    for by in increments[:3]:
        scheduler.step(increment=by)
    arange = torch.arange

    def counted(*given: Any, **more: Any) -> Tensor:
        made.append(given)
        return arange(*given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(torch, "arange", counted)
        for by in increments[3:]:
            scheduler.step(increment=by)
    assert scheduler.get_last_lr() == scheduler.peek(sum(increments))
    return len(made)


def test_irregular_jumps_evaluate_no_tensor(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(3)
    tokens = [draw.randrange(3000, 5000) for _ in range(50)]
    assert operations(monkeypatch, Cosine(1.0, 0.1, 10**6), tokens) == 0
    assert operations(monkeypatch, Lambda(lambda step: 1.0 / (1.0 + step)), tokens) >= 40
    with precision("float32"):
        assert operations(monkeypatch, Cosine(1.0, 0.1, 10**6), tokens) >= 40


def test_the_arithmetic_of_a_block_is_followed() -> None:
    """Values of one arithmetic are not taken for those of another."""
    schedule, draw = Cosine(start=3e-4, end=1e-5, steps=99_991), random.Random(5)
    scheduler, count = Scheduler(sgd(), lr=schedule), 0
    scheduler.optimizer.step()
    for name in ("float64", "float32", "two_float", "float64"):
        with precision(name):
            for _ in range(5):
                by = draw.randrange(2000, 4000)
                scheduler.step(increment=by)
                count += by
                assert torch.tensor(scheduler.get_last_lr()[0]).item() == schedule(count).item()


def test_what_python_cannot_evaluate_is_refused() -> None:
    class Odd(Schedule):
        def forward(self, step: Tensor, ops: Any) -> Any:
            return torch.erf(ops.integer(step))

    with pytest.raises(NotImplementedError, match="erf"):
        OneStep([(Odd(), [1.0])], [0])


@pytest.mark.parametrize(
    "schedule",
    [Constant(float("1e-320")), PiecewiseConstant([1.0, -0.0], [3]), Interpolate([0.1, 0.2, 0.05], [5, 10, 20])],
    ids=lambda one: type(one).__name__,
)
def test_numbers_at_the_ends_and_copies(schedule: Schedule) -> None:
    made = OneStep([(schedule, [1.0, 0.3])], [1, 0, 1])
    for one in (made, copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        for step in range(25):
            first, second = by_tensors(schedule, step)
            assert bits([value for (value,) in one.values(step)]) == bits([second, first, second])
