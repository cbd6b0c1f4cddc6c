"""Schedule: a learning rate as a pure tensor function of the step.

What happens in a call. The author of a schedule writes `forward(step, ops)`: a formula on unrounded numbers, in the
arithmetic `ops`. `Schedule.__init_subclass__` keeps it as `_formula` and sets the function `forward` of this file in its
place, because the tracers of torch begin at the `forward` of a module: `torch.export` reads the inputs from its signature,
`fx.symbolic_trace` calls it. So all of them find one function, from a step to a float32 rate:

    schedule(step)               `forward`: check the step, clamp it, choose `ops`, evaluate, round once
      _evaluated(step, ops)      a field that is a schedule reads as its value at this step (`FieldOverlay`)
        _formula(step, ops)      what the author wrote
          child.wide(step, ops)  a child before rounding: `forward` with `ops`, which goes straight to `_evaluated`

A child is called as a module, so that a trace records for each operation which schedule it comes from.
"""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from inspect import get_annotations, signature
from numbers import Integral
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self, dataclass_transform, final

import torch
from torch import Tensor, nn
from torch.fx import Proxy

from tracelr.arithmetic import F32, LAST_STEP, TWO_FLOAT, Arithmetic, Formula, Real, Split, arithmetic_for
from tracelr.errors import ScheduleError, ScheduleTypeError, Unquoted
from tracelr.schedules import fields
from tracelr.schedules.describe.display import Display
from tracelr.schedules.describe.segments import Segment, Segments, endless, to_length
from tracelr.schedules.easing import EasingName, Origin, Warmup
from tracelr.schedules.fitting import Fit
from tracelr.schedules.tables import Tables

if TYPE_CHECKING:
    from tracelr.schedules.compose import Clamp, Product, Scale, Sequential, Sum

REGISTRY: dict[str, type[Schedule]] = {}
"""Every schedule class by its name. Config, command line, docs and tests read it."""

DEEPEST = 64
"""How deep schedules nest: Python evaluates, copies and traces this many with its default limit of recursion."""

MOST = 4096
"""How many schedules one schedule is made of at most, itself included: each of them is evaluated at every step."""

_BLOCK = 2**16  # steps
_STEP = "an int, a range, a list or an array of ints, or an int64 or int32 tensor of any shape"


