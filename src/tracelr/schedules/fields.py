"""The types of a schedule's fields. Each carries its own check, so that a schedule checks nothing by hand.

A field is declared by annotation (`steps: Steps`). Its rule turns what the user gave into what the schedule keeps, or
raises an error that says what was given, what is allowed and how to fix it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from fractions import Fraction
from itertools import pairwise
from numbers import Integral, Real
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, final

import torch
from torch import Tensor

from tracelr.arithmetic import LAST_STEP
from tracelr.errors import ScheduleError, ScheduleTypeError, Unquoted, shortest, suggest
from tracelr.schedules import easing
from tracelr.schedules.tables import Tables

if TYPE_CHECKING:
    from tracelr.schedules.base import Schedule
else:
    Schedule = Tables  # its base class, because the module of Schedule imports this one

LARGEST = 2.0**126
"""The largest number in a field. The difference of two is a float32."""
SMALLEST_EXPONENT, LARGEST_EXPONENT = 0.001, 1e12
FINITE = "a finite number within the float32 range"
NOT_TOO_LARGE = "a number of size up to 2**126, which is 8.5e37"
LONGEST = 1_000_000  # the most entries of a list, because a huge `range` costs nothing until it is read


class Rule(ABC):
    """Abstract base of what a field accepts."""

    allowed: str
    """What an error says is allowed."""
    table: torch.dtype | None = None
    """The dtype of the table that a list of numbers also becomes, for look-ups; None for no table."""
    drivable: bool = False
    """Whether the field may also be a schedule."""
    grows: bool = False
    """Whether a number above 1 makes the values of the schedule grow without end."""
    in_steps: bool = False
    """Whether the field is a number of steps from the first step of the schedule."""

    def __repr__(self) -> str:
        return type(self).__name__.lstrip("_")

    @abstractmethod
    def parse(self, where: str, given: Any) -> Any:
        """Return the value to keep for the field called `where`, or raise."""

    def check_against(self, where: str, value: Any, fields: dict[str, Any]) -> None:
        """Check the parsed value against the schedule's other fields, or raise."""
        return


def rule_of(hint: Any) -> Rule | None:
    """Return the rule in an annotation, or None."""
    return next((one for one in getattr(hint, "__metadata__", ()) if isinstance(one, Rule)), None)


def number(where: str, given: Any, allowed: str = FINITE) -> float:
    """Return `given` as a float; bools, strings, NaN and infinities are refused."""
    if isinstance(given, bool) or not isinstance(given, Real):
        fix = "remove the quotes" if isinstance(given, str) else "pass an int or a float"
        raise ScheduleTypeError(where, given, allowed, fix)
    try:
        value = float(given)
    except OverflowError:
        value = math.inf
    if LARGEST < abs(value) <= torch.finfo(torch.float32).max:
        raise ScheduleError(where, given, NOT_TOO_LARGE, "pass a smaller one")
    if not abs(value) <= LARGEST:
        raise ScheduleError(where, given, allowed, "pass a finite number")
    return value


def integer(where: str, given: Any, low: int, allowed: str, high: int = LAST_STEP) -> int:
    """Return `given` as an int from `low` to `high`; bools, floats and strings are refused."""
    if isinstance(given, bool) or not isinstance(given, Integral):
        fix = f"pass {int(given)}" if isinstance(given, float) and given.is_integer() else "pass a whole number of steps"
        raise ScheduleTypeError(where, given, allowed, fix)
    value = int(given)
    if not low <= value <= high:
        raise ScheduleError(where, value, allowed, "pass a number of steps in this range")
    return value


def part(where: str, given: Any, total: int | None, low: int = 0, high: int | None = None) -> int:
    """Return a number of steps: `given` if it is an int; if it is a float below 1, that fraction of `total`.

    The fraction counts as the decimal number that it was written as, and the product is rounded to the nearest step.

    >>> part("warmup", 0.07, 100), part("warmup", 0.125, 1000), part("warmup", 7, 100)
    (7, 125, 7)
    """
    most = LAST_STEP if high is None else high
    steps = f"an int from {low} to {'2**53' if high is None else high}, in steps"
    allowed = f"{steps}, or a fraction from 0 to below 1" + ("" if total is None else f" of {total:,} steps")
    if isinstance(given, Integral) or not isinstance(given, Real):
        return integer(where, given, low, allowed, most)
    fraction = number(where, given, allowed)
    if not 0 <= fraction < 1:
        fix = f"pass {int(fraction)}" if fraction >= 1 and fraction.is_integer() else "pass an int, or a fraction below 1"
        raise ScheduleTypeError(where, given, allowed, fix)
    if total is None:
        fix = "pass a number of steps, or give the schedule a length"
        raise ScheduleError(where, given, f"{steps}, where the total is not known", fix)
    value = math.floor(Fraction(repr(fraction)) * total + Fraction(1, 2))
    if not low <= value <= most:
        given = Unquoted(f"{fraction!r}, which is {value} steps of {total:,}")
        raise ScheduleError(where, given, allowed, "pass another fraction, or a number of steps")
    return value


