from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from math import ceil

import torch
from torch import Tensor

from tracelr.arithmetic import LAST_STEP, Arithmetic, Real, log2_ratio
from tracelr.errors import ScheduleError
from tracelr.schedules.base import Schedule
from tracelr.schedules.describe.segments import Segments, waves
from tracelr.schedules.fields import GrowthFactor, OptionalSteps, Positive, Scalar, Steps
from tracelr.schedules.fitting import Fit

MOST_CYCLES = 4096
_FRACTION = 256  # bits: after 4096 cycles the two bounds of a start are still nearer than 2**-150


class WarmRestarts(Schedule):
    r"""Half a cosine from `start` to `end`, again and again, each `multiplier` times as long, `decay` times as high.

    .. math:: f(t) = e + (s\, d^i - e) \cos^2(\tfrac{\pi}{2} \tfrac{t - t_i}{t_{i+1} - t_i}),
        \quad t_i \le t < t_{i+1}, \quad t_i = \lceil n\, (1 + \mu + \dots + \mu^{i-1}) \rceil

    with s = `start`, e = `end`, n = `period`, μ = `multiplier` (1 to 512), d = `decay` > 0 and, from the end of cycle
    number `limit` on, the value e. A restart step has the new peak. If μ is not an integer, a restart falls on the first
    step at or after its exact time; μ counts as the decimal number that it was written as, so that 100 times 1.1 is 110.
    With μ > 1 at most 4096 cycles may begin up to 2**53.

    Source: Loshchilov & Hutter 2017 (arXiv 1608.03983). torch's `CosineAnnealingWarmRestarts` has integer μ and no decay.
    Only the peak decays, as in Keras `CosineDecayRestarts` and timm; fairseq shrinks `end` too. Cerebras' class of torch's
    name is not this curve: its restart is a square wave.

    >>> import torch
    >>> WarmRestarts(start=1.0, end=0.0, period=2, multiplier=2.0, decay=0.5)(torch.arange(7))
    tensor([1.0000, 0.5000, 0.5000, 0.4268, 0.2500, 0.0732, 0.2500])
    """

    start: Scalar
    end: Scalar
    period: Steps
    multiplier: GrowthFactor = 1.0
    decay: Positive = 1.0
    limit: OptionalSteps = None

    @property
    def own_length(self) -> int | None:
        return self._stop

    def prepare(self) -> None:
        self._log2_decay = log2_ratio(self.decay)
        stop = None if self.limit is None else self.limit * self.period
        if self.multiplier != 1:
            starts = self._starts()
            stop = None if self.limit is None else starts[-1]
            self.register_table("restarts", starts[1:-1], torch.int64)
            self.register_table("starts", starts[:-1], torch.int64)
            self.register_table("widths", [b - a for a, b in pairwise(starts)], torch.int64)
        self._stop = None if stop is None or stop > LAST_STEP else stop

    def _starts(self) -> list[int]:
        """Return the step at which each cycle starts, and that at which the last one ends."""
        up, down = self._rate.as_integer_ratio()
        # The exact start is from `low` to `high`, in units of 2**-_FRACTION. Each is rounded at every cycle, one down and
        # one up, because the exact numbers get 52 bits longer at every cycle.
        starts, low, high = [0], 0, 0
        while starts[-1] <= LAST_STEP and (self.limit is None or len(starts) <= self.limit):
            if len(starts) > MOST_CYCLES:
                allowed = f"1, or a number that makes at most {MOST_CYCLES} cycles up to the limit or 2**53"
                where = f"{type(self).__name__}.multiplier"
                raise ScheduleError(where, self.multiplier, allowed, "pass a lower limit, or a larger multiplier")
            low = (self.period << _FRACTION) + up * low // down
            high = (self.period << _FRACTION) - (up * -high // down)
            start = -(-high >> _FRACTION)
            starts.append(start if start == -(-low >> _FRACTION) else self._start(len(starts)))
        return starts

    def _start(self, cycle: int) -> int:
        """Return the step at which a cycle starts, by exact fractions of any length."""
        return ceil(self.period * (self._rate**cycle - 1) / (self._rate - 1))

    @property
    def _rate(self) -> Fraction:
        """The decimal number that a person multiplies by."""
        return Fraction(repr(self.multiplier))

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        width: Tensor | int = self.period
        if self.multiplier == 1:
            cycle, place = ops.floordiv_real(step, self.period), step.remainder(self.period)
        else:
            index = ops.bucketize(step, self.table("restarts"))
            cycle, place = ops.integer(index), step - ops.take(index, self.table("starts"))
            width = ops.take(index, self.table("widths"))
            place = torch.minimum(place, width)
        peak = ops.grown(self.start, [(cycle, ops.log2_of(self.decay, self._log2_decay))])
        value = ops.interpolate(place, width, peak, self.end, ops.haversine)
        return value if self._stop is None else ops.where(step < self._stop, value, ops.full(step, self.end))

    def fitted(self, fit: Fit, origin: int) -> "WarmRestarts":
        return replace(self, period=fit.span(origin, self.period))

    def own_segments(self) -> Segments:
        grows = f", each {self.multiplier:g} times as long" if self.multiplier != 1 else ""
        decays = "" if self.decay == 1 else f", each {float(self.decay):g} times as high"
        shape = f"along half a cosine, again and again{grows}{decays}"
        fading = () if self.decay == 1 else (0.0,)  # what the peaks fall to
        bounds = None if float(self.decay) > 1 else (self.start, self.end, *fading)
        return waves(self, shape, self.period, bounds, self.own_length)
