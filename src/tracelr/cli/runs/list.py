"""Runs tracelr list: list the schedules, the targets and the formats of files."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from typing import Any

from tracelr.cli.output import say
from tracelr.cli.saving import say_json
from tracelr.interop.native.expression import parameters
from tracelr.interop.native.names import snake
from tracelr.interop.readers import READERS
from tracelr.lowering.targets import find, target_names
from tracelr.schedules.base import REGISTRY
from tracelr.schedules.standard import FUNCTIONS


def run(args: argparse.Namespace) -> int:
    """Run the verb, and return the exit code."""
    tables = {"schedules": schedules, "targets": targets, "formats": formats}
    found = {name: table() for name, table in tables.items() if args.what in (None, name)}
    if args.json:
        say_json(found)
        return 0
    for name, rows in found.items():
        if len(found) > 1:
            say(f"{name}:")
        width = max(len(row["call"]) for row in rows)
        for row in rows:
            say(f"  {row['call']:<{width}}  {row['text']}")
    return 0


def schedules() -> list[dict[str, Any]]:
    """Return each schedule class, and then each function that makes one, as a line of text calls it.

    A row has its name, the call, its fields, their defaults, and its first line.
    """
    rows = []
    calls: list[tuple[str, str, Callable[..., Any], str | None]] = []
    calls += [(name, snake(name), kind.__init__, kind.__doc__) for name, kind in sorted(REGISTRY.items())]
    calls += [(name, name, function, function.__doc__) for name, function in FUNCTIONS.items()]
    for name, called, function, text in calls:
        fields = parameters(function)
        needed = [f"{f.name}=..." if f.kind is f.KEYWORD_ONLY else f.name for f in fields if f.default is f.empty]
        call = ", ".join([*needed, *["..."] * (len(needed) < len(fields))])
        defaults = {f.name: f.default for f in fields if f.default is not f.empty}
        row = {"name": name, "call": f"{called}({call})", "fields": [f.name for f in fields], "defaults": defaults}
        rows.append(row | {"text": _line(text)})
    return rows


def targets() -> list[dict[str, Any]]:
    """Return each target: its name, what is missing for it to run here (None if nothing is), and its first line."""
    rows = []
    for name in target_names():
        missing = find(name).missing()
        text = _line(import_module(f"tracelr.lowering.targets.{name}").__doc__)
        text += f" (to run it: {missing})" if missing else ""
        rows.append({"name": name, "call": name, "needs": missing, "text": text})
    return rows


def formats() -> list[dict[str, Any]]:
    """Return each format that a file may have: its name, an example, and its first line."""
    return [{"name": n, "call": n, "text": _line(d.__doc__), "example": d.EXAMPLE} for n, d in READERS.items()]


def _line(text: str | None) -> str:
    return (text or "").strip().split("\n")[0]
