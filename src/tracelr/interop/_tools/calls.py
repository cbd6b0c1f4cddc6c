"""Reads a call that is written as a mapping: the name of a foreign function, and its arguments by name.

For each foreign function there is a builder with the same parameters and defaults. The annotation of a parameter says how
its value is read from a configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Annotated, Any, TypeAlias, get_type_hints

from tracelr.arithmetic import LAST_STEP
from tracelr.errors import ScheduleError, ScheduleTypeError, Unquoted
from tracelr.interop._tools import checks
from tracelr.interop._tools.checks import Place, only_keys
from tracelr.schedules.base import Schedule

Builder: TypeAlias = Callable[..., Schedule]


def whole(where: Place, given: object) -> int:
    """Return a number of steps that may be 0 or negative, for libraries in which that has a meaning."""
    value = checks.number(where, given)
    if not value.is_integer() or abs(value) > LAST_STEP:
        raise where.refuse(given, "a whole number of steps up to 2**53", "write a number such as 2000 or 1e5")
    return int(value)


def optional_number(where: Place, given: object) -> float | None:
    """Return a finite number, or None for null."""
    return None if given is None else checks.number(where, given)


Number: TypeAlias = Annotated[float, checks.number]
OptionalNumber: TypeAlias = Annotated[float | None, optional_number]
Numbers: TypeAlias = Annotated[list[float], checks.numbers]
Count: TypeAlias = Annotated[int, checks.count]
Whole: TypeAlias = Annotated[int, whole]
Steps: TypeAlias = Annotated[list[int], checks.counts]
Switch: TypeAlias = Annotated[bool, checks.flag]


def call(where: Place, name: str, build: Builder, arguments: Mapping[Any, Any], beside: tuple[str, ...] = ()) -> Schedule:
    """Return what `build` makes of `arguments`, each read as its parameter is annotated; keys in `beside` are ignored.

    Raises `ConfigError` that names a missing, unknown or wrong key; an error of the builder keeps its message.
    """
    parameters, hints = signature(build).parameters, get_type_hints(build, include_extras=True)
    only_keys(where, arguments, [*beside, *parameters])
    for key, parameter in parameters.items():
        if parameter.default is Parameter.empty and key not in arguments:
            required = [key for key, parameter in parameters.items() if parameter.default is Parameter.empty]
            raise where.refuse(Unquoted(f"{name} without {key}"), f"the keys {', '.join(required)}", f"add {key}")
    values = {key: hints[key].__metadata__[0](where / key, arguments[key]) for key in parameters if key in arguments}
    try:
        return build(**values)
    except (ScheduleError, ScheduleTypeError) as error:
        raise where.blame(error) from None
