"""Runs tracelr report: write one page about a schedule."""

from __future__ import annotations

import argparse
from pathlib import Path

from tracelr.cli.progress import progress
from tracelr.cli.reading import CURRENT, step_number
from tracelr.cli.saving import save
from tracelr.cli.source import is_checkpoint, named, picked, step_of
from tracelr.drawing.axes import Curve
from tracelr.interop.audit import read_log
from tracelr.lowering.targets import target_names
from tracelr.report import page
from tracelr.schedules.assignment import Loaded
from tracelr.schedules.base import Schedule

_QUICK = ("c", "cuda", "triton")
_RUN = ("c",)  # of the quick ones, because it takes the least time


def run(args: argparse.Namespace) -> int:
    """Run the verb, and return the exit code."""
    found, last = picked(args.file, args.key, args.tag), None if args.last is None else step_number(args.last, "report --to")
    asked = args.target or _QUICK
    targets = target_names() if "all" in asked else asked
    verify: bool | tuple[str, ...] = not args.no_verify and (_RUN if asked is _QUICK else True)
    pages = 1 if isinstance(found, Schedule) else len(found)
    with progress(len(targets) * pages, "report") as tell:
        text = page(
            found, name=named(args.file), source=args.file, steps=last, targets=targets, verify=verify, tell=tell,
            beside=_beside(args), marks=_marks(args), per_step=_per_step(),
        )  # fmt: skip
    save(args.output, text.encode(errors="backslashreplace"))
    return 0


def _beside(args: argparse.Namespace) -> dict[str, Loaded | Curve]:
    """Return what is drawn beside the schedule, by its name in the legend."""
    found: dict[str, Loaded | Curve] = {file: picked(file, args.key, args.tag) for file in args.beside}
    for logged in read_log(args.log) if args.log is not None else []:
        found[f"{logged.name} of {args.log}"] = Curve(logged.name, logged.steps, logged.rates)
    return found


def _marks(args: argparse.Namespace) -> dict[str, int]:
    marks = {"checkpoint": step_of(Path(args.file))} if is_checkpoint(args.file) else {}
    for given in args.mark:
        name, _, step = given.rpartition("=")
        at = step_of(Path(given)) if is_checkpoint(given) else step_number(step)
        marks[Path(given).name if is_checkpoint(given) else name or "marked"] = at
    return marks


def _per_step() -> dict[str, float]:
    """Return the other units of the axis that the command line says."""
    units = CURRENT.get().units
    found: dict[str, float] = {}
    if units is not None and units.steps_per_epoch is not None:
        found["epoch"] = 1 / units.steps_per_epoch
    if units is not None and units.tokens_per_step is not None:
        found["tokens"] = units.tokens_per_step
    return found
