"""A formula in eager, beside its trace: where in it an error came from, and whether it gives what it may give."""

from __future__ import annotations

import io
import linecache
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from tracelr import errors
from tracelr.errors import TraceError, Words
from tracelr.lowering.mistakes import UNSTEADY
from tracelr.lowering.origin import origin, plain

_TORCH, _OURS = str(Path(torch.__file__).parent), str(Path(errors.__file__).parent)
_CHECKED = ("float64", "float32")  # the arithmetics whose wide number is a tensor


def place(error: BaseException, schedule: nn.Module) -> str:
    """Return whose formula `error` came out of, and the author's innermost line on the way to it."""
    frames = [*traceback.walk_tb(error.__traceback__)]
    own = [k for k, (frame, _) in enumerate(frames) if _module(frame) is not None]
    if not own:
        return _formula(schedule)
    at = own[-1]
    whose = _module(frames[at][0])
    while at + 1 < len(frames) and not frames[at + 1][0].f_code.co_filename.startswith((_TORCH, _OURS)):
        at += 1  # a function of the author's own, called in the formula
    frame, number = frames[at]
    path = frame.f_code.co_filename
    return origin(path, number, linecache.getline(path, number)).of(_formula(whose))


def _module(frame: FrameType) -> Any:
    """Return the module whose method runs in `frame`: the schedule itself where its fields are read through a view."""
    owner = frame.f_locals.get("self")
    owner = getattr(owner, "owner", owner)
    return owner if isinstance(owner, nn.Module) and not frame.f_code.co_filename.startswith(_TORCH) else None


def _formula(module: Any) -> str:
    return f"{plain(type(module).__name__)}.{'evaluate' if hasattr(module, 'evaluate') else 'forward'}"


def check(schedule: nn.Module) -> None:
    """Raise `TraceError` if a formula in `schedule` gives no wide number of the step's shape, or not always the same.

    It is evaluated twice. A formula that raises is left to those who called it.
    """
    first, second = _values(schedule), _values(schedule)
    for module, step, arithmetic, value in first:
        if arithmetic not in _CHECKED:
            return
        kind = (getattr(torch, arithmetic), step.device, step.shape)
        if not isinstance(value, Tensor) or (value.dtype, value.device, value.shape) != kind:
            allowed = f"one {arithmetic} number per step, in the step's shape"
            fix = "return what the methods of A give, such as A.full(step, c) and A.integer(i)"
            raise TraceError(_defined(module), _shown(value, step), allowed, fix)
    for (module, _, _, value), (_, _, _, again) in zip(first, second, strict=False):
        if not torch.isclose(value, again, rtol=0.0, atol=0.0, equal_nan=True).all():
            given, allowed, fix = UNSTEADY
            raise TraceError(_defined(module), Words(given), allowed, fix)


def _values(schedule: nn.Module) -> list[tuple[nn.Module, Tensor, str, Any]]:
    """Return each formula, the inner ones first, with its step, its arithmetic and what it gives, until one raises."""
    found: list[tuple[nn.Module, Tensor, str, Any]] = []

    def watched(module: Any) -> Callable[..., Any]:
        formula = module._value

        def watch(step: Tensor, A: Any) -> Any:
            value = formula(step, A)
            found.append((module, step, A.name, value))
            return value

        return watch

    every = [module for module in schedule.modules() if hasattr(module, "_value")]
    for module in every:
        vars(module)["_value"] = watched(module)
    try:
        with torch.no_grad(), suppress(Exception), redirect_stdout(io.StringIO()):
            schedule(torch.arange(5, 8))
    finally:
        for module in every:
            del vars(module)["_value"]
    return found


def _defined(module: nn.Module) -> str:
    code = type(module).evaluate.__code__  # type: ignore[attr-defined]  # as above
    line = linecache.getline(code.co_filename, code.co_firstlineno)
    return origin(code.co_filename, code.co_firstlineno, line).of(_formula(module))


def _shown(value: Any, step: Tensor) -> Any:
    if not isinstance(value, Tensor):
        return value
    dtype = str(value.dtype).removeprefix("torch.")
    return Words(f"{dtype} of shape {list(value.shape)} on {value.device} for steps of shape {list(step.shape)}")
