"""Pairs: a number as an unevaluated sum of two float32 tensors, about 47 bits, for devices without float64.

Nothing here depends on how a backend rounds a fused multiply-add. A product that is added to something is exact, because
its factors have 12 bits, or goes through `fence`, which no compiler can look through. There is no division, and no call of
a function that devices implement differently.
"""

from __future__ import annotations

import math
from typing import NamedTuple, final

import torch
from torch import Tensor

from tracelr.arithmetic import bits
from tracelr.arithmetic.base import Split


@final
class Pair(NamedTuple):
    """The number high + low, where high is the float32 nearest to it."""

    high: Tensor
    low: Tensor


@final
class Parts(NamedTuple):
    """A constant as the sum high + low of two float32 numbers, and high as the sum head + tail of two of 12 bits."""

    high: float
    low: float
    head: float
    tail: float


def parts(c: Split) -> Parts:
    """Return the parts of a constant. They are Python floats, so a tracer sees constants."""
    high = _rounded(c.high, 29)
    low = _rounded((c.high - high) + c.low, 29)
    head = _rounded(high, 41)
    return Parts(high, low, head, high - head)


def _rounded(x: float, cut: int) -> float:
    # Veltkamp's splitting: x without its last `cut` of 53 bits.
    t = x * (2.0**cut + 1)
    return t - (t - x)


def fence(x: Tensor) -> Tensor:
    """Return the product x without its last bit, so that no compiler fuses it with a sum."""
    return bits.even(x)


def halves(x: Tensor) -> Pair:
    """Return x as a sum of two numbers of 12 bits."""
    head = bits.upper_half(x)
    return Pair(head, x - head)


def two_sum(a: Tensor, b: Tensor | float) -> Pair:
    """Return a + b, exactly."""
    total = a + b
    other = total - a
    return Pair(total, (a - (total - other)) + (b - other))


def fast_two_sum(a: Tensor, b: Tensor) -> Pair:
    """Return a + b, exactly, if the size of a is not below that of b."""
    total = a + b
    return Pair(total, b - (total - a))


def integer(i: Tensor) -> Pair:
    """Return an int64 as a pair."""
    high = i.to(torch.float32)
    return Pair(high, (i - high.to(torch.int64)).to(torch.float32))


def scaled(x: Pair, factor: Tensor | float) -> Pair:
    """Return x times a power of two."""
    return Pair(x.high * factor, x.low * factor)


def add(x: Pair, y: Pair) -> Pair:
    """Return x + y."""
    total, error = two_sum(x.high, y.high)
    return fast_two_sum(total, error + (x.low + y.low))


def add_constant(x: Pair, c: Split) -> Pair:
    """Return x + c."""
    own = parts(c)
    total, error = two_sum(x.high, own.high)
    return fast_two_sum(total, error + (x.low + own.low if own.low else x.low))


def mul(x: Pair, y: Pair) -> Pair:
    """Return x * y, to about 2**-44 of it."""
    (a, b), (c, d) = halves(x.high), halves(y.high)
    product = fence(x.high * y.high)
    rest = (((a * c - product) + a * d) + b * c) + b * d
    return fast_two_sum(product, rest + (fence(x.high * y.low) + fence(x.low * y.high)))


def square(x: Pair) -> Pair:
    """Return x * x, to about 2**-44 of it."""
    a, b = halves(x.high)
    product = fence(x.high * x.high)
    cross = a * (b + b)
    return fast_two_sum(product, (((a * a - product) + cross) + b * b) + fence(x.high * (x.low + x.low)))


def mul_constant(x: Pair, c: Split) -> Pair:
    """Return x * c, to about 2**-44 of it; exactly, if c is a power of two."""
    own = parts(c)
    if own.low == 0 and math.frexp(own.high)[0] in (0.5, -0.5, 0.0):
        return scaled(x, own.high)
    a, b = halves(x.high)
    product = fence(x.high * own.high)
    rest = a * own.head - product
    if own.tail:
        rest = rest + a * own.tail
    rest = rest + b * own.head
    if own.tail:
        rest = rest + b * own.tail
    cross = fence(x.low * own.high)
    if own.low:
        cross = cross + fence(x.high * own.low)
    return fast_two_sum(product, rest + cross)


def div(x: Pair, y: Pair) -> Pair:
    """Return x / y, to about 2**-44 of it."""
    # 1 / y by Newton's method from the bits of y, then long division: the quotient, and its exact remainder times 1 / y.
    near = bits.near_reciprocal(y.high)
    for _ in range(3):
        near = near * (2.0 - fence(y.high * near))
    first = fence(x.high * near)
    (a, b), (c, d) = halves(first), halves(y.high)
    rest = (((x.high - a * c) - a * d) - b * c) - b * d
    rest = rest + (x.low - fence(first * y.low))
    return fast_two_sum(first, fence(rest * near))


def sqrt(x: Pair) -> Pair:
    """Return the square root of x >= 0, to about 2**-44 of it."""
    near = bits.near_root(x.high)
    half = x.high * 0.5
    for _ in range(3):
        near = near * (1.5 - fence((half * near) * near))
    first = fence(x.high * near)
    a, b = halves(first)
    rest = (((x.high - a * a) - a * (b + b)) - b * b) + x.low
    return fast_two_sum(first, fence(rest * (near * 0.5)))


def reciprocal(c: Split) -> Split:
    """Return 1 / c, in Python floats."""
    q = 1.0 / c.high
    return Split(q, (_exact_rest(q, c.high) - q * c.low) / c.high)


def product(a: Split, b: Split) -> Split:
    """Return a * b, in Python floats."""
    high = a.high * b.high
    return Split(high, _error(a.high, b.high, high) + (a.high * b.low + a.low * b.high))


def total(a: Split, b: Split) -> Split:
    """Return a + b, in Python floats."""
    high = a.high + b.high
    other = high - a.high
    return Split(high, ((a.high - (high - other)) + (b.high - other)) + (a.low + b.low))


def _exact_rest(q: float, c: float) -> float:
    product = q * c
    return (1.0 - product) - _error(q, c, product)


def _error(a: float, b: float, product: float) -> float:
    """Return a * b - product, exactly."""
    c, e = _rounded(a, 27), _rounded(b, 27)
    d, f = a - c, b - e
    return ((c * e - product) + c * f + d * e) + d * f
