"""Schedule: a learning rate as a pure tensor function of the step."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar, dataclass_transform, get_type_hints

import torch
from torch import Tensor, nn
from torch.fx import Proxy

from tracelr import fields
from tracelr.arithmetic import LAST_STEP, Arithmetic, Wide, arithmetic_for
from tracelr.errors import ScheduleError, ScheduleTypeError, Words, explain

if TYPE_CHECKING:
    from tracelr.compose import Product, Scale, Sequential

REGISTRY: dict[str, type[Schedule]] = {}
"""Every schedule class by its name. Config, command line, docs and tests read it."""

_Self = TypeVar("_Self", bound="Schedule")
_STEP = "a Python int, or an int64 or int32 tensor of any shape"


class _Inside(NamedTuple):
    """A step on its way to a child: clamped already, with the arithmetic the parent computes in."""

    step: Tensor
    arithmetic: Arithmetic


@dataclass_transform(eq_default=False)
class Schedule(nn.Module):
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
            rule = next((r for r in getattr(hints[name], "__metadata__", ()) if isinstance(r, fields.Rule)), None)
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
        nn.Module.__init__(self)
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

    def table(self, name: str) -> Tensor:
        """Return the list field `name`, or what `keep` kept as `name`, as a tensor on the schedule's device."""
        return self.get_buffer(f"{name}_table")

    def keep(self, name: str, values: Sequence[float], dtype: torch.dtype) -> None:
        """Keep `values` for `table(name)`."""
        self.register_buffer(f"{name}_table", torch.tensor(values, dtype=dtype), persistent=False)

    @property
    def length(self) -> int | None:
        """How many steps the schedule lasts before it holds or is handed over; None if it says nothing about that."""
        return getattr(self, "steps", None)

    @property
    def has_tensor_fields(self) -> bool:
        """Whether a field, here or in a child, is a tensor: its value may change between two calls."""
        mine = any(isinstance(getattr(self, name), Tensor) for name in self._rules)
        return mine or any(
            child.has_tensor_fields for child in self.modules() if child is not self and isinstance(child, Schedule)
        )

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

    def to_dict(self) -> dict[str, Any]:
        """Return plain types that `tracelr.from_dict` reads back; a tensor field is written as the number it holds.

        >>> from tracelr import Linear
        >>> Linear(start=0.0, end=1.0, steps=2).to_dict()
        {'schedule': 'Linear', 'start': 0.0, 'end': 1.0, 'steps': 2}
        """
        return _plain(self, float)  # type: ignore[no-any-return]

    def fingerprint(self) -> str:
        """Return 16 hex digits that change when the schedule does. The value of a tensor field does not count.

        >>> from tracelr import Constant
        >>> Constant(0.1).fingerprint() == Constant(0.2).fingerprint()
        False
        """
        plain = _plain(self, lambda _: "tensor")
        return hashlib.sha256(json.dumps(plain).encode()).hexdigest()[:16]

    def __repr__(self) -> str:
        parts = (f"{name}={_shown(getattr(self, name))}" for name in self._rules)
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

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Schedule:
        # A model's .half() or .to(bfloat16) reaches its schedules too; they follow it to a device, never to a dtype.
        def keep_dtype(tensor: Tensor) -> Tensor:
            moved = fn(tensor)
            return moved if moved.dtype == tensor.dtype else tensor.to(moved.device)

        super()._apply(keep_dtype, recurse)  # type: ignore[no-untyped-call]
        return self


def _plain(value: Any, tensor: Callable[[Tensor], Any]) -> Any:
    if isinstance(value, Schedule):
        return {"schedule": type(value).__name__} | {n: _plain(getattr(value, n), tensor) for n in value._rules}
    if isinstance(value, Tensor):
        return tensor(value)
    if isinstance(value, tuple | nn.ModuleList):
        return [_plain(v, tensor) for v in value]
    return value


def _shown(value: Any) -> str:
    return "[" + ", ".join(map(repr, value)) + "]" if isinstance(value, tuple | nn.ModuleList) else repr(value)
