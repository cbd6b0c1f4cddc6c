"""Schedulers that follow one another, or multiply, in the files of the Cerebras family."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tracelr.compose import Product, Sequential
from tracelr.dialects._rows import Given
from tracelr.dialects._values import Place
from tracelr.errors import ScheduleError, Words
from tracelr.schedule import Schedule


class Part(NamedTuple):
    """A scheduler on its way into another: how many steps it runs if it says so, and the value that it counts from.

    `reset` says whether its own time starts at 0 where it follows another.
    """

    schedule: Schedule
    runs: int | None
    initial: float
    reset: bool = True


def initial(found: Mapping[str, Given]) -> float:
    """Return the value that a curve is given to start from: 1 where it has a default."""
    first = next((found[field].value for field in ("start", "value", "values", "low") if field in found), 1.0)
    return float(first[0] if isinstance(first, list) else first)


def follow(where: Place, parts: list[Part], lengths: str, milestones: list[int] | None = None) -> Part:
    """Return the parts one after another: at the milestones, or else each where the one before has run.

    `lengths` names the keys that say how long a part runs.
    """
    if milestones is None:
        milestones = []
        for k, part in enumerate(parts[:-1]):
            if part.runs is None:
                given, fix = Words("an entry that does not say how long it runs"), f"add {lengths}"
                raise (where / k).refuse(given, "a length in every entry but the last", fix)
            milestones.append(part.runs + sum(milestones[-1:]))
    if len(parts) == 1 and not milestones:
        return parts[0]
    resets = [part.reset for part in parts]  # the first one says nothing: its own time is the global step
    reset = resets if len(set(resets[1:])) > 1 else resets[-1]
    try:
        schedule = Sequential([part.schedule for part in parts], milestones, reset)
    except ScheduleError as error:
        raise where.forward(error) from None
    runs = None if parts[-1].runs is None else milestones[-1] + parts[-1].runs
    return Part(schedule, runs, parts[0].initial)


def chain(where: Place, parts: list[Part]) -> Part:
    """Return the first part times every other one, divided by the value that it counts from: what it makes of 1."""
    for k, part in enumerate(parts[1:], 1):
        if part.initial == 0:
            fix = "put it first, or start it above 0"
            raise (where / k).refuse(Words("a scheduler that starts at 0"), "a factor that starts at 1, once divided", fix)
    if len(parts) == 1:
        return parts[0]
    factors = [part.schedule * (1.0 / part.initial) for part in parts[1:]]
    return Part(Product([parts[0].schedule, *factors]), None, parts[0].initial)
