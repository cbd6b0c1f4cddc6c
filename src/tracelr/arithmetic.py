"""The number types in which a schedule is evaluated.

A schedule is written once, against `Arithmetic`. `F64` evaluates it in float64 and rounds once to float32; `F32` stays in
float32 and is the cheap mode. A *wide number* is what an arithmetic computes with; only its own methods may touch one.

The formulas are the careful ones: the phase is an integer until the last moment, sums are taken on the side where nothing
cancels, and a constant that is not representable is carried in two parts.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal, localcontext
from typing import Any, NamedTuple, TypeAlias, final

import torch
from torch import Tensor

from tracelr.errors import ScheduleError, explain

Wide: TypeAlias = Any  # a tensor here, a pair of tensors elsewhere: opaque to schedules on purpose
Number: TypeAlias = "float | Tensor"  # a Python number is folded into the graph, a 0-d tensor is an input of it

LAST_STEP = 2**53
"""Steps count from 0 to here; a later step reads as this one. Every integer up to here is exact in float64."""


class Split(NamedTuple):
    """A real constant as an unevaluated sum of two floats: about 106 bits."""

    high: float
    low: float


def log2_ratio(rate: float, steps: int) -> Split:
    """Return log2(rate) / steps in two parts; their sum is off by less than 2**-100 of it.

    >>> log2_ratio(0.25, 2)
    Split(high=-1.0, low=0.0)
    """
    with localcontext(prec=60):
        exact = Decimal(rate).ln() / Decimal(2).ln() / steps
        high = float(exact)
        return Split(high, float(exact - Decimal(high)))


class Arithmetic(ABC):
    """What a schedule may do with numbers. `i` is an int64 tensor, `x` and `y` are wide, `c` is a number."""

    name: str

    @abstractmethod
    def full(self, i: Tensor, c: Number) -> Wide:
        """Return `c` in the shape of `i`."""

    @abstractmethod
    def integer(self, i: Tensor) -> Wide:
        """Return `i` as a wide number."""

    @abstractmethod
    def ratio(self, i: Tensor | int, n: Tensor | int) -> Wide:
        """Return i / n, for integers."""

    @abstractmethod
    def add(self, x: Wide, y: Wide | Number) -> Wide:
        """Return x + y."""

    @abstractmethod
    def sub(self, x: Wide | Number, y: Wide) -> Wide:
        """Return x - y."""

    @abstractmethod
    def mul(self, x: Wide, y: Wide | Number) -> Wide:
        """Return x * y."""

    @abstractmethod
    def div(self, x: Wide | Number, y: Wide) -> Wide:
        """Return x / y."""

    @abstractmethod
    def where(self, mask: Tensor, x: Wide, y: Wide) -> Wide:
        """Return x where `mask` holds and y elsewhere."""

    @abstractmethod
    def floor(self, x: Wide) -> Wide:
        """Return the largest integer not above x."""

    @abstractmethod
    def sqrt(self, x: Wide) -> Wide:
        """Return the square root of x >= 0."""

    @abstractmethod
    def power(self, x: Wide, p: float) -> Wide:
        """Return x ** p, for x >= 0."""

    @abstractmethod
    def power_drop(self, x: Wide, p: float) -> Wide:
        """Return 1 - (1 - x) ** p without cancellation, for 0 <= x < 1."""

    @abstractmethod
    def sin2h(self, x: Wide) -> Wide:
        """Return sin(pi x / 2) ** 2, which is (1 - cos(pi x)) / 2 without cancellation, for 0 <= x <= 1/2."""

    @abstractmethod
    def exp2(self, x: Wide, c: Split | Tensor) -> Wide:
        """Return 2 ** (x c), for a whole number x >= 0."""

    @abstractmethod
    def lookup(self, i: Tensor, milestones: Tensor, values: Tensor) -> Wide:
        """Return `values[k]`, k being how many of the sorted `milestones` are at or below each i."""

    @abstractmethod
    def round(self, x: Wide) -> Tensor:
        """Return x as a float32 tensor. Called once, at the very end."""

    def ramp(self, i: Tensor, steps: int, start: Number, end: Number, ease: Callable[[Wide], Wide] | None = None) -> Wide:
        """Go from `start` to `end` in `steps` steps along `ease`, and hold.

        `ease` maps [0, 1/2] to [0, 1/2] and continues as 1 - ease(1 - x). Working from the nearer end keeps both ends exact
        and the last steps before them accurate; a straight line multiplies before it divides, to round once less.
        """
        done = i.clamp(0, steps)
        left = steps - done
        near = torch.minimum(done, left)
        span = self.sub(start, end)
        if ease is None:
            drop = self.div(self.mul(self.integer(near), span), steps)
        else:
            drop = self.mul(ease(self.ratio(near, steps)), span)
        return self.where(done <= left, self.sub(start, drop), self.add(drop, end))

    def stair(self, i: Tensor, width: int) -> Wide:
        """Return floor(i / width), exactly: the remainder goes first, so the quotient is an integer before it is rounded."""
        return self.ratio(i - i.remainder(width), width)


@final
class Float(Arithmetic):
    """Arithmetic in one of the machine's own float types.

    `reach` bounds the exponents: a float32 times two to anything beyond ±reach is 0 or infinite whatever it was.
    """

    def __init__(self, dtype: torch.dtype, reach: int) -> None:
        self.dtype = dtype
        self.name = str(dtype).removeprefix("torch.")
        self._reach = float(reach)
        precision = 1 - round(math.log2(torch.finfo(dtype).eps))
        self._grid = 2.0 ** (precision - math.ceil(math.log2(reach)))

    def __repr__(self) -> str:
        return f"<arithmetic {self.name}>"

    def _cast(self, c: Any) -> Any:
        return c.to(self.dtype) if isinstance(c, Tensor) else c

    def full(self, i: Tensor, c: Number) -> Tensor:
        if isinstance(c, Tensor):
            return torch.zeros_like(i, dtype=self.dtype) + self._cast(c)
        return torch.full_like(i, c, dtype=self.dtype)

    def integer(self, i: Tensor) -> Tensor:
        return i.to(self.dtype)

    def ratio(self, i: Tensor, n: Tensor | int) -> Tensor:
        return i.to(self.dtype) / (self._cast(n) if isinstance(n, Tensor) else float(n))

    def add(self, x: Tensor, y: Wide) -> Tensor:
        return x + self._cast(y)

    def sub(self, x: Wide, y: Wide) -> Wide:
        return self._cast(x) - self._cast(y)

    def mul(self, x: Tensor, y: Wide) -> Tensor:
        return x * self._cast(y)

    def div(self, x: Wide, y: Wide) -> Tensor:
        return self._cast(x) / self._cast(y)  # type: ignore[no-any-return]

    def where(self, mask: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return torch.where(mask, x, y)

    def floor(self, x: Tensor) -> Tensor:
        return torch.floor(x)

    def sqrt(self, x: Tensor) -> Tensor:
        return torch.sqrt(x)

    def power(self, x: Tensor, p: float) -> Tensor:
        if p == 0.5:
            return torch.sqrt(x)
        if p in (1, 2, 3, 4):
            return math.prod([x] * int(p - 1), start=x)
        return torch.pow(x, p)

    def power_drop(self, x: Tensor, p: float) -> Tensor:
        if p == 0.5:
            return x / (1.0 + torch.sqrt(1.0 - x))
        if p == 1:
            return x
        if p == 2:
            return x * (2.0 - x)
        return -torch.expm1(p * torch.log1p(-x))

    def sin2h(self, x: Tensor) -> Tensor:
        half = torch.sin(x * (math.pi / 2))
        return half * half

    def exp2(self, x: Tensor, c: Split | Tensor) -> Tensor:
        if isinstance(c, Tensor):
            return torch.exp2((x * self._cast(c)).clamp(-self._reach, self._reach))
        if c.high == 0:
            return torch.ones_like(x)
        # x * high is exact: `high` sits on a grid so coarse that the product, at most `reach`, has no digit to lose.
        x = x.clamp(max=self._reach / abs(c.high))
        high = round(c.high * self._grid) / self._grid
        low = (c.high - high) + c.low
        return torch.exp2(x * high) * torch.exp2(x * low)

    def lookup(self, i: Tensor, milestones: Tensor, values: Tensor) -> Tensor:
        # A sum of comparisons: the one look-up that needs no host value and that every lowering target can express.
        count = (i.unsqueeze(-1) >= milestones).sum(-1)
        return self._cast(values).index_select(0, count.reshape(-1)).reshape(i.shape)  # type: ignore[no-any-return]

    def round(self, x: Tensor) -> Tensor:
        return x.to(torch.float32)


F64 = Float(torch.float64, reach=512)
"""float64 inside, rounded once: correctly rounded float32 results at every step up to 2**53."""

F32 = Float(torch.float32, reach=126)
"""float32 throughout: cheap, for devices without float64. No bits are promised; `docs/numerics.md` states its error."""

_NAMES: dict[str, Arithmetic] = {A.name: A for A in (F64, F32)}
_WITHOUT_FLOAT64 = frozenset({"mps"})
_forced: Arithmetic | None = None


def arithmetic_for(device: torch.device | None) -> Arithmetic:
    """Return the arithmetic of `device`, or the one forced by `precision`. None (a symbolic tracer) counts as the CPU."""
    if _forced is not None:
        return _forced
    return F32 if device is not None and device.type in _WITHOUT_FLOAT64 else F64


@contextmanager
def precision(name: str) -> Iterator[None]:
    """Evaluate, trace and lower in the arithmetic called `name` inside a `with` block: "float64" or "float32".

    >>> from tracelr import Linear
    >>> with precision("float32"):
    ...     Linear(start=1.0, end=0.0, steps=3)(1)
    tensor(0.6667)
    """
    global _forced
    if name not in _NAMES:
        raise ScheduleError(explain("precision", name, " or ".join(map(repr, _NAMES)), "use one of these names"))
    before, _forced = _forced, _NAMES[name]
    try:
        yield
    finally:
        _forced = before
