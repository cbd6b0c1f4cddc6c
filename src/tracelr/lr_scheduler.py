"""The seed's names, with its parameter names: each is a schedule that is, or can be, bound to an optimizer.

With an optimizer, as the first argument or by keyword, the object is a `tracelr.Scheduler` that drives it. Without one it
holds the schedule, and `bind(optimizer)` returns the bound one.
"""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeAlias, final, get_args, get_type_hints, overload

from torch import Tensor
from torch.optim import Optimizer

from tracelr.errors import OptimizerError, ScheduleTypeError, Words, explain
from tracelr.fields import Exponent, Flag, Increasing, Positive, Rule, Scalar, Steps, Values
from tracelr.schedule import Schedule
from tracelr.scheduler import Scheduler
from tracelr.schedules import constant, exponential, piecewise_constant, polynomial

Milestones: TypeAlias = Annotated[Sequence[int], Increasing(between="learning_rates")]
_OPTIMIZER = "a torch.optim.Optimizer"
_LAST = "disable_lr_steps_reset"
_NONE = object()


class _Named(Scheduler):
    """Abstract base of the names. A name declares its parameters, with their rules, as those of `_build`.

    `__init__` puts the optimizer before and `disable_lr_steps_reset` behind them; the overloads tell type checkers so.
    """

    schedule: Schedule
    disable_lr_steps_reset: bool
    _signature: ClassVar[inspect.Signature]
    _rules: ClassVar[dict[str, Rule]]

    @staticmethod
    @abstractmethod
    def _build(*args: Any) -> Schedule:
        """Return the schedule that the parameters describe; they are checked already."""

    def __init_subclass__(cls) -> None:
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        own = [*inspect.signature(cls._build).parameters.values(), inspect.Parameter(_LAST, kind, default=False)]
        hints = get_type_hints(cls._build, include_extras=True) | {_LAST: Flag}
        cls._rules = {parameter.name: _rule(hints[parameter.name]) for parameter in own}
        cls._signature = inspect.Signature([parameter.replace(annotation=inspect.Parameter.empty) for parameter in own])
        cls.__signature__ = inspect.Signature([inspect.Parameter("optimizer", kind), *own])  # type: ignore[attr-defined]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        name = type(self).__name__
        if args and "optimizer" not in kwargs:
            if isinstance(args[0], Optimizer):
                args, kwargs = args[1:], {"optimizer": args[0], **kwargs}
            elif not isinstance(args[0], Real | Tensor | Sequence) or isinstance(args[0], bool | str | bytes):
                first, rule = next(iter(self._rules.items()))
                fix = f"pass the optimizer first, or leave it out and pass {first}"
                raise OptimizerError(explain(name, args[0], f"{_OPTIMIZER}, or {first}: {rule.allowed}", fix))
        optimizer = kwargs.pop("optimizer", _NONE)
        if optimizer is not _NONE and not isinstance(optimizer, Optimizer):
            raise OptimizerError(explain(f"{name}.optimizer", optimizer, _OPTIMIZER, "pass one, or leave it out"))
        self._given = self._checked(args, kwargs)
        self.disable_lr_steps_reset = self._given[_LAST]
        self.schedule = self._build(**{key: value for key, value in self._given.items() if key != _LAST})
        if isinstance(optimizer, Optimizer):
            super().__init__(optimizer, lr=self.schedule)

    def _checked(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return every parameter by name, as its rule keeps it; a default needs no rule."""
        name, parameters = type(self).__name__, self._signature.parameters
        try:
            call = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            given, allowed = Words(f"other arguments ({error})"), ", ".join(map(str, parameters.values()))
            raise ScheduleTypeError(explain(name, given, f"{name}([optimizer], {allowed})", "pass these")) from None
        call.apply_defaults()
        kept = call.arguments
        passed = [key for key, value in kept.items() if value is not parameters[key].default]
        kept |= {key: self._rules[key].parse(f"{name}.{key}", kept[key]) for key in passed}
        for key in passed:
            self._rules[key].relate(f"{name}.{key}", kept[key], kept)
        return kept

    def bind(self, optimizer: Optimizer) -> Self:
        """Return the same schedule, driving `optimizer`. Raises `OptimizerError` if it is none."""
        return type(self)(optimizer=optimizer, **self._given)

    def __repr__(self) -> str:
        return super().__repr__() if "optimizer" in vars(self) else f"{type(self).__name__}({self.schedule}, not bound)"

    if not TYPE_CHECKING:  # a type checker would take every name for an attribute

        def __getattr__(self, name: str) -> Any:
            # What the methods of a scheduler need is missing until it is bound: whichever one is called ends here.
            if "optimizer" in vars(self) or name.startswith("__"):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            given = Words("a schedule that is not bound to an optimizer")
            raise OptimizerError(
                explain(type(self).__name__, given, "a bound one", "call .bind(optimizer) and use what it returns")
            )


def _rule(hint: Any) -> Rule:
    return next(m for part in (hint, *get_args(hint)) for m in getattr(part, "__metadata__", ()) if isinstance(m, Rule))


@final
class Constant(_Named):
    """The same learning rate at every step: `tracelr.Constant`.

    `val` is the learning rate. `decay_steps` is how many steps it lasts where schedulers follow one another; alone, or as
    the last of them, it does nothing. `disable_lr_steps_reset` is for such a sequence too: True makes the scheduler's own
    time the global step there, and changes nothing alone. `optimizer` comes first, or is left out.

    Raises `ScheduleError` or `ScheduleTypeError` for a value that is not allowed, `OptimizerError` for an optimizer that
    is none.

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

    @staticmethod
    def _build(val: Scalar, decay_steps: Steps | None = None) -> Schedule:
        return constant.Constant(val)


@final
class Exponential(_Named):
    """A rate that is multiplied by `decay_rate` every `decay_steps` steps: `tracelr.Exponential`.

    `learning_rate` is the rate at step 0. `decay_rate`, above 0, is reached after `decay_steps` steps, smoothly or, with
    `staircase`, all at once. `optimizer` and `disable_lr_steps_reset`, and what is raised: as in `Constant`.

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

    @staticmethod
    def _build(learning_rate: Scalar, decay_steps: Steps, decay_rate: Positive, staircase: Flag = False) -> Schedule:
        return exponential.Exponential(learning_rate, decay_rate, decay_steps, staircase)


@final
class PiecewiseConstant(_Named):
    """One rate after another: `tracelr.PiecewiseConstant`.

    `learning_rates` are the rates, `milestones` the steps **at** which the next one starts: exactly one fewer, strictly
    increasing. `optimizer` and `disable_lr_steps_reset`, and what is raised: as in `Constant`.

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

    @staticmethod
    def _build(learning_rates: Values, milestones: Milestones) -> Schedule:
        return piecewise_constant.PiecewiseConstant(learning_rates, milestones)


@final
class Polynomial(_Named):
    """A power of the remaining time, a straight line for `power` 1: `tracelr.Polynomial`.

    `learning_rate` is the rate at step 0, `end_learning_rate` the one after `decay_steps` steps. `power` is any number above
    0; with `cycle` the rate does not stay at the end but continues on a longer curve. `optimizer` and
    `disable_lr_steps_reset`, and what is raised: as in `Constant`.

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

    @staticmethod
    def _build(
        learning_rate: Scalar, end_learning_rate: Scalar, decay_steps: Steps, power: Exponent = 1.0, cycle: Flag = False
    ) -> Schedule:
        return polynomial.Polynomial(learning_rate, end_learning_rate, decay_steps, power, cycle)
