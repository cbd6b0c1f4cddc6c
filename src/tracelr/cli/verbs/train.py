"""tracelr train: the demo job."""

from __future__ import annotations

import argparse
from pathlib import Path
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
        parser.add_argument("file", type=Path, help="a YAML params file, such as examples/digits.yaml")
        parser.add_argument("--out", type=Path, help="the run folder (default: runs/<name of the file>)")
        state = parser.add_mutually_exclusive_group()
        state.add_argument(
            "--resume", action="store_true", help="continue from the checkpoint in the run folder, if there is one"
        )
        state.add_argument("--restart", action="store_true", help="drop the checkpoint in the run folder and begin again")

    def run(self, args: argparse.Namespace) -> int:
        from tracelr.job import Job
        from tracelr.train import train

        job = Job.read(args.file)
        out = args.out or Path("runs") / args.file.stem
        if args.restart:
            for name in ("checkpoint.pt", "verify.txt"):
                (out / name).unlink(missing_ok=True)
        result = train(job, out, resume=args.resume)
        print(
            f"step {result.step}  loss {result.loss:.4f}  accuracy {result.accuracy:.4f} on held-out digits"
            f"  learning rate {result.learning_rate:.3e}"
        )
        print(f"wrote {', '.join(sorted(path.name for path in out.iterdir()))} to {out}")
        return 0


VERB = Train()
