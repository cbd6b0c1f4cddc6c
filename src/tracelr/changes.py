"""What differs between the schedules of two runs, in words: field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import repeat
from typing import Any

from tracelr.errors import Words, show

_MOST = 8  # a table of a thousand knots may differ in each


def changes(before: Mapping[str, list[Any]], after: Mapping[str, list[Any]]) -> str:
    """Return every field that differs between what two schedulers describe, with the groups where it does; "" if none.

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
    said = [f"{key} of {_groups(where)}: {difference}" for (key, difference), where in found.items()]
    rest = [] if len(said) <= _MOST else [f"and {len(said) - _MOST} more"]
    return "; ".join(said[:_MOST] + rest)


def _groups(numbers: list[int]) -> str:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = [f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return f"group{'s' * (len(numbers) > 1)} {', '.join(parts)}"


def _differences(then: Any, now: Any, path: str) -> Iterator[str]:
    if isinstance(then, dict) and isinstance(now, dict):
        if "of" in then or "of" in now:  # a group's own factor, which is left out where it is 1
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
    """Return a schedule's plain form as its `repr` would show it, shortened; None says that nothing was scheduled."""
    return "nothing" if value is None else show(_call(value), 120)


def _call(value: Any) -> Words:
    if isinstance(value, dict) and "of" in value:
        return Words(f"{show(value.get('factor'))} * {_call(value['of'])}")
    if isinstance(value, dict) and "schedule" in value:
        parts = (f"{name}={_call(part)}" for name, part in value.items() if name != "schedule")
        return Words(f"{value['schedule']}({', '.join(parts)})")
    return Words("[" + ", ".join(map(_call, value)) + "]") if isinstance(value, list) else Words(repr(value))
