from torch import Tensor

from tracelr.arithmetic import Arithmetic, Real, log2_ratio
from tracelr.schedules.base import Power, Schedule
from tracelr.schedules.describe.segments import Segments, endless
from tracelr.schedules.fields import Positive, Scalar, Steps


class Step(Schedule):
    r"""Multiply by `gamma` once every `every` steps. It has no end.

    .. math:: f(t) = s\, \gamma^{\lfloor t/n \rfloor}

    with s = `start`, γ = `gamma` > 0, n = `every`. Source: torch `StepLR`, and `Exponential` with `staircase` under another
    name. A drop comes **at** its multiple of n; MXNet's `FactorScheduler` drops one step later and stops at a floor.

    >>> import torch
    >>> Step(start=1.0, gamma=0.1, every=2)(torch.arange(5))
    tensor([1.0000, 1.0000, 0.1000, 0.1000, 0.0100])
    """

    start: Scalar
    gamma: Positive
    every: Steps

    def prepare(self) -> None:
        self._log2_gamma = log2_ratio(self.gamma)

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        stair = ops.floordiv_real(step, self.every)
        return ops.grown(self.start, [(stair, ops.log2_of(self.gamma, self._log2_gamma))])

    @property
    def is_power(self) -> bool:
        return not self._driven

    def as_power(self, step: Tensor, ops: Arithmetic) -> Power:
        return Power([self.start], [(ops.floordiv(step, self.every), ops.log2_of(self.gamma, self._log2_gamma))])

    def own_segments(self) -> Segments:
        return endless(self, f"by a factor of {float(self.gamma):.6g} every {self.every:,} steps, at once")
