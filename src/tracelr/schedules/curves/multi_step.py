from collections.abc import Sequence
from decimal import Context, Decimal, localcontext

import torch
from torch import Tensor

from tracelr.arithmetic import F64, LARGEST, Arithmetic, Real, log2_ratio
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.describe.segments import Segment, Segments
from tracelr.schedules.fields import Positive, RepeatedMilestones, Scalar


def stairs(schedule: Schedule, milestones: Sequence[int]) -> Segments:
    """Return the segments of a schedule that is constant between milestones."""
    bounds = [0, *sorted({step for step in milestones if step > 0})]
    # The values are those before rounding, because a factor may be multiplied in.
    values = schedule.wide(torch.tensor(bounds, device="cpu"), F64).tolist()
    ends = [*bounds[1:], None]
    found: Segments = []
    for first, until, value in zip(bounds, ends, values, strict=True):
        if not abs(value) <= LARGEST:  # no Constant holds it
            return [*found, Segment(first, None, "at its milestones", schedule, turns=True)]
        found.append(Segment(first, until, "", Constant(value)))
    return found


class MultiStep(Schedule):
    r"""Multiply by `gamma` at each milestone.

    .. math:: f(t) = s\, \gamma^k, \quad k = \#\{i : m_i \le t\}

    with s = `start`, γ = `gamma` > 0, m = `milestones` (increasing steps; a repeated one counts each
    time). Source: torch `MultiStepLR`. A drop comes **at** its milestone; timm's comes one step before, MXNet's one after.

    >>> import torch
    >>> MultiStep(start=1.0, gamma=0.1, milestones=[2, 4])(torch.arange(5))
    tensor([1.0000, 1.0000, 0.1000, 0.1000, 0.0100])
    """

    start: Scalar
    gamma: Positive
    milestones: RepeatedMilestones

    @property
    def own_length(self) -> int | None:
        return self.milestones[-1] if self.milestones and self.milestones[-1] else None

    def prepare(self) -> None:
        self._log2_gamma = log2_ratio(self.gamma)
        if not (isinstance(self.start, float) and isinstance(self.gamma, float)):
            return
        # With 60 digits and any exponent, each value is rounded once, to float64.
        with localcontext(Context(prec=60, traps=[])):
            most = Decimal(LARGEST)
            values = [Decimal(self.start)]
            for _ in self.milestones:
                values.append(values[-1] * Decimal(self.gamma))
            self.register_table("values", [float(min(max(value, -most), most)) for value in values], torch.float64)

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        drops = ops.bucketize(step, self.table("milestones"))
        if isinstance(self.start, float) and isinstance(self.gamma, float):
            return ops.gather(drops, self.table("values"))
        return ops.grown(self.start, [(ops.integer(drops), ops.log2_of(self.gamma, self._log2_gamma))])

    def own_segments(self) -> Segments:
        return stairs(self, self.milestones)
