"""Easings: named ways from one value to another, each exact at both ends and measured from the nearer one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias, get_args

from tracelr.arithmetic import Arithmetic, Wide

Easing: TypeAlias = Literal["linear", "cosine", "sqrt", "square", "1-sqrt", "1-square", "exponential", "log"]
"""Named by the factor of a decay, from 1 to 0, at x = t / n; the factor of a warm-up is its mirror image, that at 1 - x.

"linear": 1 - x; "cosine": (1 + cos(pi x)) / 2; "sqrt": sqrt(1 - x); "square": (1 - x)**2; "1-sqrt": 1 - sqrt(x);
"1-square": 1 - x**2; "exponential": (r**x - r) / (1 - r), with r = `ratio`; "log": log(1 + n - t) / log(1 + n).
"""

EASINGS: tuple[str, ...] = get_args(Easing)

Warmup: TypeAlias = Easing | Literal["constant"]
"""What a warm-up may follow."""

Origin: TypeAlias = Literal["0", "1/n", "1/(n+1)"]
"""Where on its way a warm-up of n steps is at step 0: which of t / n, (t + 1) / n and (t + 1) / (n + 1) it follows."""

ORIGINS: tuple[str, ...] = get_args(Origin)

Part: TypeAlias = Callable[[Wide], Wide]


class Way(NamedTuple):
    """What `Arithmetic.between` takes after its two values."""

    ease: Part | None = None
    late: Part | None = None
    turn: int | None = None


def way(ops: Arithmetic, kind: str, width: int, ratio: float = 0.5, rising: bool = False) -> Way:
    """Return the easing `kind` over `width` steps: of a decay, or with `rising` of a warm-up."""
    if kind == "linear":
        return Way()
    if kind == "cosine":
        return Way(ops.sin2h)
    early: Part
    late: Part
    half: float | None
    if kind == "log":
        whole, share, half = math.log1p(width), width / (1 + width), None
        early = lambda x: ops.div(ops.log1p(ops.mul(x, -share)), -whole)  # noqa: E731
        late = lambda x: ops.div(ops.log1p(ops.mul(x, float(width))), whole)  # noqa: E731
    elif kind == "exponential":
        k, rest = -math.log(ratio), 1.0 - ratio
        early = lambda x: ops.div(ops.expm1(ops.mul(x, -k)), -rest)  # noqa: E731
        late = lambda x: ops.mul(ops.expm1(ops.mul(x, k)), ratio / rest)  # noqa: E731
        half = -math.log1p(-rest / 2) / k
    else:
        p = 0.5 if "sqrt" in kind else 2.0
        early, late, half = lambda x: ops.power_drop(x, p), lambda x: ops.power(x, p), 1.0 - 0.5 ** (1 / p)
        if kind.startswith("1-"):
            early, late, half = late, early, 1.0 - half
    if rising:  # the mirror image: what was gone is still to go
        early, late = late, early
        half = None if half is None else 1.0 - half
    return Way(early, late, None if half is None else int(half * width))
