"""What a scheduler is given, checked before anything is changed: its schedules, and a checkpoint's state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from tracelr.errors import CheckpointError, OptimizerError, Words, explain
from tracelr.schedule import Schedule


def read_state(state: object, groups: int) -> tuple[int, list[Any]]:
    """Return the step and the schedules of a scheduler's state, for an optimizer of `groups` param groups."""
    where = "Scheduler.load_state_dict"
    if not isinstance(state, Mapping) or "last_epoch" not in state:
        given = Words(f"a mapping with the keys {sorted(map(str, state))}") if isinstance(state, Mapping) else state
        allowed = 'the state_dict() of a scheduler, which has the key "last_epoch"'
        raise CheckpointError(explain(where, given, allowed, "pass the scheduler's part of the checkpoint"))
    count = state["last_epoch"]
    if isinstance(count, Tensor) and count.numel() == 1 and not count.is_floating_point():
        count = int(count)
    if isinstance(count, bool) or not isinstance(count, int) or not -1 <= count < 2**63:
        allowed = "an int from -1 to 2**63 - 1"
        raise CheckpointError(explain(f'{where}["last_epoch"]', count, allowed, "use a checkpoint that is not damaged"))
    written = state.get("lr", [])
    if not isinstance(written, list) or (written and len(written) != groups):
        given = Words(f"{len(written)} schedules") if isinstance(written, list) else written
        allowed = f"one for each of the optimizer's {groups} param groups"
        raise CheckpointError(explain(f'{where}["lr"]', given, allowed, "load it into the optimizer it was written with"))
    return count, written


def per_group(lr: object, groups: int) -> list[Schedule]:
    """Return the schedule of each of `groups` param groups: one for all, or the list of them."""
    if isinstance(lr, Schedule):
        return [lr] * groups
    if isinstance(lr, list | tuple) and lr and all(isinstance(schedule, Schedule) for schedule in lr):
        return list(lr)
    fix = "wrap it as Constant(...)" if isinstance(lr, int | float) else "pass lr=<schedule>"
    raise OptimizerError(explain("Scheduler(lr)", lr, "a schedule, or a list with one for each param group", fix))
