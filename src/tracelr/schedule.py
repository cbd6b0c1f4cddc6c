"""Schedule: a learning rate as a pure tensor function of the step."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal, Self, dataclass_transform

import torch
from torch import Tensor, nn
from torch.fx import Proxy

from tracelr.arithmetic import F32, LAST_STEP, TWO_FLOAT, Arithmetic, Formula, Wide, arithmetic_for
from tracelr.describe_.display import Display
from tracelr.ease import Easing, Origin, Warmup
from tracelr.errors import ScheduleError, ScheduleTypeError, Words
from tracelr.value import Value
from tracelr.view import View, view_of

if TYPE_CHECKING:
    from tracelr.compose import Product, Scale, Sequential, Sum

_BLOCK = 2**16
REGISTRY: dict[str, type[Schedule]] = {}
"""Every schedule class by its name. Config, command line, docs and tests read it."""

DEEPEST = 64
"""How deep schedules nest: Python evaluates, copies and traces this many with its own limit of recursion."""

_STEP = "a Python int, or an int64 or int32 tensor of any shape"


@dataclass_transform(eq_default=False, frozen_default=True)
class Schedule(Formula, Display, Value):
    """Abstract base of every schedule: an immutable value, called with a step.

    A subclass declares its fields by annotation and writes `forward(step, ops)`. It becomes a dataclass, and a module, so
    that `torch.export` keeps the author's source line and the owner's path on every node.

    Calling it with an int64 or int32 tensor of any shape gives float32 of that shape; a Python int gives a 0-d tensor.
    A negative step counts as 0. The unit is optimizer updates.
    """

    _view: ClassVar[type[View]]
    _driven: tuple[str, ...] = ()
    _depth = 1

    if TYPE_CHECKING:  # nn.Module's says nothing about arguments and result

        def __call__(self, step: int | Tensor) -> Tensor: ...

    def __init_subclass__(cls) -> None:
        if cls.__bases__[0].__module__.startswith("torch."):
            return  # torch.export makes such a class for a schedule that stands at two places
        if Schedule not in cls.__bases__ or "forward" not in vars(cls):
            allowed = "a direct subclass of Schedule that defines forward(step, ops)"
            spelled = "write forward(self, step, ops) in place of evaluate(self, step, A)"
            fix = spelled if "evaluate" in vars(cls) else "derive it from Schedule, and define forward in it"
            raise ScheduleTypeError("schedule class", Words(cls.__name__), allowed, fix)
        cls._declare()
        cls._view = view_of(cls)
        # The tracers of torch start at the `forward` of a module's class, and read the inputs from its signature. They have
        # to find the one below, from a step to a rate; it calls the author's.
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
            where, given = type(self).__name__, Words(f"{' and '.join(self._driven)} as a schedule")
            allowed = "a number where prepare() computes a constant from it"
            raise ScheduleError(where, given, allowed, "compute it in forward(), or pass a number") from error
        self._depth = 1 + max((one._depth for one in self._children()), default=0)
        if self._depth > DEEPEST:
            given, allowed = Words(f"schedules in schedules, {self._depth} levels of them"), f"{DEEPEST} levels at most"
            fix = "put all of them into one Sum, Product or Sequential"
            raise ScheduleError(type(self).__name__, given, allowed, fix)

    def _children(self) -> Iterator[Schedule]:
        """Yield the schedules that this one is made of."""
        for name in self._rules:
            value = getattr(self, name)
            parts = value if isinstance(value, nn.ModuleList) else [value]
            yield from (part for part in parts if isinstance(part, Schedule))

    @abstractmethod
    def forward(self, step: Tensor, ops: Arithmetic) -> Wide:
        """Return the value at `step` (int64, any shape, 0 to 2**53) as a wide number of the arithmetic `ops`.

        The author of a schedule writes it; others call the schedule, or its `wide`.
        """
        raise TypeError(f"{type(self).__name__} is abstract: a schedule defines forward(step, ops)")

    @property
    def length(self) -> int | None:
        """How many steps the schedule lasts before it holds or is handed over; None if it says nothing about that."""
        return getattr(self, "steps", None)

    @property
    def has_tensor_fields(self) -> bool:
        """Whether a field, here or in a child, is a tensor: its value may change between two calls."""
        every = (module for module in self.modules() if isinstance(module, Schedule))
        return any(isinstance(getattr(one, name), Tensor) for one in every for name in one._rules)

    def _carries_gradients(self) -> bool:
        return torch.is_grad_enabled() and any(t.requires_grad for t in (*self.parameters(), *self.buffers()))

    def wide(self, step: Tensor, ops: Arithmetic) -> Wide:
        """Return the value before rounding. A schedule made of schedules calls its children so."""
        return self(step, ops)  # type: ignore[call-arg]  # as a module, so that tracers keep who computes

    def _evaluated(self, step: Tensor, ops: Arithmetic) -> Wide:
        """Return what the author's `forward` gives, with the value at this step of each field that is a schedule."""
        if not self._driven:
            return self._formula(step, ops)
        view = self._view(self)
        for name in self._driven:
            setattr(view, name, getattr(self, name).wide(step, ops))
        return view.forward(step, ops)

    def then(
        self,
        other: Schedule,
        at: int | None = None,
        join: Literal["jump", "scale", "shift"] = "jump",
        reset: bool | Literal["rescale"] = True,
    ) -> Sequential:
        """Run this schedule, and from step `at` on `other`, which starts at its own step 0.

        `at` defaults to this schedule's own length. `join` and `reset` are those of `Sequential`; "rescale" fits this
        schedule to the `at` steps it has.

        >>> from tracelr import Constant, Linear
        >>> Linear(start=0.0, end=1.0, steps=2).then(Constant(1.0))(torch.arange(4))
        tensor([0.0000, 0.5000, 1.0000, 1.0000])
        """
        from tracelr.compose import Sequential

        at = self.length if at is None else at
        if at is None:
            allowed = "a step; this schedule has no length of its own"
            raise ScheduleError(f"{type(self).__name__}.then(at)", at, allowed, "pass at=<the step to switch at>")
        return Sequential((self, other), (at,), reset, join)

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

    def warmup(
        self, steps: int, start: float = 0.0, kind: Warmup = "linear", prefix: bool = True, origin: Origin = "0"
    ) -> Product:
        """Multiply by a factor that goes from `start` to 1 in `steps` steps along `kind`, a name of `Ramp`, or "constant".

        With `prefix` the schedule's own time begins after the warm-up, which makes it `steps` longer (HF, Keras); without,
        the warm-up covers its first steps (timm, except that timm jumps where its warm-up ends).

        `origin` says how far along step t of n is. "0", t/n: `start` at step 0, the peak at n (HF, optax, Keras, OLMo,
        Megatron, Composer, timm). "1/n", (t+1)/n: one step earlier, the peak at n - 1 (torchtitan, fairseq's fixed).
        "1/(n+1)", (t+1)/(n+1): the peak at n (NeMo). DeepSpeed's warm-up of n steps is `warmup(n - 1, kind="log")`.

        >>> from tracelr import Linear
        >>> Linear(start=1.0, end=0.0, steps=4).warmup(2)(torch.arange(7))
        tensor([0.0000, 0.5000, 1.0000, 0.7500, 0.5000, 0.2500, 0.0000])
        >>> Linear(start=1.0, end=0.0, steps=4).warmup(2, prefix=False)(torch.arange(5))
        tensor([0.0000, 0.3750, 0.5000, 0.2500, 0.0000])
        >>> Linear(start=1.0, end=0.0, steps=4).warmup(2, origin="1/n")(torch.arange(4))
        tensor([0.5000, 1.0000, 1.0000, 0.7500])
        """
        from tracelr.compose import warmup

        return warmup(self, steps, start, kind, prefix, origin)

    def cooldown(self, steps: int, at: int, end: float | Tensor = 0.0, kind: Easing = "linear") -> Sum:
        """From step `at` on, go from the value there to `end` in `steps` steps along `kind`, a name of `Ramp`, and hold.

        >>> from tracelr import Constant
        >>> Constant(1.0).cooldown(steps=4, at=1)(torch.arange(6))
        tensor([1.0000, 1.0000, 0.7500, 0.5000, 0.2500, 0.0000])
        """
        from tracelr.compose import cooldown

        return cooldown(self, steps, at, end, kind)

    def drive(self, **schedules: Schedule) -> Self:
        """Return this schedule with some of its fields driven by schedules: each has their value at the same step.

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


def forward(self: Schedule, step: int | Tensor, ops: Arithmetic | None = None) -> Tensor:
    """Return the rate at `step`; or, for the parent that gives its arithmetic, the wide number at a step it has clamped."""
    if ops is not None and not isinstance(ops, Proxy):  # of symbolic_trace, which makes an input of each argument
        return self._evaluated(step, ops)  # type: ignore[arg-type, no-any-return]  # a parent has a tensor
    device = None
    if isinstance(step, Tensor):
        if step.dtype not in (torch.int64, torch.int32):
            where, given = f"{type(self).__name__}(step)", Words(f"a {str(step.dtype).removeprefix('torch.')} tensor")
            raise ScheduleTypeError(where, given, _STEP, "use step.long(), or count in an int64 tensor")
        device = step.device
    elif isinstance(step, int) and not isinstance(step, bool):
        step = torch.tensor(min(max(step, 0), LAST_STEP))
    elif not isinstance(step, Proxy):
        raise ScheduleTypeError(f"{type(self).__name__}(step)", step, _STEP, "pass int(step)")
    # A long eager batch goes through in blocks that fit the cache: several times faster than whole.
    if not torch.compiler.is_compiling() and type(step) is Tensor and step.is_cpu and step.numel() > _BLOCK:
        return torch.cat([self(part) for part in torch.split(step.reshape(-1), _BLOCK)]).reshape(step.shape)
    ops = arithmetic_for(device)
    step = step.to(torch.int64).clamp(0, LAST_STEP)
    value = ops.round(self._evaluated(step, ops))
    if ops is TWO_FLOAT and self._carries_gradients():
        # No gradient flows through bits. That of float32 stands in, on a term that is 0.
        stand_in = F32.round(self._evaluated(step, F32))
        value = value + (stand_in - stand_in.detach())
    return value
