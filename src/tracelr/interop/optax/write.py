"""Writes a Python file for optax that defines `schedule`, a function of the step."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from tracelr.interop._tools.simplify import only_schedule, refuse, require_numbers, simplified
from tracelr.schedules.assignment import Loaded
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Clamp, Loop, Product, Scale, Sequential, Shift, Shorten, Sum
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.cosine_annealing import CosineAnnealing
from tracelr.schedules.curves.cosine_power import CosinePower
from tracelr.schedules.curves.cyclic import Cyclic
from tracelr.schedules.curves.exponential import Exponential
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.curves.multi_step import MultiStep
from tracelr.schedules.curves.piecewise_constant import PiecewiseConstant
from tracelr.schedules.curves.polynomial import Polynomial
from tracelr.schedules.curves.step import Step
from tracelr.schedules.describe.sampling import value_at

_HEAD = '"""A learning-rate schedule for optax, from tracelr: {title}."""\n\n'


def write(found: Loaded) -> str:
    """Return the Python file."""
    given = only_schedule(found, "optax")
    body = f"schedule = {_code(simplified(given))}\n"
    imports = [f"import {name}\n" for name in ("jax.numpy as jnp", "optax") if f"{name.split()[-1]}." in body]
    return f"{_HEAD.format(title=type(given).__name__)}{''.join(imports)}\n{body}"


def _code(schedule: Schedule) -> str:
    require_numbers("optax", schedule, 2**31 - 1)
    rule = _RULES.get(type(schedule))
    if rule is None:
        raise refuse("optax", schedule)
    return rule(schedule)


def _call(name: str, **arguments: Any) -> str:
    return f"optax.{name}({', '.join(f'{key}={given!r}' for key, given in arguments.items())})"


def _linear(s: Any) -> str:
    return _call("linear_schedule", init_value=s.start, end_value=s.end, transition_steps=s.steps)


def _polynomial(s: Any) -> str:
    if s.cycle:
        raise refuse("optax", s, "which cycles")
    return _call("polynomial_schedule", init_value=s.start, end_value=s.end, power=s.power, transition_steps=s.steps)


def _exponential(s: Any) -> str:
    decay = {"transition_steps": s.steps, "decay_rate": s.rate, "staircase": s.staircase}
    return _call("exponential_decay", init_value=s.start, **decay)


def _step(s: Any) -> str:
    return _call("exponential_decay", init_value=s.start, transition_steps=s.every, decay_rate=s.gamma, staircase=True)


def _cosine(s: Any) -> str:
    power = {"exponent": s.power} if hasattr(s, "power") else {}
    if s.start and math.isfinite(s.end / s.start):
        return _call("cosine_decay_schedule", init_value=s.start, decay_steps=s.steps, alpha=s.end / s.start, **power)
    if power or s.start:
        raise refuse("optax", s, "whose end is not a multiple of its start")
    # mirrored, because alpha is a ratio to the start
    falls = _call("cosine_decay_schedule", init_value=s.end, decay_steps=s.steps)
    return f"(lambda step: {s.end!r} - {falls}(step))"


def _join(schedules: list[str], boundaries: list[int]) -> str:
    if len(schedules) == 1:
        return schedules[0]
    listed = "".join(f"        {one},\n" for one in schedules)
    return f"optax.join_schedules(\n    schedules=[\n{listed}    ],\n    boundaries={boundaries!r},\n)"


def _sequential(s: Sequential) -> str:
    if s.join != "jump" or s.reset is not True:
        raise refuse("optax", s, "whose schedules do not all start at their own step 0 and keep their own values")
    return _join([_code(child).replace("\n", "\n        ") for child in s.schedules], list(s.milestones))


def _stairs(s: Any) -> str:
    steps = [0, *sorted({step for step in s.milestones if step > 0})]
    constants = [_call("constant_schedule", value=value_at(s, step)) for step in steps]
    return _join(constants, steps[1:])


def _pointwise(sign: str) -> Callable[[Any], str]:
    return lambda s: "(lambda step: " + f" {sign} ".join(f"{_code(child)}(step)" for child in s.schedules) + ")"


def _shift(s: Any) -> str:
    if s.by < 0:
        return f"(lambda step: {_code(s.inner)}(step + {-s.by}))"
    return f"(lambda step: {_code(s.inner)}(jnp.maximum(step - {s.by}, 0)))"


def _clamp(s: Any) -> str:
    return f"(lambda step: jnp.clip({_code(s.inner)}(step), {s.low!r}, {s.high!r}))"


def _annealing(s: Any) -> str:
    falls, rises = _cosine(_half(s.start, s.end, s.period)), _cosine(_half(s.end, s.start, s.period))
    both = _join([falls, rises], [s.period]).replace("\n", "\n    ")
    return f"(lambda step: {both}(step % {2 * s.period}))"


def _half(start: float, end: float, steps: int) -> Schedule:
    return Cosine(start, end, steps)


def _cyclic(s: Any) -> str:
    if s.mode != "triangular":
        raise refuse("optax", s, "whose peaks fall")
    bounds = [0, s.up, s.up + s._down]
    values = [s.low, s.high, s.low]
    lines = [
        _call("linear_schedule", init_value=v, end_value=w, transition_steps=b - a)
        for (a, b), (v, w) in zip(pairwise(bounds), pairwise(values), strict=True)
    ]
    both = _join(lines, [s.up]).replace("\n", "\n    ")
    return f"(lambda step: {both}(step % {bounds[-1]}))"


_RULES: dict[type[Schedule], Callable[[Any], str]] = {
    Constant: lambda s: _call("constant_schedule", value=s.value),
    Linear: _linear,
    Polynomial: _polynomial,
    Exponential: _exponential,
    Step: _step,
    Cosine: _cosine,
    CosinePower: _cosine,
    PiecewiseConstant: _stairs,
    MultiStep: _stairs,
    Sequential: _sequential,
    CosineAnnealing: _annealing,
    Cyclic: _cyclic,
    Scale: lambda s: f"(lambda step: {s.factor!r} * {_code(s.inner)}(step))",
    Sum: _pointwise("+"),
    Product: _pointwise("*"),
    Shift: _shift,
    Clamp: _clamp,
    Shorten: lambda s: f"(lambda step: {_code(s.inner)}(jnp.minimum(step, {s.steps})))",
    Loop: lambda s: f"(lambda step: {_code(s.inner)}(step % {s.period}))",
}
