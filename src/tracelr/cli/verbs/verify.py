"""tracelr verify: compare targets with eager, bit for bit."""

from __future__ import annotations

import argparse
from typing import final

from tracelr.cli.verb import TARGETS, Verb, file_argument, json_argument


@final
class Verify(Verb):
    """Runs a schedule on targets; the exit code is 1 on any difference."""

    name = "verify"
    help = "compare targets with eager, bit for bit; exit code 1 on any difference"
    example = "tracelr verify 'linear(0, 3e-4, 2000) | cosine(3e-4, 3e-5, 98k)' --target c"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        file_argument(parser)
        parser.add_argument("--target", action="append", help=f"all, or one of {TARGETS}; may be repeated (default: all)")
        json_argument(parser)


VERB = Verify()
