"""Schedules read at other steps: later, in a loop, cut short or stretched. The steps are exact integers up to 2**53."""

from fractions import Fraction
from typing import Annotated, Any, TypeAlias, final

from torch import Tensor

from tracelr.arithmetic import LAST_STEP, Arithmetic, Real
from tracelr.errors import ScheduleError, ScheduleTypeError, Unquoted
from tracelr.schedules import fields
from tracelr.schedules.base import Power, Schedule
from tracelr.schedules.compose.pointwise import Child
from tracelr.schedules.describe.sampling import value_at
from tracelr.schedules.describe.segments import Segment, Segments, cut, moved, waves
from tracelr.schedules.fields import NonNegativeSteps, Offset, Steps
from tracelr.schedules.fitting import Fit

_TERMS = "whole numbers from 1 on, whose product is at most 2**53"  # it is exact in float64


@final
class _Term(fields.Rule):
    allowed = "an int from 1 to 2**53"

    def parse(self, where: str, given: Any) -> int:
        if isinstance(given, float) and 0 < given < 2**26 and not given.is_integer():
            ratio = Fraction(str(given)).limit_denominator(2**26)
            fix = f"pass the ratio as two ints, factor and divisor: {ratio.numerator}, {ratio.denominator}"
            raise ScheduleTypeError(where, given, self.allowed, fix)
        return fields.integer(where, given, 1, self.allowed)

    def check_against(self, where: str, value: int, fields: dict[str, Any]) -> None:
        if fields["factor"] * fields["divisor"] > LAST_STEP:
            given = Unquoted(f"the ratio {fields['factor']} / {fields['divisor']}")
            raise ScheduleError(where, given, _TERMS, "write it in lowest terms, or round it")


Term: TypeAlias = Annotated[int, _Term()]


