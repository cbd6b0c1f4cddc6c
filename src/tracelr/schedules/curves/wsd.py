from dataclasses import replace
from typing import Annotated, Any, final

from torch import Tensor

from tracelr.arithmetic import LAST_STEP, Arithmetic, Real
from tracelr.errors import ScheduleError
from tracelr.schedules import fields
from tracelr.schedules.base import Schedule
from tracelr.schedules.describe.segments import Segments, along, knots
from tracelr.schedules.easing import easing
from tracelr.schedules.fields import EasingName, NonNegativeSteps, Ratio, Scalar
from tracelr.schedules.fitting import Fit


@final
class _Decay(fields.Rule):
    allowed = "an int from 0 to 2**53, with all phases together at most 2**53"

    def parse(self, where: str, given: Any) -> int:
        return fields.integer(where, given, 0, self.allowed)

    def check_against(self, where: str, value: int, fields: dict[str, Any]) -> None:
        if fields["warm"] + fields["stable"] + value > LAST_STEP:
            raise ScheduleError(where, value, self.allowed, "shorten a phase")


class WSD(Schedule):
    r"""Warm-up, stable, decay: up to `peak`, flat for a while, down to `end`, then flat. Also called a trapezoid.

    .. math:: f(t) = \begin{cases} s + (p - s)\, u(1 - t/W) & t < W \\ p & W \le t < W + S \\
        e + (p - e)\, d((t - W - S)/D) & W + S \le t < W + S + D \\ e & \text{after} \end{cases}

    with p = `peak`, s = `start`, e = `end`; W = `warm`, S = `stable`, D = `decay`, in steps (any of them may be 0); and the
    factors u = `warm_kind`, d = `decay_kind`, by the names of `Ramp`, with `ratio` for "exponential". The peak is reached
    at step W; torchtitan's at W - 1 is `WSD(p, 0, S, D).warmup(W, origin="1/n")`.

    fairseq's tri-stage, which falls exponentially to a part r of its peak, is `decay_kind="exponential"` with `ratio=r` and
    `end=r * peak`. Source: Hu et al. 2024 (arXiv 2404.06395).

    >>> import torch
    >>> WSD(peak=1.0, warm=2, stable=1, decay=4, decay_kind="1-sqrt")(torch.arange(9))
    tensor([0.0000, 0.5000, 1.0000, 1.0000, 0.5000, 0.2929, 0.1340, 0.0000, 0.0000])
    """

    peak: Scalar
    warm: NonNegativeSteps
    stable: NonNegativeSteps
    decay: Annotated[int, _Decay()]
    start: Scalar = 0.0
    end: Scalar = 0.0
    warm_kind: EasingName = "linear"
    decay_kind: EasingName = "linear"
    ratio: Ratio = 0.5

    @property
    def own_length(self) -> int:
        return self.warm + self.stable + self.decay

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        falling = easing(ops, self.decay_kind, self.decay, self.ratio)
        late = step - self.warm - self.stable
        if self.decay == 0:
            value = ops.where(late >= 0, ops.full(step, self.end), ops.full(step, self.peak))
        else:
            value = ops.ramp(late, self.decay, self.peak, self.end, *falling)
        if self.warm == 0:
            return value
        rising = easing(ops, self.warm_kind, self.warm, self.ratio, rising=True)
        return ops.where(step < self.warm, ops.ramp(step, self.warm, self.start, self.peak, *rising), value)

    def fitted(self, fit: Fit, origin: int) -> "WSD":
        ends = (self.warm, self.stable, self.decay)
        warm, stable, decay = (fit.span(origin + sum(ends[:k]), steps) for k, steps in enumerate(ends))
        return replace(self, warm=warm, stable=stable, decay=decay)

    def own_segments(self) -> Segments:
        flat = self.warm + self.stable
        parts = [(self.warm, along(self.warm_kind)), (flat, ""), (flat + self.decay, along(self.decay_kind))]
        return knots(self, parts)
