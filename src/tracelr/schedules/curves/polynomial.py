import torch
from torch import Tensor

from tracelr.arithmetic import LARGE_POWER, Arithmetic, Real
from tracelr.errors import ScheduleError
from tracelr.schedules.base import Schedule
from tracelr.schedules.describe.segments import Segments, ramp, waves
from tracelr.schedules.fields import Exponent, Flag, NonNegativeSteps, Scalar


class Polynomial(Schedule):
    r"""A power of the remaining time, from `start` to `end` over `steps`, then flat or cycling.

    .. math:: f(t) = e + (s - e) (1 - \tfrac{t}{m})^p, \quad m = n \text{, or with cycle } m = n \max(1, \lceil t/n \rceil)

    with s = `start`, e = `end`, n = `steps`, p = `power` (from 0.001 to 1e12). Without `cycle` it holds e from t = n
    on; with it, it reaches e at every multiple of n and continues on a longer line, not back at s. Source: Keras
    `PolynomialDecay`.

    >>> import torch
    >>> Polynomial(start=1.0, end=0.0, steps=4, power=2.0)(torch.arange(6))
    tensor([1.0000, 0.5625, 0.2500, 0.0625, 0.0000, 0.0000])
    >>> Polynomial(start=1.0, end=0.0, steps=4, cycle=True)(torch.arange(6))
    tensor([1.0000, 0.7500, 0.5000, 0.2500, 0.0000, 0.3750])
    """

    start: Scalar
    end: Scalar
    steps: NonNegativeSteps
    power: Exponent = 1.0
    cycle: Flag = False

    def prepare(self) -> None:
        if self.cycle and self.steps == 0:
            allowed = "an int from 1 to 2**53, because a cycle has a length"
            raise ScheduleError("Polynomial.steps", 0, allowed, "pass the steps of a cycle")
        # Up to this step the value is measured from `start`, after it from `end`, so that nothing cancels.
        self._switch_at = int(self.steps * (1.0 - 2.0 ** (-1.0 / max(self.power, 1.0))))

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        if self.steps == 0:
            return ops.ramp(step, 0, self.start, self.end)
        period: int | Tensor = self.steps
        done, left = step.clamp(max=self.steps), (self.steps - step).clamp(min=0)
        if self.cycle:
            over = step.remainder(self.steps)
            left = torch.where((over == 0) & (step > 0), 0, self.steps - over)
            period = step + left
        span = ops.sub(self.start, self.end)
        drop = ops.one_minus_pow(ops.ratio(done.clamp(max=self._switch_at), self.steps), self.power)
        if self.power > LARGE_POWER:
            rest = ops.one_minus_to(ops.ratio(period - left, period), self.power)
        else:
            rest = ops.power(ops.ratio(left, period), self.power)
        early = step <= self._switch_at
        value = ops.where(early, ops.sub(self.start, ops.mul(drop, span)), ops.add(ops.mul(rest, span), self.end))
        return ops.zero_between(value, self.start, self.end)

    def own_segments(self) -> Segments:
        shape = "in a straight line" if self.power == 1 else f"along the power {self.power:g} of the time left"
        if self.cycle:
            return waves(self, f"{shape}, again and again on a longer line", self.steps, (self.start, self.end))
        return ramp(self, self.start, self.end, self.steps, shape)
