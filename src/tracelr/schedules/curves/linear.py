from torch import Tensor

from tracelr.arithmetic import Arithmetic, Real
from tracelr.schedules.base import Schedule
from tracelr.schedules.describe.segments import Segments, ramp
from tracelr.schedules.fields import NonNegativeSteps, Scalar


class Linear(Schedule):
    r"""A straight line from `start` to `end` over `steps`, then flat. Up is a warm-up, down is a decay.

    .. math:: f(t) = s + (e - s) \tfrac{t}{n}, \quad 0 \le t \le n

    with s = `start`, e = `end`, n = `steps`; over 0 steps it is `end`.

    >>> import torch
    >>> Linear(start=0.0, end=1.0, steps=4)(torch.arange(6))
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000, 1.0000])
    """

    start: Scalar
    end: Scalar
    steps: NonNegativeSteps

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        return ops.ramp(step, self.steps, self.start, self.end)

    def own_segments(self) -> Segments:
        return ramp(self, self.start, self.end, self.steps, "in a straight line")
