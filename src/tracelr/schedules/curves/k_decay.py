from typing import Annotated, Any, final

import torch
from torch import Tensor

from tracelr.arithmetic import LARGE_POWER, Arithmetic, Real
from tracelr.errors import ScheduleError
from tracelr.schedules import fields
from tracelr.schedules.base import Schedule
from tracelr.schedules.describe.segments import Segments, ramp
from tracelr.schedules.fields import Exponent, NonNegativeSteps, Scalar


@final
class _Power(fields.Rule):
    allowed = "a number from 0.001 to 1e12, or None for a cosine"

    def parse(self, where: str, given: Any) -> float | None:
        value = None if given is None else fields.number(where, given, self.allowed)
        if value is not None and not fields.SMALLEST_EXPONENT <= value <= fields.LARGEST_EXPONENT:
            raise ScheduleError(where, given, self.allowed, "pass a number in this range")
        return value


class KDecay(Schedule):
    r"""`Cosine`, or with `power` `Polynomial`, with the power x^k of the time in place of x; then flat.

    .. math:: f(t) = e + (s - e) \cos^2(\tfrac{\pi}{2} x^k) \quad\text{or}\quad f(t) = e + (s - e) (1 - x^k)^p,
        \quad x = \tfrac{t}{n}, \quad 0 \le t \le n

    with s = `start`, e = `end`, n = `steps`, k = `k` and p = `power`, from 0.001 to 1e12 (None, the default, is the cosine).
    With k > 1 the curve stays near `start` for longer. Source: Zhang & Li 2020 (arXiv 2004.05909), timm's `k_decay`.

    >>> import torch
    >>> KDecay(start=1.0, end=0.0, steps=4, k=2.0)(torch.arange(6))
    tensor([1.0000, 0.9904, 0.8536, 0.4025, 0.0000, 0.0000])
    >>> KDecay(start=1.0, end=0.0, steps=4, k=2.0, power=1.0)(torch.arange(6))
    tensor([1.0000, 0.9375, 0.7500, 0.4375, 0.0000, 0.0000])
    """

    start: Scalar
    end: Scalar
    steps: NonNegativeSteps
    k: Exponent
    power: Annotated[float | None, _Power()] = None

    def prepare(self) -> None:
        # Up to this step the value is measured from `start`, after it from `end`, so that nothing cancels.
        drop = 0.5 if self.power is None else 1.0 - 2.0 ** (-1.0 / max(self.power, 1.0))
        self._switch_at = min(int(self.steps * drop ** (1.0 / self.k)), self.steps - 1)

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        if self.steps == 0:
            return ops.ramp(step, 0, self.start, self.end)
        done, left = step.clamp(max=self.steps), (self.steps - step).clamp(min=0)
        gone = self._gone(done.clamp(max=self._switch_at), ops)
        rest = self._rest(done, left, ops)
        if self.power is None:
            drop, rest = ops.haversine(gone), ops.haversine(rest)
        elif self.power > LARGE_POWER:
            drop, rest = ops.one_minus_pow(gone, self.power), ops.one_minus_to(self._gone(done, ops), self.power)
        else:
            drop, rest = ops.one_minus_pow(gone, self.power), ops.power(rest, self.power)
        span = ops.sub(self.start, self.end)
        early = step <= self._switch_at
        value = ops.where(early, ops.sub(self.start, ops.mul(drop, span)), ops.add(ops.mul(rest, span), self.end))
        return ops.zero_between(value, self.start, self.end)

    def _gone(self, done: Tensor, ops: Arithmetic) -> Real:
        """Return x**k."""
        if self.k > LARGE_POWER:
            return ops.one_minus_to(ops.ratio(self.steps - done, self.steps), self.k)
        return ops.power(ops.ratio(done, self.steps), self.k)

    def _rest(self, done: Tensor, left: Tensor, ops: Arithmetic) -> Real:
        """Return 1 - x**k without cancellation: from log(x) in the first half, from 1 - x in the second."""
        early = ops.mul(ops.log(ops.ratio(torch.minimum(done, left).clamp(min=1), self.steps)), self.k)
        late = ops.one_minus_pow(ops.ratio(torch.minimum(done, left), self.steps), self.k)
        return ops.where(done <= left, ops.sub(0.0, ops.expm1(early)), late)

    def own_segments(self) -> Segments:
        way = "half a cosine" if self.power is None else "a power"
        return ramp(self, self.start, self.end, self.steps, f"along {way}, the time to the {self.k:g}")
