"""Hyper-parameters as tensors: they get gradients, change without a recompile, and vmap takes many at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from support.oracle import probes
from support.table import ROWS, Row
from torch import Tensor, nn
from torch._dynamo.utils import counters

import tracelr
from tracelr import Cosine, Exponential, Linear, Schedule
from tracelr.arithmetic import F64


def tensor_fields(schedule: Schedule) -> list[str]:
    """Return the fields that take a tensor, and hold a number."""
    found = []
    for name, rule in schedule._rules.items():
        held = getattr(schedule, name)
        if getattr(rule, "tensors", False) and isinstance(held, float):
            found.append(name)
    return found


FIELDS = [(name, field) for name, row in ROWS.items() for field in tensor_fields(row.schedule)]


@pytest.mark.parametrize(("name", "field"), FIELDS, ids=["-".join(pair) for pair in FIELDS])
def test_a_gradient_is_the_finite_difference(name: str, field: str) -> None:
    row: Row = ROWS[name]
    # The finite difference of r**t has a relative error of (t h)**2 / 6, so it is taken at early steps.
    bounded = row.schedule._rules[field].low >= 0 or row.schedule._rules[field].positive  # type: ignore[attr-defined]
    last = 2**12 if bounded else 2**40
    steps = torch.tensor([step for step in probes(row.ends, seed=7, random_steps=20) if step < last])
    number = float(getattr(row.schedule, field))
    largest = max(abs(number), float(row.schedule(steps).abs().max()))
    h = (number if bounded else largest) * 1e-6

    def wide(value: float | Tensor) -> Tensor:
        return dataclasses.replace(row.schedule, **{field: value}).wide(steps, F64)  # type: ignore[no-any-return]

    given = torch.tensor(number, dtype=torch.float64, requires_grad=True)
    values, want = wide(given), (wide(number + h) - wide(number - h)) / (2 * h)
    assert torch.allclose(values, wide(number), rtol=1e-9, atol=1e-300)
    if not values.requires_grad:  # a mode that does not use the field
        assert want.count_nonzero() == 0
        return
    got = torch.stack([torch.autograd.grad(value, given, retain_graph=True)[0] for value in values])
    # absolute: a few roundings of the largest value, over h
    assert torch.allclose(got, want, rtol=1e-5, atol=8 * 2.0**-53 * largest / h)


def test_a_parameter_changes_without_a_recompile_and_holds_for_every_wrapper() -> None:
    peak = nn.Parameter(torch.tensor(0.5))
    schedule = 2.0 * Linear(0.0, peak, 4).then(Cosine(peak, 0.0, 100)).warmup(3)
    counters.clear()
    compiled = torch.compile(schedule, fullgraph=True, backend="aot_eager")
    with torch._dynamo.config.patch(error_on_recompile=True):
        for value in (0.5, 0.25, 3.0):
            with torch.no_grad():
                peak.fill_(value)
            steps = torch.arange(50)
            assert torch.equal(compiled(steps), schedule(steps))
    assert counters["stats"]["unique_graphs"] == 1


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda p: Linear(0.0, p, 10), "end"),
        (lambda p: Cosine(p, 0.0, 10), "start"),
        (lambda p: Exponential(1.0, p, 10), "rate"),
        (lambda p: tracelr.WarmRestarts(p, 0.0, 4), "start"),
        (lambda p: tracelr.OneCycle(0.1, p, 0.0, 10, 3), "peak"),
        (lambda p: 2.0 * Linear(0.0, p, 4).then(Cosine(1.0, 0.0, 10)), "inner.schedules.0.end"),
    ],
    ids=["Linear", "Cosine", "Exponential", "WarmRestarts", "OneCycle", "nested"],
)
@pytest.mark.parametrize("kind", [nn.Parameter, torch.clone], ids=["parameter", "buffer"])
def test_vmap_over_a_field_is_many_schedules(build: Callable[[Any], Schedule], name: str, kind: Any) -> None:
    values, steps = torch.tensor([0.1, 0.5, 0.9]), torch.arange(15)
    schedule = build(kind(torch.tensor(1.0)))

    def one(value: Tensor) -> Tensor:
        return torch.func.functional_call(schedule, {name: value}, (steps,))  # type: ignore[no-any-return]

    together = torch.vmap(one)(values)
    assert torch.equal(together, torch.stack([build(kind(value))(steps) for value in values]))


def test_the_hypergradient_of_a_training_run() -> None:
    # d (loss after 6 updates of SGD) / d (peak rate), through every update, against a finite difference in float64
    torch.manual_seed(0)
    hessian = torch.diag(torch.tensor([0.5, 2.0, 5.0], dtype=torch.float64))

    def loss(peak: Tensor) -> Tensor:
        schedule = Linear(0.0, peak, 2).then(Cosine(peak, 0.0, 4))
        weight = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
        for step in range(6):
            rate = schedule.wide(torch.tensor(step), F64)  # float64, so that the difference is not lost in the rounding
            weight = weight - rate * (hessian @ weight)
        return 0.5 * weight @ hessian @ weight

    peak = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    (got,) = torch.autograd.grad(loss(peak), peak)
    h = 1e-6
    want = (loss(peak.detach() + h) - loss(peak.detach() - h)) / (2 * h)
    assert got.item() == pytest.approx(want.item(), rel=1e-8)
    # the public call, rounded to float32, carries the same gradient
    single = torch.tensor(0.1, requires_grad=True)
    Linear(0.0, single, 4)(torch.tensor([1, 2, 3])).sum().backward()
    assert single.grad is not None
    assert single.grad.item() == 1.5
