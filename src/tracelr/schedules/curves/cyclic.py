from dataclasses import replace
from typing import Annotated, Literal, TypeAlias

import torch
from torch import Tensor

from tracelr.arithmetic import Arithmetic, Real, Split, log2_ratio
from tracelr.errors import ScheduleError, Unquoted
from tracelr.schedules.base import Schedule
from tracelr.schedules.describe.segments import Segments, waves
from tracelr.schedules.fields import Choice, OptionalSteps, Positive, Scalar, Steps
from tracelr.schedules.fitting import Fit

Mode: TypeAlias = Annotated[
    Literal["triangular", "triangular2", "exp_range"], Choice("triangular", "triangular2", "exp_range")
]
_HALF = Split(-1.0, 0.0)  # log2 of 1/2


class Cyclic(Schedule):
    r"""Up from `low` to `high` in `up` steps, down again in `down`, and so on for ever.

    .. math:: f(t) = l + (h - l)\, a\, x(t), \quad a = 1,\ 2^{-c} \text{ or } \gamma^t, \quad c = \lfloor t / (u + d) \rfloor

    with l = `low`, h = `high`, u = `up`, d = `down` (None: as many as u), and x the triangle that is 0 at multiples of u + d
    and 1 u steps later. `mode` picks a: "triangular" 1, "triangular2" half of it in each new cycle c, "exp_range"
    γ = `gamma` for every step (not for every cycle; the other modes ignore it). Source: Smith 2017 (arXiv 1506.01186), torch
    `CyclicLR`. `low` may be above `high`, as for a momentum; in "exp_range", a `high` far below `low` costs digits near it.

    >>> import torch
    >>> Cyclic(low=0.0, high=1.0, up=2)(torch.arange(6))
    tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000, 0.5000])
    >>> Cyclic(low=0.0, high=1.0, up=1, down=2, mode="triangular2")(torch.arange(6))
    tensor([0.0000, 1.0000, 0.5000, 0.0000, 0.5000, 0.2500])
    """

    low: Scalar
    high: Scalar
    up: Steps
    down: OptionalSteps = None
    mode: Mode = "triangular"
    gamma: Positive = 1.0

    def prepare(self) -> None:
        self._down = self.up if self.down is None else self.down
        self._log2_gamma = log2_ratio(self.gamma)

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        period = self.up + self._down
        place = step.remainder(period)
        rising = place <= self.up
        risen, width = torch.where(rising, place, period - place), torch.where(rising, self.up, self._down)
        line = ops.interpolate(risen, width, self.low, self.high)
        if self.mode == "triangular" or (self.mode == "exp_range" and isinstance(self.gamma, float) and self.gamma == 1):
            return line
        if self.mode == "triangular2":
            scale = ops.exp2(ops.floordiv_real(step, period), _HALF)
        elif isinstance(self.gamma, float) and self.gamma > 1:
            scale = None
        else:
            scale = ops.exp2(ops.integer(step), ops.log2_of(self.gamma, self._log2_gamma))
        rise = ops.share(ops.integer(risen), ops.sub(self.high, self.low), width)
        # A growing power may be too large where its product with a small rise is not.
        scaled = ops.grown(rise, [(ops.integer(step), self._log2_gamma)]) if scale is None else ops.scale(rise, scale)
        faded = ops.total(scaled, self.low)
        # Only the first cycle comes near `high`. It is measured from there, so that it is exact also if `high` is 0.
        return ops.where(step < period, line, faded) if self.mode == "triangular2" else faded

    def fitted(self, fit: Fit, origin: int) -> "Cyclic":
        down = None if self.down is None else fit.span(origin + self.up, self.down)
        gamma = self.gamma
        if self.mode == "exp_range" and not (isinstance(gamma, float) and gamma == 1):
            given, allowed = Unquoted("a factor for each step"), "another mode than 'exp_range'"
            raise ScheduleError("Cyclic.over", given, allowed, "write its gamma for the new length")
        return replace(self, up=fit.span(origin, self.up), down=down)

    def own_segments(self) -> Segments:
        bounded = self.mode != "exp_range" or float(self.gamma) <= 1
        bounds = (self.low, self.high) if bounded else None
        return waves(self, "up and down in straight lines", self.up + self._down, bounds)
