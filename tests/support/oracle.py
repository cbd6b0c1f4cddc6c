"""Rounding to float32 in exact arithmetic, independent of torch."""

from __future__ import annotations

import random
from typing import Any

from mpmath import mp


def to_float32(x: Any) -> float:
    """Return the float32 nearest to the mpmath number `x`, ties to even, as a Python float."""
    if x == 0:
        return 0.0
    _, exponent = mp.frexp(x)
    unit = max(exponent - 24, -149)
    return float(mp.ldexp(mp.nint(mp.ldexp(x, -unit)), unit))


def ulps(got: float, exact: Any) -> float:
    """Return how far `got` is from `exact`, in float32 units in the last place of `exact`."""
    if exact == 0:
        return 0.0 if got == 0 else float("inf")
    _, exponent = mp.frexp(exact)
    return float(abs(mp.mpf(got) - exact) / mp.ldexp(1, max(exponent - 24, -149)))


def probes(ends: tuple[int, ...], seed: int, random_steps: int) -> list[int]:
    """Return steps that find mistakes: each end and power of two and their neighbours, and random ones of every size."""
    draw = random.Random(seed)
    longest = max([1000, *ends])
    centres = [0, *ends, *(2**k for k in range(54)), *(2 * e for e in ends), *(e // 2 for e in ends)]
    steps = {c + d for c in centres for d in (-1, 0, 1)}
    for _ in range(random_steps):
        steps.add(draw.randrange(longest + 1))
        steps.add(int(longest ** draw.random()))
        steps.add(longest - int(longest ** draw.random()))
    return sorted(step for step in steps if 0 <= step <= 2**53)
