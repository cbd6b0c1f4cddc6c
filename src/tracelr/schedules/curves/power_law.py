from torch import Tensor

from tracelr.arithmetic import LARGE_POWER, Arithmetic, Real
from tracelr.schedules.base import Schedule
from tracelr.schedules.describe.segments import Segments, after
from tracelr.schedules.fields import Exponent, Offset, Scalar, Steps


class PowerLaw(Schedule):
    r"""Flat at `start` while t + `shift` is below `steps`, then falling with a power of the step. It has no end.

    .. math:: f(t) = s \left(\frac{\max(t + d, n)}{n}\right)^{-p}

    with s = `start`, p = `exponent`, from 0.001 to 1e12, n = `steps`, d = `shift` (-2**53 to 2**53). p = 1/2 and d = 0 is
    `InverseSqrt`. Source: big_vision `rsqrt` (n its timescale, d = n), HF `inverse_sqrt` after its warm-up, T5 (n its
    constant steps, s = n**-0.5), NeMo `NoamHoldAnnealing` (p its decay_rate), Levanter `power`, in tokens
    (`Clamp` is its ceiling).

    >>> import torch
    >>> PowerLaw(start=1.0, exponent=0.5, steps=4)(torch.tensor([0, 4, 16, 64]))
    tensor([1.0000, 1.0000, 0.5000, 0.2500])
    >>> PowerLaw(start=1.0, exponent=1.0, steps=4, shift=4)(torch.tensor([0, 4, 12]))
    tensor([1.0000, 0.5000, 0.2500])
    """

    start: Scalar
    exponent: Exponent
    steps: Steps = 1
    shift: Offset = 0

    @property
    def own_length(self) -> None:
        return None

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        late = (step + self.shift).clamp(min=self.steps)
        if self.exponent > LARGE_POWER:
            return ops.mul(ops.one_plus_to(ops.ratio(late - self.steps, self.steps), self.exponent), self.start)
        return ops.mul(ops.power(ops.div(float(self.steps), ops.integer(late)), self.exponent), self.start)

    def own_segments(self) -> Segments:
        return after(self, self.steps - self.shift, f"as the power -{self.exponent:g} of the step")
