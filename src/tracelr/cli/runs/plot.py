"""Runs tracelr plot: draw one or more schedules."""

from __future__ import annotations

import argparse
from html import escape
from io import BytesIO
from pathlib import Path

from tracelr.cli.output import say, shows_braille, width
from tracelr.cli.reading import step_number
from tracelr.cli.saving import save
from tracelr.cli.source import Chosen, choose
from tracelr.drawing.axes import Curve
from tracelr.drawing.matplotlib import figure_of
from tracelr.drawing.svg import svg
from tracelr.drawing.terminal import terminal
from tracelr.errors import ScheduleError, Unquoted
from tracelr.schedules.describe.phases import phases
from tracelr.schedules.describe.sampling import curve, horizon

_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
{body}</html>
"""


def run(args: argparse.Namespace) -> int:
    """Run the verb, and return the exit code."""
    chosen = [one for file in args.files for one in choose(file, args.key, args.tag)]
    first, last = _range(chosen, args)
    several = len({one.quantity for one in chosen}) > 1 or args.output is not None
    curves = [curve(one.schedule, first, last, one.name, quantity=one.quantity if several else "") for one in chosen]
    title = chosen[0].title if len(chosen) == 1 else ""
    if args.output is None:
        say(terminal(curves, width(), log=args.log, ascii=not shows_braille()))
        return 0
    suffix = Path(args.output).suffix.lower()
    if suffix == ".svg":
        content = svg(curves, title, args.log).encode()
    elif suffix == ".html":
        body = svg(curves, title, args.log, alone=False)
        content = _PAGE.format(title=escape(title or "schedules"), body=body).encode(errors="backslashreplace")
    elif suffix in (".png", ".pdf"):
        content = _picture(curves, title, args.log, suffix[1:])
    else:
        allowed = "a path that ends in .svg, .png, .pdf or .html"
        raise ScheduleError("plot -o", args.output, allowed, "name it so")
    drawn = "1 curve" if len(curves) == 1 else f"{len(curves)} curves"
    save(args.output, content, f": {drawn}, steps {first:,} to {last:,}")
    return 0


def _range(chosen: list[Chosen], args: argparse.Namespace) -> tuple[int, int]:
    first = 0 if args.first is None else step_number(args.first)
    if args.last is not None:
        return first, step_number(args.last)
    if args.zoom is None:
        return first, max(max(horizon(one.schedule) for one in chosen), first + 1)
    rises = [phase.until for one in chosen for phase in phases(one.schedule, one.key)[:1] if phase.name == "warm-up"]
    if not rises:
        fix = "leave out --zoom, or pass --from and --to"
        raise ScheduleError("plot --zoom", Unquoted("schedules that do not begin with a rise"), "one that does", fix)
    return first, 2 * max(until for until in rises if until is not None)


def _picture(curves: list[Curve], title: str, log: bool, format: str) -> bytes:
    buffer = BytesIO()
    figure_of(curves, title, log).savefig(buffer, format=format, dpi=150)
    return buffer.getvalue()
