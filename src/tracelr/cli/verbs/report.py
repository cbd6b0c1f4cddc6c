"""tracelr report: write one page about a schedule."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import final

from tracelr.cli.output import say
from tracelr.cli.reading import CURRENT
from tracelr.cli.source import is_checkpoint, named, picked, step_of
from tracelr.cli.verb import TARGETS, Verb, file_argument, step_number
from tracelr.drawing.axes import Curve
from tracelr.files import write_whole
from tracelr.interop.audit import read_log
from tracelr.report import page
from tracelr.schedules.assignment import Loaded


@final
class Report(Verb):
    """Writes a page that needs no network."""

    name = "report"
    help = "write one page about a schedule: its curve, phases, graph, code of every target, verification"
    example = "tracelr report examples/digits.yaml -o report.html"
    steady = False
    writes = "report.html"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        file_argument(parser)
        parser.add_argument(
            "--target", action="append", help=f"the code of one of {TARGETS}; may be repeated (default: all)"
        )
        parser.add_argument("--no-verify", action="store_true", help="run no target")
        parser.add_argument("--to", dest="last", metavar="STEP", help="the last step of the curve (default: all of them)")
        parser.add_argument("--beside", metavar="FILE", action="append", default=[], help="another FILE in the same picture")
        parser.add_argument("--log", metavar="LOG", help="the rates that a run logged, as `tracelr audit` reads them")
        parser.add_argument(
            "--mark", metavar="STEP", action="append", default=[], help="a step to mark, NAME=STEP, or a checkpoint"
        )
        parser.add_argument("-o", "--output", type=Path, default=Path("report.html"), help="the page (default: report.html)")

    def run(self, args: argparse.Namespace) -> int:
        found, last = picked(args.file, args.key, args.tag), None if args.last is None else step_number(args.last)
        text = page(
            found, name=named(args.file), source=args.file, steps=last, targets=args.target, verify=not args.no_verify,
            beside=_beside(args), marks=_marks(args), per_step=_per_step(),
        )  # fmt: skip
        write_whole(args.output, text.encode(errors="backslashreplace"))
        say(f"wrote {args.output}")
        return 0


def _beside(args: argparse.Namespace) -> dict[str, Loaded | Curve]:
    """Return what is drawn beside the schedule, by its name in the legend."""
    found: dict[str, Loaded | Curve] = {file: picked(file, args.key, args.tag) for file in args.beside}
    for logged in read_log(args.log) if args.log is not None else []:
        found[f"{logged.name} of {args.log}"] = Curve(logged.name, logged.steps, logged.rates)
    return found


def _marks(args: argparse.Namespace) -> dict[str, int]:
    marks = {"checkpoint": step_of(Path(args.file))} if is_checkpoint(args.file) else {}
    for given in args.mark:
        name, _, step = given.rpartition("=")
        at = step_of(Path(given)) if is_checkpoint(given) else step_number(step)
        marks[Path(given).name if is_checkpoint(given) else name or "marked"] = at
    return marks


def _per_step() -> dict[str, float]:
    """Return the other units of the axis that the command line says."""
    units = CURRENT.get().units
    found: dict[str, float] = {}
    if units is not None and units.steps_per_epoch is not None:
        found["epoch"] = 1 / units.steps_per_epoch
    if units is not None and units.tokens_per_step is not None:
        found["tokens"] = units.tokens_per_step
    return found


VERB = Report()
