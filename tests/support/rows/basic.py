"""Rows of the basic shapes and of schedules made of schedules."""

from __future__ import annotations

from mpmath import mpf

import tracelr
from support.row import Row, cosine, exponential, inverse_sqrt, inverse_time, linear, piecewise, polynomial, sequence

WARMUP_COSINE = tracelr.Linear(0.0, 6e-4, 2000).then(tracelr.Cosine(6e-4, 6e-5, 98_000)).then(tracelr.Constant(6e-5))

ROWS: dict[str, Row] = {
    "constant": Row(tracelr.Constant(6e-4), lambda t: mpf(6e-4), {0: 6e-4, 9: 6e-4}, (), -1),
    "linear_down": Row(
        tracelr.Linear(6e-4, 0.0, 100_000), linear(6e-4, 0.0, 100_000), {0: 6e-4, 50_000: 3e-4, 100_000: 0.0}, (100_000,), -1
    ),
    "linear_up": Row(
        tracelr.Linear(0.0, 1.0, 2**24 + 3), linear(0.0, 1.0, 2**24 + 3), {0: 0.0, 2**25: 1.0}, (2**24 + 3,), 1
    ),
    "linear_long": Row(tracelr.Linear(1.0, 0.1, 2**53), linear(1.0, 0.1, 2**53), {0: 1.0, 2**52: 0.55, 2**53: 0.1}, (), -1),
    "cosine": Row(
        tracelr.Cosine(6e-4, 6e-5, 100_000),
        cosine(6e-4, 6e-5, 100_000),
        {0: 6e-4, 50_000: 3.3e-4, 10**6: 6e-5},
        (100_000,),
        -1,
    ),
    "cosine_to_zero": Row(tracelr.Cosine(6e-4, 0.0, 10**12), cosine(6e-4, 0.0, 10**12), {5 * 10**11: 3e-4}, (10**12,), -1),
    "polynomial_linear": Row(
        tracelr.Polynomial(0.1, 0.01, 1000), polynomial(0.1, 0.01, 1000, 1), {0: 0.1, 500: 0.055, 1000: 0.01}, (1000,), -1
    ),
    "polynomial_square": Row(
        tracelr.Polynomial(0.1, 0.0, 100_000, 2.0), polynomial(0.1, 0.0, 100_000, 2), {50_000: 0.025}, (100_000,), -1
    ),
    "polynomial_root": Row(
        tracelr.Polynomial(0.1, 0.01, 10_000, 0.5), polynomial(0.1, 0.01, 10_000, 0.5), {7500: 0.055}, (10_000,), -1
    ),
    "polynomial_warmup": Row(
        tracelr.Polynomial(0.0, 0.1, 10**9, 3.7), polynomial(0.0, 0.1, 10**9, 3.7), {0: 0.0, 10**9: 0.1}, (10**9,), 1
    ),
    "polynomial_cycle": Row(
        tracelr.Polynomial(1.0, 0.1, 1000, 2.0, cycle=True),
        polynomial(1.0, 0.1, 1000, 2, cycle=True),
        {0: 1.0, 1000: 0.1, 1500: 0.15625, 2000: 0.1},
        (1000, 2000, 3000),
    ),
    "exponential": Row(
        tracelr.Exponential(6e-4, 0.9, 1000), exponential(6e-4, 0.9, 1000), {0: 6e-4, 1000: 5.4e-4}, (1000, 100_000), -1
    ),
    "exponential_stairs": Row(
        tracelr.Exponential(6e-4, 0.9, 7, staircase=True),
        exponential(6e-4, 0.9, 7, staircase=True),
        {0: 6e-4, 6: 6e-4, 7: 5.4e-4},
        (7, 14, 700, 7 * 2**9),
        -1,
    ),
    "inverse_time": Row(tracelr.InverseTime(0.1, 0.5, 100), inverse_time(0.1, 0.5, 100), {0: 0.1, 200: 0.05}, (), -1),
    "inverse_time_stairs": Row(
        tracelr.InverseTime(0.1, 0.5, 7, staircase=True),
        inverse_time(0.1, 0.5, 7, staircase=True),
        {6: 0.1, 14: 0.05},
        (7, 14, 7 * 2**20, 7 * 2**40),
        -1,
    ),
    "inverse_time_power": Row(
        tracelr.InverseTime(0.1, 0.5, 100, exponent=1.5), inverse_time(0.1, 0.5, 100, 1.5), {0: 0.1}, (), -1
    ),
    "inverse_sqrt": Row(tracelr.InverseSqrt(0.01, 4000), inverse_sqrt(0.01, 4000), {0: 0.01, 16_000: 0.005}, (4000,), -1),
    "piecewise_constant": Row(
        tracelr.PiecewiseConstant([0.1, 0.001, 0.0001], [1000, 2000]),
        piecewise([0.1, 0.001, 0.0001], [1000, 2000]),
        {0: 0.1, 999: 0.1, 1000: 0.001, 1999: 0.001, 2000: 0.0001},
        (1000, 2000),
        -1,
    ),
    "piecewise_long": Row(
        tracelr.PiecewiseConstant([0.3, 0.2, 0.1], [2**24 + 1, 2**40 + 1]),
        piecewise([0.3, 0.2, 0.1], [2**24 + 1, 2**40 + 1]),
        {2**24: 0.3, 2**24 + 1: 0.2, 2**40: 0.2, 2**40 + 1: 0.1},
        (2**24 + 1, 2**40 + 1),
        -1,
    ),
    "sequential": Row(
        WARMUP_COSINE,
        sequence([linear(0.0, 6e-4, 2000), cosine(6e-4, 6e-5, 98_000), lambda t: mpf(6e-5)], [2000, 100_000]),
        {0: 0.0, 1000: 3e-4, 2000: 6e-4, 51_000: 3.3e-4, 100_000: 6e-5},
        (2000, 100_000),
    ),
    "sequential_nested": Row(
        tracelr.Sequential(
            [
                WARMUP_COSINE,
                tracelr.Sequential([tracelr.Linear(0.0, 1e-4, 10), tracelr.InverseSqrt(1e-4, 10)], [10], reset=False),
            ],
            [150_000],
        ),
        sequence(
            [
                sequence([linear(0.0, 6e-4, 2000), cosine(6e-4, 6e-5, 98_000), lambda t: mpf(6e-5)], [2000, 100_000]),
                lambda t: linear(0.0, 1e-4, 10)(t) if t < 10 else inverse_sqrt(1e-4, 10)(t),
            ],
            [150_000],
        ),
        {150_000: 0.0, 150_005: 5e-5, 150_040: 5e-5},
        (2000, 100_000, 150_000, 150_010),
    ),
    "product": Row(
        tracelr.Linear(0.0, 1.0, 100) * tracelr.Exponential(0.1, 0.5, 1000),
        lambda t: linear(0.0, 1.0, 100)(t) * exponential(0.1, 0.5, 1000)(t),
        {0: 0.0, 1000: 0.05},
        (100, 1000),
    ),
    "scale": Row(
        0.3 * tracelr.Cosine(1.0, 0.1, 100), lambda t: mpf(0.3) * cosine(1.0, 0.1, 100)(t), {0: 0.3, 100: 0.03}, (100,), -1
    ),
}
