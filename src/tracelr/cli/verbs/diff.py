"""tracelr diff: compare two schedules."""

from __future__ import annotations

import argparse
from typing import final

from tracelr.cli.verb import FILE, Verb, choice_arguments, json_argument


@final
class Diff(Verb):
    """Compares values, up to step `--steps` if it is given; the exit code is 1 if any differ."""

    name = "diff"
    help = "say where two schedules differ first and most, and by how much; exit code 1 if they do"
    example = "tracelr diff 'cosine(3e-4, 0, 100k)' 'cosine(3e-4, 3e-5, 100k)'"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("a", metavar="A", help=FILE)
        parser.add_argument("b", metavar="B", help="the same; one of them may be the checkpoint of a run")
        choice_arguments(parser)
        json_argument(parser)


VERB = Diff()