class FrozenModule(Tables):
    """Abstract base of `Schedule`: a module with checked fields that cannot be set again, and that compares by value."""

    _rules: ClassVar[dict[str, fields.Rule]] = {}
    _sealed: bool = False
    _hash: int | None = None

    @classmethod
    def _declare(cls) -> None:
        """Make the class a dataclass of its annotated fields. The type of each field carries its rule."""
        dataclass(eq=False, repr=False)(cls)
        hints = get_annotations(cls, eval_str=True)  # without those of nn.Module
        shown: dict[str, Any] = {"return": None}  # by help(), without the rules
        cls._rules = {}
        for name in cls.__dataclass_fields__:  # type: ignore[attr-defined]  # dataclass() has just made them
            rule = fields.rule_of(hints[name])
            if rule is None or name == "schedule":  # the key under which to_dict writes the class
                allowed = "a type of tracelr.schedules.fields, such as Scalar or Steps, and a name other than schedule"
                raise ScheduleTypeError(f"{cls.__name__}.{name}", hints[name], allowed, "annotate it so, or rename it")
            cls._rules[name] = rule
            shown[name] = float | Tensor | cls.__base__ if rule.drivable else hints[name].__origin__
            if name in vars(cls):  # a default. On the class, it would hide the buffer of the same name
                delattr(cls, name)
        cls.__init__.__annotations__ = shown

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls)
        Tables.__init__(self)
        return self

    def __post_init__(self) -> None:
        kept = {name: getattr(self, name) for name in self._rules}
        for name, rule in self._rules.items():
            rule.check_against(f"{type(self).__name__}.{name}", kept[name], kept)
        self.prepare()
        self._sealed = True

    def prepare(self) -> None:
        """Compute constants of the fields once, outside traced code, and keep them as private attributes."""

    def __eq__(self, other: object) -> bool:
        """Whether both have the same class and fields, and tables on the same device: either can stand for the other.

        A number counts by its bits, a tensor field by its identity, a function by its `identity`.

        >>> from tracelr import Constant
        >>> Constant(0.5) == Constant(0.5), Constant(0.0) == Constant(-0.0)
        (True, False)
        """
        if self is other:
            return True
        if type(self) is not type(other) or hash(self) != hash(other):
            return NotImplemented
        return self.place == other.place and all(equal_fields(getattr(self, n), getattr(other, n)) for n in self._rules)

    def __hash__(self) -> int:
        if self._hash is None:
            keys = (field_key(getattr(self, name)) for name in self._rules)
            object.__setattr__(self, "_hash", hash((type(self).__name__, *keys)))
        return self._hash  # type: ignore[return-value]  # set in the line above

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_hash"}  # it is valid in this process only

    def named_modules(
        self, memo: set[Any] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Module]]:
        """Yield this module and those in it. That of torch leaves out a module that equals another, with its tensors."""
        memo = set() if memo is None else memo
        if id(self) in memo or (self in memo and any(one is self for one in memo)):
            return
        if remove_duplicate:
            memo.add(id(self))
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def __setattr__(self, name: str, value: Any) -> None:
        rule = self._rules.get(name)
        if rule is None:
            super().__setattr__(name, value)
            return
        where = f"{type(self).__name__}.{name}"
        if self._sealed:
            fix = f"build a new one: dataclasses.replace(schedule, {name}=...)"
            raise ScheduleTypeError(where, value, "nothing, a schedule is immutable", fix)
        value = rule.parse(where, value)
        if isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
            self.register_buffer(name, value, persistent=False)
            return
        super().__setattr__(name, value)
        if rule.table is not None:
            self.register_table(name, value, rule.table)

    def to_dict(self) -> dict[str, Any]:
        """Return plain types that `tracelr.from_dict` reads back; a tensor field is written as the number it holds.

        >>> from tracelr import Linear
        >>> Linear(start=0.0, end=1.0, steps=2).to_dict()
        {'schedule': 'Linear', 'start': 0.0, 'end': 1.0, 'steps': 2}
        """
        return to_plain(self, lambda tensor: float(tensor.detach()))  # type: ignore[no-any-return]  # to_plain is untyped

    def fingerprint(self) -> str:
        """Return 16 hex digits that change when the schedule does. The value of a tensor field does not count.

        >>> from tracelr import Constant
        >>> Constant(0.1).fingerprint() == Constant(0.2).fingerprint()
        False
        """
        described = to_plain(self, lambda _: "tensor")
        return hashlib.sha256(json.dumps(described).encode()).hexdigest()[:16]


@final
class Power(NamedTuple):
    """A value as the product of its factors and of 2 ** (count * log2) of each power; a count is an int64 tensor."""

    factors: list[Any]  # numbers, or 0-d tensors
    powers: list[tuple[Tensor, Split | Real]]


