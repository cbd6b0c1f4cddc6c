"""Schedules made of schedules. Children are combined as wide numbers, before the one rounding at the end."""

from collections.abc import Sequence
from functools import reduce
from typing import Annotated, Any, TypeAlias, final

from torch import Tensor, nn

from tracelr import fields
from tracelr.arithmetic import LAST_STEP, Arithmetic, Wide
from tracelr.errors import ScheduleError, ScheduleTypeError, explain
from tracelr.fields import Scalar
from tracelr.schedule import Schedule


@final
class _Child(fields.Rule):
    allowed = "a tracelr schedule"

    def parse(self, where: str, given: Any) -> Schedule:
        if not isinstance(given, Schedule):
            fix = "wrap the number as Constant(number)" if isinstance(given, float | int) else "pass a schedule"
            raise ScheduleTypeError(explain(where, given, self.allowed, fix))
        return given


@final
class _Children(fields.Rule):
    allowed = "a list of at least one tracelr schedule"

    def parse(self, where: str, given: Any) -> nn.ModuleList:
        listed = list(given) if isinstance(given, nn.ModuleList) else fields.sequence(where, given, self.allowed)
        if not listed:
            raise ScheduleError(explain(where, listed, self.allowed, "pass a schedule"))
        return nn.ModuleList(_Child().parse(f"{where}[{k}]", child) for k, child in enumerate(listed))


@final
class _Resets(fields.Rule):
    allowed = "True or False, or a list of one bool per schedule"

    def parse(self, where: str, given: Any) -> bool | tuple[bool, ...]:
        if isinstance(given, bool):
            return given
        listed = fields.sequence(where, given, self.allowed)
        if not all(isinstance(flag, bool) for flag in listed):
            raise ScheduleTypeError(explain(where, given, self.allowed, "pass bools"))
        return tuple(listed)

    def relate(self, where: str, value: bool | tuple[bool, ...], fields: dict[str, Any]) -> None:
        if not isinstance(value, bool) and len(value) != len(fields["schedules"]):
            fix = f"pass {len(fields['schedules'])} of them"
            raise ScheduleError(explain(where, list(value), self.allowed, fix))


Child: TypeAlias = Annotated[Schedule, _Child()]
Children: TypeAlias = Annotated[Sequence[Schedule], _Children()]
Resets: TypeAlias = Annotated[bool | Sequence[bool], _Resets()]
Switches: TypeAlias = Annotated[Sequence[int], fields.Increasing(between="schedules")]


class Sequential(Schedule):
    r"""One schedule after another; schedule k + 1 starts **at** milestone k.

    .. math:: f(t) = f_k(t - m_{k-1}), \quad m_{k-1} \le t < m_k, \quad m_{-1} = 0

    with f = `schedules`, m = `milestones` (steps, strictly increasing, one fewer than the schedules). `reset` says whether a
    schedule's own time starts at 0 where it starts (the default) or is the global step; a list says it for each one.

    >>> import torch
    >>> from tracelr import Constant, Linear
    >>> Sequential([Linear(start=0.0, end=1.0, steps=2), Constant(0.5)], milestones=[2])(torch.arange(4))
    tensor([0.0000, 0.5000, 0.5000, 0.5000])
    """

    schedules: Children
    milestones: Switches
    reset: Resets = True

    @property
    def length(self) -> int | None:
        last = self.schedules[-1].length
        if last is None or not self.milestones or not self._resets[-1]:
            return last
        return min(self.milestones[-1] + last, LAST_STEP)

    def prepare(self) -> None:
        self._resets = (self.reset,) * len(self.schedules) if isinstance(self.reset, bool) else self.reset

    def evaluate(self, step: Tensor, A: Arithmetic) -> Wide:
        value = self.schedules[0].wide(step, A)
        for k, start in enumerate(self.milestones, 1):
            own = (step - start).clamp(min=0) if self._resets[k] else step
            value = A.where(step < start, value, self.schedules[k].wide(own, A))
        return value

    def then(self, other: Schedule, at: int | None = None) -> "Sequential":
        nested = super().then(other, at)
        if self.milestones and nested.milestones[0] <= self.milestones[-1]:
            return nested
        resets = True if all(self._resets) else (*self._resets, True)
        return Sequential((*self.schedules, other), (*self.milestones, *nested.milestones), resets)


class Product(Schedule):
    r"""The product of schedules at the same step; `a * b` builds it.

    .. math:: f(t) = \prod_k f_k(t)

    with f = `schedules`.

    >>> from tracelr import Constant, Linear
    >>> (Linear(start=0.0, end=1.0, steps=4) * Constant(0.5))(2)
    tensor(0.2500)
    """

    schedules: Children

    @property
    def length(self) -> int | None:
        return max((s.length for s in self.schedules if s.length is not None), default=None)

    def evaluate(self, step: Tensor, A: Arithmetic) -> Wide:
        return reduce(A.mul, [schedule.wide(step, A) for schedule in self.schedules])


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
    def length(self) -> int | None:
        return self.inner.length

    def evaluate(self, step: Tensor, A: Arithmetic) -> Wide:
        return A.mul(self.inner.wide(step, A), self.factor)
