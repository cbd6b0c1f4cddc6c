"""tracelr completion: print what a shell needs to complete command lines of tracelr."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import final

from tracelr.cli.output import say
from tracelr.cli.verb import Verb


@final
class Completion(Verb):
    """Prints a script for a shell."""

    name = "completion"
    help = "print a script that completes verbs, flags and their values in bash, zsh or fish"
    example = "tracelr completion bash"
    steady = False

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        words = 'bash: eval "$(tracelr completion bash)" in ~/.bashrc; zsh the same; fish: tracelr completion fish | source'
        parser.add_argument("shell", choices=["bash", "zsh", "fish"], help=words)

    def run(self, args: argparse.Namespace) -> int:
        say(import_module("tracelr.cli.completion").script(args.shell))
        return 0


VERB = Completion()
