import math
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Any, Literal, final

from torch import Tensor

from tracelr.arithmetic import Arithmetic, Real
from tracelr.errors import ScheduleError
from tracelr.schedules import fields
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose.sequential import Sequential
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.describe.segments import Segments, along, knots
from tracelr.schedules.fields import Choice, Flag, Scalar, Steps
from tracelr.schedules.fitting import Fit


@final
class _Peak(fields.Rule):
    allowed = "a number of steps above 0, below steps (with three_phase, below half of them)"

    def parse(self, where: str, given: Any) -> float:
        return fields.number(where, given, self.allowed)

    def check_against(self, where: str, value: float, fields: dict[str, Any]) -> None:
        if not 0 < value < fields["steps"] / (2 if fields["three_phase"] else 1):
            raise ScheduleError(where, value, self.allowed, "move the peak into this range")


class OneCycle(Schedule):
    r"""Up from `start` to `peak` at step `warm`, down to `end` at `steps`, then flat.

    .. math:: f(t) = a + (b - a)\, x, \quad x = \sin^2(\tfrac{\pi}{2} \tfrac{t - t_a}{t_b - t_a}) \text{ or }
        \tfrac{t - t_a}{t_b - t_a}, \quad t_a \le t \le t_b

    between the knots (t, value): (0, `start`), (`warm`, `peak`), (`steps`, `end`), and with `three_phase` also
    (2 `warm`, `start`) on the way down. `ease` is "cosine" (the first x) or "linear". If `warm` lies between two steps, no
    step has the value `peak`.

    Source: Smith & Topin 2019 (arXiv 1708.07120). torch's `OneCycleLR(max_lr=M, total_steps=T, pct_start=p, div_factor=d,
    final_div_factor=f)` is `OneCycle(M / d, M, M / d / f, steps=T - 1, warm=p * T - 1)` up to step T - 1, its last; at T
    that of torch overshoots `end`. In optax the knots are `int(p * T)` and T.

    >>> import torch
    >>> OneCycle(start=0.5, peak=1.0, end=0.0, steps=6, warm=2, ease="linear")(torch.arange(8))
    tensor([0.5000, 0.7500, 1.0000, 0.7500, 0.5000, 0.2500, 0.0000, 0.0000])
    """

    start: Scalar
    peak: Scalar
    end: Scalar
    steps: Steps
    warm: Annotated[float, _Peak()]
    ease: Annotated[Literal["cosine", "linear"], Choice("cosine", "linear")] = "cosine"
    three_phase: Flag = False

    def prepare(self) -> None:
        knots = [Fraction(0), Fraction(self.warm), Fraction(self.steps)]
        if self.three_phase:
            knots.insert(2, 2 * knots[1])
        # Python numbers for traced code: each knot as an integer and a fraction, the width and the middle of each piece.
        self._knots = [(int(knot), float(knot % 1)) for knot in knots]
        self._widths = [float(b - a) for a, b in pairwise(knots)]
        self._middles = [math.floor((a + b) / 2) for a, b in pairwise(knots)]

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        step = step.clamp(max=self.steps)
        values = [self.start, self.peak, *[self.start] * self.three_phase, self.end]
        value = self._piece(step, ops, 0, *values[:2])
        for k in range(1, len(self._widths)):
            value = ops.where(step <= self._knots[k][0], value, self._piece(step, ops, k, *values[k : k + 2]))
        return value

    def _piece(self, step: Tensor, ops: Arithmetic, k: int, first: Real, last: Real) -> Real:
        """Return the value between the knots k and k + 1, measured from the nearer one."""
        (first_step, first_rest), (last_step, last_rest) = self._knots[k : k + 2]
        early = step <= self._middles[k]
        done, left = ops.add(ops.integer(step - first_step), -first_rest), ops.add(ops.integer(last_step - step), last_rest)
        near, span = ops.where(early, done, left), ops.sub(last, first)
        if self.ease == "linear":
            rise = ops.share(near, span, self._widths[k])
        else:
            rise = ops.mul(ops.haversine(ops.div(near, self._widths[k])), span)
        return ops.zero_between(ops.where(early, ops.add(rise, first), ops.sub(last, rise)), first, last)

    def fitted(self, fit: Fit, origin: int) -> "OneCycle":
        steps, warm = fit.span(origin, self.steps), float(Fraction(self.warm) * fit.ratio)
        return replace(self, steps=steps, warm=warm)

    def own_segments(self) -> Segments:
        ends = [self.warm, *[2 * self.warm] * self.three_phase, self.steps]
        found = knots(self, [(math.ceil(end), along(self.ease)) for end in ends])
        values = dict(zip(map(math.ceil, ends[:-1]), (self.peak, self.start), strict=False))
        return [  # at a knot between two steps, a piece leads to a value that no step has
            one._replace(curve=Sequential([self, Constant(values[one.until])], [one.until], reset=[False, True]))
            if one.until in values
            else one
            for one in found
        ]
