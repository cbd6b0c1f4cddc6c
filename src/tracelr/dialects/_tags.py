"""The groups that an assignment is for."""

from __future__ import annotations

from typing import Literal, TypeAlias

from tracelr.assignment import Assignment
from tracelr.dialects._values import Place
from tracelr.errors import ScheduleError, ScheduleTypeError, Words
from tracelr.fields import Tags

_Every: TypeAlias = Literal[0]
EVERY: _Every = 0
"""The tag that stands for every group."""


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
    taken: dict[str, dict[str | _Every | None, int]] = {}
    for k, other in enumerate(found):
        before = taken.setdefault(other.key, {})
        tags: list[str | _Every | None] = [*before] if other.tags is None else [*other.tags, EVERY]
        met = [before[tag] for tag in tags if tag in before]
        if met:
            given = Words(f"{other}, set at [{min(met)}] too")
            raise (where / k).refuse(given, "one schedule for each key of a group", "give them different tags")
        before.update(dict.fromkeys([EVERY] if other.tags is None else other.tags, k))
