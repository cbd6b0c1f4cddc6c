from torch import Tensor

from tracelr.arithmetic import Arithmetic, Real
from tracelr.schedules.base import Schedule
from tracelr.schedules.describe.segments import Segments, ramp
from tracelr.schedules.fields import NonNegativeSteps, Scalar


class Cosine(Schedule):
    r"""Half a cosine from `start` to `end` over `steps`, then flat.

    .. math:: f(t) = e + (s - e) \cos^2(\tfrac{\pi}{2} \tfrac{t}{n}), \quad 0 \le t \le n

    with s = `start`, e = `end`, n = `steps`; over 0 steps it is `end`. Source: Loshchilov & Hutter 2017 (arXiv 1608.03983),
    one period.

    >>> import torch
    >>> Cosine(start=1.0, end=0.0, steps=4)(torch.arange(6))
    tensor([1.0000, 0.8536, 0.5000, 0.1464, 0.0000, 0.0000])
    """

    start: Scalar
    end: Scalar
    steps: NonNegativeSteps

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        return ops.ramp(step, self.steps, self.start, self.end, easing=ops.haversine)

    def own_segments(self) -> Segments:
        return ramp(self, self.start, self.end, self.steps, "along half a cosine")
