"""The gradients of tensor fields of random trees: finite, and the derivative of the exact formula."""

from __future__ import annotations

import random
from itertools import pairwise
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
        divides = any(getattr(one, "join", "") == "scale" for one in schedule.modules())  # by a tensor, which may be 0
        if list(schedule.parameters()) and not divides:
            return schedule, steps_of(schedule, random.Random(seed), 8)
        seed += 1


def gradients(schedule: Schedule, step: int, arithmetic: str) -> list[float]:
    fields = list(schedule.parameters())
    with precision(arithmetic):
        value = schedule(step)
    if not value.requires_grad:  # it depends on no tensor
        return [0.0] * len(fields)
    found = torch.autograd.grad(value, fields, allow_unused=True)
    return [0.0 if one is None else float(one) for one in found]


def derivatives(schedule: Schedule, field: nn.Parameter, step: int) -> tuple[Any, Any, Any]:
    """Return the derivatives of the exact value to the left and to the right, and how large they may be.

    They are NaN if a part has stopped growing. At a bound of a `Clamp` the two differ.
    """
    schedule.requires_grad_(False)
    x, found = float(field), []
    h = abs(x) * 2.0**-24 or 2.0**-60
    for moved in (x - h, x, x + h):
        field.fill_(moved)
        value = exact(schedule, step)
        found.append((mpf(float(field)), mpf("nan") if value.stopped else value.value, value.size))
    field.fill_(x)
    schedule.requires_grad_(True)
    left, right = ((b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(found))
    return left, right, max(size for _, _, size in found) / max(abs(mpf(x)), mpf(2) ** -40)


def is_large(schedule: Schedule, field: nn.Parameter, steps: list[int]) -> bool:
    """Return whether the derivative at some step is not known to be a float32."""
    return not all(abs(side) < LARGE for step in steps for side in derivatives(schedule, field, step)[:2])


def check_near(seeds: range, depth: int) -> None:
    for seed in seeds:
        schedule, steps = made(seed, depth, wild=False)
        for step in steps[1:6]:
            found = {name: gradients(schedule, step, name) for name in NEAR}
            for k, field in enumerate(schedule.parameters()):
                left, right, scale = derivatives(schedule, field, step)
                if not (abs(left) < LARGE and abs(right) < LARGE and scale < LARGE):
                    continue
                for name, near in NEAR.items():
                    got = found[name][k]
                    allowed = near * max(abs(left), abs(right), scale * mpf(2) ** -16) + mpf(2) ** -60
                    between = min(left, right) - allowed <= got <= max(left, right) + allowed
                    assert between, (name, step, k, got, float(left), float(right), schedule)


def check_finite(seeds: range, depth: int) -> None:
    for seed in seeds:
        schedule, steps = made(seed, depth, wild=True)
        for arithmetic in NEAR:
            with precision(arithmetic):
                values = schedule(torch.tensor(steps))
            if not values.requires_grad:  # they depend on no tensor
                continue
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
