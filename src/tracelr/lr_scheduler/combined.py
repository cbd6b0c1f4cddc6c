"""Schedulers built from other schedulers, from schedules or from functions (SequentialLR, ChainedLR, LambdaLR, ...)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeAlias, final

from torch.optim import Optimizer

from tracelr.errors import OptimizerError, ScheduleError, ScheduleTypeError, Unquoted
from tracelr.interop.cerebras import combine
from tracelr.interop.cerebras.combine import Member, Timed
from tracelr.interop.cerebras.curves import CURVES, FACTORS
from tracelr.lr_scheduler.base import TAGS, CerebrasScheduler, LearningRateScheduler
from tracelr.schedules import fields
from tracelr.schedules.base import Schedule
from tracelr.schedules.fields import Increasing, Rule


@final
class _Child(Rule):
    allowed = "a Cerebras scheduler, or a tracelr schedule"

    def parse(self, where: str, given: Any) -> CerebrasScheduler | Schedule:
        if not isinstance(given, (CerebrasScheduler, Schedule)):
            raise ScheduleTypeError(where, given, self.allowed, "pass one, such as LinearLR(...)")
        return given


@final
class _Children(Rule):
    allowed = "a list of at least one Cerebras scheduler or tracelr schedule"

    def parse(self, where: str, given: Any) -> tuple[CerebrasScheduler | Schedule, ...]:
        children = fields.sequence(where, given, self.allowed)
        if not children:
            raise ScheduleError(where, given, self.allowed, "pass a scheduler")
        return tuple(_Child().parse(f"{where}[{k}]", child) for k, child in enumerate(children))


@final
class _Start(Rule):
    allowed = "an int, -1 or more"

    def parse(self, where: str, given: Any) -> int:
        return fields.integer(where, given, -1, self.allowed)


Child: TypeAlias = Annotated[Any, _Child()]  # `CombinedScheduler._make` passes a `Member` to the curve
Children: TypeAlias = Annotated[Any, _Children()]
Switches: TypeAlias = Annotated[Sequence[int], Increasing(between="schedulers")]
Start: TypeAlias = Annotated[int, _Start()]


def sequential(schedulers: Children, milestones: Switches | None = None, last_epoch: Start = -1) -> Timed:
    """Return the schedule and length of `SequentialLR`."""
    return combine.sequential(schedulers, milestones)


def chained(schedulers: Children) -> Timed:
    """Return the schedule and length of `ChainedLR`."""
    return combine.chained(schedulers)


def scaled(scheduler: Child) -> Timed:
    """Return the schedule and length of `ScalePerParamLR`, without the factors of the groups."""
    return Timed(scheduler.schedule, scheduler.runs)


class CombinedScheduler(CerebrasScheduler):
    """Abstract base of the schedulers whose parameters are other schedulers.

    In the original the inner schedulers must be bound. Here they may be, to one optimizer, which this scheduler then drives.
    """

    def _make(self, values: dict[str, Any]) -> Timed:
        where = f"{type(self).__name__}.scheduler"
        if "scheduler" in values:
            return super()._make(values | {"scheduler": self._member(where, values["scheduler"])})
        children = [self._member(f"{where}s[{k}]", child) for k, child in enumerate(values["schedulers"])]
        return super()._make(values | {"schedulers": children})

    def _member(self, where: str, child: CerebrasScheduler | Schedule) -> Member:
        if isinstance(child, Schedule):
            return Member(where, child, child.length)
        if child.key != self.key:
            raise ScheduleTypeError(
                where, child, f"a scheduler of {self.key}", f"use the scheduler of {self.key} with the same curve"
            )
        if child.factor is not None:
            fix = f"put {type(child).__name__} around the outermost scheduler"
            raise ScheduleTypeError(where, child, "a scheduler that is the same for every group", fix)
        bound, tags = "_optimizer" in vars(child), child.param_group_tags
        if (bound or tags is not None) and set(tags or ()) != set(self.param_group_tags or ()):
            given = Unquoted(f"param_group_tags={None if tags is None else list(tags)}{' and an optimizer' * bound}")
            allowed = f"those of {type(self).__name__}" + ("" if bound else ", or None")
            fix = f"pass the optimizer to {type(self).__name__} only" if bound else f"pass them to {type(self).__name__}"
            raise ScheduleError(where, given, allowed, fix)
        return Member(where, child.schedule, child.runs, not child.disable_lr_steps_reset)

    def _owner(self, optimizer: Optimizer | None) -> Optimizer | None:
        children = self._values["schedulers"] if "schedulers" in self._values else [self._values["scheduler"]]
        owners = [
            vars(child)["_optimizer"]
            for child in children
            if isinstance(child, CerebrasScheduler) and "_optimizer" in vars(child)
        ]
        found = [optimizer] if optimizer is not None else owners[:1]
        if any(owner is not found[0] for owner in owners):
            given, fix = Unquoted("schedulers that are bound to different optimizers"), "bind the outermost scheduler only"
            raise OptimizerError(type(self).__name__, given, "one optimizer for all of them", fix)
        return found[0] if found else None


class LambdaScheduler(CerebrasScheduler):
    """Base of `LambdaLR` and `LambdaWD`, which take functions, or from which a subclass overrides `set_value_lambda`."""

    def set_value_lambda(self) -> Sequence[Callable[..., Any]]:
        """Return the functions by which the initial value is multiplied."""
        return self._values["val_lambda"] or ()

    def _make(self, values: dict[str, Any]) -> Timed:
        own = type(self).set_value_lambda is not LambdaScheduler.set_value_lambda
        if own == (values["val_lambda"] is not None):
            word = next(word for word, parameter in self._words.items() if parameter.own == "val_lambda")
            given = Unquoted(f"{word} and set_value_lambda" if own else f"neither {word} nor set_value_lambda")
            fix = f"pass {word}, or derive a class that overrides set_value_lambda"
            raise ScheduleTypeError(type(self).__name__, given, "one of them", fix)
        return super()._make(values | {"val_lambda": self.set_value_lambda()})


@final
class SequentialLR(CombinedScheduler, LearningRateScheduler, curve=sequential):
    r"""One scheduler after another: `tracelr.Sequential`.

    .. math:: f(t) = f_k(t - m_{k-1}), \quad m_{k-1} \le t < m_k, \quad m_{-1} = 0

    with f = `schedulers`, each one of this module or a tracelr schedule, and m = `milestones`, the steps **at** which the
    next one starts: exactly one fewer, strictly increasing. Without them, each but the last runs for its own length
    (`total_iters`). For a scheduler with `disable_lr_steps_reset`, the time is t. `last_epoch` is as in torch; -1 starts at
    step 0.

    >>> import torch
    >>> from tracelr.lr_scheduler import ConstantLR, LinearLR
    >>> SequentialLR([LinearLR(0.0, 1.0, total_iters=2), ConstantLR(0.5)]).schedule(torch.arange(4))
    tensor([0.0000, 0.5000, 0.5000, 0.5000])
    """

    extras = (TAGS,)


@final
class ChainedLR(CombinedScheduler, LearningRateScheduler, curve=chained):
    r"""The first scheduler times each other one relative to its value at step 0: a `tracelr.Product`.

    .. math:: f(t) = f_0(t) \prod_{k > 0} \frac{f_k(t)}{f_k(0)}

    with f = `schedulers`, each one of this module or a tracelr schedule; only the first may start at 0. All have the
    same time. The original divides by the parameter `initial_learning_rate`, which not every scheduler has, and which is not
    the first value of `InverseSquareRootDecayLR`. `ChainedScheduler` is another name for this class.

    >>> from tracelr.lr_scheduler import LinearLR, StepLR
    >>> ChainedLR([LinearLR(1.0, 0.0, total_iters=4), StepLR(0.1, step_size=2, gamma=0.5)]).schedule(2)
    tensor(0.2500)
    """

    extras = (TAGS,)


ChainedScheduler = ChainedLR


@final
class ScalePerParamLR(CombinedScheduler, LearningRateScheduler, curve=scaled):
    """A scheduler times the `adjust_learning_rate` of each param group, 1 for a group without: layer-wise decay, muP.

    `scheduler` is one of this module or a tracelr schedule. It is always the outermost scheduler.

    >>> from tracelr.lr_scheduler import ConstantLR
    >>> ScalePerParamLR(ConstantLR(0.1)).factor
    'adjust_learning_rate'
    """

    extras = (TAGS,)
    factor = FACTORS["lr"]


# not final, because the original is made for subclasses
class LambdaLR(LambdaScheduler, LearningRateScheduler, curve=CURVES["Lambda"]):
    r"""A rate times functions of the step: `tracelr.Lambda`.

    .. math:: f(t) = s \prod_k g_k(t)

    with s = `initial_learning_rate`, and g = `lr_lambda`, a function or a list of them, or what `set_value_lambda` of a
    subclass returns. A function takes the step as an int64 tensor and returns a floating tensor. The original
    multiplies by s once for every function; torch's list has one function for each param group.
    """
