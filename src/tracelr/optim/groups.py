"""Which number of which param group a schedule drives: keys, tags, factors, and the numbers that groups had before."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, NamedTuple, TypeAlias, final

import torch
from torch import Tensor

from tracelr import _torch
from tracelr.errors import OptimizerError, ScheduleError, ScheduleTypeError, TracelrWarning, Unquoted, show
from tracelr.schedules import fields
from tracelr.schedules.assignment import Assignment
from tracelr.schedules.base import Schedule

_PATH = re.compile(r"(\w+)(?:\[(\d)\])?")
Group: TypeAlias = dict[str, Any]


@final
class Each(NamedTuple):
    """One schedule for each of the present param groups; None leaves a group alone. `factor` is that of `Assignment`."""

    key: str
    schedules: Sequence[Schedule | None]
    factor: str | None = None


Request: TypeAlias = Assignment | Each


@final
@dataclass(slots=True, eq=False)
class HyperParameter:
    """One scheduled number of one param group, which is `factor` times the value of `schedule`.

    `group` is the dict of the optimizer, `position` its present place. `name` and `index` are the components of `key`, such
    as "lr" or "betas[0]". `source` is the key of the group that `factor` was read from. `tensor` holds the number and is
    written in place; without one, the group holds a float. `held` is what the group held after the last write.
    """

    group: Group
    position: int
    key: str
    schedule: Schedule
    factor: float = 1.0
    source: str | None = None
    tensor: Tensor | None = None
    held: Any = None
    asked: Schedule = field(init=False)  # `schedule` is another one after Scheduler.continue_with
    plain: bool = field(init=False)  # the group holds a float directly under the key
    name: str = field(init=False)
    index: int | None = field(init=False)

    def __post_init__(self) -> None:
        self.asked = self.schedule
        self.name, self.index = split(self.key)
        self.plain = self.index is None and self.tensor is None

    def get(self) -> Any:
        """Return what the group holds now, or None if it has no such number."""
        held = self.group.get(self.name)
        if self.index is None:
            return held
        return held[self.index] if isinstance(held, (list, tuple)) and self.index < len(held) else None

    def attach(self) -> HyperParameter:
        """Take the tensor that the group holds as `tensor`, in float32 and without a dimension, and return `self`."""
        held = check(self.group, self.position, self.key)
        if isinstance(held, Tensor):
            self.tensor = held if held.dtype == torch.float32 and not held.ndim else held.detach().float().reshape(())
            self.set(self.tensor)
        self.plain = self.index is None and self.tensor is None
        return self

    def put(self, value: float) -> None:
        """Write a number into the group, in place if a tensor holds it."""
        if self.tensor is None:
            self.set(value)
            return
        if self.get() is not self.tensor:
            self.set(self.tensor)
        self.tensor.fill_(value)

    def set(self, value: float | Tensor) -> None:
        """Replace what the group holds by a number or a tensor."""
        if self.index is not None:
            before = self.group[self.name]
            value = type(before)([*before[: self.index], value, *before[self.index + 1 :]])
        self.group[self.name] = value

    def follows(self, other: HyperParameter) -> bool:
        """Say whether both have the same key, schedule and factor."""
        return (self.key, self.factor, self.source) == (other.key, other.factor, other.source) and (
            self.schedule is other.schedule
        )


def split(key: str) -> tuple[str, int | None]:
    """Return the name and the index of a key: those of "betas[0]" are "betas" and 0.

    >>> split("lr")
    ('lr', None)
    """
    match = _PATH.fullmatch(key) if isinstance(key, str) else None
    if match is None:
        allowed = 'a key of the param groups, such as "lr", or one with an index, such as "betas[0]"'
        raise OptimizerError("Scheduler(key)", key, allowed, "write it in one of these forms")
    return match[1], None if match[2] is None else int(match[2])


def check(group: Group, position: int, key: str) -> Any:
    """Return the number that the group holds under `key`, or raise `OptimizerError` if it cannot be scheduled."""
    name, index = split(key)
    where = f"Scheduler: {key} of group {position}"
    held: Any = group.get(name)
    inside = index is not None and isinstance(held, (list, tuple)) and index < len(held)
    if name not in group or (index is not None and not inside):
        numbers = [own for own, value in group.items() if _is_number(value)]
        numbers += [
            f"{own}[{k}]" for own, v in group.items() if own != "params" and isinstance(v, tuple) for k in range(len(v))
        ]
        raise OptimizerError(where, key, ", ".join(numbers), "use a key that the group has")
    held = held if index is None else held[index]
    if not _is_number(held):
        raise OptimizerError(where, held, "a number to be set", "use a key that holds one")
    if isinstance(held, Tensor) and _unfit(held):
        kind = f"a {str(held.dtype).removeprefix('torch.')} tensor of shape {list(held.shape)}"
        given = Unquoted(kind + " that requires a gradient" * held.requires_grad + " on the meta device" * held.is_meta)
        allowed = "a real tensor of one element, without a gradient, or a float"
        raise OptimizerError(where, given, allowed, "pass a float, or torch.tensor(0.1), to the optimizer")
    return held


def _unfit(held: Tensor) -> bool:
    return held.numel() != 1 or held.is_complex() or held.requires_grad or held.is_meta


def _is_number(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, (Real, Tensor))


def base_of(group: Group, key: str) -> float:
    """Return the number that the group was made with: the one under "initial_lr" (or another key), else the present one."""
    name, index = split(key)
    held = group.get(f"initial_{key}")
    if held is None:
        held = group[name] if index is None else group[name][index]
    return float(held)


@final
class Resolver:
    """What the param groups are asked to follow. `resolve` is called for all groups at first, then for those added later."""

    def __init__(self, requests: Sequence[Request], lenient: bool) -> None:
        self._requests, self._lenient = requests, lenient
        self._decays = False  # whether some group had a weight decay other than 0
        self._told: set[str] = set()
        self._first = True

    def resolve(self, groups: list[Group], new: Iterable[int], defaults: Mapping[str, Any]) -> list[HyperParameter]:
        """Return the scheduled hyper-parameters of the groups at the positions `new`. It changes no group.

        Raises `OptimizerError` if a number gets two schedules, if a group has no number under a key, if no group has a tag
        or the key of a factor, or if a list has another length than the groups.
        """
        new = list(new)
        first, self._first = self._first, False
        found: dict[tuple[int, str], HyperParameter] = {}
        words: list[str] = []
        for one in self._requests:
            for k, schedule in self._chosen(one, groups, new, first, defaults, words):
                check(groups[k], k, one.key)
                factor = 1.0 if one.factor is None else read_factor(groups[k], one.key, one.factor)
                made = HyperParameter(groups[k], k, one.key, schedule, factor, one.factor)
                other = found.setdefault((k, one.key), made)
                if other is not made:
                    both = Unquoted(f"both {show(other.schedule, 34)} and {show(schedule, 34)}")
                    fix = "give them different tags, or leave one out"
                    raise OptimizerError(f"Scheduler: {one.key} of group {k}", both, "one schedule", fix)
        for text in words:
            warnings.warn(f"tracelr: {text}", TracelrWarning, stacklevel=5)
        return list(found.values())

    def _chosen(
        self, one: Request, groups: list[Group], new: list[int], first: bool, defaults: Mapping[str, Any], words: list[str]
    ) -> list[tuple[int, Schedule]]:
        """Return the positions among `new` that a request is for, each with its schedule."""
        if isinstance(one, Each):
            if not first:
                kept = ", ".join(f"{show(groups[k].get(split(one.key)[0]))} in group {k}" for k in new)
                self._say(f"{one.key}=[...] has no schedule for a param group that was added later: it keeps {kept}", words)
                return []
            if len(one.schedules) != len(groups):
                several = Unquoted(f"{len(one.schedules)} schedules")
                allowed = f"one for each of the optimizer's {len(groups)} param groups"
                raise OptimizerError(
                    f"Scheduler({one.key})", several, allowed, "pass one schedule, or a list of that length"
                )
            return [(k, schedule) for k, schedule in enumerate(one.schedules) if schedule is not None]
        tags = (one.tags,) if isinstance(one.tags, str) else one.tags
        chosen = [k for k in new if tags is None or any(tag in tags for tag in _tags(groups[k]))]
        if first and not chosen:
            known = sorted({show(tag) for group in groups for tag in _tags(group) if tag is not None})
            allowed = f"tags of the param groups: {', '.join(known) or 'no group has any'}"
            raise OptimizerError("Assignment.tags", one.tags, allowed, 'put "tags" into the param groups')
        given = one.factor in (None, one.key) or any(one.factor in groups[k] for k in chosen)
        if first and not given and not self._lenient:
            raise _missing_factor(one, [groups[k] for k in chosen])
        if tags is None and one.factor is None:
            chosen = self._not_zero(one.key, groups, chosen, first)
            self._compare(one.key, groups, chosen, first, defaults, words)
        return [(k, one.schedule) for k in chosen]

    def _not_zero(self, key: str, groups: list[Group], chosen: list[int], first: bool) -> list[int]:
        """Leave out the groups without weight decay, such as those of norms and biases, if other groups have some."""
        if key != "weight_decay":
            return chosen
        values = {k: base_of(groups[k], key) for k in chosen if _is_number(groups[k].get(key))}
        if first:
            self._decays = any(values.values())
        return [k for k in chosen if values.get(k, 1.0) or not self._decays]

    def _compare(
        self, key: str, groups: list[Group], chosen: list[int], first: bool, defaults: Mapping[str, Any], words: list[str]
    ) -> None:
        """Say that a schedule overwrites numbers of the groups that differ."""
        values = [_number(groups[k], key) for k in chosen if first or f"initial_{key}" not in groups[k]]
        if first:
            differ = len({value for value in values if value is not None}) > 1
        else:  # a number that the optimizer filled in is not one of the group's own
            default = _number(dict(defaults), key)
            differ = any(value is not None and value != default for value in values)
        if differ:
            shown = ", ".join(f"{value:g}" for value in values[:4] if value is not None) + ", ..." * (len(values) > 4)
            remedy = f"{key}_factor=<schedule> multiplies the number of each group" if key.isidentifier() else "use tags"
            which = "the param groups" if first else "a param group that was added later"
            own = f"one schedule drives {key} of every group: it overwrites the number of {which} ({shown})"
            self._say(f"{own}. {remedy}, {key}=[...] has one schedule for each", words)

    def _say(self, text: str, words: list[str]) -> None:
        if text not in self._told:
            self._told.add(text)
            words.append(text)


def _missing_factor(one: Assignment, groups: list[Group]) -> OptimizerError:
    numbers = sorted({own for group in groups for own, value in group.items() if _is_number(value)})
    fix = f'correct the name, or pass factor="{one.key}" for the number of each group itself'
    return OptimizerError("Assignment.factor", one.factor, f"a key of these groups: {', '.join(numbers)}", fix)


def _number(group: Mapping[str, Any], key: str) -> float | None:
    name, index = split(key)
    held = group.get(name)
    if index is not None:
        held = held[index] if isinstance(held, (list, tuple)) and index < len(held) else None
    number = held is not None and _is_number(held) and not (isinstance(held, Tensor) and _unfit(held))
    return float(held) if number else None  # type: ignore[arg-type]  # a number, by the line above


def rate_of(group: Mapping[str, Any], key: str = "lr") -> float:
    """Return the number that a group holds under a key as a float; NaN without one, as some optimizers have no rate."""
    number = _number(group, key)
    return math.nan if number is None else number


def _tags(group: Mapping[str, Any]) -> Sequence[str | None]:
    tags = group.get("tags")
    return (tags,) if tags is None or isinstance(tags, str) else tags


def read_factor(group: Group, key: str, name: str) -> float:
    """Return the number under `name` as a finite float; 1 without one. If `name` is `key`, it is the group's own number.

    Raises `OptimizerError` if it is not a number.
    """
    held = base_of(group, key) if name == key else group.get(name, 1.0)
    held = float(held) if isinstance(held, Tensor) and held.numel() == 1 else held
    try:
        return fields.number(f"Scheduler: {name} of a param group", held)
    except (ScheduleError, ScheduleTypeError) as error:
        raise error.of(OptimizerError) from None


def unshare_tensors(groups: list[Group], names: set[str]) -> None:
    """Give each group separate tensors under `names`, because torch puts the same tensor into all of them."""
    seen: set[int] = set()

    def unshared(held: Any) -> Any:
        if isinstance(held, (tuple, list)) and any(isinstance(element, Tensor) for element in held):
            return type(held)(map(unshared, held))
        held = held.detach().clone() if isinstance(held, Tensor) and id(held) in seen else held
        seen.add(id(held))
        return held

    for group in groups:
        for name in names & group.keys():
            held = unshared(group[name])
            if held is not group[name] and not (isinstance(held, (tuple, list)) and all(map(_same, held, group[name]))):
                group[name] = held


def _same(one: object, other: object) -> bool:
    return one is other


def close(held: Any, value: float) -> bool:
    """Say whether what a group holds is `value`, in float32 if it is a tensor."""
    if isinstance(held, Tensor):
        if held.numel() != 1 or held.is_meta:
            return False
        held, value = float(held), _torch.float32(value)
    elif not _is_number(held):
        return False
    return float(held) == value or (math.isnan(held) and math.isnan(value))
