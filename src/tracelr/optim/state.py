"""Check what a scheduler is given, its schedules and the state of a checkpoint, before anything changes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from numbers import Integral
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from tracelr import _torch
from tracelr.errors import CheckpointError, OptimizerError, ScheduleError, ScheduleTypeError, Unquoted, show
from tracelr.interop.native.read import read_schedule
from tracelr.optim.hyperparameters import Group, HyperParameter
from tracelr.schedules.assignment import Assignment
from tracelr.schedules.base import DEEPEST, Schedule
from tracelr.schedules.fields import named, number

POLICIES = ("new", "checkpoint", "strict")
_COUNT = "an int from -2**63 to 2**63 - 1"
_MOST = 10**8
_LISTED = 8  # how many of the fields that differ are named: a table of a thousand knots may differ in each
Given = list[Assignment | tuple[str, Sequence[Schedule]]]


def as_count(given: object, bits: int = 63) -> int | None:
    """Return `given` as an int if it is an int, or an integer tensor of one element, of at most `bits` bits; else None."""
    if isinstance(given, Tensor):
        real = given.numel() == 1 and not given.is_floating_point() and not given.is_complex() and not given.is_meta
        given = given.tolist() if real else None
        while isinstance(given, list):
            (given,) = given
    if isinstance(given, bool) or not isinstance(given, Integral):
        return None
    return int(given) if -(2**bits) <= int(given) < 2**bits else None


def step_of(where: str, given: object) -> int:
    """Return a step count that was passed as the argument `where`, or raise `ScheduleTypeError`."""
    count = as_count(given)
    if count is None:
        raise ScheduleTypeError(where, given, f"{_COUNT}, or such a tensor", "pass a number of steps")
    return count


def steps_of(start: object, stop: object, stride: object) -> Tensor:
    """Return the steps `range(start, stop, stride)`, or raise `ScheduleTypeError` or `ScheduleError`."""
    named = (("start", start), ("stop", stop), ("stride", stride))
    first, last, by = (step_of(f"Scheduler.curve({name})", n) for name, n in named)
    if by == 0 or len(range(first, last, by)[_MOST : _MOST + 1]):
        given = Unquoted(f"steps from {first} to {last} by {by}")
        raise ScheduleError("Scheduler.curve", given, f"at most {_MOST} steps, and a stride", "use a larger stride")
    return torch.arange(first, last, by)


def sealed(schedules: dict[str, list[Any]]) -> dict[str, str]:
    """Return the schedules as one text, because torch.distributed.checkpoint splits trees, and its checksum."""
    text = json.dumps(schedules)
    return {"schedules": text, "checksum": _checksum(text)}


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def calls(state: Mapping[str, Any], count: int) -> int:
    """Return the number of calls of `step()`, one more than the count if the state does not hold it."""
    steps = as_count(state.get(_torch.STEP_COUNT, count + 1), 64)  # it grows on when the count is at its largest
    if steps is None:
        raise _damaged(f'["{_torch.STEP_COUNT}"]', state[_torch.STEP_COUNT], _COUNT)
    return steps


def accepted(optimizer: object, **policies: tuple[str, Sequence[str]]) -> None:
    """Raise if `optimizer` is not an optimizer, or if a policy is not among those allowed."""
    if not isinstance(optimizer, Optimizer):
        fix = "pass the optimizer first, then lr=<schedule>"
        raise OptimizerError("Scheduler(optimizer)", optimizer, "a torch.optim.Optimizer", fix)
    for name, (given, allowed) in policies.items():
        if not named(given, allowed):
            raise ScheduleError(f"Scheduler({name})", given, ", ".join(allowed), "use one of these")


def read_state(state: object, groups: int) -> tuple[int, dict[str, list[Any]]]:
    """Return the step and the schedules of a scheduler's state, for an optimizer of `groups` param groups."""
    state = _member(state)
    count = as_count(state["last_epoch"])
    if count is None:
        raise _damaged('["last_epoch"]', state["last_epoch"], _COUNT)
    text = state.get("schedules", "{}")
    if "checksum" in state and isinstance(text, str) and _checksum(text) != state["checksum"]:
        raise _damaged(
            '["schedules"]', Unquoted("a text that is not the one written"), f"one of checksum {state['checksum']}"
        )
    try:
        schedules = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        schedules = None
    if not isinstance(schedules, dict):
        raise _damaged('["schedules"]', text, "a mapping from keys to lists, as JSON")
    for key, written in schedules.items():
        if not isinstance(written, list) or len(written) != groups:
            given = Unquoted(f"{len(written)} schedules") if isinstance(written, list) else written
            allowed = f"one for each of the optimizer's {groups} param groups"
            raise _damaged(f'["schedules"]["{key}"]', given, allowed, "load it into the optimizer it was written with")
        for k, plain in enumerate(written):
            if plain is not None and not _scaled(plain):
                allowed = "a schedule, or its product with a factor, as to_dict() writes it"
                raise _damaged(f'["schedules"]["{key}"][{k}]', plain, allowed)
    return count, schedules


