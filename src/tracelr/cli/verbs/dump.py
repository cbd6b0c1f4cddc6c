"""tracelr dump: print the graph of a schedule."""

from __future__ import annotations

import argparse
from typing import final

from tracelr.cli.verb import Verb, file_argument, output_argument


@final
class Dump(Verb):
    """Prints a graph in one of the formats."""

    name = "dump"
    help = "print the graph of a schedule"
    example = "tracelr dump 'linear(0, 1, 10)'"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        file_argument(parser)
        parser.add_argument("--format", default="text", help="text, code, dot, mermaid, svg or json (default: text)")
        parser.add_argument("--batch", action="store_true", help="the graph over [N] steps at once")
        stage = parser.add_mutually_exclusive_group()
        stage.add_argument("--after", metavar="PASS", help="the graph after this pass; 'trace' is the graph of torch.export")
        stage.add_argument("--stages", action="store_true", help="the graph before and after each pass, under its name")
        output_argument(parser)


VERB = Dump()
