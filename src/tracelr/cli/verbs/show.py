"""tracelr show: describe a schedule for people."""

from __future__ import annotations

import argparse
from typing import Any, final

from tracelr.cli.output import say, say_json
from tracelr.cli.source import Chosen, choose, read
from tracelr.cli.verb import Verb, file_argument, json_argument
from tracelr.drawing.terminal import terminal
from tracelr.schedules.describe.phases import phases, table
from tracelr.schedules.describe.sampling import curve

_MOST = 12  # sentences


@final
class Show(Verb):
    """Prints words, a table and a plot."""

    name = "show"
    help = "say what a schedule does: in words, as a table of its phases, and as a plot in the terminal"
    example = "tracelr show 'linear(0, 3e-4, 2000) | cosine(3e-4, 3e-5, 98k)'"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        file_argument(parser)
        parser.add_argument("--log", action="store_true", help="use a logarithmic axis in the plot")
        json_argument(parser)

    def run(self, args: argparse.Namespace) -> int:
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
    return "\n".join([*lines, *[""] * bool(told), table(found), "", terminal([curve(one.schedule)], log=log)])


def _plain(one: Chosen) -> dict[str, Any]:
    rows = [phase._asdict() | {"name": phase.name, "words": phase.words} for phase in phases(one.schedule, one.key)]
    group = {} if one.assignment is None else {"key": one.assignment.key, "tags": one.assignment.tags}
    parts = {"schedule": one.schedule.to_dict(), "length": one.schedule.length, "phases": rows}
    return {"name": one.name} | group | parts


VERB = Show()
