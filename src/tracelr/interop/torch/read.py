"""torch's schedulers as schedules. Only what they were built from is read, never where they are."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
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
from tracelr.arithmetic import F64
from tracelr.errors import ScheduleError, ScheduleTypeError, TracelrError, Unquoted
from tracelr.interop.torch.curves import CONTINUING, CONTINUING_PER_GROUP, MOMENTUM, OVERWRITING
from tracelr.interop.torch.lambdas import constant_result
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Product, Sequential
from tracelr.schedules.fields import named

_KNOWN = sorted(kind.__name__ for kind in (*CONTINUING, *CONTINUING_PER_GROUP, *OVERWRITING, SequentialLR, ChainedScheduler))
_KEYS = ("lr", "momentum", "betas")


def from_torch(scheduler: LRScheduler, key: Literal["lr", "momentum", "betas"] = "lr") -> Schedule | list[Schedule]:
    """Return the schedule of a scheduler of `torch.optim.lr_scheduler`, or a list of one per param group where they differ.

    It is the same at any point of the scheduler's life, and after `load_state_dict`: the base rates and the settings are
    read, the current rate is not. `key` picks what CyclicLR and OneCycleLR drive beside the rate: "momentum", or "betas"
    for the first beta of an optimizer that has betas.

    A SequentialLR or a ChainedScheduler inside another is converted as it is meant: torch runs the inner one a step early,
    or not at all (pytorch#196243). A chain is converted where it is a product, that is, of schedulers that go on from the
    rate they find; with a CosineAnnealingLR, torch's is that product up to `T_max` only, unless the others are 1 by then.
    SWALR goes on from whatever the rate is when it begins, and does not keep it: inside a SequentialLR that is the last one
    before it, alone the base rate. OneCycleLR ends at `total_steps - 1`, and holds; torch's goes past its end by one step.

    Raises `ScheduleError` or `ScheduleTypeError` for what is no function of the step (ReduceLROnPlateau) or no product, and
    `TraceError` for a lambda that is not a tensor function; each says what to write instead.

    >>> import torch
    >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=0.1)
    >>> from_torch(torch.optim.lr_scheduler.StepLR(optimizer, step_size=30, gamma=0.5))
    Step(start=0.1, gamma=0.5, every=30)
    """
    if not isinstance(scheduler, LRScheduler):
        fix = "pass the scheduler, not its class or its optimizer"
        raise ScheduleTypeError("from_torch", scheduler, "a scheduler of torch.optim.lr_scheduler", fix)
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
        fix = "build the scheduler anew, and leave its attributes as they are"
        raise ScheduleTypeError(type(scheduler).__name__, given, "those of its constructor", fix) from error
    return schedules[0] if len({str(schedule.to_dict()) for schedule in schedules}) == 1 else schedules


def _schedule(scheduler: Any, group: int, rate: float | None) -> Schedule:
    """Return the schedule of a group; `rate` is what a scheduler that begins there finds, None for its own base rate."""
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
    # The first one goes on from the group's initial rate, whatever its own base is; the later ones start at their own base,
    # but for those without a closed form, which go on from the last rate before them.
    begin = bisect_right(_torch.milestones(scheduler), 0)
    milestones = _torch.milestones(scheduler)[begin:]
    initial = float(scheduler.optimizer.param_groups[group]["initial_lr"])
    parts: list[Schedule] = []
    for k, child in enumerate(_torch.members(scheduler)[begin:]):
        with _inside(f"SequentialLR.schedulers[{begin + k}]"):
            rate = initial if k == 0 else None
            if k > 0 and type(child) in CONTINUING_PER_GROUP:
                rate = float(_join(parts, milestones[: k - 1]).wide(torch.tensor(milestones[k - 1] - 1), F64))
                if isinstance(child, MultiplicativeLR):  # torch multiplies at the milestone already
                    rate *= constant_result(child.lr_lambdas[group]) or 0.0
            parts.append(_schedule(child, group, rate))
    with _inside("SequentialLR"):
        return _join(parts, milestones)


def _join(parts: list[Schedule], milestones: list[int]) -> Schedule:
    return Sequential(parts, milestones) if milestones else parts[0]


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
                allowed = "schedulers that multiply the rate they find, so that the chain is their product"
                fix = "multiply tracelr's own schedules, as in WarmRestarts(0.1, 0.0, 10) * Exponential(1.0, 0.9, 1)"
                raise ScheduleError("scheduler", given, allowed, fix)
            factors.append(_schedule(member, group, 1.0 if k else rate))
    return Product(factors)


def _not_a_factor(member: Any) -> str:
    """Return what makes a chain with `member` no product of schedules, or nothing."""
    if type(member) is SequentialLR:
        return "starts each of its schedulers at a rate of its own"
    if type(member) in OVERWRITING:
        return "writes a rate of its own over the others'"
    if type(member) is SWALR:
        return "goes to a rate of its own, whatever the others do"
    if type(member) is CosineAnnealingLR and member.eta_min != 0:
        return "goes to an eta_min of its own, whatever the others do"
    return ""


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
    """Put `place` before the message of an error."""
    try:
        yield
    except TracelrError as error:
        raise error.inside(place) from None
