"""Runs tracelr verify: compare targets with eager, bit for bit."""

from __future__ import annotations

import argparse

import tracelr.lowering as lowering
from tracelr.cli.output import say
from tracelr.cli.progress import progress
from tracelr.cli.saving import say_json
from tracelr.cli.source import one
from tracelr.lowering.targets import target_names


def run(args: argparse.Namespace) -> int:
    """Run the verb, and return the exit code."""
    names = args.target or ["all"]
    schedule = one(args.file, args.key, args.tag)
    with progress(len(target_names() if "all" in names else names), "verify") as tell:
        report = lowering.verify(schedule, "all" if "all" in names else names, tell=tell)
    say_json(report.to_dict()) if args.json else say(str(report))
    return 0 if report.ok else 1
