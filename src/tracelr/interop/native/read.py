"""Reads the native format: what `schedule.to_dict()` returns, or `assignments:` with a list of `assignment.to_dict()`.

In place of a name and fields, a schedule may be a line of text for `tracelr.parse`:
`schedule: linear(0, 3e-4, 2000) | cosine(3e-4, 3e-5, 98k)`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from tracelr.errors import ScheduleError, ScheduleTypeError, Unquoted
from tracelr.interop._tools.checks import Place, choose, disjoint, in_steps, only_keys, sequence, tags
from tracelr.interop._tools.units import is_time
from tracelr.interop.native.expression import parse
from tracelr.schedules.assignment import Assignment, Loaded
from tracelr.schedules.base import REGISTRY, Schedule
from tracelr.schedules.fields import Rule

EXAMPLE = """\
schedule: Cosine
start: 6.0e-4
end: 6.0e-5
steps: 100000
"""


def matches(mapping: Mapping[Any, Any]) -> bool:
    """Return whether `mapping` names a schedule of this library, or holds assignments."""
    foreign = isinstance(mapping.get("schedule"), (Mapping, list)) and "lr" in mapping  # as in big_vision
    return ("schedule" in mapping and not foreign) or "assignments" in mapping


def read(mapping: Mapping[Any, Any], where: Place) -> Loaded:
    """Return the schedule, or the assignments, that `mapping` describes."""
    if "assignments" not in mapping:
        return _schedule(mapping, where)
    only_keys(where, mapping, ["assignments"])
    where /= "assignments"
    listed = sequence(where, mapping["assignments"], "a list of assignments")
    found = [_assignment(entry, where / k) for k, entry in enumerate(listed)]
    disjoint(where, found)
    return found


def read_schedule(mapping: Mapping[Any, Any], where: str) -> Schedule:
    """Return the schedule that `mapping`, which `schedule.to_dict()` returned, describes; `where` names it in an error."""
    try:
        return _schedule(mapping, Place(where))
    except RecursionError:
        raise Place(where).refuse(Unquoted("a mapping that is nested too deeply"), "a shallow one", "nest it less") from None


def _assignment(entry: object, where: Place) -> Assignment:
    if not isinstance(entry, Mapping):
        raise where.refuse(entry, "a mapping with the keys key and schedule", "write {key: lr, schedule: {...}}")
    only_keys(where, entry, Assignment._fields)
    key, factor = entry.get("key"), entry.get("factor")
    if not isinstance(key, str) or not key:
        raise (where / "key").refuse(key, "the key of a param group, such as lr", "add key: lr")
    if factor is not None and (not isinstance(factor, str) or not factor):
        raise (where / "factor").refuse(factor, "the key of a param group, or null", "leave it out, or name the key")
    if not isinstance(entry.get("schedule"), Mapping):
        raise (where / "schedule").refuse(entry.get("schedule"), "a schedule", "write {schedule: <name>, ...}")
    return Assignment(key, tags(where / "tags", entry.get("tags")), _schedule(entry["schedule"], where / "schedule"), factor)


def _schedule(mapping: Mapping[Any, Any], where: Place) -> Schedule:
    """Return the schedule that `mapping` describes, with its children. Names are looked up only in the registry."""
    if "schedule" not in mapping:
        raise where.refuse(Unquoted("a mapping without the key 'schedule'"), "a schedule by name", "add schedule: <name>")
    if isinstance(mapping["schedule"], str) and "(" in mapping["schedule"]:
        only_keys(where, mapping, ["schedule"])
        return parse(mapping["schedule"], str(where / "schedule"), where.units)
    kind = choose(where / "schedule", mapping["schedule"], REGISTRY)
    # mypy does not see that `__init_subclass__` makes a dataclass
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    only_keys(where, mapping, ["schedule", *fields])
    for field in fields.values():
        if field.default is dataclasses.MISSING and field.name not in mapping:
            raise where.refuse(Unquoted(f"{kind.__name__} without {field.name}"), ", ".join(fields), f"add {field.name}")
    values = {key: _value(where / key, mapping[key], kind._rules[key]) for key in fields if key in mapping}
    try:
        return kind(**values)
    except (ScheduleError, ScheduleTypeError) as error:
        raise (where / error.field if error.field else where).blame(error) from None


def _value(where: Place, given: Any, rule: Rule) -> Any:
    """Return `given` with every mapping in it read as a schedule, because no other value of a field is a mapping.

    A time with a unit becomes a number of steps if the field holds whole numbers.
    """
    if isinstance(given, Mapping):
        return _schedule(given, where)
    if isinstance(given, (list, tuple)):  # no field holds a list of lists
        return [item if isinstance(item, (list, tuple)) else _value(where / k, item, rule) for k, item in enumerate(given)]
    return in_steps(where, given) if is_time(given) and _holds_integers(rule) else given


def _holds_integers(rule: Rule) -> bool:
    for probe in (1, [1]):
        with suppress(ScheduleError, ScheduleTypeError):
            kept = rule.parse("", probe)
            return all(isinstance(one, int) for one in (kept if isinstance(kept, tuple) else [kept]))
    return False
