"""Schedulers of the Cerebras family's files that follow one another, or multiply: `compose.parts`, in the words of files."""

from __future__ import annotations

from tracelr.compose.parts import Part, Timed, chained, endless, in_turn, zero
from tracelr.dialects._values import Place
from tracelr.errors import ScheduleError, Words


def follow(where: Place, parts: list[Part], lengths: str, milestones: list[int] | None = None) -> Timed:
    """Return the parts one after another: at the milestones, or else each where the one before has run.

    `lengths` names the keys that say how long a part runs.
    """
    k = endless(parts) if milestones is None else None
    if k is not None:
        given, fix = Words("an entry that does not say how long it runs"), f"add {lengths}"
        raise (where / k).refuse(given, "a length in every entry but the last", fix)
    try:
        return in_turn(parts, milestones)
    except ScheduleError as error:
        raise where.forward(error) from None


def chain(where: Place, parts: list[Part]) -> Timed:
    """Return the first part times what each other one has become of its first value."""
    k = zero(parts)
    if k is not None:
        fix = "put it first, or start it above 0"
        raise (where / k).refuse(Words("a scheduler that starts at 0"), "a factor that starts at 1, once divided", fix)
    return chained(parts)
