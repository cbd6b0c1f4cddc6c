"""tracelr report: write one page about a schedule."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import final

from tracelr.cli.output import say
from tracelr.cli.source import named, picked
from tracelr.cli.verb import TARGETS, Verb, file_argument, step_number
from tracelr.files import write_whole
from tracelr.report import page


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
        parser.add_argument("-o", "--output", type=Path, default=Path("report.html"), help="the page (default: report.html)")

    def run(self, args: argparse.Namespace) -> int:
        found, last = picked(args.file, args.key, args.tag), None if args.last is None else step_number(args.last)
        name, checks = named(args.file), {"targets": args.target, "verify": not args.no_verify}
        write_whole(
            args.output, page(found, name=name, source=args.file, steps=last, **checks).encode(errors="backslashreplace")
        )
        say(f"wrote {args.output}")
        return 0


VERB = Report()
