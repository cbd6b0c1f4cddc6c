"""The names of schedules, found in the files that define them: a wrong one in a line is refused before torch is imported."""

from __future__ import annotations

import os
import re

from tracelr.errors import ConfigError, Location, suggest

_SCHEDULES = os.path.join(os.path.dirname(__file__), "..", "..", "schedules")
_STRING = r"'[^'\n]*'|\"[^\"\n]*\""
_CALL = r"(?<![\w.])([A-Za-z_]\w*)\s*\("


def snake(name: str) -> str:
    """Return the name of a class as it is written in a spec.

    >>> snake("OneCycle"), snake("WSD")
    ('one_cycle', 'wsd')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def defined() -> set[str]:
    """Return the classes and functions that a line may call, read from the sources without importing them."""
    found = set[str]()
    for folder in ("curves", "compose"):
        with os.scandir(os.path.join(_SCHEDULES, folder)) as files:
            for file in files:
                if file.name.endswith(".py"):
                    found.update(re.findall(r"^class (\w+)\(Schedule\)", _read(file.path), re.M))
    return {*map(snake, found), *re.findall(r"^def ([a-z]\w*)", _read(os.path.join(_SCHEDULES, "standard.py")), re.M)}


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def check_calls(text: str) -> None:
    """Raise `ConfigError`, as `tracelr.parse` does, at the first call in a line of a name that no schedule has."""
    try:
        known = defined()
    except OSError:  # an installation without sources
        return
    folded = {name.replace("_", "") for name in known}
    for call in re.finditer(_CALL, re.sub(_STRING, lambda string: " " * len(string[0]), text)):
        if call[1].replace("_", "").lower() not in folded:
            names, column = sorted(known), call.start() + 1
            raise ConfigError(
                f"spec: column {column}",
                call[1],
                ", ".join(names),
                suggest(call[1], names),
                at=Location.within(text, 1, column),
            )
