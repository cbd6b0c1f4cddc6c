"""tracelr audit: compare the rates that a run logged with its configuration."""

from __future__ import annotations

import argparse
from typing import final

from tracelr.cli.verb import Verb, file_argument, json_argument


@final
class AuditVerb(Verb):
    """Says whether the logged rates are those of the configuration; the exit code is 1 if not."""

    name = "audit"
    help = "say whether the rates that a run logged are those of its configuration, or which mistake explains them"
    example = "tracelr audit examples/digits.yaml examples/digits.csv"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        file_argument(parser)
        parser.add_argument(
            "log", metavar="LOG", help="trainer_state.json, CSV, JSON lines or a log of TensorBoard, with steps and rates"
        )
        parser.add_argument("--column", metavar="NAME", help="the column of the rate (default: every column called lr)")
        words = "how far a rate may be off, in parts of the largest (default: 1e-5)"
        parser.add_argument("--tolerance", type=float, help=words)
        json_argument(parser)


VERB = AuditVerb()