def stretched(step: Tensor, factor: int, divisor: int, ops: Arithmetic) -> Tensor:
    """Return floor(step * divisor / factor), at most 2**53, for factor * divisor up to 2**53."""
    # With t = q n + r the inner step is q d + floor(r d / n). q is bounded, so that q d is just past the last step at most.
    quotient = step if factor == 1 else ops.floordiv(step, factor)
    inner = quotient.clamp(max=LAST_STEP // divisor + 1) * divisor
    if factor > 1 and divisor > 1:
        inner = inner + ops.floordiv(step.remainder(factor) * divisor, factor)
    return inner.clamp(max=LAST_STEP)


class Shift(Schedule):
    r"""A schedule that starts `by` steps later, and is at its first value until then. A negative `by` skips its beginning.

    .. math:: f(t) = g(\max(t - d, 0))

    with g = `inner`, d = `by`. Source: ParameterSchedulers.jl `Shifted`.

    >>> import torch
    >>> from tracelr import Linear
    >>> Shift(Linear(start=0.0, end=1.0, steps=4), by=2)(torch.arange(7))
    tensor([0.0000, 0.0000, 0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    >>> Shift(Linear(start=0.0, end=1.0, steps=4), by=-2)(torch.arange(4))
    tensor([0.5000, 0.7500, 1.0000, 1.0000])
    """

    inner: Child
    by: Offset

    @property
    def own_length(self) -> int | None:
        length = self.inner.length
        return None if length is None else min(max(length + self.by, 0), LAST_STEP)

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        return self.inner.wide((step - self.by).clamp(0, LAST_STEP), ops)

    @property
    def is_power(self) -> bool:
        return self.inner.is_power

    def as_power(self, step: Tensor, ops: Arithmetic) -> Power:
        return self.inner.as_power((step - self.by).clamp(0, LAST_STEP), ops)

    def fitted(self, fit: Fit, origin: int) -> "Shift":
        by = self.by if self.by == -1 else fit.span(origin, self.by)  # a warm-up that is one step ahead stays one step ahead
        return Shift(self.inner.fitted(fit, origin + (0 if self.by == -1 else self.by)), by)

    def own_segments(self) -> Segments:
        inner = list(moved(self.inner.segments(), self.by, lambda c: Shift(c, self.by)))
        return inner if self.by <= 0 else [Segment(0, self.by, "", Shorten(self.inner, 0)), *inner]


class Loop(Schedule):
    r"""The first `period` steps of a schedule, over and over. It has no end.

    .. math:: f(t) = g(t \bmod n)

    with g = `inner`, n = `period`; g(n) itself is not reached. Source: ParameterSchedulers.jl `Loop`.

    >>> import torch
    >>> from tracelr import Linear
    >>> Loop(Linear(start=1.0, end=0.0, steps=4), period=4)(torch.arange(7))
    tensor([1.0000, 0.7500, 0.5000, 0.2500, 1.0000, 0.7500, 0.5000])
    """

    inner: Child
    period: Steps

    @property
    def own_length(self) -> None:
        return None

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        return self.inner.wide(step.remainder(self.period), ops)

    def own_segments(self) -> Segments:
        inner = list(cut(self.inner.segments(), self.period))
        shape = ", then ".join(dict.fromkeys(segment.shape or "flat" for segment in inner)) + ", over and over"
        known = all(segment.bounds is not None or not segment.turns for segment in inner)
        ends = [x for one in inner for x in one.bounds or (value_at(one.curve, k) for k in (one.first, one.until or 0))]
        return waves(self, shape, self.period, ends if known else None)


class Shorten(Schedule):
    r"""The first `steps` steps of a schedule, and then its value there for ever.

    .. math:: f(t) = g(\min(t, n))

    with g = `inner`, n = `steps` (0 holds the first value from the start). Source: ParameterSchedulers.jl `Shortened`.

    >>> import torch
    >>> from tracelr import Linear
    >>> Shorten(Linear(start=1.0, end=0.0, steps=4), steps=2)(torch.arange(5))
    tensor([1.0000, 0.7500, 0.5000, 0.5000, 0.5000])
    """

    inner: Child
    steps: NonNegativeSteps

    @property
    def own_length(self) -> int:
        length = self.inner.length
        return self.steps if length is None else min(length, self.steps)

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        return self.inner.wide(step.clamp(max=self.steps), ops)

    def own_segments(self) -> Segments:
        return [*cut(self.inner.segments(), self.steps), Segment(self.steps, None, "", self)]


class Stretch(Schedule):
    r"""A schedule that takes `factor` / `divisor` times as long. Its own steps stay integers.

    .. math:: f(t) = g(\lfloor t \tfrac{d}{n} \rfloor)

    with g = `inner`, n = `factor`, d = `divisor`, from 1 on, with n d at most 2**53. The inner step is an exact integer.
    With d = 1 each inner step lasts n steps. With n = 1 the inner schedule counts another unit, d of them per step, such as
    the tokens or samples of an update. Source: ParameterSchedulers.jl `Interpolator`.

    >>> import torch
    >>> from tracelr import Linear
    >>> Stretch(Linear(start=0.0, end=1.0, steps=4), factor=3, divisor=2)(torch.arange(7))
    tensor([0.0000, 0.0000, 0.2500, 0.5000, 0.5000, 0.7500, 1.0000])
    >>> tokens = Linear(start=1.0, end=0.0, steps=4_000_000)
    >>> Stretch(tokens, factor=1, divisor=500_000)(2)
    tensor(0.7500)
    """

    inner: Child
    factor: Term
    divisor: Term = 1

    @property
    def own_length(self) -> int | None:
        length = self.inner.length
        return None if length is None else min(-(-length * self.factor // self.divisor), LAST_STEP)

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        return self.inner.wide(stretched(step, self.factor, self.divisor, ops), ops)

    def fitted(self, fit: Fit, origin: int) -> "Stretch":
        pace = Fraction(self.factor, self.divisor) * fit.ratio
        return Stretch(self.inner, pace.numerator, pace.denominator)

    def own_segments(self) -> Segments:
        return stretch_segments(self.inner.segments(), self.factor, self.divisor)


def stretch_segments(inner: Segments, factor: int, divisor: int) -> Segments:
    """Return the segments of a schedule that is stretched by factor / divisor."""

    def later(step: int | None) -> int | None:
        return None if step is None else -(-step * factor // divisor)

    def curve(s: Segment) -> Schedule:  # with a divisor, the step `until` may be read beyond what the segment leads to
        return Stretch(s.curve if divisor == 1 or s.until is None else Shorten(s.curve, s.until), factor, divisor)

    stretched = [
        s._replace(first=later(s.first) or 0, until=later(s.until), curve=curve(s), period=later(s.period)) for s in inner
    ]
    return [segment for segment in stretched if segment.first != segment.until]
