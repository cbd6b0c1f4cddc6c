from torch import Tensor

from tracelr.arithmetic import Arithmetic, Real
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.multi_step import stairs
from tracelr.schedules.describe.segments import Segments
from tracelr.schedules.fields import Milestones, Values


class PiecewiseConstant(Schedule):
    r"""One value after another, switching at milestones.

    .. math:: f(t) = v_k, \quad k = \#\{i : m_i \le t\}

    with v = `values`, m = `milestones` (steps, strictly increasing, one fewer than the values). A value starts **at** its
    milestone, as in torch and optax; Keras switches one step later.

    >>> import torch
    >>> PiecewiseConstant(values=[0.1, 0.01], milestones=[2])(torch.arange(4))
    tensor([0.1000, 0.1000, 0.0100, 0.0100])
    """

    values: Values
    milestones: Milestones

    @property
    def own_length(self) -> int | None:
        return self.milestones[-1] if self.milestones and self.milestones[-1] else None

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        if not self.milestones:
            return ops.full(step, self.values[0])
        return ops.table_lookup(step, self.table("milestones"), self.table("values"))

    def own_segments(self) -> Segments:
        return stairs(self, self.milestones)
