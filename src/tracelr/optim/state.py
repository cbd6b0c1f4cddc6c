"""The state of a scheduler: how it is written, checked before anything changes, and compared with another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from itertools import repeat
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from tracelr import _torch
from tracelr.errors import CheckpointError, ScheduleError, ScheduleTypeError, Unquoted, show
from tracelr.interop.native.read import read_schedule
from tracelr.optim.groups import Group, HyperParameter
from tracelr.schedules.base import DEEPEST, Schedule, to_plain
from tracelr.schedules.fields import number

COUNT = "an int from -2**63 to 2**63 - 1"
TENSOR = "tensor"
"""What the state of a scheduler holds in place of a tensor field."""

_LISTED = 8  # how many of the fields that differ are named: a table of a thousand knots may differ in each


def as_count(given: object, bits: int = 63) -> int | None:
    """Return `given` as an int if it is an int, or an integer tensor of one element, of at most `bits` bits; else None."""
    if isinstance(given, Tensor):
        plain = given.layout == torch.strided and not given.is_nested
        real = (
            plain and given.numel() == 1 and not given.is_floating_point() and not given.is_complex() and not given.is_meta
        )
        given = given.tolist() if real else None
        while isinstance(given, list):
            (given,) = given
    if isinstance(given, bool) or not isinstance(given, Integral):
        return None
    return int(given) if -(2**bits) <= int(given) < 2**bits else None


def sealed(schedules: dict[str, list[Any]], continued: list[dict[str, Any]]) -> dict[str, str]:
    """Return the schedules as one text, because torch.distributed.checkpoint splits trees, and its checksum."""
    text = json.dumps(schedules)
    later = {"continued": json.dumps(continued)} if continued else {}
    return {"schedules": text, **later, "checksum": _checksum(text + later.get("continued", ""))}


def read_continued(state: object) -> list[dict[str, Any]]:
    """Return what `Scheduler.continue_with` has added to the schedules of a state that `read_state` has checked."""
    text = _member(state).get("continued", "[]")
    try:
        continued = json.loads(text, object_pairs_hook=_distinct) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        continued = None
    if not isinstance(continued, list) or not all(isinstance(one, dict) for one in continued):
        raise _damaged('["continued"]', text, "a list of mappings, as JSON")
    return continued


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def calls(state: Mapping[str, Any], count: int) -> int:
    """Return the number of calls of `step()`, one more than the count if the state does not hold it."""
    steps = as_count(state.get(_torch.STEP_COUNT, count + 1), 64)  # it grows on when the count is at its largest
    if steps is None:
        raise _damaged(f'["{_torch.STEP_COUNT}"]', state[_torch.STEP_COUNT], COUNT)
    return steps


def read_state(state: object, groups: int) -> tuple[int, dict[str, list[Any]]]:
    """Return the step and the schedules of a scheduler's state, for an optimizer of `groups` param groups."""
    state = _member(state)
    count = as_count(state["last_epoch"])
    if count is None:
        raise _damaged('["last_epoch"]', state["last_epoch"], COUNT)
    text = state.get("schedules", "{}")
    later = state.get("continued", "")
    if "checksum" in state and isinstance(text, str) and _checksum(f"{text}{later}") != state["checksum"]:
        raise _damaged(
            '["schedules"]', Unquoted("a text that is not the one written"), f"one of checksum {state['checksum']}"
        )
    try:
        schedules = json.loads(text, object_pairs_hook=_distinct) if isinstance(text, str) else None
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


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice")
    return found


def _member(state: object) -> Mapping[str, Any]:
    """Return the mapping with the count: torch's ChainedScheduler counts in its members, which agree."""
    given = state
    for _ in range(DEEPEST):
        members = given.get(_torch.MEMBERS) if isinstance(given, Mapping) and "last_epoch" not in given else None
        if not isinstance(members, (list, tuple)) or not members:
            break
        given = members[0]
    if not isinstance(given, Mapping) or "last_epoch" not in given:
        found = Unquoted(f"a mapping with the keys {sorted(map(str, state))}") if isinstance(state, Mapping) else state
        allowed = 'the state_dict() of a scheduler, which has the key "last_epoch"'
        raise _damaged("", found, allowed, "pass the state of the scheduler from the checkpoint")
    return given


def _scaled(plain: Any) -> bool:
    if not _is_scaled(plain):
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
        found.setdefault(one.key, [None] * groups)[one.position] = _plain(one)
    return found


