"""Runs tracelr lower: print a schedule as code for a target."""

from __future__ import annotations

import argparse

import tracelr.lowering as lowering
from tracelr.cli.saving import put, save
from tracelr.cli.source import one


def run(args: argparse.Namespace) -> int:
    """Run the verb, and return the exit code."""
    artifact = lowering.lower(one(args.file, args.key, args.tag), args.target)
    if args.output:
        save(args.output, artifact.bytes)
    else:
        put(artifact.text, None)
    return 0
