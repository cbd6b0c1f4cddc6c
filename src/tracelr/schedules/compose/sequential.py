"""One schedule after another."""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated, Any, Literal, TypeAlias, final

from torch import Tensor

from tracelr.arithmetic import LARGEST, LAST_STEP, Arithmetic, Real
from tracelr.errors import ScheduleError, ScheduleTypeError, Unquoted
from tracelr.schedules import fields
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose.clock import Shift, stretch_segments, stretched
from tracelr.schedules.compose.pointwise import Children
from tracelr.schedules.describe.sampling import value_at
from tracelr.schedules.describe.segments import Segments, cut, moved
from tracelr.schedules.fitting import Fit

_RESCALE = "rescale"
_SMALLEST = 2.0**-40  # a first value by which another is divided. A smaller one may be the rounding error of a sum
_MARGIN = 2.0**64


@final
class _Resets(fields.Rule):
    allowed = "True, False or 'rescale', or a list of one of them per schedule"

    def parse(self, where: str, given: Any) -> bool | str | tuple[bool | str, ...]:
        if isinstance(given, bool) or fields.named(given, (_RESCALE,)):
            return given  # type: ignore[no-any-return]  # checked above
        if isinstance(given, str):
            raise ScheduleError(where, given, self.allowed, "use one of these")
        listed = fields.sequence(where, given, self.allowed)
        if not all(isinstance(reset, bool) or fields.named(reset, (_RESCALE,)) for reset in listed):
            raise ScheduleTypeError(where, given, self.allowed, "pass one of these each")
        return tuple(listed)

    def check_against(self, where: str, value: bool | str | tuple[bool | str, ...], fields: dict[str, Any]) -> None:
        if isinstance(value, tuple) and len(value) != len(fields["schedules"]):
            fix = f"pass {len(fields['schedules'])} of them"
            raise ScheduleError(where, list(value), self.allowed, fix)
        if isinstance(value, tuple) and value[-1] == _RESCALE:
            allowed = "True or False for the last schedule, which has no window to fit"
            raise ScheduleError(f"{where}[{len(value) - 1}]", _RESCALE, allowed, "pass True")


Reset: TypeAlias = bool | Literal["rescale"]
Resets: TypeAlias = Annotated[Reset | Sequence[Reset], _Resets()]
Switches: TypeAlias = Annotated[Sequence[int], fields.Increasing(between="schedules")]
Join: TypeAlias = Annotated[Literal["jump", "scale", "shift"], fields.Choice("jump", "scale", "shift")]


