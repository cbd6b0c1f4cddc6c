"""What a row of `table.py` is, and the textbook formulas its oracles are made of, in 300-bit mpmath (set in conftest.py).

The formulas are written here independently of `src`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mpmath import mp, mpf

from tracelr import Schedule

Exact = Callable[[int], Any]


@dataclass(frozen=True)
class Row:
    """`ends` lists the steps at which the curve changes its formula; tests go one step to either side of each."""

    schedule: Schedule
    exact: Exact
    values: dict[int, float]
    ends: tuple[int, ...]
    monotone: int = field(default=0)  # +1 never falls, -1 never rises, 0 says nothing
    written: bool = field(default=True)  # False: it holds a function, which neither its repr nor a file can give back


def linear(start: float, end: float, steps: int) -> Exact:
    return lambda t: mpf(start) + (mpf(end) - mpf(start)) * min(t, steps) / steps


def cosine(start: float, end: float, steps: int) -> Exact:
    return lambda t: mpf(end) + (mpf(start) - mpf(end)) * (1 + mp.cos(mp.pi * min(t, steps) / steps)) / 2


def polynomial(start: float, end: float, steps: int, power: float, cycle: bool = False) -> Exact:
    def exact(t: int) -> Any:
        period = steps * max(1, math.ceil(mpf(t) / steps)) if cycle else steps
        return mpf(end) + (mpf(start) - mpf(end)) * (1 - mpf(t if cycle else min(t, steps)) / period) ** mpf(power)

    return exact


def exponential(start: float, rate: float, steps: int, staircase: bool = False) -> Exact:
    return lambda t: mpf(start) * mpf(rate) ** (mpf(t // steps) if staircase else mpf(t) / steps)


def inverse_time(start: float, rate: float, steps: int, exponent: float = 1, staircase: bool = False) -> Exact:
    def exact(t: int) -> Any:
        time = mpf(t) ** mpf(exponent) / steps
        return mpf(start) / (1 + mpf(rate) * (mp.floor(time) if staircase else time))

    return exact


def inverse_sqrt(start: float, steps: int) -> Exact:
    return lambda t: mpf(start) * mp.sqrt(mpf(steps) / max(t, steps))


def piecewise(values: list[float], milestones: list[int]) -> Exact:
    return lambda t: mpf(values[sum(m <= t for m in milestones)])


def sequence(parts: list[Exact], milestones: list[int]) -> Exact:
    def exact(t: int) -> Any:
        k = sum(m <= t for m in milestones)
        return parts[k](t - ([0, *milestones][k]))

    return exact
