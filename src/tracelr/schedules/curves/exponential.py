from torch import Tensor

from tracelr.arithmetic import Arithmetic, Real, log2_ratio
from tracelr.schedules.base import Power, Schedule
from tracelr.schedules.describe.segments import Segments, endless
from tracelr.schedules.fields import Flag, Positive, Scalar, Steps


class Exponential(Schedule):
    r"""Multiply by `rate` every `steps` steps, smoothly or, with `staircase`, all at once. It has no end.

    .. math:: f(t) = s\, r^{t/n} \quad\text{or}\quad f(t) = s\, r^{\lfloor t/n \rfloor}

    with s = `start`, r = `rate` > 0, n = `steps`. Source: Keras `ExponentialDecay`. torch's `ExponentialLR`, whose gamma is
    per step, is `steps=1`.

    >>> import torch
    >>> Exponential(start=1.0, rate=0.25, steps=2)(torch.arange(5))
    tensor([1.0000, 0.5000, 0.2500, 0.1250, 0.0625])
    >>> Exponential(start=1.0, rate=0.25, steps=2, staircase=True)(torch.arange(5))
    tensor([1.0000, 1.0000, 0.2500, 0.2500, 0.0625])
    """

    start: Scalar
    rate: Positive
    steps: Steps
    staircase: Flag = False

    def prepare(self) -> None:
        self._per = 1 if self.staircase else self.steps
        self._log2_rate = log2_ratio(self.rate, self._per)

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        count = ops.floordiv_real(step, self.steps) if self.staircase else ops.integer(step)
        return ops.grown(self.start, [(count, ops.log2_of(self.rate, self._log2_rate, self._per))])

    @property
    def is_power(self) -> bool:
        return not self._driven

    def as_power(self, step: Tensor, ops: Arithmetic) -> Power:
        count = ops.floordiv(step, self.steps) if self.staircase else step
        return Power([self.start], [(count, ops.log2_of(self.rate, self._log2_rate, self._per))])

    def own_segments(self) -> Segments:
        how = "at once" if self.staircase else "smoothly"
        return endless(self, f"by a factor of {float(self.rate):.6g} every {self.steps:,} steps, {how}")
