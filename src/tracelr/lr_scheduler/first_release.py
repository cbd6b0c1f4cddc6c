"""The schedulers of the first release of `cerebras_pytorch`, with its names of parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final, overload

from torch.optim import Optimizer

from tracelr.interop.cerebras import curves as cerebras
from tracelr.lr_scheduler.base import RESET, CerebrasScheduler
from tracelr.schedules.fields import Positive, Scalar, Values


class _FirstReleaseScheduler(CerebrasScheduler):
    """Abstract base of the schedulers of the first release, with `disable_lr_steps_reset` as the last parameter."""

    words = cerebras.FIRST_RELEASE
    extras = (RESET,)


@final
class Constant(_FirstReleaseScheduler, curve=cerebras.CURVES["Constant"]):
    """The same learning rate at every step: `tracelr.Constant`.

    `val` is the learning rate. `decay_steps` is how many steps it lasts in a sequence; elsewhere, or as the last of a
    sequence, it has no effect. `disable_lr_steps_reset` is for a sequence too: with True the time of the scheduler there is
    the global step. `optimizer` comes first, or is left out.

    Raises `ScheduleError` or `ScheduleTypeError` for a value that is not allowed, `OptimizerError` for an optimizer that
    is not one.

    >>> Constant(0.1).schedule
    Constant(value=0.1)
    """

    @overload
    def __init__(
        self, optimizer: Optimizer, val: Scalar, decay_steps: int | None = None, disable_lr_steps_reset: bool = False
    ) -> None: ...
    @overload
    def __init__(self, val: Scalar, decay_steps: int | None = None, disable_lr_steps_reset: bool = False) -> None: ...
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


@final
class Exponential(_FirstReleaseScheduler, curve=cerebras.CURVES["Exponential"]):
    """A rate that is multiplied by `decay_rate` every `decay_steps` steps: `tracelr.Exponential`.

    `learning_rate` is the rate at step 0. `decay_rate`, above 0, is reached after `decay_steps` steps, smoothly or, with
    `staircase`, all at once. `optimizer`, `disable_lr_steps_reset` and the errors are as in `Constant`.

    >>> Exponential(learning_rate=0.1, decay_steps=100, decay_rate=0.5).schedule(200)
    tensor(0.0250)
    """

    @overload
    def __init__(
        self,
        optimizer: Optimizer,
        learning_rate: Scalar,
        decay_steps: int,
        decay_rate: Positive,
        staircase: bool = False,
        disable_lr_steps_reset: bool = False,
    ) -> None: ...
    @overload
    def __init__(
        self,
        learning_rate: Scalar,
        decay_steps: int,
        decay_rate: Positive,
        staircase: bool = False,
        disable_lr_steps_reset: bool = False,
    ) -> None: ...
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


@final
class PiecewiseConstant(_FirstReleaseScheduler, curve=cerebras.CURVES["PiecewiseConstant"]):
    """One rate after another: `tracelr.PiecewiseConstant`.

    `learning_rates` are the rates, `milestones` the steps **at** which the next one starts: exactly one fewer, strictly
    increasing. `optimizer`, `disable_lr_steps_reset` and the errors are as in `Constant`.

    >>> import torch
    >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=0.1)
    >>> scheduler = PiecewiseConstant(optimizer, learning_rates=[0.1, 0.001, 0.0001], milestones=[1000, 2000])
    >>> scheduler.schedule(torch.tensor([0, 999, 1000, 2000]))
    tensor([1.0000e-01, 1.0000e-01, 1.0000e-03, 1.0000e-04])
    """

    @overload
    def __init__(
        self, optimizer: Optimizer, learning_rates: Values, milestones: Sequence[int], disable_lr_steps_reset: bool = False
    ) -> None: ...
    @overload
    def __init__(self, learning_rates: Values, milestones: Sequence[int], disable_lr_steps_reset: bool = False) -> None: ...
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


@final
class Polynomial(_FirstReleaseScheduler, curve=cerebras.CURVES["Polynomial"]):
    """A power of the remaining time, a straight line for `power` 1: `tracelr.Polynomial`.

    `learning_rate` is the rate at step 0, `end_learning_rate` the one after `decay_steps` steps. `power` is any number above
    0; with `cycle` the rate does not stay at the end but continues on a longer curve. `optimizer`,
    `disable_lr_steps_reset` and the errors are as in `Constant`.

    >>> Polynomial(learning_rate=0.1, end_learning_rate=0.0, decay_steps=100).schedule(25)
    tensor(0.0750)
    """

    @overload
    def __init__(
        self,
        optimizer: Optimizer,
        learning_rate: Scalar,
        end_learning_rate: Scalar,
        decay_steps: int,
        power: float = 1.0,
        cycle: bool = False,
        disable_lr_steps_reset: bool = False,
    ) -> None: ...
    @overload
    def __init__(
        self,
        learning_rate: Scalar,
        end_learning_rate: Scalar,
        decay_steps: int,
        power: float = 1.0,
        cycle: bool = False,
        disable_lr_steps_reset: bool = False,
    ) -> None: ...
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
