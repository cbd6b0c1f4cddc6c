from torch import Tensor

from tracelr.arithmetic import Arithmetic, Real
from tracelr.schedules.base import Schedule
from tracelr.schedules.describe.segments import Segments, after
from tracelr.schedules.fields import Scalar, Steps


class InverseSqrt(Schedule):
    r"""Flat at `start` for `steps` steps, then falling with one over the square root of the step. It has no end.

    .. math:: f(t) = s \sqrt{\frac{n}{\max(t, n)}}

    with s = `start`, n = `steps`. The usual warm-up is `Linear(0, s, n).then(InverseSqrt(s, n), at=n)` in global time:
    `Sequential([Linear(0, s, n), InverseSqrt(s, n)], [n], reset=False)`. Source: Raffel et al. 2020 (arXiv 1910.10683).

    >>> import torch
    >>> InverseSqrt(start=1.0, steps=4)(torch.tensor([0, 4, 16, 64]))
    tensor([1.0000, 1.0000, 0.5000, 0.2500])
    """

    start: Scalar
    steps: Steps = 1

    @property
    def own_length(self) -> None:
        return None

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        late = step.clamp(min=self.steps)
        return ops.mul(ops.sqrt(ops.div(float(self.steps), ops.integer(late))), self.start)

    def own_segments(self) -> Segments:
        return after(self, self.steps, "as one over the square root of the step")
