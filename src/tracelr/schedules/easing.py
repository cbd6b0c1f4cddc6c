"""Easings: named curves from one value to another, each exact at both ends."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias, final, get_args

from tracelr.arithmetic import Arithmetic, Real

EasingName: TypeAlias = Literal["linear", "cosine", "sqrt", "square", "1-sqrt", "1-square", "exponential", "log"]
"""The factor of a decay, from 1 to 0, at x = t / n. The factor of a warm-up is the mirror image, the factor at 1 - x.

"linear": 1 - x; "cosine": (1 + cos(pi x)) / 2; "sqrt": sqrt(1 - x); "square": (1 - x)**2; "1-sqrt": 1 - sqrt(x);
"1-square": 1 - x**2; "exponential": (r**x - r) / (1 - r), with r = `ratio`; "log": log(1 + n - t) / log(1 + n).
"""

EASINGS: tuple[str, ...] = get_args(EasingName)

Warmup: TypeAlias = EasingName | Literal["constant"]
"""The curves of a warm-up."""

Origin: TypeAlias = Literal["0", "1/n", "1/(n+1)"]
"""How far along a warm-up of n steps is at step 0: it is t / n, (t + 1) / n or (t + 1) / (n + 1) of the way at step t."""

ORIGINS: tuple[str, ...] = get_args(Origin)

UnitCurve: TypeAlias = Callable[[Real], Real]


@final
class Easing(NamedTuple):
    """The last arguments of `Arithmetic.ramp` and `interpolate`: the curve up to `switch_at`, and after it."""

    easing: UnitCurve | None = None
    mirrored: UnitCurve | None = None
    switch_at: int | None = None


def easing(ops: Arithmetic, kind: str, width: int, ratio: float = 0.5, rising: bool = False) -> Easing:
    """Return the easing `kind` over `width` steps: of a decay, or with `rising` of a warm-up."""
    if kind == "linear":
        return Easing()
    if kind == "cosine":
        return Easing(ops.haversine)
    early: UnitCurve
    mirrored: UnitCurve
    half: float | None
    if kind == "log":
        log, share, half = math.log1p(width), width / (1 + width), None
        early = lambda x: ops.div(ops.log1p(ops.mul(x, -share)), -log)  # noqa: E731
        mirrored = lambda x: ops.div(ops.log1p(ops.mul(x, float(width))), log)  # noqa: E731
    elif kind == "exponential":
        k, rest = -math.log(ratio), 1.0 - ratio
        early = lambda x: ops.div(ops.expm1(ops.mul(x, -k)), -rest)  # noqa: E731
        mirrored = lambda x: ops.mul(ops.expm1(ops.mul(x, k)), ratio / rest)  # noqa: E731
        half = -math.log1p(-rest / 2) / k
    else:
        p = 0.5 if "sqrt" in kind else 2.0
        early, mirrored, half = lambda x: ops.one_minus_pow(x, p), lambda x: ops.power(x, p), 1.0 - 0.5 ** (1 / p)
        if kind.startswith("1-"):
            early, mirrored, half = mirrored, early, 1.0 - half
    if rising:  # the mirror image
        early, mirrored = mirrored, early
        half = None if half is None else 1.0 - half
    return Easing(early, mirrored, None if half is None else int(half * width))
