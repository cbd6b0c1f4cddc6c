from torch import Tensor

from tracelr.arithmetic import Arithmetic, Real
from tracelr.schedules.base import Schedule
from tracelr.schedules.describe.segments import Segments, ramp
from tracelr.schedules.fields import NonNegativeSteps, Scalar


class Rex(Schedule):
    r"""A reflected exponential from `start` to `end` over `steps`, slow first and fast at the end, then flat.

    .. math:: f(t) = e + (s - e) \frac{1 - x}{1 - x/2}, \quad x = \tfrac{t}{n}, \quad 0 \le t \le n

    with s = `start`, e = `end`, n = `steps` (0: `end` at once). Source: Chen et al. 2022 (arXiv 2107.04197),
    kozistr `REXScheduler`.

    >>> import torch
    >>> Rex(start=1.0, end=0.0, steps=4)(torch.arange(6))
    tensor([1.0000, 0.8571, 0.6667, 0.4000, 0.0000, 0.0000])
    """

    start: Scalar
    end: Scalar
    steps: NonNegativeSteps

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        return ops.ramp(
            step,
            self.steps,
            self.start,
            self.end,
            easing=lambda x: ops.div(x, ops.sub(2.0, x)),
            mirrored=lambda x: ops.div(ops.mul(x, 2.0), ops.add(x, 1.0)),
        )

    def own_segments(self) -> Segments:
        return ramp(self, self.start, self.end, self.steps, "along a reflected exponential")
