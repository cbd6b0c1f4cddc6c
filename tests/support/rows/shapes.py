"""Rows of other single curves: tanh, REX, k-decay, powers and waves of a cosine, power laws, noise."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from typing import Any

from mpmath import mp, mpf

import tracelr
from support.row import Exact, Row


def tanh(start: float, end: float, steps: int, low: float = -7.0, high: float = 3.0) -> Exact:
    def exact(t: int) -> Any:
        x = mpf(min(t, steps)) / steps
        return mpf(end) + (mpf(start) - mpf(end)) * (1 - mp.tanh(mpf(low) * (1 - x) + mpf(high) * x)) / 2

    return exact


def rex(start: float, end: float, steps: int) -> Exact:
    def exact(t: int) -> Any:
        x = mpf(min(t, steps)) / steps
        return mpf(end) + (mpf(start) - mpf(end)) * (1 - x) / (1 - x / 2)

    return exact


def k_decay(start: float, end: float, steps: int, k: float, power: float | None = None) -> Exact:
    def exact(t: int) -> Any:
        x = (mpf(min(t, steps)) / steps) ** mpf(k)
        part = (1 + mp.cos(mp.pi * x)) / 2 if power is None else (1 - x) ** mpf(power)
        return mpf(end) + (mpf(start) - mpf(end)) * part

    return exact


def cosine_power(start: float, end: float, steps: int, power: float) -> Exact:
    def exact(t: int) -> Any:
        part = mpf(0) if t >= steps else (1 + mp.cos(mp.pi * t / steps)) / 2
        return mpf(end) + (mpf(start) - mpf(end)) * part ** mpf(power)

    return exact


def waves(start: float, end: float, steps: int, cycles: Fraction, restart: bool = False) -> Exact:
    def exact(t: int) -> Any:
        gone = cycles * t / steps
        turn = gone % 1 if restart else 2 * gone % 2
        if restart and t >= steps:
            return mpf(end)
        part = (1 + mp.cos(mp.pi * turn.numerator / turn.denominator)) / 2
        return mpf(end) + (mpf(start) - mpf(end)) * part

    return exact


def power_law(start: float, exponent: float, steps: int = 1, shift: int = 0) -> Exact:
    return lambda t: mpf(start) * (mpf(max(t + shift, steps)) / steps) ** -mpf(exponent)


def noise(seed: int, spread: float, kind: str = "uniform", limit: float = 3.0) -> Exact:
    """The hash in Python's integers, the quantile by the inverse of the error function."""
    prime, digest = 2**31 - 1, hashlib.sha256(str(seed).encode()).digest()
    keys = [int.from_bytes(digest[4 * k : 4 * k + 4], "little") for k in range(4)]

    def exact(t: int) -> Any:
        x = pow(pow(t + keys[0], 5, prime) + keys[1], 5, prime) + t % (2**31 - 19)
        x = pow(pow(x + keys[2], 5, prime) + keys[3], 5, prime)
        if kind == "uniform":
            return 1 + mpf(spread) * (2 * x + 1 - prime) / (prime - 1)
        part = mpf(2 * x + 1 - prime) / prime * mp.erf(mpf(limit) / mp.sqrt(2))
        return 1 + mpf(spread) * mp.sqrt(2) * mp.erfinv(part)

    return exact


ROWS: dict[str, Row] = {
    "tanh": Row(tracelr.Tanh(6e-4, 6e-5, 100_000), tanh(6e-4, 6e-5, 100_000), {70_000: 3.3e-4}, (70_000, 100_000), -1),
    "rex": Row(tracelr.Rex(0.1, 0.0, 10**9), rex(0.1, 0.0, 10**9), {0: 0.1, 5 * 10**8: 0.1 / 1.5, 10**9: 0.0}, (10**9,), -1),
    "k_decay": Row(
        tracelr.KDecay(6e-4, 6e-5, 100_000, 1.5),
        k_decay(6e-4, 6e-5, 100_000, 1.5),
        {0: 6e-4, 100_000: 6e-5},
        (50_000, 62_996, 100_000),
        -1,
    ),
    "k_decay_polynomial": Row(
        tracelr.KDecay(1e-5, 0.1, 10_000, 2.0, 0.5),
        k_decay(1e-5, 0.1, 10_000, 2.0, 0.5),
        {0: 1e-5, 10_000: 0.1},
        (5000, 7071, 10_000),
        1,
    ),
    "cosine_power": Row(
        tracelr.CosinePower(0.1, 0.01, 10_000, 2.5),
        cosine_power(0.1, 0.01, 10_000, 2.5),
        {0: 0.1, 10_000: 0.01},
        (5000, 10_000),
        -1,
    ),
    "cosine_waves": Row(
        tracelr.CosineWaves(6e-4, 6e-5, 1000, 1 / 3),
        waves(6e-4, 6e-5, 1000, Fraction(1, 3)),
        {0: 6e-4, 1500: 6e-5, 3000: 6e-4, 3000 * 10**12: 6e-4, 3000 * 10**12 + 1500: 6e-5},
        (1500, 3000, 3000 * 2**30),
    ),
    "cosine_waves_restart": Row(
        tracelr.CosineWaves(0.1, 0.01, 1001, 3.5, restart=True),
        waves(0.1, 0.01, 1001, Fraction(7, 2), True),
        {0: 0.1, 143: 0.055, 286: 0.1, 1001: 0.01},
        (286, 572, 858, 1001),
    ),
    "power_law": Row(
        tracelr.PowerLaw(0.01, 0.51, 4000, -7), power_law(0.01, 0.51, 4000, -7), {0: 0.01, 4007: 0.01}, (4007,), -1
    ),
    "noise": Row(tracelr.Noise(42, 0.5), noise(42, 0.5), {}, (2**31 - 19, 2**31 - 1)),
    "noise_normal": Row(tracelr.Noise(7, 0.25, "normal"), noise(7, 0.25, "normal"), {}, (2**31 - 19, 2**31 - 1)),
    "cosine_of_no_steps": Row(tracelr.Cosine(1.0, 0.3, 0), lambda t: mpf(0.3), {0: 0.3, 9: 0.3}, ()),
    "tanh_of_no_steps": Row(
        tracelr.Tanh(1.0, 0.0, 0), lambda t: 1 / (1 + mp.exp(6)), {0: 0.0024726232, 9: 0.0024726232}, ()
    ),
}
