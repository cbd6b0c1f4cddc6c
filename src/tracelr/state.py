"""What a scheduler is given, checked before anything is changed: its schedules, and a checkpoint's state."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from tracelr.assignment import Assignment
from tracelr.errors import CheckpointError, OptimizerError, ScheduleError, Words, explain
from tracelr.schedule import Schedule
from tracelr.slots import Group, Slot

POLICIES = ("new", "checkpoint", "strict")
Given = list[Assignment | tuple[str, Sequence[Schedule]]]


def accepted(optimizer: object, **policies: tuple[str, Sequence[str]]) -> None:
    """Raise if `optimizer` is none, or a policy is not among those allowed."""
    if not isinstance(optimizer, Optimizer):
        fix = "pass the optimizer first, then lr=<schedule>"
        raise OptimizerError(explain("Scheduler(optimizer)", optimizer, "a torch.optim.Optimizer", fix))
    for name, (given, allowed) in policies.items():
        if given not in allowed:
            raise ScheduleError(explain(f"Scheduler({name})", given, ", ".join(map(str, allowed)), "use one of these"))


def read_state(state: object, groups: int) -> tuple[int, dict[str, list[Any]]]:
    """Return the step and the schedules of a scheduler's state, for an optimizer of `groups` param groups."""
    where = "Scheduler.load_state_dict"
    if isinstance(state, Mapping) and "last_epoch" not in state and state.get("_schedulers"):
        return read_state(state["_schedulers"][0], groups)  # torch's ChainedScheduler counts in its members, which agree
    if not isinstance(state, Mapping) or "last_epoch" not in state:
        given = Words(f"a mapping with the keys {sorted(map(str, state))}") if isinstance(state, Mapping) else state
        allowed = 'the state_dict() of a scheduler, which has the key "last_epoch"'
        raise CheckpointError(explain(where, given, allowed, "pass the scheduler's part of the checkpoint"))
    count = state["last_epoch"]
    if isinstance(count, Tensor) and count.numel() == 1 and not count.is_floating_point():
        count = int(count)
    if isinstance(count, bool) or not isinstance(count, int) or not -(2**63) <= count < 2**63:
        allowed = "an int from -2**63 to 2**63 - 1"
        raise CheckpointError(explain(f'{where}["last_epoch"]', count, allowed, "use a checkpoint that is not damaged"))
    text = state.get("schedules", "{}")
    try:
        schedules = json.loads(text)
    except (TypeError, ValueError):
        schedules = None
    if not isinstance(schedules, dict):
        allowed, fix = "a mapping from keys to lists, as JSON", "use a checkpoint that is not damaged"
        raise CheckpointError(explain(f'{where}["schedules"]', text, allowed, fix))
    for key, written in schedules.items():
        if not isinstance(written, list) or len(written) != groups:
            given = Words(f"{len(written)} schedules") if isinstance(written, list) else written
            allowed = f"one for each of the optimizer's {groups} param groups"
            fix = "load it into the optimizer it was written with"
            raise CheckpointError(explain(f'{where}["schedules"]["{key}"]', given, allowed, fix))
    return count, schedules


def described(slots: list[Slot], groups: int) -> dict[str, list[Any]]:
    """Return the schedule of every key and group as plain types; None where there is none."""
    found: dict[str, list[Any]] = {}
    for slot in slots:
        found.setdefault(slot.key, [None] * groups)[slot.group] = _plain(slot)
    return found


def _plain(slot: Slot) -> dict[str, Any]:
    plain = slot.schedule.to_dict()
    return plain if slot.factor == 1.0 else {"factor": slot.factor, "of": plain}


def restored(written: dict[str, list[Any]], slots: list[Slot], groups: list[Group]) -> list[Slot]:
    """Return the slots of a checkpoint. One that is the same as now stays: it may hold what nothing plain describes."""
    from tracelr.config import from_dict, single

    now, read = described(slots, len(groups)), dict[str, Schedule]()
    kept = [slot for slot in slots if slot.key in written and written[slot.key][slot.group] == now[slot.key][slot.group]]
    same = {(slot.group, slot.key) for slot in kept}
    for key, schedules in written.items():
        for k, plain in enumerate(schedules):
            if plain is not None and (k, key) not in same:
                inner = plain.get("of", plain)
                where = f"checkpoint: {key} of group {k}"
                schedule = read.setdefault(str(inner), single(from_dict(inner, where), where))
                kept.append(Slot(k, key, schedule, plain.get("factor", 1.0)).seated(groups))
    return kept


def demanded(assignments: object, keys: Mapping[str, Any]) -> Given:
    """Return what a scheduler was given, checked: `keys` maps each key to one schedule for all groups, or to their list."""
    if isinstance(assignments, Schedule):
        assignments = [Assignment("lr", None, assignments)]
    if not isinstance(assignments, list | tuple) or not all(isinstance(one, Assignment) for one in assignments):
        allowed, fix = "a schedule, or a list of tracelr.Assignment", "pass lr=<schedule>, or what tracelr.load returned"
        raise OptimizerError(explain("Scheduler(assignments)", assignments, allowed, fix))
    given: Given = list(assignments)
    for one in assignments:
        if not isinstance(one.schedule, Schedule):
            raise OptimizerError(
                explain("Assignment.schedule", one.schedule, "a schedule", "pass Constant(...) for a number")
            )
    for key, schedules in keys.items():
        if isinstance(schedules, Schedule):
            given.append(Assignment(key, None, schedules))
        elif isinstance(schedules, list | tuple) and schedules and all(isinstance(s, Schedule) for s in schedules):
            given.append((key, schedules))
        elif schedules is not None:
            fix = "wrap it as Constant(...)" if isinstance(schedules, int | float) else f"pass {key}=<schedule>"
            allowed = "a schedule, or a list with one for each param group"
            raise OptimizerError(explain(f"Scheduler({key})", schedules, allowed, fix))
    if not given:
        allowed, fix = "a schedule for at least one key", "pass lr=<schedule>"
        raise OptimizerError(explain("Scheduler(optimizer)", Words("nothing to schedule"), allowed, fix))
    return given


def pair(betas: object) -> dict[str, Any]:
    """Return the schedules of the two numbers under "betas", each under its own key."""
    if betas is None:
        return {}
    if not isinstance(betas, list | tuple) or len(betas) != 2:
        allowed = "a pair of schedules, of which one may be None"
        raise OptimizerError(explain("Scheduler(betas)", betas, allowed, "pass betas=(<schedule>, None) for the first"))
    return {f"betas[{k}]": schedule for k, schedule in enumerate(betas)}
