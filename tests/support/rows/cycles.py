"""Rows of stairs, of curves through knots and of cycles."""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from typing import Any

from mpmath import mp, mpf

import tracelr
from support.row import Exact, Row, exponential


def multi_step(start: float, gamma: float, milestones: list[int]) -> Exact:
    return lambda t: mpf(start) * mpf(gamma) ** sum(m <= t for m in milestones)


def wave(start: float, end: float, period: int) -> Exact:
    return lambda t: mpf(end) + (mpf(start) - mpf(end)) * (1 + mp.cos(mp.pi * t / period)) / 2


def restarts(
    start: float, end: float, period: int, multiplier: float = 1, decay: float = 1, limit: int | None = None
) -> Exact:
    """Go through the cycles one by one; after `limit` of them the value is `end`."""
    starts, time, length = [0], Fraction(0), Fraction(period)
    while multiplier > 1 and starts[-1] <= 2**53:
        time, length = time + length, length * Fraction(repr(float(multiplier)))
        starts.append(-int(-time // 1))

    def exact(t: int) -> Any:
        cycle = bisect_right(starts, t) - 1 if multiplier > 1 else t // period
        if limit is not None and cycle >= limit:
            return mpf(end)
        first, width = (starts[cycle], starts[cycle + 1] - starts[cycle]) if multiplier > 1 else (cycle * period, period)
        return wave(float(1), float(0), width)(t - first) * (mpf(start) * mpf(decay) ** cycle - end) + mpf(end)

    return exact


def cyclic(low: float, high: float, up: int, down: int, mode: str = "triangular", gamma: float = 1) -> Exact:
    def exact(t: int) -> Any:
        cycle, place = divmod(t, up + down)
        height = mpf(place) / up if place <= up else mpf(up + down - place) / down
        scale = {"triangular": mpf(1), "triangular2": mpf(2) ** -cycle, "exp_range": mpf(gamma) ** t}[mode]
        return mpf(low) + (mpf(high) - mpf(low)) * height * scale

    return exact


def knots(milestones: list[Any], values: list[float], kind: str) -> Exact:
    def exact(t: int) -> Any:
        k = sum(m <= t for m in milestones) - 1
        if k < 0 or k == len(values) - 1:
            return mpf(values[max(k, 0)])
        x = (t - mpf(milestones[k])) / (mpf(milestones[k + 1]) - mpf(milestones[k]))
        x = x if kind == "linear" else (1 - mp.cos(mp.pi * x)) / 2
        return mpf(values[k]) + (mpf(values[k + 1]) - mpf(values[k])) * x

    return exact


def one_cycle(
    start: float, peak: float, end: float, steps: int, warm: float, ease: str = "cosine", three_phase: bool = False
) -> Exact:
    middle = [(2 * mpf(warm), start)] if three_phase else []
    times, values = zip((0, start), (warm, peak), *middle, (steps, end), strict=True)
    return knots(list(times), list(values), ease)


KNOTS = [10, 1010, 2**24 + 1, 10**12], [0.0, 6e-4, 1e-5, 3e-4]

ROWS: dict[str, Row] = {
    "step": Row(
        tracelr.Step(6e-4, 0.9, 7),
        exponential(6e-4, 0.9, 7, staircase=True),
        {0: 6e-4, 6: 6e-4, 7: 5.4e-4},
        (7, 14, 700, 7 * 2**9),
        -1,
    ),
    "multi_step": Row(
        tracelr.MultiStep(0.1, 0.3, [1000, 3000, 3000, 2**40]),
        multi_step(0.1, 0.3, [1000, 3000, 3000, 2**40]),
        {999: 0.1, 1000: 0.03, 3000: 0.0027, 2**40: 0.00081},
        (1000, 3000, 2**40),
        -1,
    ),
    "cosine_annealing": Row(
        tracelr.CosineAnnealing(6e-4, 6e-5, 1001),
        wave(6e-4, 6e-5, 1001),
        {0: 6e-4, 1001: 6e-5, 2002: 6e-4, 1001 * 10**9: 6e-4, 1001 * (10**9 + 1): 6e-5},
        (1001, 2002, 3003, 1001 * 2**30),
    ),
    "warm_restarts": Row(
        tracelr.WarmRestarts(0.1, 0.01, 1000, decay=0.7, limit=5),
        restarts(0.1, 0.01, 1000, 1, 0.7, 5),
        {0: 0.1, 500: 0.055, 1000: 0.07, 1500: 0.04, 5000: 0.01},
        (1000, 2000, 4000, 5000),
    ),
    "warm_restarts_growing": Row(
        tracelr.WarmRestarts(0.1, 0.0, 10, multiplier=1.5, decay=0.9),
        restarts(0.1, 0.0, 10, 1.5, 0.9),
        {0: 0.1, 5: 0.05, 10: 0.09, 25: 0.081, 48: 0.0729},
        (10, 25, 48, 82),
    ),
    "cyclic": Row(
        tracelr.Cyclic(0.001, 0.1, 2000, 500),
        cyclic(0.001, 0.1, 2000, 500),
        {0: 0.001, 1000: 0.0505, 2000: 0.1, 2250: 0.0505, 2500: 0.001, 2500 * 10**10 + 2000: 0.1},
        (2000, 2500, 4500, 2500 * 2**40),
    ),
    "cyclic_halving": Row(
        tracelr.Cyclic(0.001, 0.1, 300, mode="triangular2"),
        cyclic(0.001, 0.1, 300, 300, "triangular2"),
        {0: 0.001, 300: 0.1, 600: 0.001, 900: 0.0505},
        (300, 600, 900, 600 * 2**5),
    ),
    "cyclic_fading": Row(
        tracelr.Cyclic(0.001, 0.1, 300, 200, "exp_range", gamma=0.9999),
        cyclic(0.001, 0.1, 300, 200, "exp_range", 0.9999),
        {0: 0.001, 500: 0.001},
        (300, 500, 800, 500 * 2**10),
    ),
    "one_cycle": Row(
        tracelr.OneCycle(0.04, 1.0, 4e-6, 999, 0.3 * 1000 - 1.25),
        one_cycle(0.04, 1.0, 4e-6, 999, 0.3 * 1000 - 1.25),
        {0: 0.04, 999: 4e-6, 10**6: 4e-6},
        (298, 299, 999),
    ),
    "one_cycle_three_phase": Row(
        tracelr.OneCycle(0.04, 1.0, 4e-6, 10**6, 3e5, ease="linear", three_phase=True),
        one_cycle(0.04, 1.0, 4e-6, 10**6, 3e5, "linear", True),
        {0: 0.04, 150_000: 0.52, 300_000: 1.0, 600_000: 0.04, 10**6: 4e-6},
        (300_000, 600_000, 10**6),
    ),
    "interpolate": Row(
        tracelr.Interpolate(KNOTS[1], KNOTS[0], "linear"),
        knots(*KNOTS, "linear"),
        {0: 0.0, 10: 0.0, 510: 3e-4, 1010: 6e-4, 2**24 + 1: 1e-5, 10**12: 3e-4},
        (10, 1010, 2**24 + 1, 10**12),
    ),
    "interpolate_cosine": Row(
        tracelr.Interpolate(KNOTS[1], KNOTS[0], "cosine"),
        knots(*KNOTS, "cosine"),
        {0: 0.0, 10: 0.0, 510: 3e-4, 1010: 6e-4, 2**24 + 1: 1e-5, 10**12: 3e-4},
        (10, 1010, 2**24 + 1, 10**12),
    ),
}
