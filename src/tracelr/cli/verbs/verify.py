"""tracelr verify: compare targets with eager, bit for bit."""

from __future__ import annotations

import argparse
from typing import final

import tracelr.lowering as lowering
from tracelr.cli.output import say, say_json
from tracelr.cli.source import one
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

    def run(self, args: argparse.Namespace) -> int:
        names = args.target or ["all"]
        report = lowering.verify(one(args.file, args.key, args.tag), "all" if "all" in names else names)
        say_json(report.to_dict()) if args.json else say(str(report))
        return 0 if report.ok else 1


VERB = Verify()
