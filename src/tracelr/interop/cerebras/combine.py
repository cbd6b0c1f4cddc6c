"""Schedules in a list that follow one another or multiply, as the files and the classes of the Cerebras family have them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple, final

from tracelr.errors import ScheduleError, Unquoted
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose.pointwise import Product, Scale
from tracelr.schedules.compose.sequential import Sequential, known_value
from tracelr.schedules.compose.warmup import lift
from tracelr.schedules.fields import LARGEST

if TYPE_CHECKING:
    from tracelr.interop._tools.checks import Place


@final
class Timed(NamedTuple):
    """A schedule, and how many steps it runs before another one follows, if it says so."""

    schedule: Schedule
    runs: int | None


@final
class Member(NamedTuple):
    """A part of a whole: its place, for errors, its schedule, how many steps it runs, whether its own time starts at 0."""

    where: str
    schedule: Schedule
    runs: int | None = None
    reset: bool = True


def first_without_length(parts: Sequence[Member]) -> int | None:
    """Return which part, but for the last, does not say how long it runs: the first of them, None if all do."""
    return next((k for k, part in enumerate(parts[:-1]) if part.runs is None), None)


def sequential(parts: Sequence[Member], milestones: Sequence[int] | None = None) -> Timed:
    """Return the parts one after another; without `milestones`, each but the last runs for its own length.

    >>> from tracelr import Constant, Linear
    >>> whole = sequential([Member("first", Linear(0.0, 1.0, 4), 4), Member("second", Constant(1.0), 3)])
    >>> whole.schedule.milestones, whole.runs
    ((4,), 7)
    """
    if milestones is None:
        k = first_without_length(parts)
        if k is not None:
            given, allowed = Unquoted(f"{parts[k].schedule} without a length"), "a length for every one but the last"
            raise ScheduleError(parts[k].where, given, allowed, "pass its total_iters, or pass milestones")
        milestones = list(accumulate(part.runs for part in parts[:-1] if part.runs is not None))
    if len(parts) == 1 and not milestones:
        return Timed(parts[0].schedule, parts[0].runs)
    resets = [part.reset for part in parts]  # the first one says nothing: its own time is the global step
    reset = resets if len(set(resets[1:])) > 1 else resets[-1]
    schedule = Sequential([part.schedule for part in parts], milestones, reset)
    last = parts[-1].runs
    return Timed(schedule, None if last is None else milestones[-1] + last)


def first_zero(parts: Sequence[Member]) -> int | None:
    """Return which part, but for the first, is 0 at step 0: the first of them, None if none is, as far as is known."""
    known = (k for k, part in enumerate(parts) if k and not part.schedule.has_tensor_fields)
    return next((k for k in known if parts[k].schedule(0) == 0), None)


def chained(parts: Sequence[Member]) -> Timed:
    r"""Return the first part times what each other one has become of its first value.

    .. math:: f(t) = f_0(t) \prod_{k > 0} \frac{f_k(t)}{f_k(0)}

    It runs as long as the longest of them.

    >>> from tracelr import Linear, Step
    >>> whole = chained([Member("first", Linear(1.0, 0.0, 4)), Member("second", Step(3.0, 0.5, 2))])
    >>> whole.schedule(2)
    tensor(0.2500)
    """
    k = first_zero(parts)
    if k is not None:
        given, allowed = Unquoted(f"{parts[k].schedule}, which is 0 at step 0"), "any other value there: it is divided by it"
        raise ScheduleError(parts[k].where, given, allowed, "put it first: the first one is not divided")
    if len(parts) == 1:
        return Timed(parts[0].schedule, parts[0].runs)
    schedule = Product((parts[0].schedule, *(_relative(part.schedule) for part in parts[1:])))
    return Timed(schedule, max((part.runs for part in parts if part.runs is not None), default=None))


def _relative(schedule: Schedule) -> Schedule:
    """Return f(t) / f(0)."""
    first = known_value(schedule, 0)
    if first is None or abs(first) * LARGEST < 1:
        # Joined at step 0 to a constant 1: the quotient is made in the call, where f(0) depends on a tensor, or is too small
        # for its reciprocal to be a field.
        return Sequential((lift(1.0), schedule), (0,), join="scale")
    return Scale(schedule, 1.0 / first)


def read_sequential(where: Place, parts: list[Member], lengths: str, milestones: list[int] | None = None) -> Timed:
    """Return the parts one after another: at the milestones, or else each where the one before has run.

    `lengths` names the keys that say how long a part runs.
    """
    k = first_without_length(parts) if milestones is None else None
    if k is not None:
        given, fix = Unquoted("an entry that does not say how long it runs"), f"add {lengths}"
        raise (where / k).refuse(given, "a length in every entry but the last", fix)
    try:
        return sequential(parts, milestones)
    except ScheduleError as error:
        raise where.blame(error) from None


def read_chained(where: Place, parts: list[Member]) -> Timed:
    """Return the first part times what each other one has become of its first value."""
    k = first_zero(parts)
    if k is not None:
        fix = "put it first, or start it above 0"
        raise (where / k).refuse(Unquoted("a scheduler that starts at 0"), "a factor that starts at 1, once divided", fix)
    return chained(parts)
