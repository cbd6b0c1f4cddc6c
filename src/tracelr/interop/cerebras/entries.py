"""Curves of `tracelr.cerebras` out of an entry of a file: which key gives each parameter, and how its value is read."""

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
"""The keys of a parameter, by the curve's own word for it; a word that is not there is its own key."""

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
"""How a file gives a parameter of each type; what the numbers may be is left to the schedule that is built of them."""
_OWN: _Readers = {
    "total_steps": partial(checks.count, low=2),
    "final_div_factor": _positive,
}
"""The parameters that a schedule's own fields are computed from, where its error would not name them."""
_BLAMED = {
    "start": ("initial_val",),
    "values": ("vals",),
    "rate": ("decay_rate", "coefficient"),
    "exponent": ("step_exponent",),
    "multiplier": ("T_mult",),
}
"""The parameters that a field of a schedule comes from, where it has another name."""


class GivenValue(NamedTuple):
    """A parameter of a curve that an entry gives: its place there, and its value."""

    where: Place
    value: Any


def keys(own: str, spelling: Spelling) -> tuple[str, ...]:
    """Return the keys that a parameter goes by."""
    return spelling.get(own, (own,))


def once(where: Place, known: Collection[str], entry: Mapping[Any, Any], beside: str = "") -> list[str]:
    """Return which of the keys `entry` has: one at most, not counting the one that may stand beside another."""
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
    """Return what `entry` gives for the curve's parameters, by its own words; `others` are keys it may have besides."""
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
    """Return the values alone."""
    return {own: one.value for own, one in found.items()}


def build(where: Place, curve: Curve, found: Mapping[str, GivenValue]) -> Schedule:
    """Return the schedule; an error of its own becomes one of the place that its field came from."""
    try:
        return curve(**values(found))
    except (ScheduleError, ScheduleTypeError) as error:
        fields = _BLAMED.get(error.field, (error.field,))
        place = next((found[own].where for own in fields if own in found), where)
        raise place.blame(error) from None
