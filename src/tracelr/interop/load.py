"""Reads schedules from files and mappings. The keys of a mapping say which format it is in, and so which reader reads it.

Nothing in a file is looked up, imported or called except the names of registered schedules.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from tracelr.errors import ConfigError, Unquoted, show
from tracelr.interop._tools import kinds
from tracelr.interop._tools.checks import Place
from tracelr.interop._tools.pieces import refuse_empty
from tracelr.interop._tools.units import Units
from tracelr.interop.readers import pick
from tracelr.schedules.assignment import Loaded
from tracelr.schedules.base import Schedule

LARGEST = 1_000_000
"""The most values a mapping may hold. A shared value counts each time it occurs, because a reader walks it each time."""


def load(
    path: str | os.PathLike[str],
    units: Units | None = None,
    format: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Loaded:
    """Return the schedule that a file describes, in any format that `tracelr.interop` reads.

    The result is one `Schedule` if the file sets one learning rate for all param groups. Otherwise it is a list of
    `Assignment`, which say which schedule drives which hyper-parameter of which param groups;
    `Scheduler(optimizer, assignments)` takes that list, and `load_schedule` refuses it. `units` gives the number of steps of
    each unit of time, for a file that writes "5ep" or "3e4tok", or that gives the length of a run in epochs. `format` is the
    name of a format, for a file that may be in several. `settings` has values by the dotted paths of their keys, which
    replace those of the file, and values of the variables of a shell script.

    Raises `ConfigError` if the file cannot be read, is in no known format, or does not describe a schedule; the message
    names the file and the key.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "params.yaml")
    ...     written = file.write_text("optimizer: {learning_rate: {scheduler: Linear, steps: 1e4,"
    ...                               " initial_learning_rate: 1e-3, end_learning_rate: 0}}")
    ...     load(file)
    Linear(start=0.001, end=0.0, steps=10000)
    """
    return from_dict(kinds.read(path, settings), str(path), units, format)


def load_schedule(
    path: str | os.PathLike[str],
    units: Units | None = None,
    format: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Schedule:
    """Return the one schedule that a file describes, for the learning rate of all param groups.

    `units`, `format` and `settings` are as in `load`. Raises `ConfigError` as `load` does, and if the file sets other
    hyper-parameters or only some groups; the message then lists the assignments.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "params.yaml")
    ...     written = file.write_text("linear(0, 3e-4, 2000) | cosine(3e-4, 3e-5, 98k)")
    ...     load_schedule(file).milestones
    (2000,)
    """
    return single(load(path, units, format, settings), str(path))


def from_dict(
    mapping: Mapping[str, Any], where: str = "mapping", units: Units | None = None, format: str | None = None
) -> Loaded:
    """Return the schedule that `mapping` describes, which is what `schedule.to_dict()` returned or the content of a file.

    As `load` does, it returns a list of `Assignment` if the mapping does not set one learning rate for all param groups, and
    needs `units` for a length with a unit; `format` is the name of the format of a mapping that may be in several.

    Raises `ConfigError` if `mapping` is in no known format or does not describe a schedule; `where` names it in the message.

    >>> from_dict({"schedule": "Linear", "start": 0.0, "end": 1.0, "steps": 10})
    Linear(start=0.0, end=1.0, steps=10)
    >>> from_dict({"optimizer": {"learning_rate": 6e-4}})
    Constant(value=0.0006)
    """
    return read(mapping, where, units, format).schedule


class Reading(NamedTuple):
    """What was read: its format, the schedule or assignments, what the reader says, and the step of a checkpoint's run."""

    format: str
    schedule: Loaded
    notes: list[str]
    step: int | None = None


def read(
    mapping: Mapping[str, Any], where: str = "mapping", units: Units | None = None, format: str | None = None
) -> Reading:
    """Return what `from_dict` does, with the name of the format, the defaults that were used and the numbers computed."""
    notes: list[str] = []
    place = Place(where, units=units, notes=notes)
    if units is not None and not isinstance(units, Units):
        raise place.refuse(units, "units=Units(...), or None", "pass tracelr.Units(steps_per_epoch=...)")
    if not isinstance(mapping, Mapping):
        raise place.refuse(mapping, "a mapping", "pass a dict, or write keys and values")
    try:
        if _size(mapping, {}) > LARGEST:
            fix = "keep the training parameters only"
            raise place.refuse(Unquoted("more values, shared ones written out"), f"at most {LARGEST} of them", fix)
        name, reader = pick(mapping, place, format)
        found = reader.read(mapping, place)
        if name != "native":
            refuse_empty(place, found)
        return Reading(name, found, notes)
    except RecursionError:
        raise place.refuse(Unquoted("a mapping that is nested too deeply"), "a shallow one", "nest it less") from None


def _size(value: Any, sizes: dict[int, int]) -> int:
    """Return how many values `value` stands for, up to about `LARGEST`; each object is counted once."""
    if not isinstance(value, (Mapping, list, tuple)):
        return 1
    if id(value) not in sizes:
        sizes[id(value)] = 1  # if it contains itself, its reader raises
        total = 1
        for item in value.values() if isinstance(value, Mapping) else value:
            total += _size(item, sizes)
            if total > LARGEST:
                break
        sizes[id(value)] = total
    return sizes[id(value)]


def single(found: Loaded, where: str = "mapping") -> Schedule:
    """Return `found`, which `load` or `from_dict` returned, if it is one schedule for the learning rate of all param groups.

    Raises `ConfigError` with a list of the assignments if it is one; `where` names the source in the message.

    >>> single(from_dict({"optimizer": {"learning_rate": 6e-4}}))
    Constant(value=0.0006)
    """
    if isinstance(found, Schedule):
        return found
    many = "1 assignment" if len(found) == 1 else f"{len(found)} assignments"
    given, fix = Unquoted(f"{many}, listed below"), "use one of them, or pass the list to Scheduler(optimizer, assignments)"
    listed = "\n".join(f"{one}: {show(one.schedule)}" for one in found)
    raise ConfigError(str(Place(where)), given, "one schedule for the rate of every group", fix, more=listed)
