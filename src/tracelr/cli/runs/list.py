"""Runs tracelr list: list the schedules, the targets and the formats of files."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import Any

from tracelr.cli.output import say
from tracelr.cli.saving import say_json
from tracelr.interop.native.expression import parameters, snake
from tracelr.interop.readers import READERS
from tracelr.lowering.targets import find, target_names
from tracelr.schedules.base import REGISTRY


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
    """Return each schedule class: its name, its call in a line of text, its fields, their defaults, and its first line."""
    rows = []
    for name, kind in sorted(REGISTRY.items()):
        fields = parameters(kind.__init__)
        needed = [f.name for f in fields if f.default is f.empty]
        call = ", ".join([*needed, *["..."] * (len(needed) < len(fields))])
        defaults = {f.name: f.default for f in fields if f.default is not f.empty}
        row = {"name": name, "call": f"{snake(name)}({call})", "fields": [f.name for f in fields], "defaults": defaults}
        rows.append(row | {"text": _line(kind.__doc__)})
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
