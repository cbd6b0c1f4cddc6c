"""Slots: the hyper-parameters of an optimizer's param groups that schedules drive, one slot each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from torch import Tensor

from tracelr.errors import OptimizerError, ScheduleError, ScheduleTypeError, Unquoted, show
from tracelr.schedules import fields
from tracelr.schedules.assignment import Assignment
from tracelr.schedules.base import Schedule

_PATH = re.compile(r"(\w+)(?:\[(\d)\])?")
Group = dict[str, Any]


@final
@dataclass(slots=True)
class HyperParameter:
    """One number of one param group: `group` counts the groups, `factor` multiplies what the schedule gives.

    `cell` is the tensor that holds the number, where it is held in one: it is written in place and never replaced.
    """

    group: int
    key: str
    schedule: Schedule
    factor: float = 1.0
    cell: Tensor | None = None
    name: str = field(init=False)
    place: int | None = field(init=False)

    def __post_init__(self) -> None:
        self.name, self.place = split(self.key)

    def get(self, groups: list[Group]) -> Any:
        """Return what the group holds now."""
        held = groups[self.group][self.name]
        return held if self.place is None else held[self.place]

    def seated(self, groups: list[Group]) -> HyperParameter:
        """Return the slot itself, its cell being the tensor that the group holds, if it holds one.

        Raises `OptimizerError` if the group holds no number there.
        """
        _check(self, groups)  # a checkpoint may name what is not there
        held = self.get(groups)
        self.cell = held if isinstance(held, Tensor) else None
        return self

    def put(self, groups: list[Group], value: float) -> None:
        """Write a number into the group, in place where it holds a tensor."""
        held = groups[self.group][self.name] if self.place is None else self.get(groups)
        if isinstance(held, Tensor):
            held.fill_(value)
        else:
            self.set(groups, value)

    def set(self, groups: list[Group], value: float | Tensor) -> None:
        """Put a number or a tensor in the place of what the group holds."""
        group = groups[self.group]
        if self.place is None:
            group[self.name] = value
        else:
            before = group[self.name]
            group[self.name] = type(before)([*before[: self.place], value, *before[self.place + 1 :]])


def split(key: str) -> tuple[str, int | None]:
    """Return the name and the place of a key: "betas[0]" is ("betas", 0).

    >>> split("lr")
    ('lr', None)
    """
    parts = _PATH.fullmatch(key) if isinstance(key, str) else None
    if parts is None:
        allowed = 'a key of the param groups, such as "lr", or a place in one, such as "betas[0]"'
        raise OptimizerError("Scheduler(key)", key, allowed, "write it so")
    return parts[1], None if parts[2] is None else int(parts[2])


def resolve(
    given: Sequence[Assignment | tuple[str, Sequence[Schedule]]], groups: list[Group], start: int
) -> list[HyperParameter]:
    """Return the slots of `groups[start:]`. A list of schedules, one for each group, stands beside the assignments.

    Raises `OptimizerError` where two schedules meet in one slot, or a group has no number under the key.
    """
    slots: dict[tuple[int, str], HyperParameter] = {}
    for one in given:
        if isinstance(one, Assignment):
            chosen = [(k, one.schedule) for k, group in enumerate(groups) if _picks(one.tags, group)]
            if not chosen:
                there = sorted({show(tag) for group in groups for tag in _tags(group) if tag is not None})
                allowed = f"tags of the param groups: {', '.join(there) or 'none of them has any'}"
                raise OptimizerError("Assignment.tags", one.tags, allowed, 'put "tags" into the param groups')
        else:
            key, schedules = one
            if len(schedules) != len(groups):
                several, allowed = (
                    Unquoted(f"{len(schedules)} schedules"),
                    f"one for each of the optimizer's {len(groups)} param groups",
                )
                fix = "pass one schedule, or a list of that length"
                raise OptimizerError(f"Scheduler({key})", several, allowed, fix)
            chosen = list(enumerate(schedules))
        for k, schedule in chosen:
            if k >= start:
                key, factor = one[0], _factor(one, groups[k])
                slot = HyperParameter(k, key, schedule, factor)
                _check(slot, groups)
                other = slots.setdefault((k, key), slot)
                if other is not slot:
                    what = Unquoted(f"both {show(other.schedule, 34)} and {show(schedule, 34)}")
                    fix = "give them different tags, or leave one out"
                    raise OptimizerError(f"Scheduler: {key} of group {k}", what, "one schedule", fix)
    return list(slots.values())


def separate(groups: list[Group], start: int, names: set[str]) -> None:
    """Give each of `groups[start:]` tensors of its own under `names`: torch puts one into all of them."""
    taken: set[int] = set()

    def own(held: Any) -> Any:
        if isinstance(held, tuple) and any(isinstance(part, Tensor) for part in held):
            return tuple(map(own, held))
        held = held.detach().clone() if isinstance(held, Tensor) and id(held) in taken else held
        taken.add(id(held))
        return held

    for k, group in enumerate(groups):
        for name in names & group.keys():
            kept = own(group[name])
            if k >= start:
                group[name] = kept


def _tags(group: Mapping[str, Any]) -> Sequence[str | None]:
    tags = group.get("tags")
    return (tags,) if tags is None or isinstance(tags, str) else tags


def _picks(tags: tuple[str | None, ...] | None, group: Mapping[str, Any]) -> bool:
    return tags is None or any(tag in tags for tag in _tags(group))


def _factor(one: Any, group: Mapping[str, Any]) -> float:
    name = one.factor if isinstance(one, Assignment) else None
    if name is None or group.get(name) is None:
        return 1.0
    try:
        return fields.number(f"Scheduler: {name} of a param group", group[name])
    except (ScheduleError, ScheduleTypeError) as error:
        raise error.of(OptimizerError) from None


def _check(slot: HyperParameter, groups: list[Group]) -> None:
    """Raise if the group holds no number where the slot is."""
    group, where = groups[slot.group], f"Scheduler: {slot.key} of group {slot.group}"
    held = group.get(slot.name)
    inside = slot.place is not None and isinstance(held, list | tuple) and slot.place < len(held)
    if slot.name not in group or (slot.place is not None and not inside):
        numbers = [key for key, value in group.items() if _is_number(value)]
        numbers += [
            f"{key}[{k}]" for key, v in group.items() if key != "params" and isinstance(v, tuple) for k in range(len(v))
        ]
        raise OptimizerError(where, slot.key, ", ".join(numbers), "use a key that the group has")
    if not _is_number(slot.get(groups)):
        raise OptimizerError(where, slot.get(groups), "a number to be set", "use a key that holds one")


def _is_number(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float | Tensor)
