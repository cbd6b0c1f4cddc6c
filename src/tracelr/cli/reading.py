"""What the command line says beside a file: its format, settings that it does not have, and how long its run is."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, NamedTuple, final

from tracelr.arithmetic import LAST_STEP
from tracelr.errors import ConfigError
from tracelr.interop._tools import yaml
from tracelr.interop._tools.checks import Place
from tracelr.interop._tools.units import Units

_LENGTHS = {
    "steps": ("duration", "N", "of a run that the file gives in epochs: its number of optimizer updates"),
    "steps-per-epoch": ("steps_per_epoch", "N", "the optimizer updates of an epoch"),
    "samples": ("samples_per_epoch", "N", "the samples of an epoch, with --devices"),
    "devices": ("devices", "D", "the number of data-parallel devices"),
    "batch-size": ("batch_size", "B", "the samples of an update, on all devices"),
    "accumulation": ("accumulation", "N", "the batches of an update, in place of those in the file"),
    "tokens-per-step": ("tokens_per_step", "N", "the tokens of an update"),
}


@final
class Given(NamedTuple):
    """The options of a command line that say how a file is read."""

    units: Units | None = None
    format: str | None = None
    settings: Mapping[str, Any] = MappingProxyType({})


NOTHING = Given()
CURRENT: ContextVar[Given] = ContextVar("given", default=NOTHING)
"""The options of the command line that runs now."""


def reading_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that say how a file is read."""
    group = parser.add_argument_group("what a training configuration does not say")
    for name, (field, metavar, words) in _LENGTHS.items():
        group.add_argument(f"--{name}", dest=f"units_{field}", metavar=metavar, help=words)
    group.add_argument(
        "--as", dest="as_format", metavar="FORMAT", help="the format of the file, a name of tracelr list formats"
    )
    group.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting by its path, or a variable of a script",
    )


def given(args: argparse.Namespace) -> Given:
    """Return the options of a parsed command line."""
    names = {field: name for name, (field, _, _) in _LENGTHS.items()}
    found = {field: getattr(args, f"units_{field}", None) for field in names}
    lengths = {field: _whole(names[field], text) for field, text in found.items() if text is not None}
    settings = dict(_setting(text) for text in getattr(args, "settings", []))
    return Given(Units(**lengths) if lengths else None, getattr(args, "as_format", None), settings)


def _whole(name: str, text: str) -> int:
    digits = text.replace("_", "")
    scale = {"k": 1000, "M": 1_000_000}.get(digits[-1:], 1)
    digits = digits[:-1] if scale > 1 else digits
    if digits.isdecimal() and len(digits) < 20 and 1 <= int(digits) * scale <= LAST_STEP:
        return int(digits) * scale
    raise ConfigError(f"--{name}", text, "a whole number from 1 to 2**53, such as 2000 or 98k", "write one")


def _setting(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ConfigError("--set", text, "KEY=VALUE", "write the path of a key, = and its value")
    try:
        return key, yaml.mapping(f"value: {value}".encode(), Place("--set")).get("value")
    except ConfigError:
        return key, value
