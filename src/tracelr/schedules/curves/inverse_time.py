import math
from dataclasses import replace

import torch
from torch import Tensor

from tracelr.arithmetic import Arithmetic, Real
from tracelr.errors import ScheduleError, Unquoted
from tracelr.schedules.base import Schedule
from tracelr.schedules.describe.segments import Segments, endless
from tracelr.schedules.fields import Exponent, Flag, NonNegative, Scalar, Steps
from tracelr.schedules.fitting import Fit

_LARGEST_POWER = 84  # 2 to this, divided by any n, is above 2**30
_LARGEST_ROOT = 2**5
_SMALL = 2.0**-20


class InverseTime(Schedule):
    r"""Divide by a line (or a power) of the time. It has no end.

    .. math:: f(t) = \frac{s}{1 + r\, t^k / n} \quad\text{or}\quad f(t) = \frac{s}{1 + r \lfloor t^k / n \rfloor}

    with s = `start`, r = `rate` >= 0, n = `steps`, k = `exponent`; the second form is `staircase`. Source: Keras
    `InverseTimeDecay` (k = 1), Cerebras `InverseExponentialTimeDecayLR` (any k).

    >>> import torch
    >>> InverseTime(start=1.0, rate=1.0, steps=2)(torch.arange(5))
    tensor([1.0000, 0.6667, 0.5000, 0.4000, 0.3333])
    >>> InverseTime(start=1.0, rate=1.0, steps=2, staircase=True)(torch.arange(5))
    tensor([1.0000, 1.0000, 0.5000, 0.5000, 0.3333])
    """

    start: Scalar
    rate: NonNegative
    steps: Steps
    exponent: Exponent = 1.0
    staircase: Flag = False

    def prepare(self) -> None:
        # t**k / n, with both t and n in units in which no power of t that counts is above 2**126. If the exponent is large
        # or the rate small, larger ones count: the logarithm of r / n, which is then used, keeps them.
        shift = int(math.log2(self.steps) / self.exponent) if self.exponent > 2 else 0
        self._unit, self._steps = 2.0**-shift, self.steps / 2.0 ** (shift * self.exponent)
        self._log = None
        if isinstance(self.rate, float) and self.rate > 0 and self.exponent > 2:
            large = isinstance(self.start, Schedule) or (isinstance(self.start, float) and abs(self.start) > 1.0 / _SMALL)
            if self.exponent > 4 or self.rate < self._steps * (1.0 if large else _SMALL):
                self._log = math.log(self.rate) - math.log(self.steps)

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        if self.exponent == 1:
            time = ops.floordiv_real(step, self.steps) if self.staircase else ops.ratio(step, self.steps)
        else:
            if self._log is not None and not self.staircase:
                return self._by_logarithm(step, self._log, ops)
            time = ops.div(ops.power(ops.mul(ops.integer(step), self._unit), self.exponent), self._steps)
            if self.staircase:
                stairs = ops.div_by_line(self.start, self._stair(step, time, ops), self.rate)
                if self._log is None:
                    return stairs
                early = ops.within(time, 2.0**30)  # later stairs are lower than half a unit of a float32
                return ops.where(early, stairs, self._by_logarithm(step, self._log, ops))
        return ops.div_by_line(self.start, time, self.rate)

    def _by_logarithm(self, step: Tensor, of_rate: float, ops: Arithmetic) -> Real:
        log = ops.add(ops.mul(ops.log(ops.integer(step.clamp(min=1))), self.exponent), of_rate)
        return ops.div_by_line(self.start, ops.where(step > 0, ops.exp(log), ops.full(step, 0.0)), 1.0)

    def _stair(self, step: Tensor, time: Real, ops: Arithmetic) -> Real:
        """Return the floor of the time, in integers where a power of the step can be a multiple of n."""
        # t**k is rational only if t is a power: with k = p / 2**m, of an integer to the 2**m.
        power, roots = self.exponent.as_integer_ratio()
        if power > _LARGEST_POWER or roots > _LARGEST_ROOT:
            return ops.floor(time)
        root = step
        for _ in range(roots.bit_length() - 1):
            root = ops.nearest(ops.sqrt(ops.integer(root)))
        # t**k is within n of the nearest stair times n. So int64 has the sign of their difference, though both wrap.
        near = ops.nearest(ops.clamp(time, None, 2.0**31))
        above = math.prod([root] * (power - 1), start=root) - near * self.steps
        exact = near < 2**30  # the stairs after that differ by less than half a unit of a float32
        if roots > 1:  # beside a late power the digits of the time do not tell the two apart
            past = step - math.prod([root] * (roots - 1), start=root)
            above = torch.where((past < 0) & (above == 0), -1, above)
            exact = exact & ((past == 0) | ((past.abs() == 1) & (step > 2**30) & (past * above >= 0)))
        return ops.where(exact, ops.integer(torch.where(above < 0, near - 1, near)), ops.floor(time))

    def fitted(self, fit: Fit, origin: int) -> "InverseTime":
        if self.exponent != 1:
            given, allowed = Unquoted(f"a formula in the power {self.exponent:g} of the step"), "an exponent of 1"
            raise ScheduleError("InverseTime.over", given, allowed, "write its rate for the new length")
        return replace(self, steps=fit.span(origin, self.steps))

    def own_segments(self) -> Segments:
        return endless(self, f"divided by a {'stair' if self.staircase else 'line'} of the time")