def named(given: object, names: Collection[str]) -> bool:
    """Return whether `given` is one of the names. It may be any object, also an array, which compares by element."""
    return isinstance(given, str) and given in names


def sequence(where: str, given: Any, allowed: str) -> list[Any]:
    """Return `given`, a sequence or an array of one axis, as a list; a string, a mapping or a lone value is refused."""
    if type(given).__module__ == "numpy" and getattr(given, "ndim", 0) == 1:
        given = given.tolist()
    if isinstance(given, (str, bytes)) or not isinstance(given, Sequence):
        raise ScheduleTypeError(where, given, allowed, "pass a list")
    if len(given[LONGEST : LONGEST + 1]):
        raise ScheduleError(where, given, f"{allowed}, of {LONGEST} entries at most", "pass fewer of them")
    return list(given)


@final
class _Scalar(Rule):
    def __init__(
        self,
        positive: bool = False,
        tensors: bool = True,
        low: float = -LARGEST,
        high: float = LARGEST,
    ) -> None:
        self.positive, self.tensors, self.low, self.high = positive, tensors, low, high
        what = "a finite number above 0" if positive else FINITE if low < 0 else f"a finite number, {low:g} or more"
        what = what if high == LARGEST else f"a number from {shortest(low, 6)} to {shortest(high, 6)}"
        self.allowed = what + (", or a 0-d floating point tensor" if tensors else "")
        self.drivable = tensors and what == FINITE  # the bound of a schedule could not be checked
        self.grows = tensors and not self.drivable

    def parse(self, where: str, given: Any) -> Any:
        if self.drivable and isinstance(given, Tables):
            return given
        if self.tensors and isinstance(given, Tensor):
            if given.ndim or not given.is_floating_point() or given.layout != torch.strided:
                raise ScheduleTypeError(where, given, self.allowed, "pass a 0-d float tensor")
            return given
        value = number(where, given, self.allowed)
        if not self.low <= value <= self.high or (self.positive and value <= 0):
            raise ScheduleError(where, given, self.allowed, "pass a number in this range")
        return value


@final
class _Steps(Rule):
    in_steps = True

    def __init__(self, optional: bool = False, low: int = 1) -> None:
        self.optional, self.low = optional, low
        self.allowed = f"an int from {low} to 2**53" + (", or None" if optional else "")

    def parse(self, where: str, given: Any) -> int | None:
        return None if given is None and self.optional else integer(where, given, self.low, self.allowed)


@final
class _Offset(Rule):
    in_steps = True
    allowed = "an int from -2**53 to 2**53"

    def parse(self, where: str, given: Any) -> int:
        return integer(where, given, -LAST_STEP, self.allowed)


@final
class _Flag(Rule):
    allowed = "True or False"

    def parse(self, where: str, given: Any) -> bool:
        if not isinstance(given, bool):
            raise ScheduleTypeError(where, given, self.allowed, "pass a bool")
        return given


