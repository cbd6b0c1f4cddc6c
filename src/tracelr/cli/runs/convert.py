"""Runs tracelr convert: write a schedule for another library."""

from __future__ import annotations

import argparse

from tracelr.cli.reading import CURRENT
from tracelr.cli.saving import put
from tracelr.cli.source import picked
from tracelr.interop.convert import convert


def run(args: argparse.Namespace) -> int:
    """Run the verb, and return the exit code."""
    put(convert(picked(args.file, args.key, args.tag), args.to, CURRENT.get().units), args.output)
    return 0
