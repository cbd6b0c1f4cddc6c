"""Checks of the plain values and tags in a configuration; every error names the path of the key."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal, DecimalException
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar, final

from tracelr.arithmetic import LAST_STEP
from tracelr.errors import ConfigError, Location, ScheduleError, ScheduleTypeError, Unquoted, printable, show, suggest
from tracelr.interop._tools.units import Units, is_time
from tracelr.schedules.assignment import Assignment
from tracelr.schedules.fields import FINITE, LARGEST, NOT_TOO_LARGE, Tags

_NUMBER = r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?"  # compiled when it is first used
_SEPARATED = r"[1-9][0-9]{0,2}(,[0-9]{3})+"
_LONGEST_KEY, _LONGEST_PATH = 80, 1000
T = TypeVar("T")
_Every: TypeAlias = Literal[0]
EVERY: _Every = 0
"""Stands for all tags: the schedule drives every param group."""


@final
class Place(NamedTuple):
    """The path of a key in a source, as errors show it, with the units of time that hold there.

    >>> str(Place("params.yaml") / "optimizer" / "learning_rate" / 1 / "scheduler")
    'params.yaml: optimizer.learning_rate[1].scheduler'
    """

    source: str
    path: str = ""
    units: Units | None = None
    at: Location | None = None
    notes: list[str] | None = None
    """What a reader says about how it read the file, if somebody asks."""
    sections: list[Any] | None = None
    """The mappings that were read, for a check of what was not."""

    def note(self, text: str) -> None:
        """Keep a sentence about how the file was read."""
        if self.notes is not None and text not in self.notes:
            self.notes.append(text)

    def __truediv__(self, key: str | int) -> Place:
        if isinstance(key, int):
            return self._replace(path=f"{self.path}[{key}]")
        key = key if isinstance(key, str) else show(key)  # a mapping may have any key
        key = key if len(key) <= _LONGEST_KEY else f"{key[: _LONGEST_KEY - 3]}..."
        return self._replace(path=f"{self.path}.{key}" if self.path else key)

    def __str__(self) -> str:
        both = f"{self.source}: {self.path}" if self.path else self.source
        return printable(both if len(both) <= _LONGEST_PATH else f"{both[:_LONGEST_KEY]} ... {both[-_LONGEST_KEY:]}")

    def refuse(self, given: object, allowed: str, fix: str) -> ConfigError:
        """Return the error of this place; the caller raises it."""
        return ConfigError(str(self), given, allowed, fix, at=self._at())

    def line(self, line: int, column: int) -> Place:
        """Return the place at a line and column, both from 1, for what has no key."""
        return (self / f"line {line}, column {column}")._replace(at=Location("", line, column))

    def _at(self) -> Location | None:
        return self.at or (Location(self.path) if self.path else None)

    def blame(self, error: ScheduleError | ScheduleTypeError) -> ConfigError:
        """Return a schedule's error as a `ConfigError` about this place; its sentence stays as it is."""
        return error.of(ConfigError, str(self), self._at())


def number(where: Place, given: object) -> float:
    """Return a finite number; YAML 1.1 reads 1e-5 as a string, so a string that spells a number is accepted."""
    value = _decimal(given)
    if value is None or not value.copy_abs() <= Decimal(LARGEST):
        large = value is not None and value.copy_abs() < 2**128
        raise where.refuse(given, NOT_TOO_LARGE if large else FINITE, "write a number such as 0.001 or 1e-3")
    return float(value)


def count(where: Place, given: object, low: int = 1) -> int:
    """Return a number of steps from `low` to 2**53; 1e5, "2000" and "98,000" are accepted, and a time such as "5ep"."""
    given = in_steps(where, given)
    plain = isinstance(given, str) and re.fullmatch(_SEPARATED, given.strip())
    value = _decimal(given.replace(",", "") if isinstance(given, str) and plain else given)
    if value is None or not low <= value <= LAST_STEP or value != value.to_integral_value():
        raise where.refuse(given, f"a whole number of steps from {low} to 2**53", "write a number such as 2000 or 1e5")
    return int(value)