@final
class Choice(Rule):
    """One of a few names: `kind: Annotated[Literal["linear", "cosine"], Choice("linear", "cosine")] = "linear"`."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.allowed = ", ".join(map(repr, names))

    def parse(self, where: str, given: Any) -> str:
        if not named(given, self.names):
            raise ScheduleError(where, given, self.allowed, suggest(given, self.names, otherwise="use one of these names"))
        return str(given)


@final
class _Values(Rule):
    allowed = "a list of at least one finite number"
    table = torch.float64

    def parse(self, where: str, given: Any) -> tuple[float, ...]:
        values = tuple(number(f"{where}[{k}]", v) for k, v in enumerate(sequence(where, given, self.allowed)))
        if not values:
            raise ScheduleError(where, given, self.allowed, "pass a value")
        return values


@final
class Increasing(Rule):
    """Increasing steps, strictly unless `repeats`; if `between` names a field, `fewer` than the entries of that field."""

    def __init__(self, between: str | None, table: torch.dtype | None = None, fewer: int = 1, repeats: bool = False) -> None:
        self.between, self.table, self.fewer, self.repeats = between, table, fewer, repeats
        self.allowed = f"{'an' if repeats else 'a strictly'} increasing list of ints from 0 to 2**53"

    def parse(self, where: str, given: Any) -> tuple[int, ...]:
        steps = sequence(where, given, self.allowed)
        kept = tuple(integer(f"{where}[{k}]", s, 0, "an int from 0 to 2**53") for k, s in enumerate(steps))
        if any(a > b or (a == b and not self.repeats) for a, b in pairwise(kept)):
            fix = "sort it" if self.repeats else "sort it and drop the repeated ones"
            raise ScheduleError(where, given, self.allowed, fix)
        return kept

    def check_against(self, where: str, value: tuple[int, ...], fields: dict[str, Any]) -> None:
        if self.between is None:
            return
        count = len(fields[self.between])
        if len(value) != count - self.fewer:
            allowed = f"exactly {'one fewer than' if self.fewer else 'as many as'} its {count} {self.between}"
            given = Unquoted(f"{len(value)} milestones {list(value)}")
            raise ScheduleError(where, given, allowed, f"pass {count - self.fewer} of them")


@final
class Tags(Rule):
    """The tags of param groups: one, or several; None among them stands for the groups without tags."""

    allowed = "a tag, or a list of different tags; None in the list stands for the groups without tags"

    def parse(self, where: str, given: Any) -> tuple[str | None, ...]:
        if not isinstance(given, (str, list, tuple, set)):
            raise ScheduleTypeError(where, given, self.allowed, "pass a string, the tag of a param group")
        tags = (given,) if isinstance(given, str) else tuple(sorted(given, key=str) if isinstance(given, set) else given)
        if not all(tag is None or isinstance(tag, str) for tag in tags):
            raise ScheduleTypeError(where, given, self.allowed, "pass strings, the tags of param groups")
        if not tags or len(set(tags)) != len(tags):
            raise ScheduleError(where, given, self.allowed, "name each tag once" if tags else "name one")
        return tags


Scalar: TypeAlias = Annotated[float | Tensor | Schedule, _Scalar()]
"""A finite number, or a 0-d tensor or `nn.Parameter` that stays an input of the graph; or a schedule, as `drive` says."""

PythonFloat: TypeAlias = Annotated[float, _Scalar(tensors=False)]
"""A finite number that something is computed from before the call, hence never a tensor."""

Positive: TypeAlias = Annotated[float | Tensor, _Scalar(positive=True)]
"""A `Scalar` above 0."""

NonNegative: TypeAlias = Annotated[float | Tensor, _Scalar(low=0.0)]
"""A `Scalar` of 0 or more."""

Exponent: TypeAlias = Annotated[float, _Scalar(tensors=False, low=SMALLEST_EXPONENT, high=LARGEST_EXPONENT)]
"""A number from 0.001 to 1e12. It decides which operations the formula has, so it cannot be a tensor."""

Steps: TypeAlias = Annotated[int, _Steps()]
"""A length in steps, from 1 to 2**53."""

OptionalSteps: TypeAlias = Annotated[int | None, _Steps(optional=True)]
"""`Steps`, or None."""

Offset: TypeAlias = Annotated[int, _Offset()]
"""A number of steps, from -2**53 to 2**53."""

GrowthFactor: TypeAlias = Annotated[float, _Scalar(tensors=False, low=1.0, high=512.0)]
"""How many times as long each cycle is as the one before it. Up to 512 the lengths fit an int64."""

Ratio: TypeAlias = Annotated[float, _Scalar(tensors=False, low=1e-6, high=0.999)]
"""The factor to which the exponential in an easing falls, before it is scaled so that the easing ends at 0."""

EasingName: TypeAlias = Annotated[easing.EasingName, Choice(*easing.EASINGS)]
"""The name of an easing."""

NonNegativeSteps: TypeAlias = Annotated[int, _Steps(low=0)]
"""A length in steps, from 0 to 2**53."""

Flag: TypeAlias = Annotated[bool, _Flag()]
"""True or False."""

Values: TypeAlias = Annotated[Sequence[float], _Values()]
"""At least one finite number."""

Milestones: TypeAlias = Annotated[Sequence[int], Increasing(between="values", table=torch.int64)]
"""Strictly increasing steps, one fewer than the field `values`."""

RepeatedMilestones: TypeAlias = Annotated[Sequence[int], Increasing(between=None, table=torch.int64, repeats=True)]
"""Increasing steps, any number of them; a repeated step counts each time."""

Knots: TypeAlias = Annotated[Sequence[int], Increasing(between="values", table=torch.int64, fewer=0)]
"""Strictly increasing steps, as many as the field `values`."""
