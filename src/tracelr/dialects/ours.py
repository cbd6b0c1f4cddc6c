"""Our own form: exactly what `schedule.to_dict()` writes."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from tracelr.dialects._values import Place, choose, only
from tracelr.errors import ScheduleError, ScheduleTypeError, Words
from tracelr.schedule import REGISTRY, Schedule

EXAMPLE = """\
schedule: Cosine
start: 6.0e-4
end: 6.0e-5
steps: 100000
"""


def recognises(mapping: Mapping[Any, Any]) -> bool:
    """Say whether `mapping` names a schedule of this library."""
    return "schedule" in mapping


def read(mapping: Mapping[Any, Any], where: Place) -> Schedule:
    """Return the schedule that `mapping` describes, its children included. Its name is looked up in the registry only."""
    if "schedule" not in mapping:
        raise where.refuse(Words("a mapping without the key 'schedule'"), "a schedule by name", "add schedule: <name>")
    kind = choose(where / "schedule", mapping["schedule"], REGISTRY)
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    only(where, mapping, ["schedule", *fields])
    for field in fields.values():
        if field.default is dataclasses.MISSING and field.name not in mapping:
            raise where.refuse(Words(f"{kind.__name__} without {field.name}"), ", ".join(fields), f"add {field.name}")
    values = {key: _value(where / key, mapping[key]) for key in fields if key in mapping}
    try:
        return kind(**values)
    except (ScheduleError, ScheduleTypeError) as error:
        key = re.match(r"\w+\.(\w+)", str(error))
        raise (where / key[1] if key else where).forward(error) from None


def _value(where: Place, given: Any) -> Any:
    """Return `given` with every mapping in it read as a schedule: no other field of a schedule is written as a mapping."""
    if isinstance(given, Mapping):
        return read(given, where)
    if isinstance(given, list | tuple):
        return [_value(where / k, item) for k, item in enumerate(given)]
    return given
