"""The code of each target for a schedule, and whether it gives the bits of eager where it can run here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import NamedTuple, final

import torch
from torch import Tensor

from tracelr.arithmetic import precision
from tracelr.errors import LoweringError
from tracelr.lowering.graph import Graph
from tracelr.lowering.targets import find, target_names
from tracelr.lowering.targets._arithmetic import arithmetic_of
from tracelr.lowering.verification import Result, compare, default_steps, lowered, what_ran
from tracelr.report.samples import values
from tracelr.schedules.base import Schedule


@final
class Check(NamedTuple):
    """One target: its text ("" if it refuses the schedule), and the result of its run, or why it was not run."""

    target: str
    text: str
    result: Result | None
    reason: str = ""


def checks(
    schedule: Schedule,
    graph: Graph,
    targets: Sequence[str] | None,
    verify: bool | Collection[str],
    tell: Callable[[str], object] | None = None,
) -> list[Check]:
    """Lower `schedule`, whose graph is `graph`, to `targets` (None: all), and compare those that can run here with eager.

    `verify` is False for none of them, or a list of those to compare. `tell` is called with the name of each before its
    turn. Raises `LoweringError` for an unknown target.
    """
    steps, eager = default_steps(graph), dict[str, Tensor]()
    found = []
    for name in target_names() if targets is None else targets:
        target = find(name)
        if tell is not None:
            tell(name)
        try:
            artifact = lowered(schedule, graph, name)
        except LoweringError as error:
            found.append(Check(name, "", None, f"refused: {error}"))
            continue
        missing = target.missing()
        asked = verify if isinstance(verify, bool) else name in verify
        if not asked or missing is not None:
            reason = f"it needs {missing}" if asked else "not asked for"
            found.append(Check(name, artifact.text, None, reason))
            continue
        arithmetic = arithmetic_of(target)
        try:
            with torch.no_grad(), precision(arithmetic):
                if arithmetic not in eager:
                    eager[arithmetic] = values(schedule, steps)
                result = compare(name, steps, eager[arithmetic], artifact.run(steps))
        except LoweringError as error:
            found.append(Check(name, artifact.text, None, f"refused: {error}"))
        else:
            found.append(Check(name, artifact.text, replace(result, ran=what_ran(target))))
    return found
