"""Easings: named ways from one value to another, each exact at both ends and measured from the nearer one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias, get_args

from tracelr.arithmetic import Arithmetic, Real

EasingName: TypeAlias = Literal["linear", "cosine", "sqrt", "square", "1-sqrt", "1-square", "exponential", "log"]
"""Named by the factor of a decay, from 1 to 0, at x = t / n; the factor of a warm-up is its mirror image, that at 1 - x.

"linear": 1 - x; "cosine": (1 + cos(pi x)) / 2; "sqrt": sqrt(1 - x); "square": (1 - x)**2; "1-sqrt": 1 - sqrt(x);
"1-square": 1 - x**2; "exponential": (r**x - r) / (1 - r), with r = `ratio`; "log": log(1 + n - t) / log(1 + n).
"""

EASINGS: tuple[str, ...] = get_args(EasingName)

Warmup: TypeAlias = EasingName | Literal["constant"]
"""What a warm-up may follow."""

Origin: TypeAlias = Literal["0", "1/n", "1/(n+1)"]
"""Where on its way a warm-up of n steps is at step 0: which of t / n, (t + 1) / n and (t + 1) / (n + 1) it follows."""

ORIGINS: tuple[str, ...] = get_args(Origin)

Part: TypeAlias = Callable[[Real], Real]


class Easing(NamedTuple):
    """How `Arithmetic.interpolate` goes from one value to another: early on the way, late on it, and where these meet."""

    easing: Part | None = None
    mirrored: Part | None = None
    switch_at: int | None = None


def easing(ops: Arithmetic, kind: str, width: int, ratio: float = 0.5, rising: bool = False) -> Easing:
    """Return the easing `kind` over `width` steps: of a decay, or with `rising` of a warm-up."""
    if kind == "linear":
        return Easing()
    if kind == "cosine":
        return Easing(ops.haversine)
    early: Part
    mirrored: Part
    half: float | None
    if kind == "log":
        whole, share, half = math.log1p(width), width / (1 + width), None
        early = lambda x: ops.div(ops.log1p(ops.mul(x, -share)), -whole)  # noqa: E731
        mirrored = lambda x: ops.div(ops.log1p(ops.mul(x, float(width))), whole)  # noqa: E731
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
    if rising:  # the mirror image: what was gone is still to go
        early, mirrored = mirrored, early
        half = None if half is None else 1.0 - half
    return Easing(early, mirrored, None if half is None else int(half * width))
