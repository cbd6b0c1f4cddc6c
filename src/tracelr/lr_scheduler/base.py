"""The base of the Cerebras schedulers: how they are called, and how they are bound to an optimizer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from torch import Tensor
from torch.optim import Optimizer

from tracelr.errors import OptimizerError, ScheduleError, ScheduleTypeError, Unquoted
from tracelr.interop.cerebras import curves as cerebras
from tracelr.interop.cerebras.combine import Timed
from tracelr.optim.scheduler import Scheduler
from tracelr.schedules.assignment import Assignment
from tracelr.schedules.base import Schedule
from tracelr.schedules.fields import Flag, Tags

_OPTIMIZER = "a torch.optim.Optimizer"
_NOT_GIVEN = object()
_KIND = inspect.Parameter.POSITIONAL_OR_KEYWORD


def _beside(param_group_tags: Annotated[Any, Tags()] | None = None, disable_lr_steps_reset: Flag = False) -> None:
    """The parameters that a scheduler takes beside those of its curve."""


_EXTRAS = {word: parameter._replace(own="") for word, parameter in cerebras.parameters(_beside, {}).items()}
TAGS, RESET = (inspect.Parameter(word, _KIND, default=parameter.default) for word, parameter in _EXTRAS.items())


class CerebrasScheduler(Scheduler):
    """Abstract base of the Cerebras schedulers. Each wraps a curve of `tracelr.cerebras`, with Cerebras' names for its key.

    Its parameters are the optimizer, then those of the curve by the names in `words`, then `extras`. With an optimizer, the
    object is a `Scheduler` that drives it. Without one it holds `schedule`, and `bind(optimizer)` returns a bound scheduler.
    `runs` is how many steps it runs in a sequence: the number that was passed, or the length of the curve.
    """

    takes_over = True
    key: ClassVar[str] = "lr"
    words: ClassVar[Mapping[str, str]] = {}
    older: ClassVar[Mapping[str, str]] = {}
    factor: ClassVar[str | None] = None
    extras: ClassVar[tuple[inspect.Parameter, ...]] = (TAGS,)

    schedule: Schedule
    param_group_tags: tuple[str | None, ...] | None = None
    disable_lr_steps_reset: bool = False
    runs: int | None
    _curve: ClassVar[Callable[..., Schedule | Timed]]
    _signature: ClassVar[inspect.Signature]
    _words: ClassVar[dict[str, cerebras.Parameter]]

    def __init_subclass__(cls, curve: Callable[..., Schedule | Timed] | None = None) -> None:
        if curve is None:  # an abstract base, or a user's subclass of LambdaLR
            return
        taken = cerebras.parameters(curve, cls.words)
        cls._words = taken | {extra.name: _EXTRAS[extra.name] for extra in cls.extras}
        own = [inspect.Parameter(word, _KIND, default=parameter.default) for word, parameter in taken.items()]
        cls._curve = staticmethod(curve)
        cls._signature = inspect.Signature([*own, *cls.extras])
        # mypy: `inspect` reads this attribute, which no class declares
        cls.__signature__ = inspect.Signature([inspect.Parameter("optimizer", _KIND), *own, *cls.extras])  # type: ignore[attr-defined]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        name = type(self).__name__
        if args and "optimizer" not in kwargs:
            if isinstance(args[0], Optimizer):
                args, kwargs = args[1:], {"optimizer": args[0], **kwargs}
            elif not isinstance(args[0], (Real, Tensor, Sequence, Schedule, CerebrasScheduler)) or isinstance(
                args[0], (bool, str, bytes)
            ):
                first, parameter = next(iter(self._words.items()))
                fix = f"pass the optimizer first, or leave it out and pass {first}"
                allowed = f"{_OPTIMIZER}, or {first}: {parameter.rule.allowed}"
                raise OptimizerError(name, args[0], allowed, fix)
        optimizer = kwargs.pop("optimizer", _NOT_GIVEN)
        if optimizer is not _NOT_GIVEN and not isinstance(optimizer, Optimizer):
            raise OptimizerError(f"{name}.optimizer", optimizer, _OPTIMIZER, "pass one, or leave it out")
        self._arguments = self._checked(args, kwargs)
        for extra in self.extras:
            setattr(self, extra.name, self._arguments[extra.name])
        values = {self._words[word].own: value for word, value in self._arguments.items()}
        self._values = {own: value for own, value in values.items() if own}
        self.schedule, self.runs = self._make(self._values)
        owner = self._owner(optimizer if isinstance(optimizer, Optimizer) else None)
        if owner is not None:
            assignment = Assignment(self.key, self.param_group_tags, self.schedule, self.factor)
            super().__init__(owner, [assignment], last_epoch=self._values.get("last_epoch", -1))

    def _make(self, values: dict[str, Any]) -> Timed:
        """Return the schedule that the curve's parameters describe, which are checked already, and its length."""
        name = type(self).__name__
        try:
            made = type(self)._curve(**values)
        except (ScheduleError, ScheduleTypeError) as error:  # about a field of the schedule
            raise error if error.where.startswith(name) else error.inside(name) from None
        if isinstance(made, Timed):
            return made
        length = cerebras.run_length(values)
        return Timed(made, made.length if length is None else length)

    def _owner(self, optimizer: Optimizer | None) -> Optimizer | None:
        """Return the optimizer to drive; `optimizer` is the one that was passed."""
        return optimizer

    def _checked(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return every parameter by name, as its rule parses it; defaults are not checked."""
        name, signature = type(self).__name__, self._signature
        for older, newer in self.older.items():
            if older in kwargs and newer in signature.parameters and older not in signature.parameters:
                if newer in kwargs:
                    given, fix = Unquoted(f"{older} and {newer}"), "remove one: they are names of the same thing"
                    raise ScheduleTypeError(name, given, "one of them", fix)
                kwargs[newer] = kwargs.pop(older)
        try:
            call = signature.bind(*args, **kwargs)
        except TypeError as error:
            given = Unquoted(f"other arguments ({error})")
            allowed = f"{name}([optimizer], {str(signature)[1:-1]})"
            raise ScheduleTypeError(name, given, allowed, "pass these") from None
        call.apply_defaults()
        kept = call.arguments
        for word, parameter in self._words.items():
            if kept[word] is not parameter.default:
                kept[word] = parameter.rule.parse(f"{name}.{word}", kept[word])
        for word, parameter in self._words.items():
            if kept[word] is not None:
                parameter.rule.check_against(f"{name}.{word}", kept[word], kept)
        return kept

    def bind(self, optimizer: Optimizer) -> Self:
        """Return a scheduler with the same schedule that drives `optimizer`. Raises `OptimizerError` if it is not one."""
        return type(self)(optimizer=optimizer, **self._arguments)

    def __repr__(self) -> str:
        return super().__repr__() if "_optimizer" in vars(self) else f"{type(self).__name__}({self.schedule}, not bound)"

    def _repr_html_(self) -> str | None:  # type: ignore[override]  # a notebook takes None, and shows the repr
        return super()._repr_html_() if "_optimizer" in vars(self) else None

    if not TYPE_CHECKING:  # a type checker would accept every attribute

        def __getattr__(self, name: str) -> Any:
            # Before it is bound, the attributes that the methods of a scheduler read are missing, so every call ends here.
            if "_optimizer" in vars(self) or name.startswith("__"):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            given = Unquoted("a schedule that is not bound to an optimizer")
            raise OptimizerError(type(self).__name__, given, "a bound one", "call .bind(optimizer) and use what it returns")


class LearningRateScheduler(CerebrasScheduler):
    """Abstract base of the schedulers that drive the learning rate."""

    words = cerebras.LR
    older = cerebras.OLDER_PARAMETERS
    extras: ClassVar[tuple[inspect.Parameter, ...]] = (TAGS, RESET.replace(kind=inspect.Parameter.KEYWORD_ONLY))
