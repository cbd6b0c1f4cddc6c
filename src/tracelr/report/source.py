"""A schedule as text that builds it again: YAML for `tracelr.load`, and Python."""

from __future__ import annotations

from typing import Any

import torch
import yaml
from torch import Tensor, nn

from tracelr.schedules.assignment import Assignment, Loaded
from tracelr.schedules.base import REGISTRY, Schedule

_WIDTH = 100


def config(loaded: Loaded) -> str:
    """Return `loaded` as YAML that `tracelr.load` reads.

    >>> from tracelr import Linear
    >>> print(config(Linear(start=0.0, end=1.0, steps=2)), end="")
    schedule: Linear
    start: 0.0
    end: 1.0
    steps: 2
    """

    class Dumper(yaml.SafeDumper):
        """Writes a list of numbers on as few lines as possible, and every other item on a line of its own."""

    def listed(dumper: Any, values: list[Any]) -> Any:
        flow = not any(isinstance(value, (dict, list)) for value in values)
        return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=flow)

    Dumper.add_representer(list, listed)
    plain: Any = loaded.to_dict() if isinstance(loaded, Schedule) else {"assignments": [one.to_dict() for one in loaded]}
    text: str = yaml.dump(plain, Dumper=Dumper, sort_keys=False, default_flow_style=False, width=_WIDTH, allow_unicode=True)
    return text


def python(loaded: Loaded) -> str:
    """Return `loaded` as a Python file.

    >>> from tracelr import Linear
    >>> print(python(Linear(start=0.0, end=1.0, steps=2)), end="")
    from tracelr import Linear
    <BLANKLINE>
    schedule = Linear(start=0.0, end=1.0, steps=2)
    """
    schedules = [loaded] if isinstance(loaded, Schedule) else [one.schedule for one in loaded]
    every = [module for schedule in schedules for module in schedule.modules() if isinstance(module, Schedule)]
    kinds = {type(module) for module in every}
    own = sorted(kind.__name__ for kind in kinds if kind.__module__.startswith("tracelr."))
    if not isinstance(loaded, Schedule):
        own = ["Assignment", *own]
    lines = ["import torch"] if any(schedule.has_tensor_fields for schedule in schedules) else []
    lines += [f"from tracelr import {', '.join(own)}"] if own else []
    lines += sorted(
        f"from {kind.__module__} import {kind.__name__}" for kind in kinds if not kind.__module__.startswith("tracelr.")
    )
    name = "schedule" if isinstance(loaded, Schedule) else "assignments"
    return "\n".join([*lines, "", f"{name} = {_written(loaded, len(name) + 3)}", ""])


def _written(value: Any, before: int, deep: int = 0) -> str:
    """Return an expression that builds `value`: one line if it fits after `before` characters, otherwise several."""
    opened, parts, closed = _parts(value)
    if not parts:
        return opened
    flat = f"{opened}{', '.join(name + _written(part, 0, -(10**9)) for name, part in parts)}{closed}"
    if deep < 0 or before + len(flat) <= _WIDTH:
        return flat
    pad = "    " * (deep + 1)
    if all(isinstance(part, (int, float, str)) for _, part in parts):  # many numbers: fill the lines
        lines = _filled([name + repr(part) for name, part in parts], _WIDTH - len(pad))
    else:
        lines = [f"{name}{_written(part, len(pad) + len(name) + 1, deep + 1)}," for name, part in parts]
    return "\n".join([opened, *(pad + line for line in lines), "    " * deep + closed])


def _parts(value: Any) -> tuple[str, list[tuple[str, Any]], str]:
    """Return the opening, the items with their names, and the closing of an expression; without items, all of it first."""
    if isinstance(value, Schedule):
        name = type(value).__name__ if type(value) in REGISTRY.values() else type(value).__qualname__
        return f"{name}(", [(f"{field}=", getattr(value, field)) for field in value._rules], ")"
    if isinstance(value, Assignment):
        return "Assignment(", [(f"{field}=", part) for field, part in value._asdict().items()], ")"
    if isinstance(value, (list, nn.ModuleList)) and len(value):
        return "[", [("", part) for part in value], "]"
    if isinstance(value, tuple) and all(isinstance(part, (int, float)) for part in value) and value:
        return "[", [("", part) for part in value], "]"
    if isinstance(value, Tensor):
        kind = str(value.dtype).removeprefix("torch.")
        text = f"torch.tensor({value.detach().item()!r}" + (
            ")" if value.dtype == torch.float32 else f", dtype=torch.{kind})"
        )
        return f"torch.nn.Parameter({text})" if isinstance(value, nn.Parameter) else text, [], ""
    return repr(value), [], ""


def _filled(items: list[str], width: int) -> list[str]:
    lines = [""]
    for item in items:
        if lines[-1] and len(lines[-1]) + len(item) + 2 > width:
            lines.append("")
        lines[-1] += f"{' ' if lines[-1] else ''}{item},"
    return lines
