"""tracelr train: run the demo training."""

from __future__ import annotations

import argparse
from typing import final

from tracelr.cli.verb import Verb


@final
class Train(Verb):
    """Trains on handwritten digits."""

    name = "train"
    help = "train a small network on handwritten digits with the file's schedule"
    example = "tracelr train examples/digits.yaml --restart"
    steady = False

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", help="a YAML params file, such as examples/digits.yaml")
        parser.add_argument("--out", help="the run folder (default: runs/<name of the file>)")
        state = parser.add_mutually_exclusive_group()
        state.add_argument(
            "--resume", action="store_true", help="continue from the checkpoint in the run folder, if it holds one"
        )
        state.add_argument("--restart", action="store_true", help="drop the checkpoint in the run folder and begin again")


VERB = Train()
