"""Runs tracelr show: describe a schedule for people."""

from __future__ import annotations

import argparse
from typing import Any

from tracelr.cli.output import say, shows_braille, width
from tracelr.cli.saving import say_json
from tracelr.cli.source import Chosen, choose, read
from tracelr.drawing.terminal import terminal
from tracelr.schedules.describe.phases import phases, table
from tracelr.schedules.describe.sampling import curve

_MOST = 12  # sentences


def run(args: argparse.Namespace) -> int:
    """Run the verb, and return the exit code."""
    found = read(args.file)
    chosen = choose(args.file, args.key, args.tag, found.schedule)
    if args.json:
        more = {"format": found.format, "notes": found.notes}
        say_json([_plain(one) | more for one in chosen])
        return 0
    if found.notes:
        say("\n".join([f"Read as {found.format}.", *(f"  {note}" for note in found.notes), ""]))
    say("\n\n".join(_text(one, args.log) for one in chosen))
    return 0


def _text(one: Chosen, log: bool) -> str:
    found = phases(one.schedule, one.key)
    lines = [f"{one.name}: {one.schedule!r}" if "(" not in one.name else f"{one.schedule!r}", ""]
    told = found if len(found) <= _MOST else []
    lines += [f"Step {phase.steps}: it {phase.words}." for phase in told]
    return "\n".join(
        [
            *lines,
            *[""] * bool(told),
            table(found),
            "",
            terminal([curve(one.schedule)], width(), log=log, ascii=not shows_braille()),
        ]
    )


def _plain(one: Chosen) -> dict[str, Any]:
    rows = [phase._asdict() | {"name": phase.name, "words": phase.words} for phase in phases(one.schedule, one.key)]
    group = {} if one.assignment is None else {"key": one.assignment.key, "tags": one.assignment.tags}
    parts = {"schedule": one.schedule.to_dict(), "length": one.schedule.length, "phases": rows}
    return {"name": one.name} | group | parts
