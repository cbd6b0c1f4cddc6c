from torch import Tensor

from tracelr.arithmetic import Arithmetic, Real
from tracelr.schedules.base import Schedule
from tracelr.schedules.describe.segments import Segments, endless
from tracelr.schedules.fields import Scalar


class Constant(Schedule):
    r"""The same value at every step.

    .. math:: f(t) = c

    with c = `value`.

    >>> import torch
    >>> Constant(0.1)(torch.arange(3))
    tensor([0.1000, 0.1000, 0.1000])
    """

    value: Scalar

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        return ops.full(step, self.value)

    def own_segments(self) -> Segments:
        return endless(self, "")
