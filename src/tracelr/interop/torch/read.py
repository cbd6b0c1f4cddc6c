"""`from_torch` reads torch's schedulers: their settings and base rates, and not their current step and rate."""

from __future__ import annotations

import warnings
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from torch.optim.lr_scheduler import (
    ChainedScheduler,
    CosineAnnealingLR,
    LRScheduler,
    MultiplicativeLR,
    ReduceLROnPlateau,
    SequentialLR,
)
from torch.optim.swa_utils import SWALR

from tracelr import _torch
from tracelr.errors import ScheduleError, ScheduleTypeError, TracelrError, TracelrWarning, Unquoted
from tracelr.interop.torch.curves import CONTINUING, CONTINUING_PER_GROUP, MOMENTUM, OVERWRITING
from tracelr.interop.torch.lambdas import constant_result
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Product, Sequential, Shift
from tracelr.schedules.describe.sampling import value_at
from tracelr.schedules.fields import named

_KNOWN = sorted(kind.__name__ for kind in (*CONTINUING, *CONTINUING_PER_GROUP, *OVERWRITING, SequentialLR, ChainedScheduler))
_KEYS = ("lr", "momentum", "betas")


def from_torch(scheduler: LRScheduler, key: Literal["lr", "momentum", "betas"] | None = None) -> Schedule | list[Schedule]:
    """Return the schedule of a torch scheduler, or a list of one schedule for each param group if they differ.

    `scheduler` is any scheduler of `torch.optim.lr_scheduler` or `torch.optim.swa_utils`, except ReduceLROnPlateau.

    The result is the same at every step of the scheduler, and after `load_state_dict`, because the base rates and the
    settings are read and the current rate is not. `key` picks "lr", or what CyclicLR and OneCycleLR drive beside the rate:
    "momentum", or "betas" for the first beta of an optimizer that has betas. Without a `key` it is "lr", and a
    `TracelrWarning` names what is driven beside it.

    A SequentialLR or a ChainedScheduler inside another one starts at its own step 0; torch runs the inner one a step early,
    or not at all (pytorch#196243). A chain is converted if it is a product, that is, if its schedulers continue from the
    current rate. With a CosineAnnealingLR, torch's chain is that product only up to `T_max`, unless the other factors are 1
    by then. SWALR continues from the rate at which it begins: inside a SequentialLR from the last rate before it, and
    otherwise from the base rate. OneCycleLR is constant from `total_steps - 1` on; torch's goes past its end by one step.

    Raises `ScheduleError` or `ScheduleTypeError` for a scheduler that is not a function of the step (ReduceLROnPlateau) and
    for a chain that is not a product, and `TraceError` for a lambda that does not work on a tensor; each error says what to
    write instead.

    >>> import torch
    >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=0.1)
    >>> from_torch(torch.optim.lr_scheduler.StepLR(optimizer, step_size=30, gamma=0.5))
    Step(start=0.1, gamma=0.5, every=30)
    """
    if not isinstance(scheduler, LRScheduler):
        fix = "pass the scheduler, not its class or its optimizer"
        raise ScheduleTypeError("from_torch", scheduler, "a scheduler of torch.optim.lr_scheduler", fix)
    if key is None:
        _say_what_is_left(scheduler)
        key = "lr"
    if not named(key, _KEYS):
        raise ScheduleError("from_torch(key)", key, ", ".join(map(repr, _KEYS)), "use one of these names")
    groups = scheduler.optimizer.param_groups
    try:
        schedules = [
            _schedule(scheduler, group, None) if key == "lr" else _momentum(scheduler, group, key)
            for group in range(len(groups))
        ]
    except TracelrError:
        raise
    except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RuntimeError) as error:
        given = Unquoted(f"settings that torch did not make ({type(error).__name__}: {error})")
        fix = "build the scheduler again, and do not set its attributes"
        raise ScheduleTypeError(type(scheduler).__name__, given, "those of its constructor", fix) from error
    return schedules[0] if len({str(schedule.to_dict()) for schedule in schedules}) == 1 else schedules


def _schedule(scheduler: Any, group: int, rate: float | None) -> Schedule:
    """Return the schedule of a group, which continues from `rate`, or without one from the base rate of the scheduler."""
    kind = type(scheduler)
    if kind is SequentialLR:
        return _sequence(scheduler, group)
    if kind is ChainedScheduler:
        return _chain(scheduler, group, rate)
    with _inside(kind.__name__):
        if kind not in {*CONTINUING, *CONTINUING_PER_GROUP, *OVERWRITING}:
            raise _refusal(scheduler)
        if group >= len(scheduler.base_lrs):
            given, fix = (
                Unquoted(f"base_lrs of {len(scheduler.base_lrs)} groups"),
                "build the scheduler after the last group",
            )
            raise ScheduleError("base_lrs", given, "one for each param group of the optimizer", fix)
        if kind in OVERWRITING:
            return OVERWRITING[kind](scheduler, group)
        rate = float(scheduler.base_lrs[group]) if rate is None else rate
        return (
            CONTINUING[kind](scheduler, rate) if kind in CONTINUING else CONTINUING_PER_GROUP[kind](scheduler, rate, group)
        )


