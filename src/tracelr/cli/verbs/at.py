"""tracelr at: print the value at a step."""

from __future__ import annotations

import argparse
from typing import final

from tracelr.cli.verb import Verb, file_argument, json_argument


@final
class At(Verb):
    """Prints the value at each step."""

    name = "at"
    help = "print the value at one step or more"
    example = "tracelr at 'linear(0, 3e-4, 2000) | cosine(3e-4, 3e-5, 98k)' 0 1000 2k 50k 100k"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        file_argument(parser)
        parser.add_argument("steps", metavar="STEP", nargs="+", help="a step, such as 2000, 98k or 1.5M")
        json_argument(parser)


VERB = At()
