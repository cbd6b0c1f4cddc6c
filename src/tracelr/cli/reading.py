"""What the command line says beside a file: its format, settings that it does not have, and how long its run is."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, NamedTuple, final

from tracelr.arithmetic import LAST_STEP
from tracelr.cli.verb import LENGTHS
from tracelr.errors import ConfigError
from tracelr.interop._tools import yaml
from tracelr.interop._tools.checks import Place
from tracelr.interop._tools.units import Units

_NUMBER = r"((?:[0-9]{1,3}(?:,[0-9]{3}){1,6}|[0-9][0-9_]{0,30})(?:\.[0-9]{1,6})?)(?:[eE]\+?([0-9]{1,2}))?([kM]?)"


@final
class Given(NamedTuple):
    """The options of a command line that say how a file is read."""

    units: Units | None = None
    format: str | None = None
    settings: Mapping[str, Any] = MappingProxyType({})


NOTHING = Given()
CURRENT: ContextVar[Given] = ContextVar("given", default=NOTHING)
"""The options of the command line that runs now."""


def given(args: argparse.Namespace) -> Given:
    """Return the options of a parsed command line."""
    names = {field: name for name, (field, _, _) in LENGTHS.items()}
    found = {field: getattr(args, f"units_{field}", None) for field in names}
    lengths = {field: _whole(names[field], text) for field, text in found.items() if text is not None}
    settings = dict(_setting(text) for text in getattr(args, "settings", []))
    return Given(Units(**lengths) if lengths else None, getattr(args, "as_format", None), settings)


def take(args: argparse.Namespace) -> None:
    """Let the options of a parsed command line be those that hold now."""
    CURRENT.set(given(args))


def _whole(name: str, text: str) -> int:
    return whole_number(f"--{name}", text, 1)


def step_number(text: str, where: str = "step") -> int:
    """Return the step that a text such as 2000, 2_000, "2,000", 2k, 1.5M or 2e3 spells.

    >>> step_number("98k"), step_number("98,000")
    (98000, 98000)
    """
    return whole_number(where, text, 0)


def whole_number(where: str, text: str, low: int) -> int:
    """Return the whole number that a text spells: digits, with "_" or "," between thousands, an exponent, k or M."""
    match = re.fullmatch(_NUMBER, text.strip())
    if match:
        whole, _, part = re.sub("[_,]", "", match[1]).partition(".")
        power = int(match[2] or 0) + {"": 0, "k": 3, "M": 6}[match[3]] - len(part.rstrip("0"))
        value = int(whole + part.rstrip("0")) * int(10 ** max(power, 0))
        if power >= 0 and low <= value <= LAST_STEP:
            return value
    allowed = f"a whole number from {low} to 2**53, such as 2000, 98k, 98,000 or 1e6"
    raise ConfigError(where, text, allowed, "write one")


def _setting(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ConfigError("--set", text, "KEY=VALUE", "write the path of a key, = and its value")
    try:
        return key, yaml.mapping(f"value: {value}".encode(), Place("--set")).get("value")
    except ConfigError:
        return key, value
