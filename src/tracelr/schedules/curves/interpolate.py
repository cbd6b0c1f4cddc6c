from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Literal

import torch
from torch import Tensor

from tracelr.arithmetic import Arithmetic, Real
from tracelr.schedules.base import Schedule
from tracelr.schedules.describe.segments import Segments, along, knots
from tracelr.schedules.fields import Choice, Knots, Values


class Interpolate(Schedule):
    r"""A line, or half a cosine, from each knot to the next; flat before the first and after the last.

    .. math:: f(t) = v_k + (v_{k+1} - v_k)\, x, \quad x = \tau \text{ or } \sin^2(\tfrac{\pi}{2} \tau),
        \quad \tau = \tfrac{t - m_k}{m_{k+1} - m_k}, \quad m_k \le t \le m_{k+1}

    with v = `values`, m = `milestones` (steps, strictly increasing, as many as the values); `kind` is "linear" (x = τ) or
    "cosine". Source: ignite `PiecewiseLinear`, optax `piecewise_interpolate_schedule`, whose values are factors, each of the
    value before it. The graph is the same for 10 knots and for 10,000.

    >>> import torch
    >>> Interpolate(values=[0.0, 1.0, 0.5], milestones=[1, 3, 5])(torch.arange(7))
    tensor([0.0000, 0.0000, 0.5000, 1.0000, 0.7500, 0.5000, 0.5000])
    """

    values: Values
    milestones: Knots
    kind: Annotated[Literal["linear", "cosine"], Choice("linear", "cosine")] = "linear"

    @property
    def own_length(self) -> int | None:
        return self.milestones[-1] or None

    def prepare(self) -> None:
        # Two entries for each piece, because each half is measured from the knot at its end, so that nothing cancels.
        first, last = self.milestones[0], self.milestones[-1]
        breaks, knots, widths, bases, spans = [], [first], [1], [self.values[0]], [0.0]
        for (a, b), (v, w) in zip(pairwise(self.milestones), pairwise(self.values), strict=True):
            breaks += [a, (a + b) // 2 + 1]
            knots += [a, b]
            widths += [b - a, b - a]
            bases += [v, w]
            spans += [float(Fraction(w) - Fraction(v)), float(Fraction(v) - Fraction(w))]
        self.register_table("breaks", [*breaks, last], torch.int64)
        self.register_table("knots", [*knots, last], torch.int64)
        self.register_table("widths", [*widths, 1], torch.int64)
        self.register_table("bases", [*bases, self.values[-1]], torch.float64)
        self.register_table("spans", [*spans, 0.0], torch.float64)

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        step = step.clamp(self.milestones[0], self.milestones[-1])
        half = ops.bucketize(step, self.table("breaks"))
        away = (step - ops.take(half, self.table("knots"))).abs()
        width, span = ops.take(half, self.table("widths")), ops.gather(half, self.table("spans"))
        if self.kind == "linear":
            change = ops.share(ops.integer(away), span, width)
        else:
            change = ops.mul(ops.haversine(ops.ratio(away, width)), span)
        return ops.add(change, ops.gather(half, self.table("bases")))

    def own_segments(self) -> Segments:
        shapes = ["" if a == b else along(self.kind) for a, b in pairwise(self.values)]
        return knots(self, zip(self.milestones, ["", *shapes], strict=True))
