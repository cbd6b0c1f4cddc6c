from torch import Tensor

from tracelr.arithmetic import Arithmetic, Real
from tracelr.schedules.base import Schedule
from tracelr.schedules.describe.segments import Segments, endless
from tracelr.schedules.fields import Exponent, Flag, NonNegative, Scalar, Steps


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

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        if self.exponent == 1:
            time = ops.floordiv_real(step, self.steps) if self.staircase else ops.ratio(step, self.steps)
        else:
            time = ops.div(ops.power(ops.integer(step), self.exponent), float(self.steps))
            time = ops.floor(time) if self.staircase else time
        return ops.div(self.start, ops.add(ops.mul(time, self.rate), 1.0))

    def own_segments(self) -> Segments:
        return endless(self, f"divided by a {'stair' if self.staircase else 'line'} of the time")
