"""What the names of the Cerebras family have in common: how they are called, and how they are bound to an optimizer."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias, final

from torch import Tensor
from torch.optim import Optimizer

from tracelr import cerebras
from tracelr.assignment import Assignment
from tracelr.errors import OptimizerError, ScheduleError, ScheduleTypeError, Words, explain
from tracelr.fields import Flag, Rule
from tracelr.schedule import Schedule
from tracelr.scheduler import Scheduler

Tags: TypeAlias = "tuple[str | None, ...] | None"
_OPTIMIZER = "a torch.optim.Optimizer"
_NONE = object()


@final
class _Tags(Rule):
    allowed = "a tag, or a list of different tags; None in the list stands for the groups without tags"

    def parse(self, where: str, given: Any) -> Tags:
        if not isinstance(given, str | list | tuple | set):
            raise ScheduleTypeError(explain(where, given, self.allowed, "pass a string, the tag of a param group"))
        tags = (given,) if isinstance(given, str) else tuple(sorted(given, key=str) if isinstance(given, set) else given)
        if not all(tag is None or isinstance(tag, str) for tag in tags):
            raise ScheduleTypeError(explain(where, given, self.allowed, "pass strings, the tags of param groups"))
        if not tags or len(set(tags)) != len(tags):
            raise ScheduleError(explain(where, given, self.allowed, "name each tag once" if tags else "name one"))
        return tags


_KIND = inspect.Parameter.POSITIONAL_OR_KEYWORD
TAGS = inspect.Parameter("param_group_tags", _KIND, default=None)
RESET = inspect.Parameter("disable_lr_steps_reset", _KIND, default=False)
_RULES = {TAGS.name: _Tags(), RESET.name: cerebras.rule_of(Flag)}


class Named(Scheduler):
    """Abstract base of the names. A name is a curve of `tracelr.cerebras`, in the words of the key that it drives.

    Its parameters are made from the curve's, with the optimizer before them and `extras` behind. With an optimizer, the
    object is a `Scheduler` that drives it; without, it holds `schedule`, and `bind(optimizer)` returns the bound one.
    """

    key: ClassVar[str] = "lr"
    words: ClassVar[Mapping[str, str]] = {}
    older: ClassVar[Mapping[str, str]] = {}
    factor: ClassVar[str | None] = None
    extras: ClassVar[tuple[inspect.Parameter, ...]] = (TAGS,)

    schedule: Schedule
    param_group_tags: Tags = None
    disable_lr_steps_reset: bool = False
    _curve: ClassVar[cerebras.Curve]
    _signature: ClassVar[inspect.Signature]
    _parameters: ClassVar[dict[str, cerebras.Parameter]]

    def __init_subclass__(cls, curve: cerebras.Curve | None = None) -> None:
        if curve is None:  # a base of names, or the class that somebody derived from LambdaLR
            return
        taken = cerebras.parameters(curve, cls.words)
        cls._parameters = taken | {p.name: cerebras.Parameter("", _RULES[p.name], p.default) for p in cls.extras}
        own = [inspect.Parameter(word, _KIND, default=parameter.default) for word, parameter in taken.items()]
        cls._curve = staticmethod(curve)
        cls._signature = inspect.Signature([*own, *cls.extras])
        cls.__signature__ = inspect.Signature([inspect.Parameter("optimizer", _KIND), *own, *cls.extras])  # type: ignore[attr-defined]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        name = type(self).__name__
        if args and "optimizer" not in kwargs:
            if isinstance(args[0], Optimizer):
                args, kwargs = args[1:], {"optimizer": args[0], **kwargs}
            elif not isinstance(args[0], Real | Tensor | Sequence | Schedule | Named) or isinstance(
                args[0], bool | str | bytes
            ):
                first, parameter = next(iter(self._parameters.items()))
                fix = f"pass the optimizer first, or leave it out and pass {first}"
                allowed = f"{_OPTIMIZER}, or {first}: {parameter.rule.allowed}"
                raise OptimizerError(explain(name, args[0], allowed, fix))
        optimizer = kwargs.pop("optimizer", _NONE)
        if optimizer is not _NONE and not isinstance(optimizer, Optimizer):
            raise OptimizerError(explain(f"{name}.optimizer", optimizer, _OPTIMIZER, "pass one, or leave it out"))
        self._arguments = self._checked(args, kwargs)
        for extra in self.extras:
            setattr(self, extra.name, self._arguments[extra.name])
        values = {self._parameters[word].own: value for word, value in self._arguments.items()}
        self._values = {own: value for own, value in values.items() if own}
        self.schedule = self._make(self._values)
        owner = self._owner(optimizer if isinstance(optimizer, Optimizer) else None)
        if owner is not None:
            assignment = Assignment(self.key, self.param_group_tags, self.schedule, self.factor)
            super().__init__(owner, [assignment], last_epoch=self._values.get("last_epoch", -1))

    def _make(self, values: dict[str, Any]) -> Schedule:
        """Return the schedule that the curve's parameters describe; they are checked already."""
        name = type(self).__name__
        try:
            return type(self)._curve(**values)
        except (ScheduleError, ScheduleTypeError) as error:  # of the schedule, in its own words
            raise error if str(error).startswith(name) else type(error)(f"{name}: {error}") from None

    def _owner(self, optimizer: Optimizer | None) -> Optimizer | None:
        """Return the optimizer to drive, given the one that was passed."""
        return optimizer

    @property
    def runs(self) -> int | None:
        """How many steps it runs where schedulers follow one another, if it says so."""
        said = [self._values[own] for own in ("total_iters", "total_steps") if own in self._values]
        return said[0] if said else self.schedule.length

    def _checked(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return every parameter by name, as its rule keeps it; a default needs no rule."""
        name, signature = type(self).__name__, self._signature
        for older, newer in self.older.items():
            if older in kwargs and newer in signature.parameters and older not in signature.parameters:
                if newer in kwargs:
                    given, fix = Words(f"{older} and {newer}"), "remove one: they are names of the same thing"
                    raise ScheduleTypeError(explain(name, given, "one of them", fix))
                kwargs[newer] = kwargs.pop(older)
        try:
            call = signature.bind(*args, **kwargs)
        except TypeError as error:
            given = Words(f"other arguments ({error})")
            allowed = f"{name}([optimizer], {str(signature)[1:-1]})"
            raise ScheduleTypeError(explain(name, given, allowed, "pass these")) from None
        call.apply_defaults()
        kept = call.arguments
        for word, (_, rule, default) in self._parameters.items():
            if kept[word] is not default:
                kept[word] = rule.parse(f"{name}.{word}", kept[word])
        for word, parameter in self._parameters.items():
            if kept[word] is not None:
                parameter.rule.relate(f"{name}.{word}", kept[word], kept)
        return kept

    def bind(self, optimizer: Optimizer) -> Self:
        """Return the same schedule, driving `optimizer`. Raises `OptimizerError` if it is none."""
        return type(self)(optimizer=optimizer, **self._arguments)

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


class Rate(Named):
    """Abstract base of the names that drive the learning rate."""

    words = cerebras.LR
    older = cerebras.OLDER
    extras: ClassVar[tuple[inspect.Parameter, ...]] = (TAGS, RESET.replace(kind=inspect.Parameter.KEYWORD_ONLY))
