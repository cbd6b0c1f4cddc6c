"""Reads the function of a LambdaLR: whether it works on a tensor step, and if not, why."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any, NoReturn, final

import torch
from torch import Tensor

from tracelr.errors import TraceError, Unquoted
from tracelr.interop.torch.branches import with_branches
from tracelr.interop.torch.factories import from_factory
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.lambda_ import Lambda

_PROBES = (0, 1, 2, 3, 10, 100, 1000)
_ALLOWED = "a function of a tensor step, made of arithmetic and torch's functions"


@final
class _Stopped(Exception):
    """Raised by a probe, with what the function did with the step, and what to write instead."""


def _stop(what: str, instead: str) -> Callable[..., NoReturn]:
    def stop(*_: Any, **__: Any) -> NoReturn:
        raise _Stopped(what, instead)

    return stop


_BRANCH = _stop(
    "takes a branch on the step (if, while, min, max, and, or, in)",
    "write torch.where(step < 10, a, b) for an if, step.clamp(max=10) for min(step, 10)",
)
_NUMBER = _stop(
    "makes a Python number of the step (math, numpy, int, float)",
    "write torch.cos(step) for math.cos(step), and so on",
)
_INDEX = _stop(
    "looks the step up in a list or a dict, or counts to it",
    "use tracelr.PiecewiseConstant or tracelr.Interpolate",
)


@final
class _Probe(Tensor):
    """A step that raises for every operation that a graph cannot hold."""

    __bool__ = _BRANCH
    __float__ = __int__ = __complex__ = __round__ = __array__ = item = tolist = numpy = _NUMBER
    __index__ = __hash__ = _INDEX


@final
class InFloat64:
    """A function that LambdaLR calls with Python's numbers; for a tensor step it computes in float64, as Python does."""

    def __init__(self, function: Callable[[Any], Any], name: str = "") -> None:
        self.function = function
        self.__qualname__ = name or getattr(function, "__qualname__", type(function).__name__)

    def __call__(self, step: Tensor) -> Any:
        return self.function(step.to(torch.float64))


def _try(function: Callable[[Any], Any]) -> Any:
    """Return the result of `function` for a tensor step, or raise `TraceError` with the reason."""
    try:
        return function(torch.tensor(3.0, dtype=torch.float64).as_subclass(_Probe))
    except _Stopped as stopped:
        what, instead = stopped.args
    except Exception as error:
        what, instead = (
            "fails on a tensor step",
            f"write it with torch's functions; it says: {type(error).__name__}: {error}",
        )
    raise TraceError("lr_lambda", Unquoted(f"a function that {what}"), _ALLOWED, instead)


def constant_result(function: Callable[[Any], Any]) -> float | None:
    """Return the number that `function` returns for every step, or None if its result depends on the step."""
    try:
        made = _try(function)
    except TraceError:
        return None
    return float(made) if isinstance(made, Real) else None


def from_lambda(function: Callable[[Any], Any], base: float) -> Schedule:
    """Return the schedule of a LambdaLR, which is `base` times `function` of the step.

    A function that a factory of transformers or diffusers has made becomes the schedule that it stands for. One that takes
    branches on the step is read from its source. Raises `TraceError` if `function` does something else with the step that a
    graph cannot hold, or if its result for a tensor differs from its result for the same int.
    """
    known = from_factory(function, base)
    if known is not None:
        return known
    try:
        made = _try(function)
    except TraceError:
        traceable = with_branches(function)
        if traceable is None:
            raise
        return Lambda(InFloat64(traceable, getattr(function, "__qualname__", type(function).__name__))) * base
    if isinstance(made, Real):
        return Constant(base * float(made))
    if not isinstance(made, Tensor):
        fix = "return a number made of the step"
        raise TraceError("lr_lambda", Unquoted(f"a function that returns a {type(made).__name__}"), _ALLOWED, fix)
    traceable = InFloat64(function)
    for step in _PROBES:
        try:
            theirs = float(function(step))
        except ArithmeticError:  # LambdaLR fails at this step too
            continue
        ours = float(traceable(torch.tensor(step)))
        if abs(ours - theirs) > 1e-6 * abs(theirs):
            given = Unquoted(f"a function that gives {theirs:g} at step {step}, and {ours:g} at torch.tensor({step})")
            raise TraceError("lr_lambda", given, _ALLOWED, "make both the same, for example by leaving out isinstance")
    return Lambda(traceable) * base