def _member(state: object) -> Mapping[str, Any]:
    """Return the mapping with the count: torch's ChainedScheduler counts in its members, which agree."""
    given = state
    for _ in range(DEEPEST):
        members = given.get(_torch.MEMBERS) if isinstance(given, Mapping) and "last_epoch" not in given else None
        if not isinstance(members, list | tuple) or not members:
            break
        given = members[0]
    if not isinstance(given, Mapping) or "last_epoch" not in given:
        found = Unquoted(f"a mapping with the keys {sorted(map(str, state))}") if isinstance(state, Mapping) else state
        allowed = 'the state_dict() of a scheduler, which has the key "last_epoch"'
        raise _damaged("", found, allowed, "pass the state of the scheduler from the checkpoint")
    return given


def _scaled(plain: object) -> bool:
    if not isinstance(plain, dict) or "of" not in plain:
        return isinstance(plain, dict)
    try:
        return isinstance(plain["of"], dict) and number("factor", plain.get("factor", 1.0)) is not None
    except (ScheduleError, ScheduleTypeError):
        return False


def _damaged(place: str, given: object, allowed: str, fix: str = "use a checkpoint that is not damaged") -> CheckpointError:
    return CheckpointError(f"Scheduler.load_state_dict{place}", given, allowed, fix)


def described(hyperparameters: list[HyperParameter], groups: int) -> dict[str, list[Any]]:
    """Return the schedule of every key and group as plain types; None stands for a group without one."""
    found: dict[str, list[Any]] = {}
    for one in hyperparameters:
        found.setdefault(one.key, [None] * groups)[one.group] = _plain(one)
    return found


def _plain(one: HyperParameter) -> dict[str, Any]:
    plain = one.schedule.to_dict()
    return plain if one.factor == 1.0 else {"factor": one.factor, "of": plain}


def restored(written: dict[str, list[Any]], present: list[HyperParameter], groups: list[Group]) -> list[HyperParameter]:
    """Return the hyper-parameters of a checkpoint. An unchanged one stays: plain types do not describe its tensors."""
    now, read = described(present, len(groups)), dict[str, Schedule]()
    kept = [one for one in present if one.key in written and written[one.key][one.group] == now[one.key][one.group]]
    same = {(one.group, one.key) for one in kept}
    for key, schedules in written.items():
        for k, plain in enumerate(schedules):
            if plain is not None and (k, key) not in same:
                inner = plain.get("of", plain)
                where = f"checkpoint: {key} of group {k}"
                schedule = read.setdefault(str(inner), read_schedule(inner, where))
                kept.append(HyperParameter(k, key, schedule, plain.get("factor", 1.0)).attach(groups))
    return kept


def demanded(assignments: object, keys: Mapping[str, Any]) -> Given:
    """Return what a scheduler was given, checked. `keys` maps a key to one schedule, or to a list with one per group."""
    if isinstance(assignments, Schedule):
        assignments = [Assignment("lr", None, assignments)]
    if not isinstance(assignments, list | tuple) or not all(isinstance(one, Assignment) for one in assignments):
        allowed, fix = "a schedule, or a list of tracelr.Assignment", "pass lr=<schedule>, or what tracelr.load returned"
        raise OptimizerError("Scheduler(assignments)", assignments, allowed, fix)
    given: Given = list(assignments)
    for one in assignments:
        if not isinstance(one.schedule, Schedule):
            raise OptimizerError("Assignment.schedule", one.schedule, "a schedule", "pass Constant(...) for a number")
    for key, schedules in keys.items():
        if isinstance(schedules, Schedule):
            given.append(Assignment(key, None, schedules))
        elif isinstance(schedules, list | tuple) and schedules and all(isinstance(s, Schedule) for s in schedules):
            given.append((key, schedules))
        elif schedules is not None:
            fix = "wrap it as Constant(...)" if isinstance(schedules, int | float) else f"pass {key}=<schedule>"
            allowed = "a schedule, or a list with one for each param group"
            raise OptimizerError(f"Scheduler({key})", schedules, allowed, fix)
    if not given:
        allowed, fix = "a schedule for at least one key", "pass lr=<schedule>"
        raise OptimizerError("Scheduler(optimizer)", Unquoted("nothing to schedule"), allowed, fix)
    return given


