import math
from fractions import Fraction
from typing import Annotated, Any, final

import torch
from torch import Tensor

from tracelr.arithmetic import Arithmetic, Real, Split
from tracelr.errors import ScheduleError
from tracelr.schedules import fields
from tracelr.schedules.base import Schedule
from tracelr.schedules.describe.segments import Segments, ramp
from tracelr.schedules.fields import NonNegativeSteps, Scalar

_LARGEST = 128.0  # 1 - tanh is 1e-111 there, far below every float32
_PLAIN = 32.0  # the square of e to this is a float32
_LOG2_E = Fraction(1442695040888963407359924681001892137, 10**36)


@final
class _Bound(fields.Rule):
    allowed = f"a number from {-_LARGEST:g} to {_LARGEST:g}, low below high"

    def parse(self, where: str, given: Any) -> float:
        value = fields.number(where, given, self.allowed)
        if abs(value) > _LARGEST:
            raise ScheduleError(where, given, self.allowed, "pass a number in this range")
        return value

    def check_against(self, where: str, value: float, fields: dict[str, Any]) -> None:
        if not fields["low"] < fields["high"]:
            raise ScheduleError(where, value, self.allowed, "pass low below high")


class Tanh(Schedule):
    r"""A hyperbolic tangent from near `start` to near `end` over `steps`, then flat.

    .. math:: f(t) = e + \tfrac{1}{2} (s - e) (1 - \tanh y), \quad y = l (1 - \tfrac{t}{n}) + h \tfrac{t}{n},
        \quad 0 \le t \le n

    with s = `start`, e = `end`, n = `steps`, l = `low`, h = `high` (l < h, both from -128 to 128). It reaches neither
    end: the first value differs from `start` by (s - e) / (1 + exp(-2 l)), the last, which it holds, from `end` by
    (s - e) / (1 + exp(2 h)); that is 0.25 % of s - e for h = 3. Source: timm `TanhLRScheduler`, which jumps to `end` at n,
    as `.then(Constant(end))` does.

    >>> import torch
    >>> Tanh(start=1.0, end=0.0, steps=10)(torch.tensor([0, 5, 7, 8, 10, 11]))
    tensor([1.0000, 0.9820, 0.5000, 0.1192, 0.0025, 0.0025])
    """

    start: Scalar
    end: Scalar
    steps: NonNegativeSteps
    low: Annotated[float, _Bound()] = -7.0
    high: Annotated[float, _Bound()] = 3.0

    def prepare(self) -> None:
        # (1 - tanh y) / 2 is 1 / (1 + e^2y). With q = e^-|2y|, the fraction q / (1 + q) of the way is covered if y <= 0, and
        # remains otherwise.
        width = Fraction(self.high) - Fraction(self.low)
        self._switch_at = min(max(math.floor(-Fraction(self.low) * self.steps / width), -1), self.steps)  # y <= 0 up to here
        if self.steps == 0:
            self._switch_at = -1 if self.high > 0 else 0  # only the last value
        rate = 2 * width / max(self.steps, 1) * _LOG2_E
        self._log2_rate = Split(float(rate), float(rate - Fraction(float(rate))))
        low, high = min(self.low if self.steps else self.high, 0.0), max(self.high, 0.0)
        self._first, self._last = math.exp(2 * low), math.exp(-2 * high)
        self._logs = tuple(
            Split(float(y), float(y - Fraction(float(y))))
            for y in (2 * Fraction(low) * _LOG2_E, -2 * Fraction(high) * _LOG2_E)
        )

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        step = step.clamp(max=self.steps)
        early = step <= self._switch_at
        place = ops.integer(torch.where(early, step, self.steps - step))
        if max(-self.low, self.high) > _PLAIN:  # e to the low may be below every float32, but not what it becomes
            logs = ops.where(early, *(ops.full(step, log) for log in self._logs))
            q = ops.grown(1.0, [(place, self._log2_rate), (logs, Split(1.0, 0.0))])
        else:
            first = ops.where(early, ops.full(step, self._first), ops.full(step, self._last))
            q = ops.mul(ops.exp2(place, self._log2_rate), first)
        part = ops.mul(ops.div(q, ops.add(q, 1.0)), ops.sub(self.start, self.end))
        return ops.zero_between(ops.where(early, ops.sub(self.start, part), ops.add(part, self.end)), self.start, self.end)

    def own_segments(self) -> Segments:
        return ramp(self, self.start, self.end, self.steps, "along a hyperbolic tangent")
