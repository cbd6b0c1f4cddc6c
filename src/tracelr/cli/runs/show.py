"""Runs tracelr show: describe a schedule for people."""

from __future__ import annotations

import argparse
from typing import Any

from tracelr.cli.output import say, shows_braille, width
from tracelr.cli.progress import progress
from tracelr.cli.saving import say_json
from tracelr.cli.source import Chosen, choose, read
from tracelr.drawing.terminal import terminal
from tracelr.schedules.describe.phases import phases, short, table
from tracelr.schedules.describe.sampling import curve

_MOST = 12  # sentences of a kind


def run(args: argparse.Namespace) -> int:
    """Run the verb, and return the exit code."""
    found = read(args.file)
    chosen = choose(args.file, args.key, args.tag, found.schedule)
    notes = found.notes if found.step is None else _standing(found.step, chosen)
    if args.json:
        more = {"format": found.format, "notes": notes} | ({} if found.step is None else {"step": found.step})
        say_json([_plain(one) | more for one in chosen])
        return 0
    if notes:
        say("\n".join([f"Read as {found.format}.", *(f"  {note}" for note in notes), ""]))
    texts = []
    with progress(len(chosen), "show") as tell:
        for one in chosen:
            tell(one.name)
            texts.append(_text(one, args.log))
    say("\n\n".join(texts))
    return 0


def _standing(step: int, chosen: list[Chosen]) -> list[str]:
    """Return where a run stands: its step, and for each number what it is now, in which phase, and until when."""
    length = max((one.schedule.length or 0 for one in chosen), default=0)
    done = f" of {length:,}, {min(step / length, 1):.1%} done" if length else ""
    said = [f"The run is at step {step:,}{done}."]
    for one in chosen[:_MOST]:
        phase = [phase for phase in phases(one.schedule, one.key) if phase.first <= step][-1]
        until = "" if phase.until is None else f", until step {phase.until:,}"
        name = one.quantity if one.assignment is None else one.name
        said.append(f"{name}: {short(float(one.schedule(step)))} in the next update; it {phase.words}{until}.")
    return [*said, *([f"and {len(chosen) - _MOST} more"] if len(chosen) > _MOST else [])]


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
