import torch
from torch import Tensor

from tracelr.arithmetic import Arithmetic, Real
from tracelr.schedules.base import Schedule
from tracelr.schedules.describe.segments import Segments, waves
from tracelr.schedules.fields import Scalar, Steps


class CosineAnnealing(Schedule):
    r"""A cosine wave: from `start` to `end` over `period` steps, back over the next, and so on for ever.

    .. math:: f(t) = e + \tfrac{1}{2} (s - e) (1 + \cos(\pi \tfrac{t}{n}))

    with s = `start`, e = `end`, n = `period`. Source: torch `CosineAnnealingLR`, whose `T_max` is n. It **rises again**
    after n; `Cosine` holds `end` there, as Keras, optax and Cerebras `CosineDecayLR` do, and `WarmRestarts` jumps back.

    >>> import torch
    >>> CosineAnnealing(start=1.0, end=0.0, period=2)(torch.arange(6))
    tensor([1.0000, 0.5000, 0.0000, 0.5000, 1.0000, 0.5000])
    """

    start: Scalar
    end: Scalar
    period: Steps

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        place = step.remainder(2 * self.period)
        return ops.interpolate(
            torch.minimum(place, 2 * self.period - place), self.period, self.start, self.end, ops.haversine
        )

    def own_segments(self) -> Segments:
        return waves(self, "in cosine waves", 2 * self.period, (self.start, self.end))
