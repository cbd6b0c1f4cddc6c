"""Rows of curves in phases: named easings, and what is built from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpmath import mp, mpf
from torch import Tensor

import tracelr
from support.row import Exact, Row, exponential, linear


def factor(kind: str, steps: int, ratio: float = 0.5) -> Callable[[int], Any]:
    """Return the factor of a decay, from 1 at step 0 to 0 at `steps`."""
    r = mpf(ratio)
    return {
        "linear": lambda t: 1 - mpf(t) / steps,
        "cosine": lambda t: (1 + mp.cos(mp.pi * t / steps)) / 2,
        "sqrt": lambda t: mp.sqrt(1 - mpf(t) / steps),
        "square": lambda t: (1 - mpf(t) / steps) ** 2,
        "1-sqrt": lambda t: 1 - mp.sqrt(mpf(t) / steps),
        "1-square": lambda t: 1 - (mpf(t) / steps) ** 2,
        "exponential": lambda t: (r ** (mpf(t) / steps) - r) / (1 - r),
        "log": lambda t: mp.log(1 + steps - t) / mp.log(1 + steps),
    }[kind]


def ramp(start: float, end: float, steps: int, kind: str, ratio: float = 0.5, rising: bool = False) -> Exact:
    down, up = factor(kind, steps, ratio), mpf(start) - mpf(end)

    def exact(t: int) -> Any:
        t = max(0, min(t, steps))
        return mpf(start) - up * down(steps - t) if rising else mpf(end) + up * down(t)

    return exact


def wsd(
    peak: float,
    warm: int,
    stable: int,
    decay: int,
    start: float = 0.0,
    end: float = 0.0,
    warm_kind: str = "linear",
    decay_kind: str = "linear",
    ratio: float = 0.5,
) -> Exact:
    def exact(t: int) -> Any:
        if t < warm:
            return ramp(start, peak, warm, warm_kind, ratio, rising=True)(t)
        return ramp(peak, end, decay, decay_kind, ratio)(t - warm - stable)

    return exact


def rescaled(t: int) -> Any:
    """Two curves of 100 and 3000 steps, stretched to 250 and 2**20 steps; the third begins where they end."""
    if t < 250:
        return ramp(0.0, 1e-3, 100, "linear")(t * 100 // 250)
    if t < 250 + 2**20:
        return mpf(1e-3) * ramp(1.0, 0.5, 3000, "cosine")((t - 250) * 3000 // 2**20)
    return mpf(1e-3) / 2 * ramp(1.0, 0.0, 10**6, "linear")(t - 250 - 2**20)


def driven(t: int) -> Any:
    place = t % 2500
    height = mpf(place) / 2000 if place <= 2000 else mpf(2500 - place) / 500
    wave = mpf(1e-3) + (exponential(0.1, 0.5, 10_000)(t) - mpf(1e-3)) * height
    return wave + wsd(0.1, 100, 400, 1000, end=linear(0.0, 0.05, 3000)(t))(t)


def slow_root(step: Tensor) -> Tensor:
    return 0.1 / (1.0 + step.double() / 1000).sqrt()


ROWS: dict[str, Row] = {
    "ramp_square": Row(
        tracelr.Ramp(1.0, 0.0, 10_001, "square"),
        ramp(1.0, 0.0, 10_001, "square"),
        {0: 1.0, 10_001: 0.0, 10**6: 0.0},
        (10_001,),
        -1,
    ),
    "wsd_log_root": Row(
        tracelr.WSD(6e-4, 2000, 98_000, 2**24 + 3, 1e-5, 6e-5, "log", "1-sqrt"),
        wsd(6e-4, 2000, 98_000, 2**24 + 3, 1e-5, 6e-5, "log", "1-sqrt"),
        {0: 1e-5, 2000: 6e-4, 100_000: 6e-4, 100_000 + 2**24 + 3: 6e-5},
        (2000, 100_000, 100_000 + 2**24 + 3),
    ),
    "wsd_tri_stage": Row(
        tracelr.WSD(1.0, 100, 0, 900, 0.01, 0.01, "1-sqrt", "exponential", ratio=0.01),
        lambda t: wsd(1.0, 100, 0, 900, 0.01, 0.01, "1-sqrt", "exponential", 0.01)(t),
        {0: 0.01, 100: 1.0, 550: 0.1, 1000: 0.01},
        (100, 1000),
    ),
    "range_test": Row(
        tracelr.RangeTest(1e-3, 0.3, 2000),
        lambda t: mpf(1e-3) * (1 + mpf(0.3) * mpf(t + 1) / 2000),
        {999: 1.15e-3, 1999: 1.3e-3},
        (1999, 2000),
        1,
    ),
    "range_test_stairs": Row(
        tracelr.RangeTest(1e-3, 0.3, 7, staircase=True),
        lambda t: mpf(1e-3) * (1 + mpf(0.3) * ((t + 1) // 7)),
        {0: 1e-3, 5: 1e-3, 6: 1.3e-3},
        (6, 13, 7 * 2**40 - 1),
        1,
    ),
    "sequential_rescaled": Row(
        tracelr.Sequential(
            [tracelr.Linear(0.0, 1e-3, 100), tracelr.Cosine(1.0, 0.5, 3000), tracelr.Linear(1.0, 0.0, 10**6)],
            [250, 2**20 + 250],
            reset="rescale",
            join="scale",
        ),
        rescaled,
        {0: 0.0, 125: 5e-4, 126: 5e-4, 250: 1e-3, 250 + 2**20: 5e-4, 250 + 2**20 + 10**6: 0.0},
        (250, 2**20 + 250, 2**20 + 250 + 10**6),
    ),
    "lambda": Row(
        tracelr.Lambda(slow_root),
        lambda t: mpf(0.1) / mp.sqrt(1 + mpf(t) / 1000),
        {0: 0.1, 3000: 0.05, 8000: 0.1 / 3},
        (1000,),
        -1,
        written=False,
    ),
    "driven": Row(
        tracelr.Cyclic(1e-3, 0.1, 2000, 500).drive(high=tracelr.Exponential(0.1, 0.5, 10_000))
        + tracelr.Constant(0.0).drive(value=tracelr.WSD(0.1, 100, 400, 1000).drive(end=tracelr.Linear(0.0, 0.05, 3000))),
        driven,
        {0: 1e-3, 2500: 0.001 + 125 / 3000, 5000: 0.051, 10_000: 0.051},
        (100, 500, 1500, 2000, 2500, 3000),
    ),
}
