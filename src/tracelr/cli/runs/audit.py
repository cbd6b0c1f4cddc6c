"""Runs tracelr audit: compare the rates that a run logged with its configuration."""

from __future__ import annotations

import argparse

from tracelr.cli.output import say
from tracelr.cli.saving import say_json
from tracelr.cli.source import choose
from tracelr.interop.audit import TOLERANCE, audit, read_log


def run(args: argparse.Namespace) -> int:
    """Run the verb, and return the exit code."""
    tolerance = TOLERANCE if args.tolerance is None else args.tolerance
    first, *rest = [
        one for one in choose(args.file, args.key, args.tag) if one.assignment is None or one.assignment.key == "lr"
    ]
    others = {one.name: one.schedule for one in rest}
    found = [audit(first.schedule, log, others, tolerance) for log in read_log(args.log, args.column)]
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
        say_json(rows)
    else:
        say("\n".join(map(str, found)))
    return int(not all(one.equal for one in found))
