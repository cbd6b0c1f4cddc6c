"""tracelr show: describe a schedule for people."""

from __future__ import annotations

import argparse
from typing import final

from tracelr.cli.verb import Verb, file_argument, json_argument


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


VERB = Show()
