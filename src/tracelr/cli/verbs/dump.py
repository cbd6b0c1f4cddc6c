"""tracelr dump: print the graph of a schedule."""

from __future__ import annotations

import argparse
from typing import final

import tracelr.lowering as lowering
from tracelr.cli.output import put
from tracelr.cli.source import one
from tracelr.cli.verb import Verb, file_argument, output_argument
from tracelr.lowering import passes


@final
class Dump(Verb):
    """Prints a graph in one of the formats."""

    name = "dump"
    help = "print the graph of a schedule"
    example = "tracelr dump 'linear(0, 1, 10)'"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        file_argument(parser)
        parser.add_argument("--format", default="text", help="text, code, dot, mermaid, svg or json (default: text)")
        parser.add_argument("--batch", action="store_true", help="the graph over [N] steps at once")
        stage = parser.add_mutually_exclusive_group()
        stage.add_argument("--after", metavar="PASS", help="the graph after this pass; 'trace' is the graph of torch.export")
        stage.add_argument("--stages", action="store_true", help="the graph before and after each pass, under its name")
        output_argument(parser)

    def run(self, args: argparse.Namespace) -> int:
        graph = lowering.trace(one(args.file, args.key, args.tag), args.batch)
        if args.stages:
            stages = lowering.stages(graph)
            text = "\n".join(f"==== {name}\n{lowering.dump(after, args.format).rstrip()}\n" for name, after in stages)
        else:
            text = lowering.dump(passes.run(graph, args.after), args.format)
        put(text, args.output)
        return 0


VERB = Dump()
