"""tracelr train: run the demo training."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import final

from tracelr.cli.demo.digits import train
from tracelr.cli.demo.params import Params
from tracelr.cli.demo.run_folder import run_folder
from tracelr.cli.output import say
from tracelr.cli.verb import Verb


@final
class Train(Verb):
    """Trains on handwritten digits."""

    name = "train"
    help = "train a small network on handwritten digits with the file's schedule"
    example = "tracelr train examples/digits.yaml --restart"
    steady = False

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="a YAML params file, such as examples/digits.yaml")
        parser.add_argument("--out", type=Path, help="the run folder (default: runs/<name of the file>)")
        state = parser.add_mutually_exclusive_group()
        state.add_argument(
            "--resume", action="store_true", help="continue from the checkpoint in the run folder, if it holds one"
        )
        state.add_argument("--restart", action="store_true", help="drop the checkpoint in the run folder and begin again")

    def run(self, args: argparse.Namespace) -> int:
        params = Params.read(args.file)
        out = args.out or run_folder(args.file)
        result = train(params, out, resume=args.resume, restart=args.restart)
        say(
            f"step {result.step}  loss {result.loss:.4f}  accuracy {result.accuracy:.4f} on held-out digits"
            f"  learning rate {result.learning_rate:.3e}"
        )
        say(f"wrote {', '.join(sorted(path.name for path in out.iterdir() if not path.name.startswith('.')))} to {out}")
        say(f"open {out / 'report.html'} in a browser")
        return 0


VERB = Train()
