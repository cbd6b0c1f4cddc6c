"""tracelr list: list the schedules, the targets and the formats of files."""

from __future__ import annotations

import argparse
from typing import final

from tracelr.cli.verb import Verb, json_argument


@final
class List(Verb):
    """Prints schedules, targets and formats of files, one a line."""

    name = "list"
    help = "list the schedules, the targets and the formats that files may have"
    example = "tracelr list schedules"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("what", nargs="?", choices=["schedules", "targets", "formats"], help="only these")
        json_argument(parser)


VERB = List()
