import math

import torch
from torch import Tensor

from tracelr.arithmetic import LARGE_POWER, Arithmetic, Real
from tracelr.schedules.base import Schedule
from tracelr.schedules.describe.segments import Segments, ramp
from tracelr.schedules.fields import Exponent, NonNegativeSteps, Scalar


class CosinePower(Schedule):
    r"""A power of half a cosine, from `start` to `end` over `steps`, then flat.

    .. math:: f(t) = e + (s - e) \cos^{2p}(\tfrac{\pi}{2} \tfrac{t}{n}), \quad 0 \le t \le n

    with s = `start`, e = `end`, n = `steps`, p = `power`, from 0.001 to 1e12; p = 1 is `Cosine`. Source: optax
    `cosine_decay_schedule`, whose `exponent` is p.

    >>> import torch
    >>> CosinePower(start=1.0, end=0.0, steps=4, power=2.0)(torch.arange(6))
    tensor([1.0000, 0.7286, 0.2500, 0.0214, 0.0000, 0.0000])
    """

    start: Scalar
    end: Scalar
    steps: NonNegativeSteps
    power: Exponent

    def prepare(self) -> None:
        # Up to this step the value is measured from `start`, after it from `end`, so that nothing cancels.
        drop = 1.0 - 2.0 ** (-1.0 / max(self.power, 1.0))
        self._switch_at = min(int(self.steps * math.asin(math.sqrt(drop)) * 2 / math.pi), self.steps // 2)

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        if self.steps == 0:
            return ops.ramp(step, 0, self.start, self.end)
        done, left = step.clamp(max=self.steps), (self.steps - step).clamp(min=0)
        sine = ops.haversine(ops.ratio(torch.minimum(done, left), self.steps))  # squared, as measured from the nearer end
        if self.power > LARGE_POWER:
            rest = ops.one_minus_to(ops.where(done <= left, sine, ops.sub(1.0, sine)), self.power)
        else:
            rest = ops.power(ops.where(done <= left, ops.sub(1.0, sine), sine), self.power)
        span = ops.sub(self.start, self.end)
        early = ops.sub(self.start, ops.mul(ops.one_minus_pow(sine, self.power), span))
        value = ops.where(step <= self._switch_at, early, ops.add(ops.mul(rest, span), self.end))
        return ops.zero_between(value, self.start, self.end)

    def own_segments(self) -> Segments:
        return ramp(self, self.start, self.end, self.steps, f"along the power {self.power:g} of half a cosine")
