"""What a compiled step need not ask before each call: whether an immutable schedule has changed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from types import FunctionType, ModuleType
from typing import Any

import torch

from tracelr.schedule import Schedule
from tracelr.schedules.lambda_ import Lambda

# Modules, classes and C functions of torch are replaced by monkeypatching alone; in tracelr, so is everything else, except
# what `tracelr.precision` sets.
_FIXED = {"MODULE_MATCH", "CLASS_MATCH", "BUILTIN_MATCH"}
_TORCH = ("G['torch']", "G['__import_torch_dot_", "G['__builtins_dict_")

_SHALLOW = 8
_LEVEL = 100  # Python frames that Dynamo uses for a schedule inside another: 65 were counted


def compiled(region: FunctionType, schedules: Sequence[Schedule], options: dict[str, Any]) -> Callable[..., Any]:
    """Return `torch.compile(region, fullgraph=True, **options)` for the steps of `schedules`, however deep they nest."""
    step = _compiled(region, schedules, options)
    if _depth(schedules) <= _SHALLOW:
        return step

    @wraps(region)
    def deep(*batch: Any) -> Any:
        with room(schedules):
            return step(*batch)

    return deep


@contextmanager
def room(schedules: Sequence[Schedule]) -> Iterator[None]:
    """Let Dynamo trace `schedules` as deep as they nest: in Python's own limit of recursion it gets to about 14 levels."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(before + _LEVEL * _depth(schedules))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _depth(schedules: Sequence[Schedule]) -> int:
    return max((schedule._depth for schedule in schedules), default=0)


def _compiled(region: FunctionType, schedules: Sequence[Schedule], options: dict[str, Any]) -> Callable[..., Any]:
    """Compile without the guards that `needless` says nobody needs.

    Dynamo asks for every field of every schedule before each call whether it is what it was. That costs more than the
    schedule itself. The schedules are immutable, and a scheduler that gets others gets another token, which stays guarded.
    """
    options, inner = dict(options), dict(options.get("options") or {})
    mode = options.pop("mode", None)
    named = mode not in (None, "default")
    if not _immutable(schedules) or (named and (inner or options.get("backend", "inductor") != "inductor")):
        return torch.compile(region, fullgraph=True, **(options if mode is None else {**options, "mode": mode}))
    if named:  # torch.compile takes a mode or options, and a mode is a set of options
        from torch._inductor import list_mode_options  # not at the top: import tracelr stays light

        inner |= list_mode_options(mode, options.get("dynamic"))
    wanted = inner.pop("guard_filter_fn", None)

    def kept(guards: Sequence[Any]) -> list[bool]:
        asked = wanted(guards) if wanted is not None else [True] * len(guards)
        return [bool(a) and not needless(guard) for a, guard in zip(asked, guards, strict=True)]

    options["options"] = inner | {"guard_filter_fn": kept}
    return torch.compile(region, fullgraph=True, **options)


def needless(guard: Any) -> bool:
    """Say whether a guard, as Dynamo hands it to a `guard_filter_fn`, holds as long as the scheduler's token does.

    A tensor stays guarded: it may be moved, and a tensor field changes its value.
    """
    name, kind = guard.name, guard.guard_type
    if kind == "DUPLICATE_INPUT":  # `torch` is `torch` in every module; a scheduled tensor is its group's
        return isinstance(guard.value, ModuleType | type) or name.startswith("scheduler.")
    if guard.is_global:
        return "_forced" not in name if "__import_tracelr_" in name else kind in _FIXED and name.startswith(_TORCH)
    return name.partition(".")[0] in ("scheduler", "dict(type(scheduler)") and (
        kind != "TENSOR_MATCH" and not name.endswith("._rates.token")
    )


def _immutable(schedules: Sequence[Schedule]) -> bool:
    """Say whether tensors alone can change in the schedules: a class of a user's own, or a function, may hold more."""
    every = [one for schedule in schedules for one in schedule.modules() if isinstance(one, Schedule)]
    return all(type(one).__module__.startswith("tracelr.") and not isinstance(one, Lambda) for one in every)
