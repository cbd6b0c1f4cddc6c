"""tracelr report: write one page about a schedule."""

from __future__ import annotations

import argparse
from typing import final

from tracelr.cli.verb import TARGETS, Verb, file_argument


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
        words = f"the code of all, or of one of {TARGETS}; may be repeated (default: c, cuda and triton, and c is run)"
        parser.add_argument("--target", action="append", help=words)
        parser.add_argument("--no-verify", action="store_true", help="run no target")
        parser.add_argument("--to", dest="last", metavar="STEP", help="the last step of the curve (default: all of them)")
        parser.add_argument("--beside", metavar="FILE", action="append", default=[], help="another FILE in the same picture")
        parser.add_argument("--log", metavar="LOG", help="the rates that a run logged, as `tracelr audit` reads them")
        parser.add_argument(
            "--mark", metavar="STEP", action="append", default=[], help="a step to mark, NAME=STEP, or a checkpoint"
        )
        parser.add_argument("-o", "--output", metavar="PATH", default="report.html", help="the page (default: report.html)")


VERB = Report()
