"""The gradients of tensor fields of random trees: finite, and the derivative of the exact formula."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from mpmath import mpf
from support.exact_values import exact
from support.trees import CURVES, Trees, steps_of
from torch import nn

from tracelr import Schedule, precision
from tracelr.errors import TracelrError

NEAR = {"float64": 1e-5, "two_float": 1e-2, "float32": 1e-2}
"""A part of the derivative, or of the value by the field if that is larger. In pairs the gradient is that of float32."""
LARGE = mpf(2) ** 100
"""A larger derivative may not be a float32, in which pairs have their gradient."""


class WithTensors(Trees):
    """Draws schedules, half of whose numbers are parameters."""

    def scalar(self, depth: int) -> Any:
        return self._tensor(super().scalar(depth))

    def rate(self) -> Any:
        return self._tensor(super().rate())

    def _tensor(self, value: Any) -> Any:
        if not isinstance(value, float) or self.flag():
            return value
        return nn.Parameter(torch.tensor(value, dtype=torch.float64))


def made(seed: int, depth: int, wild: bool) -> tuple[Schedule, list[int]]:
    draw = WithTensors(f"gradients {seed}", wild=wild)
    while True:
        try:
            name = list(CURVES)[seed % len(CURVES)]
            schedule = CURVES[name](draw, 0) if depth == 0 else draw.tree(depth)
        except TracelrError:
            continue  # a range that fields have together
        if list(schedule.parameters()):
            return schedule, steps_of(schedule, random.Random(seed), 8)
        seed += 1


def gradients(schedule: Schedule, step: int, arithmetic: str) -> list[float]:
    fields = list(schedule.parameters())
    with precision(arithmetic):
        value = schedule(step)
    found = torch.autograd.grad(value, fields, allow_unused=True)
    return [0.0 if one is None else float(one) for one in found]


def derivative(schedule: Schedule, field: nn.Parameter, step: int) -> Any:
    """Return the derivative of the exact value, from two fields that are near each other, and how large it may be.

    It is NaN if a part has stopped growing.
    """
    schedule.requires_grad_(False)
    x, values = float(field), []
    h = abs(x) * 2.0**-24 or 2.0**-60
    for moved in (x + h, x - h):
        field.fill_(moved)
        values.append((mpf(float(field)), exact(schedule, step)))
    field.fill_(x)
    schedule.requires_grad_(True)
    (above, upper), (below, lower) = values
    if upper.stopped or lower.stopped:
        return mpf("nan"), mpf("nan")
    return (upper.value - lower.value) / (above - below), max(upper.size, lower.size) / max(abs(mpf(x)), mpf(2) ** -40)


def is_large(schedule: Schedule, field: nn.Parameter, steps: list[int]) -> bool:
    """Return whether the derivative at some step is not known to be a float32."""
    return not all(abs(derivative(schedule, field, step)[0]) < LARGE for step in steps)


def check_near(seeds: range, depth: int) -> None:
    for seed in seeds:
        schedule, steps = made(seed, depth, wild=False)
        for step in steps[1:6]:
            found = {name: gradients(schedule, step, name) for name in NEAR}
            for k, field in enumerate(schedule.parameters()):
                want, scale = derivative(schedule, field, step)
                for name, near in NEAR.items():
                    got = found[name][k]
                    allowed = near * max(abs(want), scale * mpf(2) ** -16) + mpf(2) ** -60
                    known = abs(want) < LARGE and scale < LARGE
                    assert not known or abs(got - want) <= allowed, (name, step, k, got, float(want), schedule)


def check_finite(seeds: range, depth: int) -> None:
    for seed in seeds:
        schedule, steps = made(seed, depth, wild=True)
        for arithmetic in NEAR:
            with precision(arithmetic):
                values = schedule(torch.tensor(steps))
            weighed = (values * 2.0**-8).double().sum()  # the sum of several derivatives of 2**126 would be infinite
            found = torch.autograd.grad(weighed, list(schedule.parameters()), allow_unused=True)
            for field, one in zip(schedule.parameters(), found, strict=True):
                assert one is None or one.isfinite() or is_large(schedule, field, steps), (arithmetic, schedule)


@pytest.mark.parametrize("depth", [0, 2])
def test_a_gradient_is_the_derivative(depth: int) -> None:
    check_near(range(30), depth)


@pytest.mark.parametrize("depth", [0, 2])
def test_a_gradient_is_finite_at_every_number(depth: int) -> None:
    check_finite(range(60), depth)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [0, 2])
@pytest.mark.parametrize("first", range(100, 1100, 100))
def test_many_gradients_are_finite_and_the_derivatives(first: int, depth: int) -> None:
    check_near(range(first, first + 100), depth)
    check_finite(range(first, first + 100), depth)