def in_steps(where: Place, given: object) -> object:
    """Return `given`, converted to steps if it is a time with a unit."""
    if not isinstance(given, str) or not is_time(given):
        return given
    if where.units is None:
        fix = "pass units=Units(...), which says what a unit is in steps"
        raise where.refuse(given, "a number of steps, or a time whose unit is known", fix)
    try:
        return where.units.steps(given)
    except ScheduleError as error:
        raise where.blame(error) from None


def _decimal(given: object) -> Decimal | None:
    if isinstance(given, bool) or not isinstance(given, (int, float, str)):
        return None
    if isinstance(given, str) and not re.fullmatch(_NUMBER, given):
        return None
    if isinstance(given, int) and given.bit_length() > 2048:  # out of every range here, and slow to write in decimals
        return None
    try:
        value = Decimal(given)
    except DecimalException:  # an exponent of twenty digits
        return None
    return value if value.is_finite() else None


def is_given(given: object) -> bool:
    """Return whether a setting has a value: null, false, 0 and empty ones have none."""
    return bool(given) if given is None or isinstance(given, (bool, int, float, str, list, tuple, Mapping)) else True


def flag(where: Place, given: object) -> bool:
    """Return a bool."""
    if not isinstance(given, bool):
        raise where.refuse(given, "true or false", "write one of them, without quotes")
    return given


def numbers(where: Place, given: object) -> list[float]:
    """Return a list of finite numbers."""
    return [number(where / k, item) for k, item in enumerate(sequence(where, given, "a list of numbers"))]


def counts(where: Place, given: object) -> list[int]:
    """Return a list of steps, each 0 or more."""
    return [count(where / k, item, low=0) for k, item in enumerate(sequence(where, given, "a list of steps", low=0))]


def sequence(where: Place, given: object, allowed: str, low: int = 1) -> list[Any]:
    """Return a list of `low` entries or more."""
    if not isinstance(given, (list, tuple)) or len(given) < low:
        raise where.refuse(given, allowed + (", with at least one entry" if low else ""), "write such a list")
    return list(given)


def choose(where: Place, given: object, table: Mapping[str, T], fold: Callable[[str], str] = str) -> T:
    """Return the row of `table` under the name `given`, both through `fold`, or raise an error that lists the names."""
    rows = {fold(name): row for name, row in table.items()}
    if not isinstance(given, str) or fold(given) not in rows:
        raise where.refuse(given, ", ".join(sorted(table)), suggest(given, table))
    return rows[fold(given)]


def only_keys(where: Place, mapping: Mapping[Any, Any], allowed: Collection[str]) -> None:
    """Raise if `mapping` has a key that is not `allowed`."""
    for key in mapping:
        if key not in allowed:
            given = Unquoted(f"the key {show(key)}")
            raise where.refuse(given, ", ".join(sorted(allowed)), suggest(key, allowed, "rename it to", "remove it"))


def tags(where: Place, given: object) -> tuple[str | None, ...] | None:
    """Return the tags, in which None stands for the groups without tags; None in place of a list means every group."""
    if given is None:
        return None
    try:
        return Tags().parse(str(where), given)
    except (ScheduleError, ScheduleTypeError):
        allowed, fix = "a tag, a list of different tags, or [null]", "write the tags of the groups that it drives"
        raise where.refuse(given, allowed, fix) from None


def disjoint(where: Place, found: list[Assignment]) -> None:
    """Raise if two schedules would set the same key of the same group."""
    taken: dict[str, dict[str | _Every | None, int]] = {}
    for k, other in enumerate(found):
        before = taken.setdefault(other.key, {})
        tags: list[str | _Every | None] = [*before] if other.tags is None else [*other.tags, EVERY]
        met = [before[tag] for tag in tags if tag in before]
        if met:
            given = Unquoted(f"{other}, set at [{min(met)}] too")
            raise (where / k).refuse(given, "one schedule for each key of a group", "give them different tags")
        before.update(dict.fromkeys([EVERY] if other.tags is None else other.tags, k))
