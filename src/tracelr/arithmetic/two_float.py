"""TWO_FLOAT: the arithmetic of devices without float64. Its numbers are pairs of float32 tensors.

Constants are computed in Python floats, as a `Split`, and become float32 numbers when they are combined with a pair.
`polynomials` computes the bounded functions in int64; everything else is float32 sums and products of `double_float`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias, final

import torch
from torch import Tensor

from tracelr.arithmetic import bits, double_float, polynomials
from tracelr.arithmetic.base import LARGE_RATE, LARGEST, Arithmetic, Number, Real, Split, Table
from tracelr.arithmetic.double_float import Pair

Known: TypeAlias = "Pair | Split"

SMALLEST = 2.0**-78
"""A smaller value counts as 0, because its low half has bits below 2**-126, which some devices flush to zero."""

_ONE = Split(1.0, 0.0)


def _known(x: Any) -> Known:
    """Return a pair, a constant, a tensor or a Python number as a pair or as a constant."""
    if isinstance(x, (Pair, Split)):
        return x
    if not isinstance(x, Tensor):
        high = float(x)
        return Split(high, float(x - int(high)) if isinstance(x, int) else 0.0)
    x = x.detach()  # the gradient is that of F32, see `Schedule.forward`
    high = x.to(torch.float32)
    return Pair(high, (x - high).to(torch.float32) if x.dtype == torch.float64 else torch.zeros_like(high))


@final
class TwoFloat(Arithmetic):
    """Arithmetic in pairs of float32, with the same bits on every backend that keeps float32 sums as they are written."""

    name = "two_float"
    unit = 2.0**-36

    def __repr__(self) -> str:
        return f"<arithmetic {self.name}>"

    def full(self, i: Tensor, c: Real | Number) -> Pair:
        known = _known(c)
        if isinstance(known, Split):
            own = double_float.parts(known)
            return Pair(*(torch.full_like(i, part, dtype=torch.float32) for part in own[:2]))
        zero = torch.zeros_like(i, dtype=torch.float32)
        return Pair(zero + known.high, zero + known.low)

    def integer(self, i: Tensor) -> Pair:
        return double_float.integer(i)

    def ratio(self, i: Tensor, n: Tensor | int) -> Real:
        return self.div(self.integer(i), self.integer(n) if isinstance(n, Tensor) else n)

    def add(self, x: Real, y: Real | Number) -> Real:
        a, b = _known(x), _known(y)
        if isinstance(a, Split):
            return double_float.total(a, b) if isinstance(b, Split) else double_float.add_constant(b, a)
        return double_float.add_constant(a, b) if isinstance(b, Split) else double_float.add(a, b)

    def sub(self, x: Real | Number, y: Real) -> Real:
        b = _known(y)
        return self.add(x, Split(-b.high, -b.low) if isinstance(b, Split) else Pair(-b.high, -b.low))

    def mul(self, x: Real, y: Real | Number) -> Real:
        a, b = _known(x), _known(y)
        if isinstance(a, Split):
            return double_float.product(a, b) if isinstance(b, Split) else double_float.mul_constant(b, a)
        return double_float.mul_constant(a, b) if isinstance(b, Split) else double_float.mul(a, b)

    def div(self, x: Real | Number, y: Real) -> Real:
        a, b = _known(x), _known(y)
        if isinstance(b, Split):
            return self.mul(a, double_float.reciprocal(b))
        return double_float.div(self.full(b.high, a) if isinstance(a, Split) else a, b)

    def scale(self, x: Real, y: Real | Number) -> Real:
        a, b = self._pair_and(x, y)
        return self._bounded(a.high * (b.high if isinstance(b, Pair) else double_float.parts(b).high), self.mul(a, b))

    def total(self, x: Real, y: Real | Number) -> Real:
        a, b = self._pair_and(x, y)
        return self._bounded(a.high + (b.high if isinstance(b, Pair) else double_float.parts(b).high), self.add(a, b))

    def _pair_and(self, x: Real | Number, y: Real | Number) -> tuple[Pair, Known]:
        a, b = _known(x), _known(y)
        if isinstance(a, Split):
            a, b = b, a
        assert isinstance(a, Pair)
        return a, b

    def _bounded(self, near: Tensor, value: Pair) -> Pair:
        """Return the value, whose float32 is `near`, or ±2**126 if that is larger."""
        fits = near.abs() < LARGEST
        return self.where(fits, value, Pair(near.clamp(-LARGEST, LARGEST), torch.zeros_like(near)))

    def mul_by_line(self, x: Real | Number, time: Real, rate: Real | Number) -> Real:
        if isinstance(rate, float) and rate > LARGE_RATE:  # its product with the time may be infinite, and not that with x
            return self.total(self.scale(self.scale(self.mul(time, LARGE_RATE), x), rate / LARGE_RATE), x)
        return self.scale(self.total(self.scale(time, rate), _ONE), x)

    def div_by_line(self, x: Real | Number, time: Real, rate: Real | Number) -> Pair:
        line = self.total(self.scale(time, rate), _ONE)
        small = line.high < 2.0**124  # the reciprocal of a larger number is below 2**-126
        quotient: Pair = self.div(x, self.where(small, line, _ONE))
        return self.where(small, quotient, Split(0.0, 0.0))

    def within(self, x: Real, bound: float) -> Tensor:
        below: Tensor = x.high.abs() < bound
        return below

    def where(self, mask: Tensor, x: Real, y: Real) -> Pair:
        a, b = ((*double_float.parts(z)[:2],) if isinstance(z, Split) else z for z in (x, y))
        return Pair(torch.where(mask, a[0], b[0]), torch.where(mask, a[1], b[1]))

    def clamp(self, x: Real, low: float | None, high: float | None) -> Pair:
        kept: Pair = x
        for bound, sign in ((low, 1.0), (high, -1.0)):
            if bound is not None:
                own = double_float.parts(Split(bound, 0.0))
                away = (kept.high - own.high) + (kept.low - own.low)
                kept = self.where(away < 0 if sign > 0 else away > 0, Split(bound, 0.0), kept)
        return kept

    def floor(self, x: Real) -> Pair:
        high = torch.floor(x.high)
        return double_float.fast_two_sum(high, torch.where(high == x.high, torch.floor(x.low), 0.0))

    def nearest(self, x: Real) -> Tensor:
        whole = torch.round(x.high)
        return whole.to(torch.int64) + torch.round((x.high - whole) + x.low).to(torch.int64)

    def sqrt(self, x: Real) -> Pair:
        return double_float.sqrt(x)

    def exp(self, x: Real) -> Pair:
        return polynomials.exp2(double_float.mul_constant(x, polynomials.LOG2_E))

    def expm1(self, x: Real) -> Pair:
        return polynomials.exp2m1(double_float.mul_constant(x, polynomials.LOG2_E))

    def log(self, x: Real) -> Pair:
        return double_float.mul_constant(polynomials.log2(x), polynomials.LN_2)

    def log1p(self, x: Real) -> Pair:
        return double_float.mul_constant(polynomials.log2p1(x), polynomials.LN_2)

    def power(self, x: Real, p: float) -> Pair:
        if p == 0.5:
            return double_float.sqrt(x)
        if p in (1, 2, 3, 4):
            if p > 2:  # a larger power would be infinite, and the error of an infinite product is NaN
                x = self.clamp(x, None, 2.0 ** (126 / p))
            squared = x if p == 1 else double_float.square(x)
            return double_float.mul(squared, x) if p == 3 else double_float.square(squared) if p == 4 else squared
        raised = polynomials.exp2(double_float.mul_constant(polynomials.log2(x), Split(p, 0.0)))
        return self.where(x.high == 0, Split(0.0, 0.0), raised)

    def one_minus_pow(self, x: Real, p: float) -> Pair:
        if p == 0.5:
            return double_float.div(x, self.add(double_float.sqrt(self.sub(_ONE, x)), _ONE))
        if p in (1, 2, 4):
            drop: Pair = x
            for _ in range(int(p) // 2):
                drop = double_float.mul(drop, self.sub(Split(2.0, 0.0), drop))
            return drop
        if p == 3:
            return double_float.mul(x, self.sub(Split(3.0, 0.0), double_float.mul(x, self.sub(Split(3.0, 0.0), x))))
        minus = polynomials.log2p1(Pair(-x.high, -x.low))
        drop = polynomials.exp2m1(double_float.mul_constant(minus, Split(p, 0.0)))
        return Pair(-drop.high, -drop.low)

    def one_minus_to(self, x: Real, p: float) -> Pair:
        x = self.clamp(x, None, 0.75)
        minus = polynomials.log2p1(Pair(-x.high, -x.low))
        return polynomials.exp2(double_float.mul_constant(minus, Split(p, 0.0)))

    def one_plus_to(self, x: Real, p: float) -> Pair:
        return polynomials.exp2(double_float.mul_constant(polynomials.log2p1(x), Split(-p, 0.0)))

    def haversine(self, x: Real) -> Pair:
        return polynomials.haversine(x)

    def exp2(self, x: Real, c: Split | Tensor) -> Pair:
        known = _known(c)
        if isinstance(known, Split) and known.high == 0:
            return self.full(x.high, 1.0)
        return polynomials.exp2(self.mul(x, known))

    def grown(self, factor: Real | Number, powers: Sequence[tuple[Pair, Split | Pair]]) -> Real:
        exponents = [self.mul(x, c) for x, c in powers if not (isinstance(c, Split) and c.high == 0)]
        if not exponents:
            return self.full(powers[0][0].high, factor)
        exponent = exponents[0]
        for other in exponents[1:]:
            exponent = double_float.add(exponent, other)
        grows = any(isinstance(c, Split) and c.high > 0 for _, c in powers)
        if not isinstance(factor, float):
            if not grows:
                return self.scale(polynomials.exp2(exponent), factor)
            root = polynomials.exp2(double_float.scaled(exponent, 0.5))  # a small factor may grow further than 2**126
            return self.scale(self.scale(root, factor), root)
        mantissa, by = math.frexp(factor)
        if not grows:
            return self.mul(polynomials.exp2(exponent, by), mantissa)
        most = math.log2(LARGEST) - by - math.log2(abs(mantissa or 1.0))
        return self.scale(polynomials.exp2(exponent, by, most + 2.0**-9), mantissa)

    def log2(self, rate: Tensor, steps: int) -> Pair:
        known = _known(rate)
        assert isinstance(known, Pair)
        logarithm: Pair = self.div(polynomials.log2(known), steps)
        return logarithm

    def gather(self, k: Tensor, values: Table) -> Pair:
        return Pair(self.take(k, values.high), self.take(k, values.low))

    def floordiv(self, i: Tensor, n: int) -> Tensor:
        if bits.lazy(i):  # it has an exact quotient of integers, and no shift
            return bits.floordiv(i, n)
        # i minus its remainder is a multiple of n. The odd factor of n has an inverse modulo 2**64, so this is exact.
        zeros = (n & -n).bit_length() - 1
        inverse = pow(n >> zeros, -1, 2**64)
        return ((i - i.remainder(n)) >> zeros) * (inverse - 2**64 if inverse >= 2**63 else inverse)

    def round(self, x: Real) -> Tensor:
        rounded: Tensor = x.high + x.low
        return torch.where(rounded.abs() < SMALLEST, 0.0, rounded)

    def exact(self, x: Real) -> Tensor:
        value: Tensor = x.high.cpu().double() + x.low.cpu().double()
        return torch.where(value.abs() < SMALLEST, 0.0, value)

    def floordiv_real(self, i: Tensor, width: int) -> Pair:
        return self.integer(self.floordiv(i, width))

    def multiply_ratio(self, i: Tensor, span: Real | Number, width: Tensor | int) -> Real:
        return self.share(self.integer(i), span, width)

    def share(self, x: Real, span: Real | Number, width: Tensor | int | float) -> Real:
        factor = _known(span)
        if not isinstance(width, (int, float)) or not isinstance(factor, Split):
            return super().share(x, span, width)
        part = self.div(factor, float(width))
        short = 0 < abs(part.high) < SMALLEST or abs(part.high) > LARGEST  # of digits, or not a float32
        return super().share(x, span, width) if short else self.mul(x, part)


TWO_FLOAT = TwoFloat()
"""Pairs of float32, for devices without float64: within 0.6 units of a float32, 0 below 2**-78, the same bits everywhere."""
