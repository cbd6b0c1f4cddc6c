"""The schedule of each `lr_scheduler_type` of Hugging Face transformers, with its values up to the last step.

Past the last step these schedules are constant; the cosines of transformers rise again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tracelr.errors import ScheduleError, Unquoted
from tracelr.interop._tools import checks
from tracelr.interop._tools.checks import Place, choose
from tracelr.interop._tools.section import Section
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Sequential, Shift, Shorten
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.cosine_waves import CosineWaves
from tracelr.schedules.curves.inverse_sqrt import InverseSqrt
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.curves.polynomial import Polynomial
from tracelr.schedules.curves.wsd import WSD
from tracelr.schedules.easing import EasingName
from tracelr.schedules.fields import named


class Run(NamedTuple):
    """The peak rate, the steps of the warm-up, and all steps with those of the warm-up."""

    peak: float
    warmup: int
    steps: int

    @property
    def left(self) -> int:
        """The steps after the warm-up."""
        return self.steps - self.warmup

    def then(self, decay: Schedule) -> Schedule:
        """Return a linear warm-up from 0 to the peak, and then `decay`."""
        return Linear(0.0, self.peak, self.warmup).then(decay) if self.warmup else decay


class SchedulerType(NamedTuple):
    """One value of `lr_scheduler_type`.

    `build` makes the schedule of a run, `keys` has the reader of each parameter, `ends` says whether the number of steps is
    required, and `needs` lists the required parameters.
    """

    build: Callable[..., Schedule]
    keys: dict[str, Callable[[Place, object], Any]]
    ends: bool = True
    needs: tuple[str, ...] = ()


def _linear(run: Run) -> Schedule:
    return run.then(Linear(run.peak, 0.0, run.left))


def _waves(start: float, end: float, steps: int, cycles: float) -> Schedule:
    return Cosine(start, end, steps) if cycles == 0.5 else Shorten(CosineWaves(start, end, steps, cycles), steps)


def _cosine(run: Run, num_cycles: float = 0.5) -> Schedule:
    return run.then(_waves(run.peak, 0.0, run.left, num_cycles))


def _restarts(run: Run, num_cycles: float = 1.0) -> Schedule:
    if num_cycles == 1:
        return run.then(Cosine(run.peak, 0.0, run.left))
    return run.then(CosineWaves(run.peak, 0.0, run.left, num_cycles, True))


def _polynomial(run: Run, lr_end: float = 1e-7, power: float = 1.0) -> Schedule:
    return run.then(Polynomial(run.peak, lr_end, run.left, power))


def _constant(run: Run) -> Schedule:
    return Constant(run.peak)  # in transformers, too, only constant_with_warmup uses the warm-up


def _constant_with_warmup(run: Run) -> Schedule:
    return Linear(0.0, run.peak, run.warmup) if run.warmup else Constant(run.peak)


def _inverse_sqrt(run: Run, timescale: int | None = None) -> Schedule:
    scale = timescale or run.warmup or 10_000
    return run.then(Shift(InverseSqrt(run.peak, scale), -scale))


def _floor(run: Run, low: float | None, rate: float | None) -> float:
    if (low is None) == (rate is None):
        given, allowed = Unquoted("both of them" if low is not None else "neither of them"), "one of min_lr and min_lr_rate"
        raise ScheduleError("min_lr", given, allowed, "give the lowest rate, or its ratio to the peak")
    return low if low is not None else run.peak * (rate or 0.0)


def _cosine_with_min(
    run: Run, num_cycles: float = 0.5, min_lr: float | None = None, min_lr_rate: float | None = None
) -> Schedule:
    return run.then(_waves(run.peak, _floor(run, min_lr, min_lr_rate), run.left, num_cycles))


def _cosine_warmup_with_min(
    run: Run,
    num_cycles: float = 0.5,
    min_lr: float | None = None,
    min_lr_rate: float | None = None,
    warmup_lr_rate: float | None = None,
) -> Schedule:
    # transformers is off by one here: it reaches the peak at step warmup - 1 and starts the cosine at step warmup.
    decay = _waves(run.peak, _floor(run, min_lr, min_lr_rate), run.left, num_cycles)
    if not run.warmup:
        return Shift(decay, -1)
    first = run.peak / run.warmup if warmup_lr_rate is None else run.peak * warmup_lr_rate
    if run.warmup == 1:
        return decay if first == run.peak else Sequential([Constant(first), Shift(decay, -1)], [1])
    return Linear(first, run.peak, run.warmup - 1).then(decay)


def _stable(
    run: Run,
    num_decay_steps: int,
    num_stable_steps: int | None = None,
    warmup_type: EasingName = "linear",
    decay_type: EasingName = "cosine",
    min_lr_ratio: float = 0.0,
    num_cycles: float = 0.5,
) -> Schedule:
    stable = run.left - num_decay_steps if num_stable_steps is None else num_stable_steps
    if stable < 0:
        allowed = f"at most {run.left}, the steps after the warm-up"
        raise ScheduleError("num_decay_steps", num_decay_steps, allowed, "shorten a phase")
    if num_cycles != 0.5:
        raise ScheduleError("num_cycles", num_cycles, "0.5, half a wave", "leave it out")
    low = run.peak * min_lr_ratio
    return WSD(run.peak, run.warmup, stable, num_decay_steps, low, low, warmup_type, decay_type)


def _fraction(where: Place, given: object) -> float:
    """Return a rate or a ratio of 0 or more, because transformers clips values below 0."""
    value = checks.number(where, given)
    if value < 0:
        raise where.refuse(given, "a number of 0 or more", "write one")
    return value


def _ease(where: Place, given: object) -> str:
    return choose(where, given, {name: name for name in ("linear", "cosine", "1-sqrt")})


def _from_0(where: Place, given: object) -> int:
    return checks.count(where, given, low=0)


_CYCLES: dict[str, Callable[[Place, object], Any]] = {"num_cycles": checks.number}
_MIN = {**_CYCLES, "min_lr": _fraction, "min_lr_rate": _fraction}
TYPES = {
    "linear": SchedulerType(_linear, {}),
    "cosine": SchedulerType(_cosine, _CYCLES),
    "cosine_with_restarts": SchedulerType(_restarts, _CYCLES),
    "polynomial": SchedulerType(_polynomial, {"lr_end": checks.number, "power": checks.number}),
    "constant": SchedulerType(_constant, {}, ends=False),
    "constant_with_warmup": SchedulerType(_constant_with_warmup, {}, ends=False),
    "inverse_sqrt": SchedulerType(_inverse_sqrt, {"timescale": checks.count}, ends=False),
    "cosine_with_min_lr": SchedulerType(_cosine_with_min, _MIN),
    "cosine_warmup_with_min_lr": SchedulerType(_cosine_warmup_with_min, {**_MIN, "warmup_lr_rate": _fraction}),
    "warmup_stable_decay": SchedulerType(
        _stable,
        {
            "num_decay_steps": checks.count,
            "num_stable_steps": _from_0,
            "warmup_type": _ease,
            "decay_type": _ease,
            "min_lr_ratio": _fraction,
            "num_cycles": checks.number,
        },
        needs=("num_decay_steps",),
    ),
}
"""Every type whose rate is a function of the step."""


def schedule(s: Section, name: str, run: Run, **values: Any) -> Schedule:
    """Return the schedule of a type by name, for a framework that uses transformers' schedules; None counts as not given."""
    kind = choose(s.where, name, TYPES)
    given = {key: value for key, value in values.items() if value is not None}
    for key in given:
        if key not in kind.keys:
            raise s.where.refuse(
                Unquoted(f"{key} for {name}"), f"those of {name}: {', '.join(kind.keys) or 'none'}", "remove it"
            )
    if kind.ends and run.warmup >= run.steps:
        raise s.where.refuse(Unquoted(f"a warm-up of {run.warmup} in {run.steps} steps"), "a shorter one", "shorten it")
    return s.build(kind.build, run, **{key: kind.keys[key](s.where / key, value) for key, value in given.items()})


def ends(s: Section, name: str) -> bool:
    """Return whether the curve of a type depends on the number of steps."""
    if named(name, MEASURED):
        instead = "one of these, because this one follows a metric and not the step"
        raise s.where.refuse(name, ", ".join(TYPES), f"use {instead}, or tracelr.Plateau in the training program")
    return choose(s.where, name, TYPES).ends


MEASURED = ("reduce_lr_on_plateau", "greedy")
"""The types that follow a metric."""
