"""Reads a curve of `tracelr.cerebras` from an entry of a file: the key of each parameter, and its value."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias, get_args, get_origin

from tracelr.errors import ScheduleError, ScheduleTypeError, Unquoted
from tracelr.interop._tools import checks
from tracelr.interop._tools.checks import Place, choose, only_keys
from tracelr.interop.cerebras.curves import Curve, Parameter, parameters
from tracelr.schedules.base import Schedule
from tracelr.schedules.fields import Positive, Scalar

Spelling: TypeAlias = Mapping[str, tuple[str, ...]]
"""The keys of each parameter, by its name in the curve; a parameter that is missing here has its name as its key."""

_Readers: TypeAlias = dict[Any, Callable[[Place, object], Any]]


def _positive(where: Place, given: object) -> float:
    value = checks.number(where, given)
    if value <= 0:
        raise where.refuse(given, "a number above 0", "write one")
    return value


_READERS: _Readers = {
    bool: checks.flag,
    int: checks.count,
    float: checks.number,
    **{get_args(rule)[0]: checks.number for rule in (Scalar, Positive)},
    Sequence[float]: checks.numbers,
    Sequence[int]: checks.counts,
}
"""How a parameter of each type is read; the schedule that is built checks the range of the numbers."""
_OWN: _Readers = {
    "total_steps": partial(checks.count, low=2),
    "final_div_factor": _positive,
}
"""Parameters that are checked here, because an error of the schedule would name the field computed from them."""
_BLAMED = {
    "start": ("initial_val",),
    "values": ("vals",),
    "rate": ("decay_rate", "coefficient"),
    "exponent": ("step_exponent",),
    "multiplier": ("T_mult",),
}
"""The parameters from which a field of a schedule comes, for fields with another name."""


class GivenValue(NamedTuple):
    """The value of a parameter in an entry, and its place."""

    where: Place
    value: Any


def keys(own: str, spelling: Spelling) -> tuple[str, ...]:
    """Return the keys that a parameter may have."""
    return spelling.get(own, (own,))


def once(where: Place, known: Collection[str], entry: Mapping[Any, Any], beside: str = "") -> list[str]:
    """Return which of the `known` keys `entry` has; raise for more than one, except that `beside` may be there too."""
    names = [key for key in known if key in entry]
    if len([key for key in names if key != beside]) > 1:
        raise where.refuse(Unquoted(" and ".join(names)), "one of them", "remove one: they are names of the same thing")
    return names


def read_parameters(
    where: Place,
    name: str,
    curve: Curve,
    entry: Mapping[Any, Any],
    spelling: Spelling,
    others: Collection[str],
    beside: str = "",
) -> dict[str, GivenValue]:
    """Return the values in `entry` by the names of the curve's parameters; `others` are further keys that are allowed."""
    taken = {own: (keys(own, spelling), parameter) for own, parameter in parameters(curve, {}).items()}
    only_keys(where, entry, list(dict.fromkeys([*(key for known, _ in taken.values() for key in known), *others])))
    found = {}
    for own, (known, parameter) in taken.items():
        names = once(where, known, entry, beside)
        if not names and parameter.required:
            needed = ", ".join(known[0] for known, parameter in taken.values() if parameter.required)
            fix = ("add one of " if len(known) > 1 else "add ") + ", ".join(known)
            raise where.refuse(Unquoted(f"{name} without {known[0]}"), f"the keys {needed}", fix)
        for one in names[:1]:
            found[own] = GivenValue(where / one, _read(where / one, parameter, entry[one]))
    return found


def _read(where: Place, parameter: Parameter, value: object) -> Any:
    if value is None and parameter.default is None:
        return None
    if get_origin(parameter.kind) is Literal:
        return choose(where, value, {name: name for name in get_args(parameter.kind)})
    return _OWN.get(parameter.own, _READERS[parameter.kind])(where, value)


def values(found: Mapping[str, GivenValue]) -> dict[str, Any]:
    """Return the values without their places."""
    return {own: one.value for own, one in found.items()}


def build(where: Place, curve: Curve, found: Mapping[str, GivenValue]) -> Schedule:
    """Return the schedule; if it raises, the error is about the place from which the field came."""
    try:
        return curve(**values(found))
    except (ScheduleError, ScheduleTypeError) as error:
        fields = _BLAMED.get(error.field, (error.field,))
        place = next((found[own].where for own in fields if own in found), where)
        raise place.blame(error) from None