@dataclass_transform(eq_default=False, frozen_default=True)
class Schedule(Formula, Display, FrozenModule):
    """Abstract base of every schedule: an immutable value, called with a step.

    Calling it with an int64 or int32 tensor of any shape gives float32 of that shape; an int gives a 0-d tensor; a range,
    a list or an array of ints gives a tensor of its shape.
    A negative step counts as 0. The unit is optimizer updates.

    A subclass declares its fields by annotation and writes `forward(step, ops)`, a formula in which every operation is a
    method of `ops`. It becomes a dataclass, and a module, so that `torch.export` keeps the author's source line and the
    path of the schedule on every node. The formula is then its `_formula`; its `forward` goes from a step to a rate.

    >>> from tracelr.schedules import fields
    >>> class SquareRoot(Schedule):
    ...     end: fields.Scalar
    ...     steps: fields.Steps
    ...
    ...     def forward(self, step, ops):
    ...         return ops.ramp(step, self.steps, 0.0, ops.sqrt(ops.full(step, self.end)))
    >>> SquareRoot(end=4.0, steps=2)(torch.arange(4))
    tensor([0., 1., 2., 2.])
    """

    _overlay: ClassVar[type[FieldOverlay]]
    _driven: tuple[str, ...] = ()  # the fields that hold a schedule in place of a number
    _depth = _size = 1
    _name: str = ""

    if TYPE_CHECKING:  # that of nn.Module has no types

        def __call__(self, step: int | Tensor | Sequence[int]) -> Tensor: ...

    def __init_subclass__(cls) -> None:
        if cls.__bases__[0].__module__.startswith("torch."):
            return  # torch.export makes such a class for a schedule that a module holds twice
        if Schedule not in cls.__bases__ or "forward" not in vars(cls):
            allowed = "a direct subclass of Schedule that defines forward(step, ops)"
            spelled = "write forward(self, step, ops) in place of evaluate(self, step, A)"
            fix = spelled if "evaluate" in vars(cls) else "derive it from Schedule, and define forward in it"
            raise ScheduleTypeError("schedule class", Unquoted(cls.__name__), allowed, fix)
        check_formula(f"{cls.__name__}.forward", vars(cls)["forward"])
        cls._declare()
        cls._overlay = overlay_class(cls)
        # The methods change places, which mypy forbids: the docstring of this file says why they do.
        cls._formula, cls.forward = cls.forward, forward  # type: ignore[method-assign, assignment]
        other = REGISTRY.setdefault(cls.__name__, cls)
        if (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
            fix = f"rename it; {other.__module__} has this name"
            raise ScheduleError("schedule class", cls.__name__, "a name not taken yet", fix)
        REGISTRY[cls.__name__] = cls
        super().__init_subclass__()

    def __post_init__(self) -> None:
        self._driven = tuple(
            n for n, rule in self._rules.items() if rule.drivable and isinstance(getattr(self, n), Schedule)
        )
        try:
            super().__post_init__()
        except (TypeError, AttributeError) as error:
            if not self._driven or isinstance(error, ScheduleTypeError):
                raise
            where, given = type(self).__name__, Unquoted(f"{' and '.join(self._driven)} as a schedule")
            allowed = "a number where prepare() computes a constant from it"
            raise ScheduleError(where, given, allowed, "compute it in forward(), or pass a number") from error
        self._depth = 1 + max((one._depth for one in self._children()), default=0)
        if self._depth > DEEPEST:
            given, allowed = Unquoted(f"schedules in schedules, {self._depth} levels of them"), f"{DEEPEST} levels at most"
            fix = "put all of them into one Sum, Product or Sequential"
            raise ScheduleError(type(self).__name__, given, allowed, fix)
        self._size = 1 + sum(one._size for one in self._children())
        if self._size > MOST:
            given, allowed = Unquoted(f"a tree of {self._size} schedules"), f"{MOST} at most, each as often as it occurs"
            fix = "write its numbers into one Interpolate, PiecewiseConstant or MultiStep"
            raise ScheduleError(type(self).__name__, given, allowed, fix)

    def _children(self) -> Iterator[Schedule]:
        """Yield the schedules in the fields of this one."""
        for name in self._rules:
            value = getattr(self, name)
            entries = value if isinstance(value, nn.ModuleList) else [value]
            yield from (entry for entry in entries if isinstance(entry, Schedule))

    def __repr__(self) -> str:
        """Return Python, and a spec line, that builds an equal schedule, as a person would write it."""
        from tracelr.schedules.compose import written

        return written(self)

    @abstractmethod
    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        """Return the value at `step` (int64, any shape, from 0 to 2**53), before rounding, in the arithmetic `ops`.

        The author of a schedule writes it. To evaluate a schedule, call it; to evaluate it before rounding, call its `wide`.
        """
        raise TypeError(f"{type(self).__name__} is abstract: a schedule defines forward(step, ops)")

    @property
    def length(self) -> int | None:
        """How many steps the schedule lasts before it holds or is handed over; None if it says nothing about that.

        A field that a schedule drives moves as long as that schedule does, so the longest of them counts.

        >>> from tracelr import Linear
        >>> Linear(start=1.0, end=0.0, steps=10).length, Linear(start=1.0, end=Linear(0.5, 0.0, 100), steps=10).length
        (10, 100)
        """
        own = self.own_length
        driving = (getattr(self, name).length for name in self._driven)
        return None if own is None else max([own, *(length for length in driving if length is not None)])

    @property
    def own_length(self) -> int | None:
        """The length of a schedule without driven fields: if a class has no property of its own, its field `steps`."""
        return getattr(self, "steps", None)

    def segments(self) -> Segments:
        """Return the segments of the schedule, without gaps from step 0 on; the last one has no end.

        >>> from tracelr import Linear
        >>> [(one.first, one.until, one.shape) for one in Linear(start=0.0, end=1.0, steps=10).segments()]
        [(0, 10, 'in a straight line'), (10, None, '')]
        """
        try:
            found = self._driven_segments() if self._driven else self.own_segments()
        except ScheduleError:  # a curve of a segment would be too deep, or its values too large
            found = endless(self, f"as {type(self).__name__}", turns=True)
        found = [segment for segment in found if segment.first <= LAST_STEP]
        return [*found[:-1], found[-1]._replace(until=None)]

    def _driven_segments(self) -> Segments:
        """Return one segment as long as a field moves, and a flat one if all of them, and the formula, hold after that."""
        shape = f"as {type(self).__name__}, its {' and '.join(self._driven)} being driven"
        moving = [getattr(self, name).segments()[-1] for name in self._driven]
        still = replace(self, **{name: 0.25 * 2.0**-k for k, name in enumerate(self._driven)})  # type: ignore[type-var]
        last = [*moving, still.segments()[-1]]
        first = max(segment.first for segment in last)
        bounds = sorted({0, first, *(segment.first for segment in still.segments())})
        found = [Segment(a, b, shape, self, turns=True) for a, b in zip(bounds, [*bounds[1:], None], strict=True)]
        held = all(segment.flat for segment in last)
        return [segment._replace(shape="", turns=False) if held and segment.first >= first else segment for segment in found]

    def own_segments(self) -> Segments:
        """Return the segments of a schedule without driven fields: if a class has no method of its own, one by its name."""
        return to_length(self, f"as {type(self).__name__}")

    @property
    def has_tensor_fields(self) -> bool:
        """Whether a field of this schedule or of one inside it is a tensor, whose value may change between two calls."""
        every = (module for module in self.modules() if isinstance(module, Schedule))
        return any(isinstance(getattr(one, name), Tensor) for one in every for name in one._rules)

    def _carries_gradients(self) -> bool:
        return torch.is_grad_enabled() and any(t.requires_grad for t in (*self.parameters(), *self.buffers()))

    def wide(self, step: Tensor, ops: Arithmetic) -> Real:
        """Return the value at `step` before rounding. A formula evaluates a schedule inside it with this method."""
        return self(step, ops)  # type: ignore[call-arg]  # as a module, see the top of this file

    @property
    def is_power(self) -> bool:
        """Whether the value is numbers times powers, as `as_power` returns them."""
        return False

    def as_power(self, step: Tensor, ops: Arithmetic) -> Power:
        """Return the value at `step` in parts, for a product, which adds up the exponents before it raises to them."""
        raise NotImplementedError(type(self).__name__)

    def _evaluated(self, step: Tensor, ops: Arithmetic) -> Real:
        """Return the value of the formula, in which each driven field reads as its value at this step."""
        if not self._driven:
            return self._formula(step, ops)
        overlay = self._overlay(self)
        for name in self._driven:
            setattr(overlay, name, getattr(self, name).wide(step, ops))
        return overlay.forward(step, ops)

    def then(
        self,
        other: Schedule,
        at: int | None = None,
        join: Literal["jump", "scale", "shift"] = "jump",
        reset: bool | Literal["rescale"] = True,
    ) -> Sequential:
        """Run this schedule, and from step `at` on `other`, which starts at its own step 0.

        `at` defaults to the length of this schedule. `join` and `reset` are those of `Sequential`; "rescale" fits this
        schedule to the `at` steps it has.

        >>> from tracelr import Constant, Linear
        >>> Linear(start=0.0, end=1.0, steps=2).then(Constant(1.0))(torch.arange(4))
        tensor([0.0000, 0.5000, 1.0000, 1.0000])
        """
        from tracelr.schedules.compose import Sequential

        at = self.length if at is None else at
        if at is None:
            allowed = "a step; this schedule has no length of its own"
            raise ScheduleError(f"{type(self).__name__}.then(at)", at, allowed, "pass at=<the step to switch at>")
        return Sequential((self, other), (at,), reset, join)

    def __or__(self, other: Schedule) -> Sequential:
        return self.then(other)

    def __neg__(self) -> Scale:
        return self * -1.0  # type: ignore[return-value]  # a schedule times a number

    def __truediv__(self, other: float) -> Scale:
        where, allowed = f"{type(self).__name__} / ...", "a number other than 0, whose inverse is a finite number"
        if isinstance(other, (Schedule, Tensor)):
            fix = "multiply by a schedule, or by a tensor, that holds the inverse"
            raise ScheduleTypeError(where, other, allowed, fix)
        divisor = fields.number(where, other, allowed)
        if not abs(divisor) >= 1 / fields.LARGEST:
            raise ScheduleError(where, other, allowed, "divide by a larger number")
        return self * (1.0 / divisor)  # type: ignore[return-value]  # a schedule times a number

    def __mul__(self, other: Schedule | float | Tensor) -> Product | Scale:
        from tracelr.schedules.compose import Product, Scale

        return Product((self, other)) if isinstance(other, Schedule) else Scale(self, other)

    __rmul__ = __mul__

    def __add__(self, other: Schedule | float | Tensor) -> Sum:
        from tracelr.schedules.compose import Sum, lift

        return Sum((self, lift(other)))

    __radd__ = __add__

    def __sub__(self, other: Schedule | float | Tensor) -> Sum:
        from tracelr.schedules.compose import lift

        return self + lift(other) * -1.0

    def __rsub__(self, other: float | Tensor) -> Sum:
        return self * -1.0 + other

    def clamp(self, low: float | None = None, high: float | None = None) -> Clamp:
        """Keep the values between `low` and `high`; None stands for no bound.

        >>> from tracelr import Linear
        >>> Linear(start=1.0, end=0.0, steps=4).clamp(low=0.3, high=0.8)(range(5))
        tensor([0.8000, 0.7500, 0.5000, 0.3000, 0.3000])
        """
        from tracelr.schedules.compose import Clamp

        return Clamp(self, low, high)

    def warmup(
        self, steps: float, start: float = 0.0, kind: Warmup = "linear", prefix: bool = True, origin: Origin = "0"
    ) -> Schedule:
        """Multiply by a factor that goes from `start` to 1 in `steps` steps along `kind`, a name of `Ramp`, or "constant".

        `steps` is an int, or a float below 1 that is a fraction of the length of this schedule; 0 is no warm-up.

        With `prefix` the schedule begins after the warm-up, so the result is `steps` steps longer (HF, Keras). Without it
        the warm-up covers the first steps of the schedule (timm, except that timm jumps where its warm-up ends).

        `origin` says how far along step t of n is. "0", t/n: `start` at step 0, the peak at n (HF, optax, Keras,
        Megatron, Composer, timm). "1/n", (t+1)/n: one step earlier, the peak at n - 1 (torchtitan, OLMo, fairseq's fixed).
        "1/(n+1)", (t+1)/(n+1): the peak at n (NeMo). DeepSpeed's warm-up of n steps is `warmup(n - 1, kind="log")`.

        Raises `ScheduleError` for a fraction if the schedule has no length.

        >>> from tracelr import Linear
        >>> Linear(start=1.0, end=0.0, steps=4).warmup(2)(torch.arange(7))
        tensor([0.0000, 0.5000, 1.0000, 0.7500, 0.5000, 0.2500, 0.0000])
        >>> Linear(start=1.0, end=0.0, steps=4).warmup(0.5, prefix=False)(torch.arange(5))
        tensor([0.0000, 0.3750, 0.5000, 0.2500, 0.0000])
        >>> Linear(start=1.0, end=0.0, steps=4).warmup(2, origin="1/n")(torch.arange(4))
        tensor([0.5000, 1.0000, 1.0000, 0.7500])
        """
        from tracelr.schedules.compose import warmup

        return warmup(self, steps, start, kind, prefix, origin)

    def cooldown(
        self, steps: float, at: float | None = None, end: float | Tensor = 0.0, kind: EasingName = "linear"
    ) -> Schedule:
        """From step `at` on, go from the value there to `end` in `steps` steps along `kind`, a name of `Ramp`, and hold.

        `steps` and `at` are ints, or floats below 1 that are fractions of the length of this schedule. Without `at` the
        cool-down is the last `steps` steps of that length. Over 0 steps the value is `end` at once.

        Raises `ScheduleError` for a fraction, or without `at`, if the schedule has no length.

        >>> from tracelr import Constant, Linear
        >>> Constant(1.0).cooldown(steps=4, at=1)(torch.arange(6))
        tensor([1.0000, 1.0000, 0.7500, 0.5000, 0.2500, 0.0000])
        >>> Linear(start=1.0, end=0.5, steps=10).cooldown(0.2)(torch.arange(7, 11))
        tensor([0.6500, 0.6000, 0.3000, 0.0000])
        """
        from tracelr.schedules.compose import cooldown

        return cooldown(self, steps, at, end, kind)

    def named(self, name: str) -> Self:
        """Return this schedule with a name, which is the title of its pictures. Its value, `==` and `to_dict` stay the same.

        >>> from tracelr import Constant
        >>> Constant(0.1).named("baseline").name, Constant(0.1).named("baseline") == Constant(0.1)
        ('baseline', True)
        """
        if not isinstance(name, str):
            raise ScheduleTypeError(f"{type(self).__name__}.named(name)", name, "a str", "pass a text")
        same = replace(self)  # type: ignore[type-var]  # __init_subclass__ makes the dataclass
        same._name = name
        return same

    @property
    def name(self) -> str:
        """The name that `named` gave, or ""."""
        return self._name

    def over(self, total: int) -> Schedule:
        """Return this schedule fitted to `total` steps: each number of steps in it is multiplied by `total / length`.

        Each step at which the formula changes is rounded to the nearest one, and the last one is `total` exactly.

        Raises `ScheduleError` for a schedule without a length, for a `Lambda`, and for a total that is not made of whole
        cycles. `Noise` stays as it is.

        >>> from tracelr import Cosine
        >>> Cosine(start=1.0, end=0.0, steps=97).warmup(3).over(1000)
        Cosine(start=1.0, end=0.0, steps=970).warmup(30)
        """
        total = fields.integer(f"{type(self).__name__}.over(total)", total, 1, "an int from 1 to 2**53")
        if not self.length:
            given, allowed = Unquoted("a schedule without a length"), "a schedule with a length"
            raise ScheduleError(f"{type(self).__name__}.over", given, allowed, "give it one, as Shorten does")
        for one in self.modules():
            if isinstance(one, Schedule):
                one._check_fit()
        found = self.fitted(Fit(total, self.length), 0)
        if found.length != total:
            given, allowed = Unquoted(f"{total} steps, which would be {found.length}"), "a total of whole cycles or pieces"
            raise ScheduleError(f"{type(self).__name__}.over(total)", given, allowed, f"pass {found.length}")
        found._name = self._name
        return found

    def fitted(self, fit: Fit, origin: int) -> Schedule:
        """Return this schedule, whose step 0 is step `origin` of the one that is fitted, with its numbers of steps fitted.

        A class overrides it if a number of steps in it is in a field of another type, or does not count from its step 0.
        """
        changed: dict[str, Any] = {}
        for name, rule in self._rules.items():
            value = getattr(self, name)
            if isinstance(value, Schedule):
                changed[name] = value.fitted(fit, origin)
            elif isinstance(value, nn.ModuleList):
                changed[name] = [one.fitted(fit, origin) for one in value if isinstance(one, Schedule)]
            elif isinstance(rule, fields.Increasing):
                changed[name] = [fit.span(origin, step) for step in value]
            elif rule.in_steps and value is not None:
                changed[name] = fit.span(origin, value)
        return replace(self, **changed)  # type: ignore[type-var]  # __init_subclass__ makes the dataclass

    def _check_fit(self) -> None:
        """Raise `ScheduleError` if this schedule, of a class of the user, has other values when it is made longer."""
        if type(self).__module__.partition(".")[0] == "tracelr":
            return  # the tests cover these
        steps = torch.arange(64, device="cpu") * max((self.length or 1000) // 63, 1)
        with torch.no_grad():
            short, long = self(steps), self.fitted(Fit(3, 1), 0)(3 * steps)
        if not torch.allclose(short, long, rtol=1e-4, atol=1e-6 * float(short.abs().max())):
            given, allowed = Unquoted("a formula with a rate for each step"), "numbers of steps in fields of a type in steps"
            raise ScheduleError(f"{type(self).__name__}.over", given, allowed, "override its method fitted(fit, origin)")

    def drive(self, **schedules: Schedule) -> Self:
        """Return this schedule with schedules in some fields. At each step such a field has the value of its schedule.

        Any field of type `Scalar` can be driven; `Linear(start=Cosine(...), ...)` is the same.

        >>> from tracelr import Cyclic, Exponential
        >>> wave = Cyclic(low=0.0, high=1.0, up=2).drive(high=Exponential(start=1.0, rate=0.5, steps=4))
        >>> wave(torch.tensor([2, 6, 10]))
        tensor([0.7071, 0.3536, 0.1768])
        """
        drivable = [name for name, rule in self._rules.items() if rule.drivable]
        for name, given in schedules.items():
            where = f"{type(self).__name__}.drive({name})"
            if name not in drivable:
                allowed = ", ".join(drivable) or "no field: what it is made of has them"
                raise ScheduleError(where, given, allowed, "drive one of these")
            if not isinstance(given, Schedule):
                raise ScheduleTypeError(where, given, "a tracelr schedule", "pass a schedule")
        return replace(self, **schedules)  # type: ignore[type-var]  # __init_subclass__ makes the dataclass


def is_int(given: object) -> bool:
    """Return whether `given` is an integer of any type. A bool is not one."""
    return isinstance(given, Integral) and not isinstance(given, bool)


def steps_tensor(where: str, given: Any) -> Tensor:
    """Return steps as a tensor: an int of another type, such as NumPy's, a range, an array or a list of ints."""
    if is_int(given):
        return torch.tensor(min(max(int(given), 0), LAST_STEP))
    if type(given).__module__ == "numpy" and getattr(getattr(given, "dtype", None), "kind", "") in ("i", "u"):
        given = given.clip(0, LAST_STEP) if given.dtype.itemsize == 8 else given
        return torch.from_numpy(given.astype("int64"))
    if not isinstance(given, range) and not (isinstance(given, (list, tuple)) and all(map(is_int, given))):
        raise ScheduleTypeError(where, given, _STEP, "pass int(step)")
    if isinstance(given, range) and all(abs(one) <= LAST_STEP for one in (given.start, given.stop, given.step)):
        return torch.arange(len(given)) * given.step + given.start
    return torch.tensor([min(max(int(one), 0), LAST_STEP) for one in given], dtype=torch.int64)


def forward(self: Schedule, step: int | Tensor, ops: Arithmetic | None = None) -> Tensor:
    """Return the rate at `step` as float32, of the shape of `step`: this is what `schedule(step)` calls.

    It evaluates what the author of the class wrote as `forward(step, ops)`, which the class keeps as `_formula`. With `ops`,
    which `wide` passes on, it returns the value before rounding, at a step that has been checked and clamped.
    """
    if ops is not None and not isinstance(ops, Proxy):  # symbolic_trace passes one for each argument
        return self._evaluated(step, ops)  # type: ignore[arg-type, no-any-return]  # wide() takes a tensor
    device = None
    if isinstance(step, Tensor):
        if step.dtype not in (torch.int64, torch.int32):
            where, given = f"{type(self).__name__}(step)", Unquoted(f"a {str(step.dtype).removeprefix('torch.')} tensor")
            raise ScheduleTypeError(where, given, _STEP, "use step.long(), or count in an int64 tensor")
        device = step.device
    elif isinstance(step, int) and not isinstance(step, bool):
        step = torch.tensor(min(max(step, 0), LAST_STEP))
    elif not isinstance(step, Proxy):
        step = steps_tensor(f"{type(self).__name__}(step)", step)
    # A long eager batch is evaluated in blocks that fit the cache, which is several times faster.
    if not torch.compiler.is_compiling() and type(step) is Tensor and step.is_cpu and step.numel() > _BLOCK:
        return torch.cat([self(block) for block in torch.split(step.reshape(-1), _BLOCK)]).reshape(step.shape)
    ops = arithmetic_for(device)
    step = step.to(torch.int64).clamp(0, LAST_STEP)
    value = ops.round(self._evaluated(step, ops))
    if ops is TWO_FLOAT and self._carries_gradients():
        # TWO_FLOAT works on bits, which have no gradient. That of F32 is used, from a term that is 0.
        stand_in = F32.round(self._evaluated(step, F32))
        value = value + (stand_in - stand_in.detach())
    return value


def check_formula(where: str, given: object) -> None:
    """Raise `ScheduleTypeError` unless `given`, the `forward` of a new class, is a method that takes `step` and `ops`."""
    shown = type(given).__name__
    if isinstance(given, FunctionType):
        if given.__code__.co_argcount == 3 and not given.__code__.co_kwonlyargcount:
            return  # a signature costs a tenth of what it takes to make the class
        try:
            signature(given).bind("self", "step", "ops")
            return
        except TypeError:
            shown = f"forward{signature(given)}"
    raise ScheduleTypeError(where, Unquoted(shown), "a method forward(self, step, ops)", "define it so")


class FieldOverlay:
    """Abstract base of what stands in for `self` in a formula with driven fields, one class for each schedule class.

    A formula reads `self.start`. If that field is a schedule, it has to read as its value at this step. So the formula runs
    on an overlay: what is set on it hides the attribute of the schedule, it reads everything else from the schedule, and it
    has the methods and properties of the schedule's class, which see the same values. Nothing is copied or changed. An
    overlay lives for one evaluation, also inside a trace.
    """

    def __init__(self, schedule: Any) -> None:
        self._schedule = schedule

    def __getattr__(self, name: str) -> Any:
        return getattr(self._schedule, name)


def overlay_class(cls: type) -> type[FieldOverlay]:
    """Return the class of the overlays of a schedule class, before `_formula` is set there: `forward` is the formula."""
    own = {n: member for n, member in vars(cls).items() if isinstance(member, (FunctionType, property)) and n[:2] != "__"}
    return type(cls.__name__, (FieldOverlay,), own)


# What a field is for `to_dict`, `repr`, `==` and `hash`.

_LISTS = (tuple, list, nn.ModuleList)


def to_plain(value: Any, tensor: Callable[[Tensor], Any]) -> Any:
    """Return a field, or a schedule, as numbers, strings, lists and dicts; `tensor` says what a tensor becomes."""
    if isinstance(value, (tuple, nn.ModuleList)):
        return [to_plain(entry, tensor) for entry in value]
    if isinstance(value, nn.Module):
        fields: Any = value._rules  # a schedule: no other module is a field
        return {"schedule": type(value).__name__} | {name: to_plain(getattr(value, name), tensor) for name in fields}
    return tensor(value) if isinstance(value, Tensor) else getattr(value, "identity", value)  # of a function


def equal_fields(one: Any, other: Any) -> bool:
    """Whether two fields are the same: a number bit by bit, a tensor by its identity, a function by its `identity`."""
    if type(one) is not type(other):
        return False
    if isinstance(one, _LISTS):
        return len(one) == len(other) and all(map(equal_fields, one, other))
    if isinstance(one, Tensor) or not isinstance(one, Hashable):
        return one is other
    if isinstance(one, float):
        return bool(one.hex() == other.hex())
    return bool(getattr(one, "identity", one) == getattr(other, "identity", other))


def field_key(value: Any) -> Any:
    """Return what a field adds to the hash: the same for equal fields, also after a tensor has moved."""
    if isinstance(value, _LISTS):
        return tuple(map(field_key, value))
    return type(value) if isinstance(value, Tensor) or not isinstance(value, Hashable) else getattr(value, "identity", value)
