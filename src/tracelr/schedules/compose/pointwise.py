"""Schedules combined step by step: sums, products and bounds of the values at the same step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Annotated, Any, TypeAlias, final

from torch import Tensor, nn

from tracelr.arithmetic import LARGEST, LAST_STEP, Arithmetic, Real, Split, double_float
from tracelr.errors import ScheduleError, ScheduleTypeError
from tracelr.schedules import fields
from tracelr.schedules.base import Power, Schedule
from tracelr.schedules.describe.sampling import values_at
from tracelr.schedules.describe.segments import Segment, Segments, to_length
from tracelr.schedules.fields import Scalar


@final
class _Child(fields.Rule):
    allowed = "a tracelr schedule"

    def parse(self, where: str, given: Any) -> Schedule:
        if not isinstance(given, Schedule):
            fix = "wrap the number as Constant(number)" if isinstance(given, (float, int)) else "pass a schedule"
            raise ScheduleTypeError(where, given, self.allowed, fix)
        return given


@final
class _Children(fields.Rule):
    allowed = "a list of at least one tracelr schedule"

    def parse(self, where: str, given: Any) -> nn.ModuleList:
        listed = list(given) if isinstance(given, nn.ModuleList) else fields.sequence(where, given, self.allowed)
        if not listed:
            raise ScheduleError(where, listed, self.allowed, "pass a schedule")
        return nn.ModuleList(_Child().parse(f"{where}[{k}]", child) for k, child in enumerate(listed))


Child: TypeAlias = Annotated[Schedule, _Child()]
"""A schedule."""

Children: TypeAlias = Annotated[Sequence[Schedule], _Children()]
"""At least one schedule."""


def _longest(schedules: Children) -> int | None:
    lengths = [schedule.length for schedule in schedules]  # each once: what is nested asks what is inside it
    return max((length for length in lengths if length is not None), default=None)


def _joined(found: Sequence[Power]) -> Power:
    """Return the product of powers as one. Powers of the same count become one power, whose logarithm is exact."""
    powers: list[tuple[Tensor, Split | Real]] = []
    for count, log2 in (one for power in found for one in power.powers):
        same = [k for k, (other, c) in enumerate(powers) if other is count and all(type(x) is Split for x in (c, log2))]
        if same:
            powers[same[0]] = count, double_float.total(powers[same[0]][1], log2)
        else:
            powers.append((count, log2))
    return Power([factor for power in found for factor in power.factors], powers)


class Sum(Schedule):
    r"""The sum of schedules at the same step; `a + b`, `a + 0.1` and `a - b` build it.

    .. math:: f(t) = \sum_k f_k(t)

    with f = `schedules`. Where terms of opposite sign nearly cancel, the sum is only as exact as its largest term.

    >>> from tracelr import Constant, Linear
    >>> (Linear(start=0.0, end=1.0, steps=4) + Constant(0.5))(2)
    tensor(1.)
    """

    schedules: Children

    @property
    def own_length(self) -> int | None:
        return _longest(self.schedules)

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        return reduce(ops.total, [schedule.wide(step, ops) for schedule in self.schedules])

    def own_segments(self) -> Segments:
        def together(moving: Sequence[Segment], _: Sequence[float]) -> str:
            return " plus ".join(dict.fromkeys(segment.shape for segment in moving))

        return _together(self, together)


class Product(Schedule):
    r"""The product of schedules at the same step; `a * b` builds it. One of them may be the amplitude of the other.

    .. math:: f(t) = \prod_k f_k(t)

    with f = `schedules`.

    >>> from tracelr import Constant, Linear
    >>> (Linear(start=0.0, end=1.0, steps=4) * Constant(0.5))(2)
    tensor(0.2500)
    """

    schedules: Children

    @property
    def own_length(self) -> int | None:
        return _longest(self.schedules)

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        if sum(schedule.is_power for schedule in self.schedules) < 2:
            return reduce(ops.scale, [schedule.wide(step, ops) for schedule in self.schedules])
        # One power may fall below every float while another grows, so their exponents are added first.
        others = [schedule.wide(step, ops) for schedule in self.schedules if not schedule.is_power]
        return reduce(ops.scale, others, self._grown([s for s in self.schedules if s.is_power], step, ops))

    def _grown(self, schedules: Sequence[Schedule], step: Tensor, ops: Arithmetic) -> Real:
        """Return the product of schedules that are powers."""
        factors, powers = _joined([schedule.as_power(step, ops) for schedule in schedules])
        numbers = [factor for factor in factors if isinstance(factor, float)]
        value = ops.grown(math.prod(numbers), [(ops.integer(count), log2) for count, log2 in powers])
        return reduce(ops.scale, [factor for factor in factors if not isinstance(factor, float)], value)

    @property
    def is_power(self) -> bool:
        return all(schedule.is_power for schedule in self.schedules)

    def as_power(self, step: Tensor, ops: Arithmetic) -> Power:
        return _joined([schedule.as_power(step, ops) for schedule in self.schedules])

    def own_segments(self) -> Segments:
        def together(moving: Sequence[Segment], flat: Sequence[float]) -> str:
            return "" if 0 in flat else " times ".join(segment.shape for segment in moving)

        return _together(self, together)


class Scale(Schedule):
    r"""A schedule times a number; `2 * schedule` builds it.

    .. math:: f(t) = c\, g(t)

    with g = `inner`, c = `factor` (a number, or a 0-d tensor).

    >>> from tracelr import Linear
    >>> (0.5 * Linear(start=0.0, end=1.0, steps=4))(2)
    tensor(0.2500)
    """

    inner: Child
    factor: Scalar

    @property
    def own_length(self) -> int | None:
        return self.inner.length

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        return ops.scale(self.inner.wide(step, ops), self.factor)

    @property
    def is_power(self) -> bool:
        return not self._driven and self.inner.is_power

    def as_power(self, step: Tensor, ops: Arithmetic) -> Power:
        inner = self.inner.as_power(step, ops)
        return Power([*inner.factors, self.factor], inner.powers)

    def own_segments(self) -> Segments:
        def scaled(bounds: tuple[float, float] | None) -> tuple[float, float] | None:
            ends = None if bounds is None else sorted(bound * float(self.factor) for bound in bounds)  # type: ignore[arg-type]  # a driven one has other segments
            return None if ends is None else (ends[0], ends[1])

        return [
            segment._replace(curve=Scale(segment.curve, self.factor), bounds=scaled(segment.bounds))
            for segment in self.inner.segments()
        ]


@final
class _Bound(fields.Rule):
    allowed = f"{fields.FINITE}, or None for no bound"

    def parse(self, where: str, given: Any) -> float | None:
        return None if given is None else fields.number(where, given, self.allowed)

    def check_against(self, where: str, value: float | None, fields: dict[str, Any]) -> None:
        low, high = fields["low"], fields["high"]
        if low is None and high is None:
            raise ScheduleError(where, None, "a number for low, for high or for both", "pass one")
        if low is not None and high is not None and low > high:
            raise ScheduleError(where, value, f"low at most high, which is {high}", "swap low and high")


Bound: TypeAlias = Annotated[float | None, _Bound()]


class Clamp(Schedule):
    r"""A schedule between bounds: values outside are replaced by the bound, values inside stay as they are.

    .. math:: f(t) = \min(\max(g(t), l), h)

    with g = `inner`, l = `low`, h = `high`; None, for one of them, stands for no bound. A decay *towards* a minimum is a
    different curve: `Cosine` and others have `end` for it. Source: MLX, NeMo and Megatron, `max(lr, min_lr)`.

    >>> import torch
    >>> from tracelr import Linear
    >>> Clamp(Linear(start=1.0, end=0.0, steps=4), low=0.3, high=0.8)(torch.arange(5))
    tensor([0.8000, 0.7500, 0.5000, 0.3000, 0.3000])
    """

    inner: Child
    low: Bound = None
    high: Bound = None

    @property
    def own_length(self) -> int | None:
        return self.inner.length

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        return ops.clamp(self.inner.wide(step, ops), self.low, self.high)

    def own_segments(self) -> Segments:
        low, high = (None if bound is None else f"{bound:g}" for bound in (self.low, self.high))
        kept = f"not below {low}" if high is None else f"not above {high}" if low is None else f"between {low} and {high}"

        def within(bounds: tuple[float, float] | None) -> tuple[float, float] | None:
            if bounds is None and (self.low is None or self.high is None):
                return None
            least, most = bounds or (-LARGEST, LARGEST)
            least, most = (x if self.low is None else max(x, self.low) for x in (least, most))
            return (least, most) if self.high is None else (min(least, self.high), min(most, self.high))

        return [
            s._replace(
                shape=s.shape and f"{s.shape}, kept {kept}",
                curve=Clamp(s.curve, self.low, self.high),
                bounds=within(s.bounds),
            )
            for s in self.inner.segments()
        ]


_COMPARED, _BUILT = 2**21, 2**17  # segments of children, in all segments of a sum: looked at, and built into new sums


def _together(schedule: Sum | Product, shape_of: Callable[[Sequence[Segment], Sequence[float]], str]) -> Segments:
    """Return the segments between all steps at which a child changes its formula."""
    children = [child.segments() for child in schedule.schedules]
    bounds = sorted({segment.first for child in children for segment in child})
    same = all(one.curve is child for child, own in zip(schedule.schedules, children, strict=True) for one in own)
    if len(bounds) * len(children) > (_COMPARED if same else _BUILT):
        return to_length(schedule, f"as a {type(schedule).__name__} of {len(children):,} schedules")
    levels: dict[int, float] = {}  # of the flat segments, by their identity
    for child, own in zip(schedule.schedules, children, strict=True):
        flat = [segment for segment in own if segment.flat]
        levels.update(zip(map(id, flat), values_at(child, [segment.first for segment in flat]), strict=True))
    found, parts, at = [], [], [0] * len(children)
    for first, until in zip(bounds, [*bounds[1:], None], strict=True):
        for k, own in enumerate(children):
            at[k] += at[k] + 1 < len(own) and own[at[k] + 1].first == first
        now = [own[k] for own, k in zip(children, at, strict=True)]
        moving = [segment for segment in now if not segment.flat]
        held = [levels[id(segment)] for segment in now if segment.flat]
        curve = schedule if same else type(schedule)([segment.curve for segment in now])
        whole = Segment(first, until, shape_of(moving, held), curve)
        if len(moving) == 1 and moving[0].period is not None and moving[0].bounds is not None:
            low, high = sorted(_combined(schedule, [bound, *held]) for bound in moving[0].bounds)
            whole = whole._replace(period=moving[0].period, bounds=(low, high))
        found.append(whole if whole.shape else Segment(first, until, "", curve))
        parts.append([] if not whole.shape else moving)
    return [one._replace(turns=turns) for one, turns in zip(found, _turn(schedule, found, parts), strict=True)]


def _combined(schedule: Sum | Product, values: Sequence[float]) -> float:
    return sum(values) if isinstance(schedule, Sum) else math.prod(values)


def _turn(schedule: Sum | Product, found: Segments, parts: Sequence[Sequence[Segment]]) -> list[bool]:
    """Return which segments may rise and fall; each one's moving `parts` are given. Each curve is evaluated only twice."""
    turns = [any(part.turns for part in moving) for moving in parts]
    ways: list[set[int]] = [set() for _ in found]
    least = [0.0] * len(found)
    asked: dict[int, tuple[Schedule, list[int]]] = {}  # by the identity of a curve
    for k, moving in enumerate(parts):
        for part in moving if len(moving) > 1 and not turns[k] else ():
            asked.setdefault(id(part.curve), (part.curve, []))[1].append(k)
    for curve, at in asked.values():
        starts = values_at(curve, [found[k].first for k in at])
        stops = values_at(curve, [LAST_STEP if (until := found[k].until) is None else until for k in at])
        for k, start, stop in zip(at, starts, stops, strict=True):
            ways[k].add((stop > start) - (stop < start))
            least[k] = min(least[k], start, stop)
    signed = isinstance(schedule, Product)
    return [turn or len(way) > 1 or (signed and low < 0) for turn, way, low in zip(turns, ways, least, strict=True)]
