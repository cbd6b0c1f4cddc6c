"""tracelr lower: print a schedule as code for a target."""

from __future__ import annotations

import argparse
from typing import final

import tracelr.lowering as lowering
from tracelr.cli.output import put
from tracelr.cli.source import one
from tracelr.cli.verb import TARGETS, Verb, file_argument, output_argument
from tracelr.files import write_whole


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

    def run(self, args: argparse.Namespace) -> int:
        artifact = lowering.lower(one(args.file, args.key, args.tag), args.target)
        if args.output:
            write_whole(args.output, artifact.bytes)
        else:
            put(artifact.text, None)
        return 0


VERB = Lower()
