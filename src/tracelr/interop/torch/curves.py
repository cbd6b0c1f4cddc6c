"""The schedules of torch's schedulers that contain no other scheduler. Each table says what its builders take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.optim import lr_scheduler as torchs
from torch.optim.swa_utils import SWALR

from tracelr import _torch
from tracelr.errors import ScheduleError, Unquoted
from tracelr.interop.torch.lambdas import constant_result, from_lambda
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.cosine_annealing import CosineAnnealing
from tracelr.schedules.curves.cyclic import Cyclic
from tracelr.schedules.curves.exponential import Exponential
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.curves.multi_step import MultiStep
from tracelr.schedules.curves.one_cycle import OneCycle
from tracelr.schedules.curves.piecewise_constant import PiecewiseConstant
from tracelr.schedules.curves.polynomial import Polynomial
from tracelr.schedules.curves.step import Step
from tracelr.schedules.curves.warm_restarts import WarmRestarts


def _iters(scheduler: Any) -> int:
    if scheduler.total_iters == 0:
        allowed = "1 or more, because with 0 torch's steps and its closed form differ"
        raise ScheduleError("total_iters", 0, allowed, "leave this scheduler out")
    return scheduler.total_iters  # type: ignore[no-any-return]  # torch's attribute is untyped


def _constant(scheduler: Any, rate: float) -> Schedule:
    return PiecewiseConstant([rate * scheduler.factor, rate], [_iters(scheduler)])


def _linear(scheduler: Any, rate: float) -> Schedule:
    return Linear(rate * scheduler.start_factor, rate * scheduler.end_factor, _iters(scheduler))


def _polynomial(scheduler: Any, rate: float) -> Schedule:
    return Polynomial(rate, 0.0, _iters(scheduler), scheduler.power)


def _multi_step(scheduler: Any, rate: float) -> Schedule:
    drops = sorted(milestone for milestone, times in scheduler.milestones.items() for _ in range(times))
    return MultiStep(rate, scheduler.gamma, drops)


def _multiplicative(scheduler: Any, rate: float, group: int) -> Schedule:
    """Return the schedule of a MultiplicativeLR. Its factors need to be one number, or their product has no closed form."""
    factor = constant_result(scheduler.lr_lambdas[group])
    if factor is None:
        given = Unquoted("factors that depend on the step")
        allowed = (
            "one number, such as lambda step: 0.95, because the product of all factors so far is not a function of the step"
        )
        fix = "write that product as a function of the step, in a LambdaLR, or as one of tracelr's schedules"
        raise ScheduleError("lr_lambda", given, allowed, fix)
    return Exponential(rate, factor, 1)


def _swa(scheduler: Any, rate: float, group: int) -> Schedule:
    """Return the schedule of a SWALR that begins at `rate`."""
    end = float(scheduler.optimizer.param_groups[group]["swa_lr"])
    if scheduler.anneal_epochs == 0:
        return PiecewiseConstant([end], [])
    return (Cosine if _torch.anneals_by_cosine(scheduler) else Linear)(rate, end, scheduler.anneal_epochs)


def _cosine(scheduler: Any, rate: float) -> Schedule:
    return CosineAnnealing(rate, scheduler.eta_min, scheduler.T_max)


CONTINUING: dict[type, Callable[[Any, float], Schedule]] = {
    torchs.StepLR: lambda scheduler, rate: Step(rate, scheduler.gamma, scheduler.step_size),
    torchs.MultiStepLR: _multi_step,
    torchs.ConstantLR: _constant,
    torchs.LinearLR: _linear,
    torchs.ExponentialLR: lambda scheduler, rate: Exponential(rate, scheduler.gamma, 1),
    torchs.PolynomialLR: _polynomial,
    torchs.CosineAnnealingLR: _cosine,
}
"""Schedulers that continue from the current rate. A builder takes the scheduler and the rate at which it begins."""

CONTINUING_PER_GROUP: dict[type, Callable[[Any, float, int], Schedule]] = {
    torchs.MultiplicativeLR: _multiplicative,
    SWALR: _swa,
}
"""Schedulers that continue from the current rate even inside SequentialLR. A builder takes the index of the group too."""


def _restarts(scheduler: Any, group: int) -> Schedule:
    return WarmRestarts(float(scheduler.base_lrs[group]), scheduler.eta_min, scheduler.T_0, scheduler.T_mult)


def _lambda(scheduler: Any, group: int) -> Schedule:
    return from_lambda(scheduler.lr_lambdas[group], float(scheduler.base_lrs[group]))


def _triangle(scheduler: Any, low: float, high: float) -> Schedule:
    if _torch.has_own_scale(scheduler):
        fix = "use one of its modes, or multiply tracelr.Cyclic by a schedule of your own"
        raise ScheduleError("scale_fn", Unquoted("a function"), "None, with a mode in place of the function", fix)
    total, up = scheduler.total_size, round(scheduler.total_size * scheduler.step_ratio)
    if total != int(total) or up / total != scheduler.step_ratio:
        given = Unquoted(f"{total * scheduler.step_ratio:g} and {total - total * scheduler.step_ratio:g}")
        raise ScheduleError("step_size_up and step_size_down", given, "whole steps", "round them")
    down = int(total) - up
    return Cyclic(low, high, up, None if down == up else down, scheduler.mode, scheduler.gamma)


def _cyclic(scheduler: Any, group: int) -> Schedule:
    return _triangle(scheduler, float(scheduler.base_lrs[group]), float(scheduler.max_lrs[group]))


def _cyclic_momentum(scheduler: Any, group: int) -> Schedule:
    return _triangle(scheduler, scheduler.max_momentums[group], scheduler.base_momentums[group])


def _cycle(scheduler: Any, start: float, peak: float, end: float) -> Schedule:
    last, warm = scheduler.total_steps - 1, _torch.phases(scheduler)[0]["end_step"]
    three = len(_torch.phases(scheduler)) == 3
    if not 0 < warm < last / (2 if three else 1):
        fraction = (warm + 1) / scheduler.total_steps
        allowed = (
            f"a fraction of total_steps that ends after its first step and before {'half of ' if three else ''}its last"
        )
        fix = "use a larger fraction, or Cosine or Linear for a single phase"
        raise ScheduleError("pct_start", round(fraction, 12), allowed, fix)
    ease = "cosine" if _torch.anneals_by_cosine(scheduler) else "linear"
    return OneCycle(start, peak, end, last, warm, ease, three)  # type: ignore[arg-type]  # ease was checked


def _one_cycle(scheduler: Any, group: int) -> Schedule:
    # torch reads these keys at every step, where another OneCycleLR of the same optimizer may have overwritten them.
    rates = scheduler.optimizer.param_groups[group]
    return _cycle(scheduler, *(float(rates[name]) for name in ("initial_lr", "max_lr", "min_lr")))


def _one_cycle_momentum(scheduler: Any, group: int) -> Schedule:
    values = scheduler.optimizer.param_groups[group]
    return _cycle(scheduler, *(float(values[name]) for name in ("max_momentum", "base_momentum", "max_momentum")))


OVERWRITING: dict[type, Callable[[Any, int], Schedule]] = {
    torchs.LambdaLR: _lambda,
    torchs.CosineAnnealingWarmRestarts: _restarts,
    torchs.CyclicLR: _cyclic,
    torchs.OneCycleLR: _one_cycle,
}
"""Schedulers that overwrite the current rate. A builder takes the scheduler and the index of the group."""

MOMENTUM: dict[type, Callable[[Any, int], Schedule]] = {
    torchs.CyclicLR: _cyclic_momentum,
    torchs.OneCycleLR: _one_cycle_momentum,
}
"""Schedulers that drive the momentum or the first beta too, with builders as in `OVERWRITING`."""
