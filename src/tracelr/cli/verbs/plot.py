"""tracelr plot: draw one or more schedules."""

from __future__ import annotations

import argparse
from typing import final

from tracelr.cli.verb import FILE, Verb, choice_arguments


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
        parser.add_argument("-o", "--output", metavar="PATH", help="the picture; its suffix chooses the format")
        parser.add_argument("--log", action="store_true", help="use a logarithmic axis for the values")
        parser.add_argument("--zoom", choices=["warmup"], help="show the warm-up, and as many steps after it")
        parser.add_argument("--from", dest="first", metavar="STEP", help="the first step shown (default: 0)")
        parser.add_argument("--to", dest="last", metavar="STEP", help="the last step shown (default: all of them)")


VERB = Plot()
