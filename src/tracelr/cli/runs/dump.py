"""Runs tracelr dump: print the graph of a schedule."""

from __future__ import annotations

import argparse

import tracelr.lowering as lowering
from tracelr.cli.saving import put
from tracelr.cli.source import one
from tracelr.lowering import passes


def run(args: argparse.Namespace) -> int:
    """Run the verb, and return the exit code."""
    graph = lowering.trace(one(args.file, args.key, args.tag), args.batch)
    if args.stages:
        stages = lowering.stages(graph)
        text = "\n".join(f"==== {name}\n{lowering.dump(after, args.format).rstrip()}\n" for name, after in stages)
    else:
        text = lowering.dump(passes.run(graph, args.after), args.format)
    put(text, args.output)
    return 0
