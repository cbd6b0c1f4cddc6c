"""tracelr plot: draw one or more schedules."""

from __future__ import annotations

import argparse
from html import escape
from io import BytesIO
from pathlib import Path
from typing import final

from tracelr.cli.output import say
from tracelr.cli.source import Chosen, choose
from tracelr.cli.verb import FILE, Verb, choice_arguments, step_number
from tracelr.drawing.axes import Curve
from tracelr.drawing.matplotlib import figure_of
from tracelr.drawing.svg import svg
from tracelr.drawing.terminal import terminal
from tracelr.errors import ScheduleError, Unquoted
from tracelr.files import write_whole
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


@final
class Plot(Verb):
    """Draws schedules over the same steps."""

    name = "plot"
    help = "draw schedules, several to compare, into an svg, png, pdf or html file, or in the terminal"
    example = "tracelr plot examples/digits.yaml 'cosine(3e-3, 0, 1500)' --log -o curve.svg"
    writes = "curve.svg"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("files", metavar="FILE", nargs="+", help=FILE)
        choice_arguments(parser)
        parser.add_argument("-o", "--output", type=Path, help="the picture; its suffix chooses the format")
        parser.add_argument("--log", action="store_true", help="use a logarithmic axis for the values")
        parser.add_argument("--zoom", choices=["warmup"], help="show the warm-up, and as many steps after it")
        parser.add_argument("--from", dest="first", metavar="STEP", help="the first step shown (default: 0)")
        parser.add_argument("--to", dest="last", metavar="STEP", help="the last step shown (default: all of them)")

    def run(self, args: argparse.Namespace) -> int:
        chosen = [one for file in args.files for one in choose(file, args.key, args.tag)]
        first, last = _range(chosen, args)
        curves = [curve(one.schedule, first, last, one.name) for one in chosen]
        title = chosen[0].name if len(chosen) == 1 else ""
        if args.output is None:
            say(terminal(curves, log=args.log))
            for one in curves if len(curves) > 1 else []:
                say(f"  {one.name}")
            return 0
        suffix = args.output.suffix.lower()
        if suffix == ".svg":
            write_whole(args.output, svg(curves, title, args.log).encode())
        elif suffix == ".html":
            body = svg(curves, title, args.log, alone=False)
            write_whole(
                args.output, _PAGE.format(title=escape(title or "schedules"), body=body).encode(errors="backslashreplace")
            )
        elif suffix in (".png", ".pdf"):
            _save(curves, title, args.log, args.output)
        else:
            allowed = "a path that ends in .svg, .png, .pdf or .html"
            raise ScheduleError("plot -o", str(args.output), allowed, "name it so")
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


def _save(curves: list[Curve], title: str, log: bool, path: Path) -> None:
    buffer = BytesIO()
    figure_of(curves, title, log).savefig(buffer, format=path.suffix.lower()[1:], dpi=150)
    write_whole(path, buffer.getvalue())


VERB = Plot()
