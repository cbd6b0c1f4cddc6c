"""The hyper-parameters of an optimizer's param groups that schedules drive."""

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

_PATH = r"(\w+)(?:\[(\d)\])?"  # compiled when it is first used
Group = dict[str, Any]


@final
@dataclass(slots=True)
class HyperParameter:
    """One scheduled number of one param group, which is `factor` times the value of `schedule`.

    `group` is the position of the group. `name` and `index` are the components of `key`, such as "lr" or "betas[0]".
    `tensor` holds the number and is written in place, never replaced; without one, the group holds a float.
    """

    group: int
    key: str
    schedule: Schedule
    factor: float = 1.0
    tensor: Tensor | None = None
    name: str = field(init=False)
    index: int | None = field(init=False)

    def __post_init__(self) -> None:
        self.name, self.index = split(self.key)

    def get(self, groups: list[Group]) -> Any:
        """Return what the group holds now."""
        held = groups[self.group][self.name]
        return held if self.index is None else held[self.index]

    def attach(self, groups: list[Group]) -> HyperParameter:
        """Take the tensor that the group holds, if it holds one, as `tensor`, and return `self`.

        Raises `OptimizerError` if the group holds no number under the key.
        """
        _check(self, groups)  # a checkpoint may name a key that the group does not have
        held = self.get(groups)
        self.tensor = held if isinstance(held, Tensor) else None
        return self

    def put(self, groups: list[Group], value: float) -> None:
        """Write a number into the group, in place where it holds a tensor."""
        held = groups[self.group][self.name] if self.index is None else self.get(groups)
        if isinstance(held, Tensor):
            held.fill_(value)
        else:
            self.set(groups, value)

    def set(self, groups: list[Group], value: float | Tensor) -> None:
        """Replace what the group holds by a number or a tensor."""
        group = groups[self.group]
        if self.index is None:
            group[self.name] = value
        else:
            before = group[self.name]
            group[self.name] = type(before)([*before[: self.index], value, *before[self.index + 1 :]])


def split(key: str) -> tuple[str, int | None]:
    """Return the name and the index of a key: those of "betas[0]" are "betas" and 0.

    >>> split("lr")
    ('lr', None)
    """
    match = re.fullmatch(_PATH, key) if isinstance(key, str) else None
    if match is None:
        allowed = 'a key of the param groups, such as "lr", or one with an index, such as "betas[0]"'
        raise OptimizerError("Scheduler(key)", key, allowed, "write it in one of these forms")
    return match[1], None if match[2] is None else int(match[2])


def resolve(
    given: Sequence[Assignment | tuple[str, Sequence[Schedule]]], groups: list[Group], start: int
) -> list[HyperParameter]:
    """Return the scheduled hyper-parameters of `groups[start:]`. A list in `given` has one schedule for each group.

    Raises `OptimizerError` if a hyper-parameter gets two schedules, or if a group has no number under a key.
    """
    found: dict[tuple[int, str], HyperParameter] = {}
    for one in given:
        if isinstance(one, Assignment):
            chosen = [(k, one.schedule) for k, group in enumerate(groups) if _picks(one.tags, group)]
            if not chosen:
                known = sorted({show(tag) for group in groups for tag in _tags(group) if tag is not None})
                allowed = f"tags of the param groups: {', '.join(known) or 'no group has any'}"
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
                hyperparameter = HyperParameter(k, key, schedule, factor)
                _check(hyperparameter, groups)
                other = found.setdefault((k, key), hyperparameter)
                if other is not hyperparameter:
                    both = Unquoted(f"both {show(other.schedule, 34)} and {show(schedule, 34)}")
                    fix = "give them different tags, or leave one out"
                    raise OptimizerError(f"Scheduler: {key} of group {k}", both, "one schedule", fix)
    return list(found.values())


def unshare_tensors(groups: list[Group], start: int, names: set[str]) -> None:
    """Give each of `groups[start:]` separate tensors under `names`, because torch puts the same tensor into all of them."""
    seen: set[int] = set()

    def unshared(held: Any) -> Any:
        if isinstance(held, tuple) and any(isinstance(element, Tensor) for element in held):
            return tuple(map(unshared, held))
        held = held.detach().clone() if isinstance(held, Tensor) and id(held) in seen else held
        seen.add(id(held))
        return held

    for k, group in enumerate(groups):
        for name in names & group.keys():
            separate = unshared(group[name])
            if k >= start:
                group[name] = separate


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


def _check(one: HyperParameter, groups: list[Group]) -> None:
    """Raise `OptimizerError` if the group holds no number under the key."""
    group, where = groups[one.group], f"Scheduler: {one.key} of group {one.group}"
    held = group.get(one.name)
    inside = one.index is not None and isinstance(held, list | tuple) and one.index < len(held)
    if one.name not in group or (one.index is not None and not inside):
        numbers = [key for key, value in group.items() if _is_number(value)]
        numbers += [
            f"{key}[{k}]" for key, v in group.items() if key != "params" and isinstance(v, tuple) for k in range(len(v))
        ]
        raise OptimizerError(where, one.key, ", ".join(numbers), "use a key that the group has")
    if not _is_number(one.get(groups)):
        raise OptimizerError(where, one.get(groups), "a number to be set", "use a key that holds one")


def _is_number(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float | Tensor)