def _plain(one: HyperParameter) -> dict[str, Any]:
    plain = to_plain(one.schedule, lambda _: TENSOR)  # its value is not a part of the schedule
    return plain if one.factor == 1.0 else {"factor": one.factor, "of": plain}


def _is_scaled(plain: object) -> bool:
    """Say whether plain types are those of a factor and a schedule; those of a schedule name its class."""
    return isinstance(plain, dict) and "of" in plain and "schedule" not in plain


def restored(written: dict[str, list[Any]], present: list[HyperParameter], groups: list[Group]) -> list[HyperParameter]:
    """Return the hyper-parameters of a checkpoint. An unchanged one stays: plain types do not describe its tensors.

    Raises `CheckpointError` if another schedule has a tensor field, whose tensor the checkpoint does not hold.
    """
    now, read = described(present, len(groups)), dict[str, Schedule]()
    same = [
        one
        for one in present
        if one.key in written and not _differ(written[one.key][one.position], now[one.key][one.position])
    ]
    kept, places = list(same), {(one.position, one.key) for one in same}
    for key, schedules in written.items():
        for k, plain in enumerate(schedules):
            if plain is not None and (k, key) not in places:
                factor, inner = _parts(plain)
                where = f"checkpoint: {key} of group {k}"
                if TENSOR in _leaves(inner):
                    fix = 'build the scheduler with the schedule of the checkpoint, or pass on_change="new"'
                    allowed = "a schedule of numbers, or the same schedule as now"
                    raise CheckpointError(where, Unquoted("another schedule with a tensor in it"), allowed, fix)
                kept.append(
                    HyperParameter(groups[k], k, key, read.setdefault(str(inner), read_schedule(inner, where)), factor)
                )
    return kept


def _leaves(plain: Any) -> Iterator[Any]:
    if isinstance(plain, (dict, list)):
        for one in plain.values() if isinstance(plain, dict) else plain:
            yield from _leaves(one)
    else:
        yield plain


def _differ(then: Any, now: Any) -> bool:
    return any(_differences(then, now, ""))


def describe_changes(before: Mapping[str, list[Any]], after: Mapping[str, list[Any]]) -> str:
    """Return each field that differs between the descriptions of two schedulers, and its groups; "" if nothing does.

    >>> then = {"schedule": "Cosine", "start": 1.0, "end": 0.0, "steps": 1000}
    >>> describe_changes({"lr": [then, None]}, {"lr": [then | {"steps": 2000}, None]})
    'lr of group 0: Cosine.steps 1000 -> 2000'
    """
    found: dict[tuple[str, str], list[int]] = {}
    for key in sorted({*before, *after}):
        pairs = zip(before.get(key, repeat(None)), after.get(key, repeat(None)), strict=False)
        for k, (then, now) in enumerate(pairs):
            for difference in _differences(then, now, ""):
                found.setdefault((key, difference), []).append(k)
    texts = [f"{key} of {_groups(where)}: {difference}" for (key, difference), where in found.items()]
    rest = [] if len(texts) <= _LISTED else [f"and {len(texts) - _LISTED} more"]
    return "; ".join(texts[:_LISTED] + rest)


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
        if _is_scaled(then) or _is_scaled(now):  # the factor of a group, which is left out where it is 1
            (before, inner), (after, other) = map(_parts, (then, now))
            yield from _differences(before, after, "factor")
            yield from _differences(inner, other, path)
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
    elif then != now and not (now == TENSOR and isinstance(then, (int, float))):  # older states hold the value of a tensor
        yield f"{path} {_spelled(then)} -> {_spelled(now)}".lstrip()


def _parts(plain: dict[str, Any]) -> tuple[Any, Any]:
    """Return the factor and the schedule of plain types."""
    return (plain.get("factor", 1.0), plain["of"]) if _is_scaled(plain) else (1.0, plain)


def _spelled(value: Any) -> str:
    """Return the plain form of a schedule as its `repr` would show it, shortened; "nothing" for None."""
    return "nothing" if value is None else show(_call(value), 120)


def _call(value: Any) -> Unquoted:
    if _is_scaled(value):
        return Unquoted(f"{show(value.get('factor'))} * {_call(value['of'])}")
    if isinstance(value, dict) and "schedule" in value:
        arguments = (f"{name}={_call(one)}" for name, one in value.items() if name != "schedule")
        return Unquoted(f"{value['schedule']}({', '.join(arguments)})")
    return Unquoted("[" + ", ".join(map(_call, value)) + "]") if isinstance(value, list) else Unquoted(repr(value))
