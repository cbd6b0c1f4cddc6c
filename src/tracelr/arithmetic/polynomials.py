"""Bounded functions of pairs as polynomials in int64 fixed point, which have the same bits on every device.

A variable v of size 1/2 at most is an int64 in units of 2**-62, split into two limbs of 31 bits. The inner steps of
Horner's scheme use only the upper limb, each in the finest units that keep its product below 2**63; the outer steps use
both limbs, in units of 2**-60. The coefficients interpolate at Chebyshev nodes; `tests/arithmetic/test_two_float.py`
compares each polynomial with its function.
"""

from __future__ import annotations

from typing import NamedTuple, final

import torch
from torch import Tensor

from tracelr.arithmetic import bits, double_float
from tracelr.arithmetic.base import Split
from tracelr.arithmetic.double_float import Pair

_LIMB = 31
_UNIT = 2**60


@final
class Series(NamedTuple):
    """The coefficients of a polynomial, from the highest power down.

    `first` and then `low`, as (coefficient, shift), belong to the inner steps; `high`, in units of 2**-60, belongs to the
    outer ones. `lift` converts the units of the inner steps to those of the outer ones.
    """

    first: int
    low: tuple[tuple[int, int], ...]
    lift: int
    high: tuple[int, ...]


SINE = Series(  # sin(pi sqrt(v) / 2)**2 / v, for v up to 1/4, off by 2**-46
    first=7102791468,
    low=((-8480793033, 35), (7093685168, 35), (-8085898243, 34), (5734909920, 34)),
    lift=2**27,
    high=(-2339688245770194180, 2844719788994557573),
)
POWER = Series(  # (2**v - 1) / v, for v from -1/2 to 1/2, off by 2**-43
    first=3676061778,
    low=((2984811291, 35), (2146624837, 35), (2709804611, 34), (2932080451, 34), (2643811212, 34), (3814213304, 33)),
    lift=2**24,
    high=(276962305848614298, 799144290325165979),
)
LOGARITHM = Series(  # log2(1 + v) / v, for v from -0.078 to 0.078, off by 2**-44
    first=22280060273,
    low=(
        *((-25058818891, 31), (14162466745, 32), (-16522915880, 31), (19828250622, 31)),
        *((-24785313133, 31), (16523541383, 32), (-24785312075, 31)),
    ),
    lift=2**25,
    high=(1663314137230540311,),
)

# m in [sqrt(1/2), sqrt(2)), below each bound, times c / 16 is near 1: (bound, c, -log2(c / 16) in units of 2**-60)
_NEAR_ONE = (
    (0.8203125, 21, -452311193353568813),
    (0.92285156, 18, -195910188333191412),
    (1.0771484, 16, 0),
    (1.2307129, 14, 222104653116450381),
    (2.0, 12, 478505658136827782),
)
_SMALL = 0.0771484375
_LEAST, _MOST = -150.0, 126.0
_HALF = 0.5 - 2.0**-25  # with 1/2, the sum for 1/2 - 2**-25 would be rounded up to 1, and high - 1 would not be exact
LOG2_E = Split(1.4426950408889634, 2.0355273740931033e-17)
LN_2 = Split(0.6931471805599453, 2.3190468138462996e-17)


def fixed(x: Pair) -> Tensor:
    """Return x, of size below 2, in units of 2**-62."""
    return bits.whole(x.high * 2.0**62) + bits.whole(x.low * 2.0**62)


def floating(t: Tensor) -> Pair:
    """Return an integer, in units of 2**-60, as a pair."""
    return double_float.scaled(double_float.integer(t), 2.0**-60)


def _times(t: Tensor, v: Tensor, rest: Tensor) -> Tensor:
    """Return t times the number whose limbs are v and rest, in the units of t, for t up to 2**62."""
    upper, low = bits.split_integer(t, _LIMB)
    return upper * v + bits.shift_right(low * v + upper * rest, _LIMB)


def _evaluated(series: Series, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the value at v in units of 2**-60, and the limbs of v."""
    upper, rest = bits.split_integer(v, _LIMB)
    (c, shift), *low = series.low
    t = bits.shift_right(upper * series.first, shift) + c
    for c, shift in low:
        t = bits.shift_right(upper * t, shift) + c
    t = t * series.lift
    for c in series.high:
        t = _times(t, upper, rest) + c
    return t, upper, rest


def haversine(x: Pair) -> Pair:
    """Return sin(pi x / 2)**2 for 0 <= x <= 1/2."""
    z = double_float.square(x)
    return double_float.mul(z, floating(_evaluated(SINE, fixed(z))[0]))


def _reduced(y: Pair, by: int = 0, most: float = _MOST) -> tuple[Tensor, Pair, Tensor]:
    """Return the integer n nearest to y, which counts as `most` if it is larger, y - n, and 2**(n + by)."""
    high = y.high.clamp(_LEAST - by, most)
    n = torch.floor(high + _HALF)
    return n, Pair(high - n, torch.where(high == y.high, y.low, 0.0)), bits.power_of_two(n, by)


def exp2(y: Pair, by: int = 0, most: float = _MOST) -> Pair:
    """Return 2**(y + by); it is 0 for y + by below -126.5, and a y above `most` counts as that."""
    _, rest, power = _reduced(y, by, most)
    t, upper, lower = _evaluated(POWER, fixed(rest))
    return double_float.scaled(floating(_times(t, upper, lower) + _UNIT), power)


def exp2m1(y: Pair) -> Pair:
    """Return 2**y - 1, without cancellation for a small y."""
    _, rest, power = _reduced(y)
    grown = double_float.scaled(double_float.mul(rest, floating(_evaluated(POWER, fixed(rest))[0])), power)
    return double_float.add(double_float.two_sum(power, -1.0), grown)


def _near_one(x: Pair) -> tuple[Tensor, Tensor, Tensor]:
    """Return k, l and v with x = 2**(k + l) (1 + v), l in units of 2**-60 and v, at most 0.078 in size, of 2**-62."""
    exponent, inverse = bits.exponent_of(x.high)
    m = double_float.scaled(x, inverse)
    bound, c, log = _NEAR_ONE[-2:][1]
    factor, logs = torch.full_like(exponent, c, dtype=torch.int64), torch.full_like(exponent, log, dtype=torch.int64)
    for bound, c, log in reversed(_NEAR_ONE[:-1]):
        below = m.high < bound
        factor, logs = torch.where(below, c, factor), torch.where(below, log, logs)
    scaled = bits.whole(m.high * 2.0**58) + bits.whole(m.low * 2.0**58)
    return exponent, logs, scaled * factor - 2**62


def log2(x: Pair) -> Pair:
    """Return the logarithm of x > 0 to the base 2; for 0 it is 0."""
    x = Pair(torch.where(x.high == 0, 1.0, x.high), x.low)
    k, logs, v = _near_one(x)
    t, upper, rest = _evaluated(LOGARITHM, v)
    return double_float.add(Pair(k, torch.zeros_like(k)), floating(_times(t, upper, rest) + logs))


def log2p1(x: Pair) -> Pair:
    """Return the logarithm of 1 + x to the base 2 for x > -1, without cancellation for a small x."""
    k, logs, v = _near_one(double_float.add_constant(x, Split(1.0, 0.0)))
    small = x.high.abs() < _SMALL
    t, upper, rest = _evaluated(LOGARITHM, torch.where(small, fixed(x), v))
    near = double_float.mul(x, floating(t))
    far = double_float.add(Pair(k, torch.zeros_like(k)), floating(_times(t, upper, rest) + logs))
    return Pair(torch.where(small, near.high, far.high), torch.where(small, near.low, far.low))
