"""Combines a list of schedules into a sequence or a chain, for the Cerebras files and the classes of `lr_scheduler`."""

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
    """A schedule, and how many steps it runs before the next one in a sequence; None if that is not known."""

    schedule: Schedule
    runs: int | None


@final
class Member(NamedTuple):
    """A member of a sequence or chain: its place in errors, its schedule, its length, and whether its time starts at 0."""

    where: str
    schedule: Schedule
    runs: int | None = None
    reset: bool = True


def first_without_length(members: Sequence[Member]) -> int | None:
    """Return the index of the first member before the last that has no length, or None if all have one."""
    return next((k for k, member in enumerate(members[:-1]) if member.runs is None), None)


def sequential(members: Sequence[Member], milestones: Sequence[int] | None = None) -> Timed:
    """Return the sequence of the members; without `milestones`, each member but the last runs for its own length.

    >>> from tracelr import Constant, Linear
    >>> both = sequential([Member("first", Linear(0.0, 1.0, 4), 4), Member("second", Constant(1.0), 3)])
    >>> both.schedule.milestones, both.runs
    ((4,), 7)
    """
    if milestones is None:
        k = first_without_length(members)
        if k is not None:
            given, allowed = Unquoted(f"{members[k].schedule} without a length"), "a length for every scheduler but the last"
            raise ScheduleError(members[k].where, given, allowed, "pass its total_iters, or pass milestones")
        milestones = list(accumulate(member.runs for member in members[:-1] if member.runs is not None))
    if len(members) == 1 and not milestones:
        return Timed(members[0].schedule, members[0].runs)
    resets = [member.reset for member in members]  # that of the first has no effect, because its time is the global step
    reset = resets if len(set(resets[1:])) > 1 else resets[-1]
    schedule = Sequential([member.schedule for member in members], milestones, reset)
    last = members[-1].runs
    return Timed(schedule, None if last is None else milestones[-1] + last)


def first_zero(members: Sequence[Member]) -> int | None:
    """Return the index of the first member after the first that is 0 at step 0, or None; tensor fields are not evaluated."""
    known = (k for k, member in enumerate(members) if k and not member.schedule.has_tensor_fields)
    return next((k for k in known if members[k].schedule(0) == 0), None)


def chained(members: Sequence[Member]) -> Timed:
    r"""Return the first member times each other member relative to its value at step 0.

    .. math:: f(t) = f_0(t) \prod_{k > 0} \frac{f_k(t)}{f_k(0)}

    Its length is that of the longest member.

    >>> from tracelr import Linear, Step
    >>> both = chained([Member("first", Linear(1.0, 0.0, 4)), Member("second", Step(3.0, 0.5, 2))])
    >>> both.schedule(2)
    tensor(0.2500)
    """
    k = first_zero(members)
    if k is not None:
        given, allowed = (
            Unquoted(f"{members[k].schedule}, which is 0 at step 0"),
            "any other value there, because the chain divides by it",
        )
        raise ScheduleError(members[k].where, given, allowed, "put it first, because the first one is not divided")
    if len(members) == 1:
        return Timed(members[0].schedule, members[0].runs)
    schedule = Product((members[0].schedule, *(_relative(member.schedule) for member in members[1:])))
    return Timed(schedule, max((member.runs for member in members if member.runs is not None), default=None))


def _relative(schedule: Schedule) -> Schedule:
    """Return f(t) / f(0)."""
    first = known_value(schedule, 0)
    if first is None or abs(first) * LARGEST < 1:
        # f(0) depends on a tensor, or its reciprocal is too large for a field. Joining to a constant 1 at step 0 computes
        # the quotient at each call.
        return Sequential((lift(1.0), schedule), (0,), join="scale")
    return Scale(schedule, 1.0 / first)


def read_sequential(where: Place, members: list[Member], lengths: str, milestones: list[int] | None = None) -> Timed:
    """Return the sequence of the members of a file at `where`, as `sequential` does, with errors about the file.

    `lengths` names the keys that give the length of a member.
    """
    k = first_without_length(members) if milestones is None else None
    if k is not None:
        given, fix = Unquoted("an entry without a length"), f"add {lengths}"
        raise (where / k).refuse(given, "a length in every entry but the last", fix)
    try:
        return sequential(members, milestones)
    except ScheduleError as error:
        raise where.blame(error) from None


def read_chained(where: Place, members: list[Member]) -> Timed:
    """Return the chain of the members of a file at `where`, as `chained` does, with errors about the file."""
    k = first_zero(members)
    if k is not None:
        fix = "put it first, or start it above 0"
        raise (where / k).refuse(
            Unquoted("a scheduler that starts at 0"), "another start, because the chain divides by it", fix
        )
    return chained(members)
