"""Runs tracelr train: run the demo training."""

from __future__ import annotations

import argparse
from pathlib import Path

from tracelr.cli.demo.digits import train
from tracelr.cli.demo.params import Params
from tracelr.cli.demo.run_folder import run_folder
from tracelr.cli.output import say


def run(args: argparse.Namespace) -> int:
    """Run the verb, and return the exit code."""
    params = Params.read(Path(args.file))
    out = Path(args.out) if args.out else run_folder(Path(args.file))
    result = train(params, out, resume=args.resume, restart=args.restart)
    say(
        f"step {result.step}  loss {result.loss:.4f}  accuracy {result.accuracy:.4f} on held-out digits"
        f"  learning rate {result.learning_rate:.3e}"
    )
    say(f"wrote {', '.join(sorted(path.name for path in out.iterdir() if not path.name.startswith('.')))} to {out}")
    say(f"open {out / 'report.html'} in a browser")
    return 0
