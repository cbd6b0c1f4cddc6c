"""What a schedule may do with numbers: the interface that every arithmetic fills in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

Wide: TypeAlias = Any  # a tensor here, a pair of tensors elsewhere: opaque to schedules on purpose
Number: TypeAlias = "float | Tensor"  # a Python number is folded into the graph, a 0-d tensor is an input of it

LAST_STEP = 2**53
"""Steps count from 0 to here; a later step reads as this one. Every integer up to here is exact in float64."""


class Split(NamedTuple):
    """A real constant as an unevaluated sum of two floats: about 106 bits."""

    high: float
    low: float


def log2_ratio(rate: float, steps: int) -> Split:
    """Return log2(rate) / steps in two parts; their sum is off by less than 2**-100 of it.

    >>> log2_ratio(0.25, 2)
    Split(high=-1.0, low=0.0)
    """
    with localcontext(prec=60):
        exact = Decimal(rate).ln() / Decimal(2).ln() / steps
        high = float(exact)
        return Split(high, float(exact - Decimal(high)))


class Arithmetic(ABC):
    """What a schedule may do with numbers. `i` is an int64 tensor, `x` and `y` are wide, `c` is a number."""

    name: str

    @abstractmethod
    def full(self, i: Tensor, c: Number) -> Wide:
        """Return `c` in the shape of `i`."""

    @abstractmethod
    def integer(self, i: Tensor) -> Wide:
        """Return `i` as a wide number."""

    @abstractmethod
    def ratio(self, i: Tensor, n: Tensor | int) -> Wide:
        """Return i / n, for integers."""

    @abstractmethod
    def add(self, x: Wide, y: Wide | Number) -> Wide:
        """Return x + y."""

    @abstractmethod
    def sub(self, x: Wide | Number, y: Wide) -> Wide:
        """Return x - y."""

    @abstractmethod
    def mul(self, x: Wide, y: Wide | Number) -> Wide:
        """Return x * y."""

    @abstractmethod
    def div(self, x: Wide | Number, y: Wide) -> Wide:
        """Return x / y."""

    @abstractmethod
    def where(self, mask: Tensor, x: Wide, y: Wide) -> Wide:
        """Return x where `mask` holds and y elsewhere."""

    @abstractmethod
    def clamp(self, x: Wide, low: float | None, high: float | None) -> Wide:
        """Return x cut off at `low` and `high`; None leaves a side open."""

    @abstractmethod
    def floor(self, x: Wide) -> Wide:
        """Return the largest integer not above x."""

    @abstractmethod
    def sqrt(self, x: Wide) -> Wide:
        """Return the square root of x >= 0."""

    @abstractmethod
    def power(self, x: Wide, p: float) -> Wide:
        """Return x ** p, for x >= 0."""

    @abstractmethod
    def power_drop(self, x: Wide, p: float) -> Wide:
        """Return 1 - (1 - x) ** p without cancellation, for 0 <= x < 1."""

    @abstractmethod
    def sin2h(self, x: Wide) -> Wide:
        """Return sin(pi x / 2) ** 2, which is (1 - cos(pi x)) / 2 without cancellation, for 0 <= x <= 1/2."""

    @abstractmethod
    def exp2(self, x: Wide, c: Split | Tensor) -> Wide:
        """Return 2 ** (x c), for a whole number x >= 0."""

    @abstractmethod
    def lookup(self, i: Tensor, milestones: Tensor, values: Tensor) -> Wide:
        """Return `values[k]`, k being how many of the sorted `milestones` are at or below each i."""

    @abstractmethod
    def quotient(self, i: Tensor, n: int) -> Tensor:
        """Return floor(i / n) as an int64 tensor: targets have no division of integers."""

    @abstractmethod
    def round(self, x: Wide) -> Tensor:
        """Return x as a float32 tensor. Called once, at the very end."""

    def ramp(self, i: Tensor, steps: int, start: Number, end: Number, ease: Callable[[Wide], Wide] | None = None) -> Wide:
        """Go from `start` to `end` in `steps` steps along `ease`, and hold.

        `ease` maps [0, 1/2] to [0, 1/2] and continues as 1 - ease(1 - x). Working from the nearer end keeps both ends exact
        and the last steps before them accurate; a straight line multiplies before it divides, to round once less.
        """
        done = i.clamp(0, steps)
        left = steps - done
        near = torch.minimum(done, left)
        span = self.sub(start, end)
        if ease is None:
            drop = self.div(self.mul(self.integer(near), span), steps)
        else:
            drop = self.mul(ease(self.ratio(near, steps)), span)
        return self.where(done <= left, self.sub(start, drop), self.add(drop, end))

    def stair(self, i: Tensor, width: int) -> Wide:
        """Return floor(i / width), exactly: the remainder goes first, so the quotient is an integer before it is rounded."""
        return self.ratio(i - i.remainder(width), width)
