"""The groups that an assignment is for."""

from __future__ import annotations

from itertools import combinations

from tracelr.assignment import Assignment
from tracelr.dialects._values import Place
from tracelr.errors import ScheduleError, ScheduleTypeError, Words
from tracelr.fields import Tags


def tags(where: Place, given: object) -> tuple[str | None, ...] | None:
    """Return the tags, of which None stands for the groups without any; None alone, and nothing, is every group."""
    if given is None:
        return None
    try:
        return Tags().parse(str(where), given)
    except (ScheduleError, ScheduleTypeError):
        allowed, fix = "a tag, a list of different tags, or [null]", "write the tags of the groups it is for"
        raise where.refuse(given, allowed, fix) from None


def distinct(where: Place, found: list[Assignment]) -> None:
    """Raise if two schedules would set the same key of one group."""
    for (j, one), (k, other) in combinations(enumerate(found), 2):
        if one.key == other.key and (one.tags is None or other.tags is None or set(one.tags) & set(other.tags)):
            given = Words(f"{other}, set at [{j}] too")
            raise (where / k).refuse(given, "one schedule for each key of a group", "give them different tags")