class Sequential(Schedule):
    r"""One schedule after another; schedule k + 1 starts **at** milestone k.

    .. math:: f(t) = c_k f_k(t - m_{k-1}) + d_k, \quad m_{k-1} \le t < m_k, \quad m_{-1} = 0

    with f = `schedules`, m = `milestones` (steps, strictly increasing, one fewer than the schedules). `reset` says at
    which step a schedule is read: with True (the default) at t - m, which is 0 where it starts; with False at the global
    step t; with "rescale" a schedule of length L runs once over its window, the W steps from its milestone m to the next,
    and is read at floor((t - m) L / W), as `Stretch` does. A list has an entry for each schedule. The last schedule has no
    window and is read at t - m under "rescale". L / W in lowest terms is l / w with l w at most 2**53.

    `join` says what happens at a milestone. With "jump" nothing does: c = 1, d = 0. The others make a schedule begin at the
    value p that the schedule before it leads to there. If its first value is b, "scale" multiplies it by c = p / b, and
    "shift" adds d = p - b. If p and b are equal, neither changes anything. "scale" needs b of a size from
    2**-40 to 2**40; this is checked when the sequence is built, unless b depends on a tensor field.

    >>> import torch
    >>> from tracelr import Constant, Linear
    >>> Sequential([Linear(start=0.0, end=1.0, steps=2), Constant(0.5)], milestones=[2])(torch.arange(4))
    tensor([0.0000, 0.5000, 0.5000, 0.5000])
    >>> halves = [Linear(start=1.0, end=0.5, steps=2)] * 2
    >>> Sequential(halves, milestones=[2], join="scale")(torch.arange(5))
    tensor([1.0000, 0.7500, 0.5000, 0.3750, 0.2500])
    >>> Sequential([Linear(start=0.0, end=1.0, steps=2), Constant(0.5)], milestones=[4], reset="rescale")(torch.arange(5))
    tensor([0.0000, 0.0000, 0.5000, 0.5000, 0.5000])
    """

    schedules: Children
    milestones: Switches
    reset: Resets = True
    join: Join = "jump"

    @property
    def own_length(self) -> int | None:
        last = self.schedules[-1].length
        if last is None or not self.milestones:
            return last
        return min(self.milestones[-1] + last, LAST_STEP) if self._resets[-1] else max(self.milestones[-1], last)

    def prepare(self) -> None:
        count = len(self.schedules)
        if isinstance(self.reset, tuple):
            self._resets = self.reset
        else:
            self._resets = (self.reset,) * (count - 1) + (bool(self.reset),)
        self._begins = tuple(0 if reset else start for start, reset in zip((0, *self.milestones), self._resets, strict=True))
        self._paces = tuple(self._pace(k) if reset == _RESCALE else (1, 1) for k, reset in enumerate(self._resets))
        if self.join == "jump":
            return
        # These are computed here, so that in the graph they are constants, however deep the schedules are nested.
        followers = zip(self.schedules[1:], self._begins[1:], strict=True)
        self._firsts = (None, *(known_value(schedule, begin) for schedule, begin in followers))
        outside = [first is not None and not _SMALLEST <= abs(first) <= 1 / _SMALLEST for first in self._firsts]
        if self.join == "scale" and any(outside):
            k = outside.index(True)
            given = Unquoted(f"schedules[{k}], which is {self._firsts[k]:g} at its step {self._begins[k]}")
            start = "start at a size from 2**-40 to 2**40" if self._firsts[k] else "do not start at 0"
            allowed = f"schedules that {start} after the first one, under join='scale'"
            raise ScheduleError("Sequential.schedules", given, allowed, "use join='shift'")
        # Where no value can be so large that its quotient by the first value is infinite, a division needs no check.
        reach = _MARGIN * math.prod(map(_reach, self.schedules)) if self.join == "scale" else 0.0
        self._checked = [reach * abs(1.0 / first) > LARGEST if first and abs(first) < 1 else False for first in self._firsts]

    def _pace(self, k: int) -> tuple[int, int]:
        """Return the ratio of the window of schedule k to its length, in lowest terms."""
        where, length = f"Sequential.schedules[{k}]", self.schedules[k].length
        window = self.milestones[k] - (self.milestones[k - 1] if k else 0)
        if not length:
            allowed = "a schedule with a length, under reset='rescale'"
            fix = "give it a length, as Shorten does, or use reset=True"
            raise ScheduleError(where, self.schedules[k], allowed, fix)
        pace = Fraction(window or 1, length)
        if pace.numerator * pace.denominator > LAST_STEP:
            given = Unquoted(f"a length of {length} for a window of {window} steps")
            allowed = "a length and a window whose ratio, in lowest terms, has terms with a product of at most 2**53"
            raise ScheduleError(where, given, allowed, "round one of them")
        return pace.numerator, pace.denominator

    def _child(self, k: int, own: Tensor, ops: Arithmetic) -> Real:
        """Return the value of schedule k, `own` steps of the sequence after its start."""
        pace = self._paces[k]
        return self.schedules[k].wide(own if pace == (1, 1) else stretched(own, *pace, ops), ops)

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        if self.join != "jump":
            return self._joined(step, ops)
        value = self._child(0, step, ops)
        for k, start in enumerate(self.milestones, 1):
            own = (step - start).clamp(min=0) if self._resets[k] else step
            value = ops.where(step < start, value, self._child(k, own, ops))
        return value

    def _joined(self, step: Tensor, ops: Arithmetic) -> Real:
        # Each piece keeps its last value after its window, so that `value` is what the next piece begins at.
        ends = (*self.milestones, None)
        value = self._child(0, step.clamp(0, ends[0]), ops)
        for k, start in enumerate(self.milestones, 1):
            child, begin, first = self.schedules[k], self._begins[k], self._firsts[k]
            piece = self._child(k, step.clamp(start, ends[k]) - (start - begin), ops)
            base = child.wide(step.new_full((), begin), ops) if first is None else ops.full(step, first)
            if self.join == "scale":
                if not self._checked[k]:
                    joined = ops.scale(piece, ops.div(value, base))
                else:  # the factor may be infinite where its product with a small piece is not
                    most = LARGEST * abs(first or 1.0)
                    factor = ops.div(ops.clamp(value, -most, most), base)
                    part = ops.div(ops.clamp(piece, -most, most), base)
                    joined = ops.where(ops.within(value, most), ops.scale(piece, factor), ops.scale(part, value))
            else:
                joined = ops.total(piece, ops.total(value, ops.mul(base, -1.0)))
            value = ops.where(step < start, value, joined)
        return value

    def fitted(self, fit: Fit, origin: int) -> "Sequential":
        starts = (0, *self.milestones)
        children = [
            child if reset == _RESCALE and pace != (1, 1) else child.fitted(fit, origin + (start if reset else 0))
            for child, reset, start, pace in zip(self.schedules, self._resets, starts, self._paces, strict=True)
        ]
        return Sequential(children, [fit.span(origin, step) for step in self.milestones], self.reset, self.join)

    def then(
        self, other: Schedule, at: int | None = None, join: Literal["jump", "scale", "shift"] = "jump", reset: Reset = True
    ) -> "Sequential":
        nested = super().then(other, at, join, reset)
        late = not self.milestones or nested.milestones[0] > self.milestones[-1]
        if not late or reset == _RESCALE or (self.milestones and self.join != join):
            return nested
        resets = True if reset is True and all(own is True for own in self._resets) else (*self._resets, reset)
        return Sequential((*self.schedules, other), (*self.milestones, *nested.milestones), resets, join)

    def own_segments(self) -> Segments:
        found: Segments = []
        bounds = zip((0, *self.milestones), (*self.milestones, None), strict=True)
        for k, (first, until) in enumerate(bounds):
            if until == first:
                continue
            inner, later = self.schedules[k].segments(), first - self._begins[k]
            if self._paces[k] != (1, 1):
                inner = stretch_segments(inner, *self._paces[k])
            joined = self.join != "jump"  # it is continuous, so at a milestone it has the value that the segment leads to
            curve = (lambda _: self) if joined else (lambda c, by=later: Shift(c, by) if by else c)
            pieces = cut(moved(inner, later, curve, first), until)
            found += [piece._replace(period=None, bounds=None) for piece in pieces] if joined else pieces
        return found


def _reach(schedule: Schedule) -> float:
    """Return the product of the numbers above 1 in a tree, which no value is far above unless something grows."""
    found = 1.0
    for one in schedule.modules():
        for name, rule in getattr(one, "_rules", {}).items():
            value = getattr(one, name)
            numbers = [x for x in (value if isinstance(value, tuple) else (value,)) if isinstance(x, float)]
            largest = max([1.0, *map(abs, numbers)])
            found *= math.inf if largest > 1 and rule.grows else largest
    return found


def known_value(schedule: Schedule, step: int) -> float | None:
    """Return what `value_at` does; None if the value depends on a tensor field or is on the meta device."""
    unknown = schedule.has_tensor_fields or any(buffer.is_meta for buffer in schedule.buffers())
    return None if unknown else value_at(schedule, step)
