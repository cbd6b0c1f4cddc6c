"""tracelr lower: print a schedule as code for a target."""

from __future__ import annotations

import argparse
from typing import final

from tracelr.cli.verb import TARGETS, Verb, file_argument, output_argument


@final
class Lower(Verb):
    """Prints the code of a target."""

    name = "lower"
    help = "print a schedule as code for a target"
    example = "tracelr lower 'linear(0, 1, 10)' --target c"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        file_argument(parser)
        parser.add_argument("--target", default="c", help=f"one of {TARGETS} (default: c)")
        output_argument(parser)


VERB = Lower()
