"""tracelr audit: compare the rates that a run logged with its configuration."""

from __future__ import annotations

import argparse
import json
from typing import final

from tracelr.cli.source import choose
from tracelr.cli.verb import Verb, file_argument, json_argument
from tracelr.interop.audit import TOLERANCE, audit, read_log


@final
class AuditVerb(Verb):
    """Says whether the logged rates are those of the configuration; the exit code is 1 if not."""

    name = "audit"
    help = "say whether the rates that a run logged are those of its configuration, or which mistake explains them"
    example = "tracelr audit examples/digits.yaml examples/digits.csv"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        file_argument(parser)
        parser.add_argument("log", metavar="LOG", help="trainer_state.json, or CSV or JSON lines with a step and a rate")
        parser.add_argument("--column", metavar="NAME", help="the column of the rate (default: every column called lr)")
        words = f"how far a rate may be off, in parts of the largest (default: {TOLERANCE:g})"
        parser.add_argument("--tolerance", type=float, default=TOLERANCE, help=words)
        json_argument(parser)

    def run(self, args: argparse.Namespace) -> int:
        first, *rest = [
            one for one in choose(args.file, args.key, args.tag) if one.assignment is None or one.assignment.key == "lr"
        ]
        others = {one.name: one.schedule for one in rest}
        found = [audit(first.schedule, log, others, args.tolerance) for log in read_log(args.log, args.column)]
        if args.json:
            rows = [
                {
                    "column": one.logged.name,
                    "equal": one.equal,
                    "first": one.first,
                    "largest": one.largest,
                    "at": one.at,
                    "cause": one.cause,
                }
                for one in found
            ]
            print(json.dumps(rows, indent=2))
        else:
            print("\n".join(map(str, found)))
        return int(not all(one.equal for one in found))


VERB = AuditVerb()
