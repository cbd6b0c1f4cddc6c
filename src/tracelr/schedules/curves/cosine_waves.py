from fractions import Fraction
from typing import Annotated, Any, final

import torch
from torch import Tensor

from tracelr.arithmetic import Arithmetic, Real
from tracelr.errors import ScheduleError
from tracelr.schedules import fields
from tracelr.schedules.base import Schedule
from tracelr.schedules.describe.segments import Segments, waves
from tracelr.schedules.fields import Flag, Scalar, Steps

_LARGEST_DENOMINATOR = 2**16


def _ratio(cycles: float) -> Fraction:
    return Fraction(cycles).limit_denominator(_LARGEST_DENOMINATOR)


@final
class _Cycles(fields.Rule):
    allowed = "a number above 0 that is a fraction a / b with b up to 2**16"

    def parse(self, where: str, given: Any) -> float:
        value = fields.number(where, given, self.allowed)
        near = _ratio(value)
        if value <= 0 or float(near) != value:
            fix = f"pass {near.numerator} / {near.denominator}" if near > 0 else "pass a number above 0"
            raise ScheduleError(where, given, self.allowed, fix)
        return value

    def check_against(self, where: str, value: float, fields: dict[str, Any]) -> None:
        up, width = _wave(value, fields["steps"])
        if up * width >= 2**62:
            allowed = "cycles a / b and steps n with a * b * n below 2**62"
            raise ScheduleError(where, value, allowed, "pass a fraction of smaller terms, or fewer steps")


def _wave(cycles: float, steps: int) -> tuple[int, int]:
    """Return the integers u and w with cycles / steps = u / w in lowest terms: a wave is w steps of length u."""
    speed = _ratio(cycles) / steps
    return speed.numerator, speed.denominator


class CosineWaves(Schedule):
    r"""Cosine waves between `start` and `end`, `cycles` of them in `steps` steps; with `restart`, half waves, then flat.

    .. math:: f(t) = e + (s - e) \tfrac{1}{2} (1 + \cos(2 \pi c \tfrac{t}{n})) \quad\text{or}\quad
        f(t) = e + (s - e) \tfrac{1}{2} (1 + \cos(\pi\, (c \tfrac{t}{n} \bmod 1))),\ t < n

    with s = `start`, e = `end`, n = `steps`, c = `cycles`. The first form is periodic and **continues after** n. With
    `restart` each of the c cycles goes from `start` to `end`, a restart step has the value `start` again, and from n on the
    value is `end`. `cycles` is any a / b with b up to 2**16 (a float stands for the fraction nearest to it, so that 1/3 is a
    third). The phase is an exact integer, so a b n has to be below 2**62.

    Source: HF `cosine` and `cosine_with_restarts`, whose `num_cycles` is c (0.5, one way, and 1 by default).

    >>> import torch
    >>> CosineWaves(start=1.0, end=0.0, steps=4, cycles=1)(torch.arange(7))
    tensor([1.0000, 0.5000, 0.0000, 0.5000, 1.0000, 0.5000, 0.0000])
    >>> CosineWaves(start=1.0, end=0.0, steps=4, cycles=2, restart=True)(torch.arange(6))
    tensor([1.0000, 0.5000, 1.0000, 0.5000, 0.0000, 0.0000])
    """

    start: Scalar
    end: Scalar
    steps: Steps
    cycles: Annotated[float, _Cycles()]
    restart: Flag = False

    def prepare(self) -> None:
        self._up, self._width = _wave(self.cycles, self.steps)

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        place = (step.remainder(self._width) * self._up).remainder(self._width)  # the wave is _width long
        if self.restart:
            value = ops.interpolate(place, self._width, self.start, self.end, ops.haversine)
            return ops.where(step < self.steps, value, ops.full(step, self.end))
        near = torch.minimum(place, self._width - place)
        return ops.interpolate(2 * near, self._width, self.start, self.end, ops.haversine)

    def own_segments(self) -> Segments:
        # Of waves shorter than two steps, only some points are seen; they begin again after `_width` steps.
        period = round(self.steps / self.cycles) if self.steps >= 2 * self.cycles else self._width
        if not self.restart:
            return waves(self, "in cosine waves", period, (self.start, self.end))
        return waves(self, "along half a cosine, again and again", period, (self.start, self.end), self.steps)
