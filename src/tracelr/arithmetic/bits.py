"""What TWO_FLOAT does to the bits of a float32 or an int64, and the same results for machines that cannot look at bits.

Most machines read a float32 as an int32. The wafers of Cerebras, whose tensors are on torch's "lazy" device while a step is
traced, take no such view, no shift and no int64 mask. There each function is written as sums and products of float32, which
round as they are written, and as quotients of integers. Both ways give the same bits for 0 and every float32 of size 2**-100
to 2**125.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import local
from typing import Any, final

import torch
from torch import Tensor

WITHOUT_BITS = frozenset({"lazy"})
"""The types of the devices on which nothing reads the bits of a number."""

_HALF_BITS = -4096  # keeps 12 of the 24 bits of a float32
_SEED = 0x7EF311C7  # this minus the bits of y is about the bits of 1 / y
_ROOT_SEED = 0x5F3759DF  # this minus half the bits of x is about the bits of 1 / sqrt(x)
_LEFT, _ROOT_LEFT = 2.0**-23 * (_SEED & 0x7FFFFF), 2.0**-23 * (_ROOT_SEED & 0x7FFFFF)
_ROOT_2 = 0x3504F3 * 2.0**-23 + 1.0


@final
class _Thread(local):
    def __init__(self) -> None:  # once in each thread
        self.without = False


_here = _Thread()


@contextmanager
def without_bits(yes: bool = True) -> Iterator[None]:
    """Compute as on a device without bits inside a `with` block, for a target that has none."""
    before, _here.without = _here.without, yes or _here.without
    try:
        yield
    finally:
        _here.without = before


def lazy(x: Any) -> bool:
    """Say whether x is traced by torch's lazy tensors. The proxy of a symbolic trace has no device."""
    return isinstance(x, Tensor) and x.device.type in WITHOUT_BITS


def has_bits(x: Any) -> bool:
    """Say whether the bits of x can be read."""
    return not _here.without and not lazy(x)


def bits_of(x: Tensor) -> Tensor:
    """Return the bits of a float32, as an int32."""
    return x.view(torch.int32)


def float_of(bits: Tensor) -> Tensor:
    """Return the float32 of these bits."""
    return bits.view(torch.float32)


def even(x: Tensor) -> Tensor:
    """Return x without its last bit."""
    if has_bits(x):
        return float_of(bits_of(x) & -2)
    return x * 0.5 + x * (0.5 - 2.0**-25)  # half of x and half of the number below x: a tie for an odd x, rounded to even


def upper_half(x: Tensor) -> Tensor:
    """Return a number of 12 bits that leaves 12 bits or fewer of x."""
    if has_bits(x):
        return float_of(bits_of(x) & _HALF_BITS)
    small = x * 2.0**-12  # Veltkamp's splitting, with no product above x
    total = x + small
    return (total - (total - small)) * 2.0**12


def _last_bit(x: Tensor) -> Tensor:
    """Return the value of the last of the 24 bits of x > 0."""
    above = x * (1 + 2.0**-23)
    return above - above * (1 - 2.0**-24)


def near_reciprocal(y: Tensor) -> Tensor:
    """Return about 1 / y, from which Newton's method starts."""
    if has_bits(y):
        bits = bits_of(y)
        return float_of((_SEED - (bits & 0x7FFFFFFF)) | (bits & -(2**31)))
    size = y.abs()
    inverse = 2.0**-23 / _last_bit(size)
    left = (1.0 + _LEFT) - size * inverse
    near = torch.where(left < 0, left * 0.5 + 1.0, left + 1.0) * (inverse * 0.5)
    return torch.where(y < 0, -near, near)


def near_root(x: Tensor) -> Tensor:
    """Return about 1 / sqrt(x) for x > 0, from which Newton's method starts; for 0, some finite number."""
    if has_bits(x):
        return float_of(_ROOT_SEED - (bits_of(x) >> 1))
    x = torch.where(x == 0, 1.0, x)
    inverse = 2.0**-23 / _last_bit(torch.sqrt(_last_bit(x) * (1.5 * 2.0**23)))  # 2**-k, for x from 4**k up to 4**(k + 1)
    scaled = (x * inverse) * inverse
    upper = scaled >= 2.0
    mantissa = even(torch.where(upper, scaled * 0.5, scaled)) - 1.0
    left = torch.where(upper, _ROOT_LEFT, _ROOT_LEFT + 0.5) - mantissa * 0.5
    return torch.where(left < 0, left * 0.5 + 1.0, left + 1.0) * (inverse * 0.5)


def power_of_two(n: Tensor, by: int = 0) -> Tensor:
    """Return 2**(n + by) for an integer n + by up to 127, as a float32; it is 0 where that is -127 or less."""
    if has_bits(n):  # for n + by = -127 the bits of the exponent are 0, and so is the power
        return float_of(((n + (127.0 + by)).clamp(min=0.0) * 2.0**23).to(torch.int32))
    n = n + float(by) if by else n
    near = torch.exp(n.abs().clamp(max=127.0) * 0.6931472) * 1.25  # so that the exponential's last bits do not matter
    power = _last_bit(near) * 2.0**23
    return torch.where(n < 0, torch.where(n < -126.5, 0.0, 1.0 / power), power)


def exponent_of(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the integer n for which x / 2**n is from sqrt(1/2) up to sqrt(2), as a float32, and 2**-n; x is above 0."""
    if has_bits(x):
        exponent = (bits_of(x) - 0x3F3504F3) & -(2**23)  # at its place in a float32
        return exponent.to(torch.float32) * 2.0**-23, float_of(0x3F800000 - exponent)
    inverse = 2.0**-23 / _last_bit(x)
    inverse = torch.where(x * inverse >= _ROOT_2, inverse * 0.5, inverse)
    return torch.round(torch.log(inverse) * -1.442695), inverse


def whole(x: Tensor) -> Tensor:
    """Return x as an int64, its fraction cut off. Cerebras' compiler makes such a cast go to the nearest integer."""
    return (x if not lazy(x) else torch.where(x < 0, torch.ceil(x), torch.floor(x))).to(torch.int64)


def beside(i: Tensor, table: Tensor) -> Tensor:
    """Return a table where i is. For one step on a lazy device it is made of constants, which stand in the traced graph."""
    if not lazy(i) or lazy(table):
        return table
    return torch.stack([torch.full_like(i.reshape(()), value, dtype=table.dtype) for value in table.tolist()])


def count(masks: Tensor) -> Tensor:
    """Return how many of the last dimension are true. A lazy device would make a sum of masks one bit wide."""
    return (masks if not lazy(masks) else masks.to(torch.int64)).sum(-1)


def split_integer(t: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """Return floor(t / 2**bits) and the rest, of an int64 of either sign."""
    if not lazy(t):
        return t >> bits, t & (2**bits - 1)
    quotient = floordiv(t, 2**bits)
    return quotient, t - quotient * 2**bits


def shift_right(t: Tensor, bits: int) -> Tensor:
    """Return floor(t / 2**bits) of an int64 of either sign."""
    return t >> bits if not lazy(t) else floordiv(t, 2**bits)


def floordiv(t: Tensor, n: int) -> Tensor:
    """Return floor(t / n) on a lazy device. Its `//` cuts off, and its `div(rounding_mode=...)` is a quotient of float32."""
    quotient = t // n
    return quotient - (t - quotient * n < 0).to(torch.int64)
