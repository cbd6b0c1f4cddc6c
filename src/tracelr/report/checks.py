"""What each target makes of a schedule, and whether it gives the bits of eager where it can run here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, final

import torch
from torch import Tensor

from tracelr.errors import NotLowered
from tracelr.lowering.graph import Graph
from tracelr.lowering.targets import find, lower
from tracelr.lowering.targets import targets as all_targets
from tracelr.lowering.verify import Result, compare, default_steps
from tracelr.report.samples import values
from tracelr.schedule import Schedule


@final
class Check(NamedTuple):
    """One target: its text, or "" where it refuses the schedule; and the result, or why it was not run."""

    target: str
    text: str
    result: Result | None
    reason: str = ""


def checks(schedule: Schedule, graph: Graph, targets: Sequence[str] | None, verify: bool) -> list[Check]:
    """Lower `graph`, that of `schedule`, to each of `targets`, by default all, and compare what can run here with eager.

    Raises `NotLowered` for an unknown target.
    """
    compared: tuple[Tensor, Tensor] | None = None
    found = []
    for name in all_targets() if targets is None else targets:
        target = find(name)
        try:
            artifact = lower(graph, name)
        except NotLowered as error:
            found.append(Check(name, "", None, f"refused: {error}"))
            continue
        missing = target.missing()
        if not verify or missing is not None:
            reason = "not asked for" if not verify else f"it needs {missing}"
            found.append(Check(name, artifact.text, None, reason))
            continue
        if compared is None:
            steps = default_steps(graph)
            compared = steps, values(schedule, steps)
        steps, eager = compared
        try:
            with torch.no_grad():
                result = compare(name, steps, eager, artifact.run(steps))
        except NotLowered as error:
            found.append(Check(name, artifact.text, None, f"refused: {error}"))
        else:
            found.append(Check(name, artifact.text, replace(result, ran=target.runs())))
    return found
