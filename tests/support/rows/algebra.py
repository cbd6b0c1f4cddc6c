"""Rows of schedules built from other schedules: sums, other clocks, joins, warm-ups and cool-downs."""

from __future__ import annotations

from mpmath import mpf

from support.row import Row, cosine, exponential, inverse_sqrt, linear, piecewise
from tracelr import (
    Clamp,
    Cosine,
    Exponential,
    InverseSqrt,
    Linear,
    Loop,
    PiecewiseConstant,
    Sequential,
    Shift,
    Shorten,
    Stretch,
)

BASE = Cosine(6e-4, 6e-5, 10_000)
_base = cosine(6e-4, 6e-5, 10_000)

# Joined by hand: each piece is written with the value that the one before it has at the milestone.
_inner = [linear(1.0, 0.5, 20), inverse_sqrt(0.3, 30)]
_at_60 = _base(50) * mpf(1e-3) / mpf(6e-4)


def _scaled(t: int) -> mpf:
    if t < 10:
        return linear(0.0, 1e-3, 10)(t)
    if t < 60:
        return _base(t - 10) * mpf(1e-3) / mpf(6e-4)
    inner = _inner[0](t) if t < 70 else _inner[1](t) * _inner[0](70) / _inner[1](70)
    return inner * _at_60 / _inner[0](60)


def _shifted(t: int) -> mpf:
    if t < 100:
        return linear(0.0, 1.0, 100)(t)
    if t < 5100:
        return 1 + _base(t - 100) - _base(0)
    return 1 + _base(5000) - _base(0) + exponential(0.1, 0.5, 1000)(t - 5100) - mpf(0.1)


ROWS: dict[str, Row] = {
    "sum": Row(
        Linear(0.0, 1.0, 100) + Exponential(0.1, 0.5, 1000) + 0.01,
        lambda t: linear(0.0, 1.0, 100)(t) + exponential(0.1, 0.5, 1000)(t) + mpf(0.01),
        {0: 0.11, 1000: 1.06},
        (100, 1000),
    ),
    "clamp": Row(
        Clamp(Linear(1.0, 0.0, 1000), low=0.3, high=0.8),
        lambda t: max(mpf(0.3), min(mpf(0.8), linear(1.0, 0.0, 1000)(t))),
        {0: 0.8, 200: 0.8, 500: 0.5, 700: 0.3, 999: 0.3},
        (200, 700, 1000),
        -1,
    ),
    "shift_both_ways": Row(
        Shift(BASE, 2**24 + 1) * Shift(InverseSqrt(1.0, 3), -12),
        lambda t: _base(max(t - 2**24 - 1, 0)) * inverse_sqrt(1.0, 3)(t + 12),
        {0: 3e-4, 36: 1.5e-4},
        (2**24 + 1, 2**24 + 10_001),
        -1,
    ),
    "loop_shortened": Row(
        Loop(Shorten(BASE, 5000).then(Linear(1.0, 0.0, 7), at=6000), 6003),
        lambda t: linear(1.0, 0.0, 7)(t % 6003 - 6000) if t % 6003 >= 6000 else _base(min(t % 6003, 5000)),
        {0: 6e-4, 5000: 3.3e-4, 5999: 3.3e-4, 6000: 1.0, 6003: 6e-4, 6003 * 2**20 + 5000: 3.3e-4},
        (5000, 6000, 6003, 12_006, 6003 * 2**30),
    ),
    "stretch": Row(
        Stretch(PiecewiseConstant([0.3, 0.2, 0.1], [2**40 + 1, 2**50]) * Linear(1.0, 0.5, 1000), 7, 3),
        lambda t: piecewise([0.3, 0.2, 0.1], [2**40 + 1, 2**50])(t * 3 // 7) * linear(1.0, 0.5, 1000)(t * 3 // 7),
        {0: 0.3, 2: 0.3, 3: 0.29985, 2334: 0.15, 2**51: 0.1},
        (2334, (2**40 + 1) * 7 // 3 + 1, 2**50 * 7 // 3 + 1),
        -1,
    ),
    "stretch_to_tokens": Row(
        Stretch(Cosine(6e-4, 6e-5, 10**12), 1, 2**22 - 3),
        lambda t: cosine(6e-4, 6e-5, 10**12)(min(t * (2**22 - 3), 2**53)),
        {0: 6e-4, 2**53: 6e-5},
        (238_418, 238_419),
        -1,
    ),
    "join_scale_nested": Row(
        Sequential(
            [
                Linear(0.0, 1e-3, 10),
                BASE,
                Sequential([Linear(1.0, 0.5, 20), InverseSqrt(0.3, 30)], [70], reset=False, join="scale"),
            ],
            [10, 60],
            reset=[True, True, False],
            join="scale",
        ),
        _scaled,
        {0: 0.0, 5: 5e-4, 10: 1e-3},
        (10, 60, 70),
    ),
    "join_shift": Row(
        Sequential([Linear(0.0, 1.0, 100), BASE, Exponential(0.1, 0.5, 1000)], [100, 5100], join="shift"),
        _shifted,
        {0: 0.0, 100: 1.0, 5100: 0.99973, 6100: 0.94973},
        (100, 5100),
    ),
    "warmup_and_cooldown": Row(
        Linear(6e-4, 6e-5, 10_000).warmup(1000, start=0.1).cooldown(500, at=6000, end=1e-5),
        lambda t: (
            linear(6e-4, 6e-5, 10_000)(max(min(t, 6000) - 1000, 0))
            * linear(0.1, 1.0, 1000)(t)
            * (1 - mpf(max(0, min(t - 6000, 500))) / 500)
            + mpf(1e-5) * max(0, min(t - 6000, 500)) / 500
        ),
        {0: 6e-5, 1000: 6e-4, 6000: 3.3e-4, 6250: 1.7e-4, 6500: 1e-5},
        (1000, 6000, 6500),
    ),
}
