"""tracelr report: everything about a schedule on one page."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path
from typing import final

from tracelr.cli.source import choose
from tracelr.cli.verb import Verb, file_argument, write
from tracelr.errors import ConfigError, Words, explain


@final
class Report(Verb):
    """Writes a page that needs no network."""

    name = "report"
    help = "write one page about a schedule: its curve, phases, graph, code of every target, verification"
    example = "tracelr report examples/digits.yaml -o report.html"
    steady = False
    writes = "report.html"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        file_argument(parser)
        parser.add_argument("-o", "--output", type=Path, default=Path("report.html"), help="the page (default: report.html)")

    def run(self, args: argparse.Namespace) -> int:
        chosen = choose(args.file, args.key, args.tag)
        if len(chosen) > 1:
            listed = "; ".join(one.name for one in chosen)
            given = Words(f"{len(chosen)} assignments")
            raise ConfigError(explain(args.file, given, f"one of: {listed}", "pass --key and --tag of one of these"))
        write(
            args.output,
            import_module("tracelr.report").page(chosen[0].schedule, name=chosen[0].name, source=args.file).encode(),
        )
        print(f"wrote {args.output}")
        return 0


VERB = Report()
