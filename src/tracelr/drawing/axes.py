"""The points of a curve, and the axes that they are drawn on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, final

from tracelr.errors import ScheduleError, Unquoted, printable


@final
class Curve(NamedTuple):
    """The points that a line joins: increasing steps, the value at each, and the name in a legend.

    Curves of one `quantity`, such as "weight decay", share an axis of values, whose label it is.
    """

    name: str
    steps: tuple[int, ...]
    values: tuple[float, ...]
    quantity: str = ""


@final
class Axis(NamedTuple):
    """The range of an axis, and its ticks with their labels. A logarithmic axis has its ticks at powers of ten."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    log: bool = False

    def place(self, value: float) -> float:
        """Return the place of `value` on the axis, from 0 at the low end to 1 at the high end."""
        if self.log:
            value = max(value, self.low)
            return (math.log10(value) - math.log10(self.low)) / (math.log10(self.high) - math.log10(self.low))
        return (value - self.low) / (self.high - self.low)


def panels(curves: Sequence[Curve]) -> list[tuple[str, list[Curve]]]:
    """Return the curves of each quantity, in the order in which the quantities come first.

    >>> [name for name, _ in panels([Curve("a", (0,), (1.0,), "rate"), Curve("b", (0,), (2.0,), "decay")])]
    ['rate', 'decay']
    """
    found: dict[str, list[Curve]] = {}
    for curve in curves:
        found.setdefault(curve.quantity, []).append(curve)
    return list(found.items())


def short_name(text: str, width: int) -> str:
    """Return a name as a picture shows it: at most `width` letters, with an escape for what does not print.

    >>> short_name("a" * 20, 12)
    'aaaaaaaaa...'
    """
    text = printable(text)
    return text if len(text) <= width else f"{text[: width - 3]}..."


def step_axis(curves: Sequence[Curve], wanted: int = 6) -> Axis:
    """Return the axis of the steps of all `curves`."""
    low, high = min(one.steps[0] for one in curves), max(one.steps[-1] for one in curves)
    width = max(_nice((high - low) / wanted), 1)
    ticks = [tick for tick in _multiples(low, high, width) if low <= tick <= high]
    return Axis(low, high, tuple((tick, counted(tick)) for tick in ticks))


def value_axis(curves: Sequence[Curve], log: bool = False, wanted: int = 5) -> Axis:
    """Return the axis of the values of all `curves`; with `log` it shows those above 0.

    Raises `ScheduleError` if no value is above 0 on a logarithmic axis.

    >>> value_axis([Curve("", (0, 1), (0.0, 3e-4))]).ticks[-1]
    (0.0003, '3e-4')
    """
    values = [value for one in curves for value in one.values if math.isfinite(value) and (value > 0 or not log)]
    if not values:
        given, allowed = Unquoted("no value above 0" if log else "no finite value"), "one or more"
        raise ScheduleError("axis", given, allowed, "leave the axis linear" if log else "show other steps")
    low, high = min(values), max(values)
    if log:
        return _log_axis(low, high)
    if low > 0 and low < 0.5 * high:
        low = 0.0
    if high - low <= abs(high) * 1e-6:
        low, high = min(low, 0.0), max(high, 0.0) or 1.0
    width = _nice((high - low) / wanted)
    ticks = [tick for tick in _multiples(low, high, width) if low - width / 1e3 <= tick <= high + width / 1e3]
    return Axis(low, high, tuple((tick, rate(tick)) for tick in ticks))


def _log_axis(low: float, high: float) -> Axis:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    first, last = max(first, last - 12), max(last, first + 1)  # values that fall to 0 would fill the picture
    every = -(-(last - first) // 8)
    return Axis(10.0**first, 10.0**last, tuple((10.0**k, f"1e{k}") for k in range(first, last + 1, every)), True)


def _nice(width: float) -> float:
    """Return the smallest number of the form 1, 2 or 5 times a power of ten that is not below `width`."""
    power = 10.0 ** math.floor(math.log10(width))
    return next(float(f"{factor * power:.3g}") for factor in (1, 2, 5, 10) if factor * power >= width * (1 - 1e-9))


def _multiples(low: float, high: float, width: float) -> list[float]:
    first, last = math.floor(low / width + 1e-9), math.ceil(high / width - 1e-9)
    return [float(f"{k * width:.12g}") for k in range(first, last + 1)]


def counted(step: float) -> str:
    """Return a number of steps as a short label.

    >>> [counted(step) for step in (0, 250, 20_000, 1_500_000, 3e12)]
    ['0', '250', '20k', '1.5M', '3e12']
    """
    for size, letter in ((1e9, ""), (1e6, "M"), (1e3, "k")):
        if step >= size:
            return _power(f"{step:.3e}") if not letter else f"{step / size:.6g}{letter}"
    return f"{step:.6g}"


def rate(value: float) -> str:
    """Return a learning rate as a short label.

    >>> [rate(value) for value in (0.0, 3e-4, 0.05, 1.5, 2e-10)]
    ['0', '3e-4', '0.05', '1.5', '2e-10']
    """
    if value == 0 or 0.001 <= abs(value) < 10_000:
        return f"{value:.6g}"
    return _power(f"{value:.5e}")


def _power(text: str) -> str:
    digits, _, power = text.partition("e")
    return f"{digits.rstrip('0').rstrip('.')}e{int(power)}"