def pair(betas: object) -> dict[str, Any]:
    """Return the schedules of the two numbers under "betas" as those of "betas[0]" and "betas[1]"."""
    if betas is None:
        return {}
    if not isinstance(betas, list | tuple) or len(betas) != 2:
        allowed = "a pair of schedules, of which one may be None"
        raise OptimizerError("Scheduler(betas)", betas, allowed, "pass betas=(<schedule>, None) for the first")
    return {f"betas[{k}]": schedule for k, schedule in enumerate(betas)}


def changes(before: Mapping[str, list[Any]], after: Mapping[str, list[Any]]) -> str:
    """Return each field that differs between the descriptions of two schedulers, and its groups; "" if nothing does.

    >>> then = {"schedule": "Cosine", "start": 1.0, "end": 0.0, "steps": 1000}
    >>> changes({"lr": [then, None]}, {"lr": [then | {"steps": 2000}, None]})
    'lr of group 0: Cosine.steps 1000 -> 2000'
    """
    found: dict[tuple[str, str], list[int]] = {}
    for key in sorted({*before, *after}):
        pairs = zip(before.get(key, repeat(None)), after.get(key, repeat(None)), strict=False)
        for k, (then, now) in enumerate(pairs):
            for difference in _differences(then, now, ""):
                found.setdefault((key, difference), []).append(k)
    named = [f"{key} of {_groups(where)}: {difference}" for (key, difference), where in found.items()]
    rest = [] if len(named) <= _LISTED else [f"and {len(named) - _LISTED} more"]
    return "; ".join(named[:_LISTED] + rest)


def _groups(numbers: list[int]) -> str:
    runs: list[list[int]] = []
    for k in numbers:
        if runs and k == runs[-1][-1] + 1:
            runs[-1].append(k)
        else:
            runs.append([k])
    texts = [f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return f"group{'s' * (len(numbers) > 1)} {', '.join(texts)}"


def _differences(then: Any, now: Any, path: str) -> Iterator[str]:
    if isinstance(then, dict) and isinstance(now, dict):
        if "of" in then or "of" in now:  # the factor of a group, which is left out where it is 1
            yield from _differences(then.get("factor", 1.0), now.get("factor", 1.0), "factor")
            yield from _differences(then.get("of", then), now.get("of", now), path)
            return
        kind = then.get("schedule")
        if kind == now.get("schedule"):
            path = path or str(kind)
            for name in then | now:
                yield from _differences(then.get(name), now.get(name), f"{path}.{name}")
            return
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for k, (a, b) in enumerate(zip(then, now, strict=True)):
            yield from _differences(a, b, f"{path}[{k}]")
    elif then != now:
        yield f"{path} {_spelled(then)} -> {_spelled(now)}".lstrip()


def _spelled(value: Any) -> str:
    """Return the plain form of a schedule as its `repr` would show it, shortened; "nothing" for None."""
    return "nothing" if value is None else show(_call(value), 120)


def _call(value: Any) -> Unquoted:
    if isinstance(value, dict) and "of" in value:
        return Unquoted(f"{show(value.get('factor'))} * {_call(value['of'])}")
    if isinstance(value, dict) and "schedule" in value:
        arguments = (f"{name}={_call(one)}" for name, one in value.items() if name != "schedule")
        return Unquoted(f"{value['schedule']}({', '.join(arguments)})")
    return Unquoted("[" + ", ".join(map(_call, value)) + "]") if isinstance(value, list) else Unquoted(repr(value))
