"""The commonest schedules, each in one call: its peak, its total number of steps, and the rest as fractions of these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from torch import Tensor

from tracelr.errors import ScheduleError
from tracelr.schedules import fields
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Sequential, Shorten
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.inverse_sqrt import InverseSqrt
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.curves.wsd import WSD
from tracelr.schedules.easing import EasingName

_LEAST = 0.001  # a smaller `end` is taken for a rate, such as 3e-5, that was meant as one


def warmup_cosine(peak: float | Tensor, total: int, warmup: float = 0.03, end: float = 0.1) -> Schedule:
    r"""Up from 0 to `peak` in a straight line, down to `end * peak` along half a cosine at step `total`, then flat.

    .. math:: f(t) = p \tfrac{t}{w},\ t < w, \qquad
        f(t) = p\, (e + (1 - e) \cos^2(\tfrac{\pi}{2} \tfrac{t - w}{n - w})),\ w \le t \le n

    with p = `peak`, n = `total` in steps, w = `warmup`: an int in steps, or a float below 1, a fraction of `total`.
    e = `end` is a fraction of the peak, not a rate. It is `Cosine(p, e * p, n - w).warmup(w)`.

    Raises `ScheduleError` if the warm-up is not shorter than `total`.

    >>> warmup_cosine(3e-4, 100_000)
    Cosine(start=0.0003, end=3e-05, steps=97000).warmup(3000)
    """
    peak, total, rise = _checked("warmup_cosine", peak, total, warmup)
    return _times(peak, lambda p: Cosine(p, _share("warmup_cosine(end)", p, end), total - rise).warmup(rise))


def warmup_linear(peak: float | Tensor, total: int, warmup: float = 0.03, end: float = 0.0) -> Schedule:
    r"""Up from 0 to `peak`, and down to `end * peak` at step `total`, in straight lines, then flat.

    .. math:: f(t) = p \tfrac{t}{w},\ t < w, \qquad f(t) = p\, (1 - (1 - e) \tfrac{t - w}{n - w}),\ w \le t \le n

    with p = `peak`, n = `total` in steps, w = `warmup`: an int in steps, or a float below 1, a fraction of `total`.
    e = `end` is a fraction of the peak, not a rate. Source: Bergsma et al. 2025 (arXiv 2502.15938) for e = 0.

    Raises `ScheduleError` if the warm-up is not shorter than `total`.

    >>> warmup_linear(3e-4, 100_000, warmup=500)
    Linear(start=0.0003, end=0.0, steps=99500).warmup(500)
    """
    peak, total, rise = _checked("warmup_linear", peak, total, warmup)
    return _times(peak, lambda p: Linear(p, _share("warmup_linear(end)", p, end), total - rise).warmup(rise))


def warmup_constant(peak: float | Tensor, total: int, warmup: float = 0.03) -> Schedule:
    r"""Up from 0 to `peak` in a straight line, then flat. Its length is `total`, so that `cooldown(0.1)` fits its end.

    .. math:: f(t) = p \min(\tfrac{t}{w}, 1)

    with p = `peak` and w = `warmup`: an int in steps, or a float below 1, a fraction of `total`, which is in steps.

    Raises `ScheduleError` if the warm-up is not shorter than `total`.

    >>> warmup_constant(1.0, 100, warmup=0.04)(range(0, 8, 2))
    tensor([0.0000, 0.5000, 1.0000, 1.0000])
    """
    peak, total, rise = _checked("warmup_constant", peak, total, warmup)
    return _times(peak, lambda p: Shorten(Constant(p), total - rise).warmup(rise))


def inverse_sqrt(peak: float | Tensor, total: int, *, warmup: float) -> Schedule:
    r"""Up from 0 to `peak` in a straight line, then down as one over the square root of the step, flat from `total` on.

    .. math:: f(t) = p \min(\tfrac{t}{w}, \sqrt{\tfrac{w}{t}}),\ t \le n

    with p = `peak`, n = `total` in steps, w = `warmup`, which says how fast the rate falls and so has no default: an int in
    steps, from 1 on, or a float below 1, a fraction of `total`. Source: Vaswani et al. 2017 (arXiv 1706.03762).

    Raises `ScheduleError` if the warm-up is not shorter than `total`.

    >>> inverse_sqrt(1.0, 100, warmup=4)([2, 4, 16, 64])
    tensor([0.5000, 1.0000, 0.5000, 0.2500])
    """
    peak, total, rise = _checked("inverse_sqrt", peak, total, warmup, low=1)

    def build(p: float) -> Schedule:
        return Shorten(Sequential([Linear(0.0, p, rise), InverseSqrt(p, rise)], [rise], reset=False), total)

    return _times(peak, build)


def wsd(
    peak: float | Tensor,
    total: int,
    *,
    warmup: float = 0.03,
    decay: float = 0.1,
    end: float = 0.0,
    decay_kind: EasingName = "linear",
) -> Schedule:
    r"""Warm-up, stable, decay: up from 0 to `peak`, flat, and down to `end * peak` at step `total` along `decay_kind`.

    .. math:: f(t) = p \tfrac{t}{w},\ t < w, \quad p,\ w \le t < n - d, \quad
        p\, (e + (1 - e)\, k(\tfrac{t - n + d}{d})),\ n - d \le t \le n

    with p = `peak`, n = `total` in steps, w = `warmup`, d = `decay`: each an int in steps, or a float below 1, a fraction of
    `total`. e = `end` is a fraction of the peak, not a rate; k is `decay_kind`, a name of `Ramp`. It is a `WSD`, whose
    phases are in steps.

    Raises `ScheduleError` if warm-up and decay are longer than `total`.

    >>> wsd(3e-4, 100_000, decay=0.2)([3_000, 80_000, 90_000, 100_000])
    tensor([0.0003, 0.0003, 0.0002, 0.0000])
    """
    peak, total, rise = _checked("wsd", peak, total, warmup)
    fall = fields.part("wsd(decay)", decay, total, high=total - rise)
    flat = total - rise - fall
    return _times(peak, lambda p: WSD(p, rise, flat, fall, 0.0, _share("wsd(end)", p, end), decay_kind=decay_kind))


FUNCTIONS: Mapping[str, Callable[..., Schedule]] = {
    one.__name__: one for one in (warmup_cosine, warmup_linear, warmup_constant, inverse_sqrt, wsd)
}
"""The functions by their names, which are also names in a spec line."""


def _checked(name: str, peak: Any, total: Any, warmup: Any, low: int = 0) -> tuple[Any, int, int]:
    """Return the peak, the total and the steps of the warm-up."""
    steps = fields.integer(f"{name}(total)", total, 1 + low, f"an int from {1 + low} to 2**53")
    if not isinstance(peak, (Tensor, Schedule)):
        peak = fields.number(f"{name}(peak)", peak)
    return peak, steps, fields.part(f"{name}(warmup)", warmup, steps, low, steps - 1)


def _share(where: str, peak: float, end: Any) -> float:
    """Return `end` times the peak. Both count as the decimal numbers that they were written as, so 0.1 of 3e-4 is 3e-05."""
    fraction = fields.number(where, end)
    if not (fraction == 0 or _LEAST <= fraction <= 1):
        allowed = f"a fraction of the peak: 0, or from {_LEAST:g} to 1"
        fix = (
            f"pass {fraction / peak:.6g}, if this is a rate"
            if peak and _LEAST <= fraction / peak <= 1
            else "pass a fraction"
        )
        raise ScheduleError(where, end, allowed, fix)
    return float(Fraction(repr(peak)) * Fraction(repr(fraction)))


def _times(peak: Any, build: Callable[[float], Schedule]) -> Schedule:
    """Return what `build` makes for a peak; for a tensor or a schedule, what it makes for 1, times that."""
    return build(peak) if isinstance(peak, float) else build(1.0) * peak
