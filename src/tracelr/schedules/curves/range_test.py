from torch import Tensor

from tracelr.arithmetic import Arithmetic, Real
from tracelr.schedules.base import Schedule
from tracelr.schedules.describe.segments import Segments, endless
from tracelr.schedules.fields import Flag, NonNegative, Scalar, Steps


class RangeTest(Schedule):
    r"""Add `rate` times `start` every `steps` steps, smoothly or in stairs, to find the largest learning rate that trains.

    .. math:: f(t) = s\, (1 + r \tfrac{t + 1}{n}) \quad\text{or}\quad f(t) = s\, (1 + r \lfloor \tfrac{t + 1}{n} \rfloor)

    with s = `start`, r = `rate` >= 0, n = `steps`; the second with `staircase`. It has no end. Source: DeepSpeed
    `LRRangeTest`, after Smith 2018 (arXiv 1803.09820); its counter is one ahead. The ramp of other finders over n steps, a
    line or an exponential from a to b, is `Linear(a, b, n)` or `Shorten(Exponential(a, b / a, n), n)`.

    >>> import torch
    >>> RangeTest(start=1.0, rate=1.0, steps=2)(torch.arange(4))
    tensor([1.5000, 2.0000, 2.5000, 3.0000])
    >>> RangeTest(start=1.0, rate=1.0, steps=2, staircase=True)(torch.arange(4))
    tensor([1., 2., 2., 3.])
    """

    start: Scalar
    rate: NonNegative
    steps: Steps
    staircase: Flag = False

    @property
    def own_length(self) -> None:
        return None

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        count = ops.floordiv_real(step + 1, self.steps) if self.staircase else ops.ratio(step + 1, self.steps)
        return ops.mul_by_line(self.start, count, self.rate)

    def own_segments(self) -> Segments:
        return endless(self, f"by {float(self.rate):g} of its start every {self.steps:,} steps")