def _refusal(scheduler: LRScheduler) -> TracelrError:
    if isinstance(scheduler, ReduceLROnPlateau):
        given, allowed = Unquoted("a scheduler driven by a metric"), "a scheduler that is a function of the step"
        return ScheduleTypeError("scheduler", given, allowed, "keep it as it is, beside the training step")
    fix = "write its formula as a Schedule, or pass one of these"
    return ScheduleTypeError("scheduler", Unquoted("a class that is not torch's own"), ", ".join(_KNOWN), fix)


def _sequence(scheduler: SequentialLR, group: int) -> Schedule:
    # The first scheduler continues from the initial rate of the group, whatever its own base rate is. The later ones start
    # at their own base rates, except those without a closed form, which continue from the last rate before them.
    begin = bisect_right(_torch.milestones(scheduler), 0)
    milestones = _torch.milestones(scheduler)[begin:]
    initial = float(scheduler.optimizer.param_groups[group]["initial_lr"])
    schedules: list[Schedule] = []
    for k, child in enumerate(_torch.members(scheduler)[begin:]):
        with _inside(f"SequentialLR.schedulers[{begin + k}]"):
            rate = initial if k == 0 else None
            if k > 0 and type(child) in CONTINUING_PER_GROUP:
                rate = value_at(_join(schedules, milestones[: k - 1]), milestones[k - 1] - 1)
                if isinstance(child, MultiplicativeLR) and _torch.MULTIPLIES_AT_MILESTONE:  # once more than alone
                    rate *= constant_result(child.lr_lambdas[group]) or 0.0
            schedule = _schedule(child, group, rate)
            ahead = k > 0 and type(child) is SWALR and child.anneal_epochs > 0 and _torch.STEPS_AT_MILESTONE
            schedules.append(Shift(schedule, -1) if ahead else schedule)
    with _inside("SequentialLR"):
        return _join(schedules, milestones)


def _join(schedules: list[Schedule], milestones: list[int]) -> Schedule:
    return Sequential(schedules, milestones) if milestones else schedules[0]


def _members(scheduler: Any) -> list[Any]:
    if type(scheduler) is not ChainedScheduler:
        return [scheduler]
    return [member for child in _torch.members(scheduler) for member in _members(child)]


def _chain(scheduler: ChainedScheduler, group: int, rate: float | None) -> Schedule:
    members = _members(scheduler)
    if len(members) == 1:
        return _schedule(members[0], group, rate)
    factors: list[Schedule] = []
    for k, member in enumerate(members):
        with _inside(f"ChainedScheduler.schedulers[{k}]"):
            why = _not_a_factor(member)
            if why:
                given = Unquoted(f"{type(member).__name__}, which {why}")
                allowed = "schedulers that multiply the current rate, so that the chain is their product"
                fix = "multiply tracelr's own schedules, as in WarmRestarts(0.1, 0.0, 10) * Exponential(1.0, 0.9, 1)"
                raise ScheduleError("scheduler", given, allowed, fix)
            factors.append(_schedule(member, group, 1.0 if k else rate))
    return Product(factors)


def _not_a_factor(member: Any) -> str:
    """Return why a chain with `member` is not a product of schedules, or an empty string."""
    if type(member) is SequentialLR:
        return "starts each of its schedulers at its own base rate"
    if type(member) in OVERWRITING:
        return "overwrites the rate of the others"
    if type(member) is SWALR:
        return "goes to swa_lr, whatever the others do"
    if type(member) is CosineAnnealingLR and member.eta_min != 0:
        return "goes to eta_min, whatever the others do"
    return ""


def _say_what_is_left(scheduler: LRScheduler) -> None:
    """Warn if the scheduler, or one inside it, drives the momentum too, which the schedule of the rate does not."""
    inside = [scheduler]
    for one in inside:
        inside += _torch.members(one) if isinstance(one, (SequentialLR, ChainedScheduler)) else []
    cycling: Any = next((one for one in inside if type(one) in MOMENTUM and getattr(one, "cycle_momentum", False)), None)
    if cycling is None:
        return
    key, name = "betas" if cycling.use_beta1 else "momentum", type(cycling).__name__
    argument = "betas=(first, None)" if cycling.use_beta1 else "momentum=first"
    text = f"tracelr: from_torch converts the learning rate, and this {name} drives {key} too. Convert both,"
    more = f'first = from_torch(scheduler, "{key}"), and pass Scheduler(..., {argument}); or pass key="lr" to leave it out'
    warnings.warn(f"{text} {more}", TracelrWarning, stacklevel=3)


def _momentum(scheduler: Any, group: int, key: str) -> Schedule:
    name = type(scheduler).__name__
    given = Unquoted(f"{key!r} of a {name}")
    if type(scheduler) not in MOMENTUM:
        names = " or ".join(kind.__name__ for kind in MOMENTUM)
        raise ScheduleError("from_torch(key)", given, f"'lr', or a {names}", "convert one of these on its own")
    if not scheduler.cycle_momentum:
        raise ScheduleError("from_torch(key)", given, "'lr', with cycle_momentum=False", "leave the key out")
    allowed = "betas" if scheduler.use_beta1 else "momentum"
    if key != allowed:
        optimizer = type(scheduler.optimizer).__name__
        raise ScheduleError("from_torch(key)", given, f"{allowed!r}, which {optimizer} has", f"pass key={allowed!r}")
    with _inside(name):
        return MOMENTUM[type(scheduler)](scheduler, group)


@contextmanager
def _inside(place: str) -> Iterator[None]:
    """Add `place` to the place of an error."""
    try:
        yield
    except TracelrError as error:
        raise error.inside(place) from None
