"""The primitives of TWO_FLOAT against exact fractions and 300-bit mpmath, at random numbers of every size and at hard ones."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import torch
from mpmath import mp, mpf

from tracelr.arithmetic import Split, double_float, polynomials
from tracelr.arithmetic.double_float import Pair

MANY = 1000


def drawn(seed: int, low: float, high: float, count: int = MANY, sign: bool = False) -> Pair:
    """Return normalized pairs with sizes from 2**low to 2**high, evenly spread on a logarithmic scale."""
    draw = random.Random(seed)
    values = [2 ** draw.uniform(low, high) * (draw.choice([-1, 1]) if sign else 1) for _ in range(count)]
    values += [math.copysign(2.0 ** round(math.log2(abs(v))), v) for v in values[:50]]  # powers of two, and their neighbours
    values += [v * (1 - 2.0**-24) for v in values[-50:]] + [v * (1 + 2.0**-23) for v in values[-100:-50]]
    exact = torch.tensor(values, dtype=torch.float64)
    high_part = exact.to(torch.float32)
    rest = (exact - high_part).to(torch.float32)
    noise = torch.tensor([draw.uniform(-1, 1) for _ in values], dtype=torch.float64)
    rest = torch.where(rest == 0, (high_part.double() * noise * 2.0**-26).to(torch.float32), rest)
    return Pair(high_part, rest)


def exact(x: Pair) -> list[Fraction]:
    return [Fraction(h) + Fraction(low) for h, low in zip(x.high.tolist(), x.low.tolist(), strict=True)]


def worst(got: Pair, want: list[Any], absolute: bool = False) -> float:
    """Return the largest relative error as a power of two. Assert that the pairs are normalized."""
    assert torch.equal(got.high + got.low, got.high)
    errors = [
        abs(mpf(g.numerator) / g.denominator - w) / (1 if absolute else abs(w))
        for g, w in zip(exact(got), want, strict=True)
        if absolute or w != 0
    ]
    return float(mp.log(max(errors) or mpf(2) ** -200, 2))


def real(x: Pair) -> list[Any]:
    return [mpf(f.numerator) / f.denominator for f in exact(x)]


@pytest.mark.parametrize(("low", "high"), [(-1, 1), (-60, 60), (-30, -29)])
def test_products_quotients_and_roots(low: float, high: float) -> None:
    x, y = drawn(1, low, high, sign=True), drawn(2, low / 2, high / 2, sign=True)
    a, b = real(x), real(y)
    assert worst(double_float.mul(x, y), [u * v for u, v in zip(a, b, strict=True)]) < -44
    assert worst(double_float.square(y), [v * v for v in b]) < -44
    assert worst(double_float.div(x, y), [u / v for u, v in zip(a, b, strict=True)]) < -43
    size = Pair(x.high.abs(), x.low * x.high.sign())
    assert worst(double_float.sqrt(size), [mp.sqrt(abs(u)) for u in a]) < -43
    assert double_float.sqrt(Pair(torch.zeros(1), torch.zeros(1))) == Pair(torch.zeros(1), torch.zeros(1))


def test_sums() -> None:
    x, y = drawn(3, -20, 20), drawn(4, -20, 20)
    a, b = real(x), real(y)
    assert worst(double_float.add(x, y), [u + v for u, v in zip(a, b, strict=True)]) < -45
    total = double_float.two_sum(x.high, -y.high)
    assert exact(total) == [Fraction(u) - Fraction(v) for u, v in zip(x.high.tolist(), y.high.tolist(), strict=True)]
    assert worst(double_float.add_constant(x, Split(0.1, 0.0)), [u + mpf(0.1) for u in a]) < -45


@pytest.mark.parametrize("c", [0.1, 1 / 3, 6e-4, -0.7, 4097.0, 3.0, 0.5, -8.0, 2.0**-40, 1.0, 1e-9])
def test_products_with_constants(c: float) -> None:
    x = drawn(5, -40, 20, sign=True)
    error = worst(double_float.mul_constant(x, Split(c, 0.0)), [u * mpf(c) for u in real(x)])
    assert error < -44
    assert math.frexp(c)[0] not in (0.5, -0.5) or error == -200
    zero = double_float.mul_constant(Pair(torch.zeros(1), torch.zeros(1)), Split(c, 0.0))
    assert (zero.high, zero.low) == (0, 0)


def test_partial_products_are_exact() -> None:
    x, y = drawn(6, -10, 10, sign=True), drawn(7, -10, 10, sign=True)
    for a in double_float.halves(x.high):
        for b in double_float.halves(y.high):
            assert [Fraction(p) for p in (a * b).tolist()] == [
                Fraction(u) * Fraction(v) for u, v in zip(a.tolist(), b.tolist(), strict=True)
            ]


def test_constants_in_python_floats() -> None:
    draw = random.Random(8)
    for _ in range(2000):
        a, b = (Fraction(draw.uniform(-1, 1)) * Fraction(10) ** draw.randint(-12, 12) for _ in range(2))
        x, y = (Split(float(f), float(f - Fraction(float(f)))) for f in (a, b))
        a, b = sum(map(Fraction, x)), sum(map(Fraction, y))
        for got, want in (
            (double_float.product(x, y), a * b),
            (double_float.total(x, y), a + b),
            (double_float.reciprocal(x), 1 / a),
        ):
            assert abs(sum(map(Fraction, got)) - want) <= max(abs(want), abs(a) if want == a + b else 0) * Fraction(2) ** -98
        own = double_float.parts(x)
        assert abs(Fraction(own.high) + Fraction(own.low) - a) <= abs(a) * Fraction(2) ** -48
        assert Fraction(own.head) + Fraction(own.tail) == Fraction(own.high)
        assert torch.tensor(own.high, dtype=torch.float32).item() == own.high == torch.tensor(x.high).item()
        assert torch.tensor(own.low, dtype=torch.float32).item() == own.low


def test_integers() -> None:
    draw = random.Random(9)
    steps = torch.tensor(
        [draw.randrange(-(2**53), 2**53) >> draw.randrange(53) for _ in range(MANY)] + [0, 2**53, 2**24 + 1]
    )
    got = double_float.integer(steps)
    assert worst(got, [mpf(step) for step in steps.tolist()]) < -47
    small = steps[steps.abs() < 2**47]
    assert exact(double_float.integer(small)) == [Fraction(step) for step in small.tolist()]


KERNELS: dict[str, tuple[Callable[[Pair], Pair], Callable[[Any], Any], tuple[float, float], bool, float]] = {
    # name: ours, exact, from 2**a to 2**b, also negative, at most 2**... off
    "haversine": (polynomials.haversine, lambda x: mp.sin(mp.pi * x / 2) ** 2, (-48, -1), False, -37),
    "exp2": (polynomials.exp2, lambda x: mpf(2) ** x, (-40, 6), True, -37),
    "exp2m1": (polynomials.exp2m1, lambda x: mp.expm1(x * mp.log(2)), (-40, 5), True, -35),
    "log2p1": (polynomials.log2p1, lambda x: mp.log1p(x) / mp.log(2), (-40, 20), False, -35),
    "log2p1 below": (
        lambda x: polynomials.log2p1(Pair(-x.high, -x.low)),
        lambda x: mp.log1p(-x) / mp.log(2),
        (-40, -1),
        False,
        -35,
    ),
}


@pytest.mark.parametrize("name", KERNELS)
def test_polynomials(name: str) -> None:
    ours, function, (low, high), sign, bound = KERNELS[name]
    x = drawn(10, low, high, sign=sign)
    x = Pair(x.high.clamp(max=0.5), x.low.clamp(max=0)) if name == "haversine" else x
    assert worst(ours(x), [function(u) for u in real(x)]) < bound


def test_the_logarithm_is_off_by_2_to_the_minus_38_at_most() -> None:
    near, far = drawn(11, -1, 1), drawn(12, -50, 60)
    assert worst(polynomials.log2(near), [mp.log(u, 2) for u in real(near)], absolute=True) < -38
    assert worst(polynomials.log2(far), [mp.log(u, 2) for u in real(far)]) < -38


def test_special_values() -> None:
    zero = Pair(torch.zeros(3), torch.zeros(3))
    one = Pair(torch.ones(3), torch.zeros(3))
    for got, want in (
        (polynomials.exp2(zero), 1.0),
        (polynomials.exp2m1(zero), 0.0),
        (polynomials.log2(one), 0.0),
        (polynomials.log2p1(zero), 0.0),
        (polynomials.haversine(zero), 0.0),
        (polynomials.exp2(double_float.scaled(one, -200.0)), 0.0),
        (polynomials.exp2(double_float.scaled(one, -10.0)), 2.0**-10),
        (polynomials.haversine(double_float.scaled(one, 0.5)), 0.5),
    ):
        assert got.high.tolist() == [want] * 3
        assert got.low.abs().max() <= 2.0**-37
