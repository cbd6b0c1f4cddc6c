"""Schedule: a learning rate as a pure tensor function of the step."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, TypeAlias, TypeVar, dataclass_transform, get_type_hints

import torch
from torch import Tensor, nn
from torch.fx import Proxy

from tracelr import fields
from tracelr.arithmetic import LAST_STEP, Arithmetic, Wide, arithmetic_for
from tracelr.describe import plain, shown
from tracelr.errors import ScheduleError, ScheduleTypeError, Words, explain
from tracelr.tables import Tables

if TYPE_CHECKING:
    from tracelr.compose import Product, Scale, Sequential, Sum

REGISTRY: dict[str, type[Schedule]] = {}
"""Every schedule class by its name. Config, command line, docs and tests read it."""

_Self = TypeVar("_Self", bound="Schedule")
_Ramp: TypeAlias = Literal["linear", "cosine", "constant"]
_STEP = "a Python int, or an int64 or int32 tensor of any shape"


class _Inside(NamedTuple):
    """A step on its way to a child: clamped already, with the arithmetic the parent computes in."""

    step: Tensor
    arithmetic: Arithmetic


@dataclass_transform(eq_default=False)
class Schedule(Tables):
    """Abstract base of every schedule: an immutable value, called with a step.

    A subclass declares its fields by annotation and writes `evaluate`. It becomes a dataclass, and a module, so that
    `torch.export` keeps the author's source line and the owner's path on every node.

    Calling it with an int64 or int32 tensor of any shape gives float32 of that shape; a Python int gives a 0-d tensor.
    A negative step counts as 0. The unit is optimizer updates.
    """

    _rules: ClassVar[dict[str, fields.Rule]] = {}
    _sealed: bool = False

    def __init_subclass__(cls) -> None:
        if Schedule not in cls.__bases__ or cls.evaluate is Schedule.evaluate:
            allowed = "a direct subclass of Schedule that defines evaluate(step, A)"
            raise ScheduleTypeError(explain("schedule class", Words(cls.__name__), allowed, "derive it from Schedule"))
        # torch.export records source lines of frames called `forward` only; the author's formula is in `evaluate`.
        cls.evaluate.__code__ = cls.evaluate.__code__.replace(co_name="forward")
        dataclass(eq=False, repr=False)(cls)
        hints = get_type_hints(cls, include_extras=True)
        cls._rules = {}
        for name in cls.__dataclass_fields__:  # type: ignore[attr-defined]
            rule = fields.rule_of(hints[name])
            if rule is None or name == "schedule":  # the key under which to_dict writes the class
                allowed = "a type of tracelr.fields, such as Scalar or Steps, and a name other than schedule"
                raise ScheduleTypeError(
                    explain(f"{cls.__name__}.{name}", hints[name], allowed, "annotate it so, or rename it")
                )
            cls._rules[name] = rule
            if name in vars(cls):  # a default: on the class, it would hide the tensor that a module keeps under its name
                delattr(cls, name)
        other = REGISTRY.setdefault(cls.__name__, cls)
        if (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
            fix = f"rename it; {other.__module__} has this name"
            raise ScheduleError(explain("schedule class", cls.__name__, "a name not taken yet", fix))
        REGISTRY[cls.__name__] = cls

    def __new__(cls: type[_Self], *args: Any, **kwargs: Any) -> _Self:
        self = super().__new__(cls)
        Tables.__init__(self)
        return self

    def __post_init__(self) -> None:
        kept = {name: getattr(self, name) for name in self._rules}
        for name, rule in self._rules.items():
            rule.relate(f"{type(self).__name__}.{name}", kept[name], kept)
        self.prepare()
        self._sealed = True

    @abstractmethod
    def evaluate(self, step: Tensor, A: Arithmetic) -> Wide:
        """Return the value at `step` (int64, any shape, 0 to 2**53) as a wide number of the arithmetic `A`."""
        raise TypeError(f"{type(self).__name__} is abstract: a schedule defines evaluate(step, A)")

    def prepare(self) -> None:
        """Compute constants of the fields once, outside traced code, and keep them as private attributes."""

    @property
    def length(self) -> int | None:
        """How many steps the schedule lasts before it holds or is handed over; None if it says nothing about that."""
        return getattr(self, "steps", None)

    @property
    def has_tensor_fields(self) -> bool:
        """Whether a field, here or in a child, is a tensor: its value may change between two calls."""
        every = (module for module in self.modules() if isinstance(module, Schedule))
        return any(isinstance(getattr(one, name), Tensor) for one in every for name in one._rules)

    def forward(self, step: int | Tensor) -> Tensor:
        if isinstance(step, _Inside):
            return self.evaluate(step.step, step.arithmetic)
        device = None
        if isinstance(step, Tensor):
            if step.dtype not in (torch.int64, torch.int32):
                where, given = f"{type(self).__name__}(step)", Words(f"a {str(step.dtype).removeprefix('torch.')} tensor")
                raise ScheduleTypeError(explain(where, given, _STEP, "use step.long(), or count in an int64 tensor"))
            device = step.device
        elif isinstance(step, int) and not isinstance(step, bool):
            step = torch.tensor(min(max(step, 0), LAST_STEP))
        elif not isinstance(step, Proxy):
            raise ScheduleTypeError(explain(f"{type(self).__name__}(step)", step, _STEP, "pass int(step)"))
        A = arithmetic_for(device)
        return A.round(self.evaluate(step.to(torch.int64).clamp(0, LAST_STEP), A))

    def wide(self, step: Tensor, A: Arithmetic) -> Wide:
        """Return the value before rounding. A schedule made of schedules calls its children so."""
        return self(_Inside(step, A))

    def then(self, other: Schedule, at: int | None = None) -> Sequential:
        """Run this schedule, and from step `at` on `other`, which starts at its own step 0.

        `at` defaults to this schedule's own length.

        >>> from tracelr import Constant, Linear
        >>> Linear(start=0.0, end=1.0, steps=2).then(Constant(1.0))(torch.arange(4))
        tensor([0.0000, 0.5000, 1.0000, 1.0000])
        """
        from tracelr.compose import Sequential

        at = self.length if at is None else at
        if at is None:
            allowed = "a step; this schedule has no length of its own"
            raise ScheduleError(explain(f"{type(self).__name__}.then(at)", at, allowed, "pass at=<the step to switch at>"))
        return Sequential((self, other), (at,))

    def __mul__(self, other: Schedule | float | Tensor) -> Product | Scale:
        from tracelr.compose import Product, Scale

        return Product((self, other)) if isinstance(other, Schedule) else Scale(self, other)

    __rmul__ = __mul__

    def __add__(self, other: Schedule | float | Tensor) -> Sum:
        from tracelr.compose import Sum, lift

        return Sum((self, lift(other)))

    __radd__ = __add__

    def __sub__(self, other: Schedule | float | Tensor) -> Sum:
        from tracelr.compose import lift

        return self + lift(other) * -1.0

    def __rsub__(self, other: float | Tensor) -> Sum:
        return self * -1.0 + other

    def warmup(self, steps: int, start: float = 0.0, kind: _Ramp = "linear", prefix: bool = True) -> Product:
        """Multiply by a factor that goes from `start` to 1 in `steps` steps: "linear", "cosine" or "constant".

        With `prefix` the schedule's own time begins after the warm-up, which makes it `steps` longer (HF, Keras); without,
        the warm-up covers its first steps (timm, except that timm jumps where its warm-up ends).

        >>> from tracelr import Linear
        >>> Linear(start=1.0, end=0.0, steps=4).warmup(2)(torch.arange(7))
        tensor([0.0000, 0.5000, 1.0000, 0.7500, 0.5000, 0.2500, 0.0000])
        >>> Linear(start=1.0, end=0.0, steps=4).warmup(2, prefix=False)(torch.arange(5))
        tensor([0.0000, 0.3750, 0.5000, 0.2500, 0.0000])
        """
        from tracelr.compose import warmup

        return warmup(self, steps, start, kind, prefix)

    def cooldown(self, steps: int, at: int, end: float | Tensor = 0.0) -> Sum:
        """From step `at` on, go from the value there to `end` in a straight line of `steps` steps, and hold.

        >>> from tracelr import Constant
        >>> Constant(1.0).cooldown(steps=4, at=1)(torch.arange(6))
        tensor([1.0000, 1.0000, 0.7500, 0.5000, 0.2500, 0.0000])
        """
        from tracelr.compose import cooldown

        return cooldown(self, steps, at, end)

    def to_dict(self) -> dict[str, Any]:
        """Return plain types that `tracelr.from_dict` reads back; a tensor field is written as the number it holds.

        >>> from tracelr import Linear
        >>> Linear(start=0.0, end=1.0, steps=2).to_dict()
        {'schedule': 'Linear', 'start': 0.0, 'end': 1.0, 'steps': 2}
        """
        return plain(self, float)  # type: ignore[no-any-return]

    def fingerprint(self) -> str:
        """Return 16 hex digits that change when the schedule does. The value of a tensor field does not count.

        >>> from tracelr import Constant
        >>> Constant(0.1).fingerprint() == Constant(0.2).fingerprint()
        False
        """
        described = plain(self, lambda _: "tensor")
        return hashlib.sha256(json.dumps(described).encode()).hexdigest()[:16]

    def __repr__(self) -> str:
        parts = (f"{name}={shown(getattr(self, name))}" for name in self._rules)
        return f"{type(self).__name__}({', '.join(parts)})"

    def __setattr__(self, name: str, value: Any) -> None:
        rule = self._rules.get(name)
        if rule is None:
            super().__setattr__(name, value)
            return
        where = f"{type(self).__name__}.{name}"
        if self._sealed:
            fix = f"build a new one: dataclasses.replace(schedule, {name}=...)"
            raise ScheduleTypeError(explain(where, value, "nothing, a schedule is immutable", fix))
        value = rule.parse(where, value)
        if isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
            self.register_buffer(name, value, persistent=False)
            return
        super().__setattr__(name, value)
        if rule.table is not None:
            self.keep(name, value, rule.table)
