"""The number types in which a schedule is evaluated.

A schedule is written once, against `Arithmetic`. `F64` evaluates it in float64 and rounds once to float32; `TWO_FLOAT` does
so in pairs of float32, on devices without float64; `F32` computes in float32 throughout, and only if `precision` asks for
it. A formula passes their numbers from one method of the arithmetic to the next and never looks inside one.

No digit is lost on the way: the step stays an integer as long as possible, differences are formed where nothing cancels,
and a constant that is not a float64 number is kept as a sum of two.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import reduce
from threading import local
from typing import Any, final

import torch
from torch import Tensor

from tracelr.arithmetic.base import LARGE_RATE, LARGEST, WITHOUT_FLOAT64, Arithmetic, Number, Real, Split, Table
from tracelr.arithmetic.two_float import TWO_FLOAT
from tracelr.errors import ScheduleError

_EXACT = 46  # bits. Of longer numbers no quotient by less than 2**20 steps is a float32, or half-way between two


def _bits(x: float) -> int:
    """Return the length of x without the zeros at its ends."""
    numerator = abs(x.as_integer_ratio()[0]) or 1
    return (numerator // (numerator & -numerator)).bit_length()


@final
class Float(Arithmetic):
    """Arithmetic in a float type of the machine.

    The exponents of `exp2` are exact up to `exact` in size; `reach` is the largest of them, `least` the smallest.
    """

    def __init__(self, dtype: torch.dtype, exact: int, reach: int, least: int) -> None:
        self.dtype = dtype
        self.name = str(dtype).removeprefix("torch.")
        self._reach, self._least = float(reach), float(least)
        self.unit = 4 * torch.finfo(dtype).eps
        precision = 1 - round(math.log2(torch.finfo(dtype).eps))
        self._grid = 2.0 ** (precision - math.ceil(math.log2(exact)))

    def __repr__(self) -> str:
        return f"<arithmetic {self.name}>"

    def _cast(self, c: Any) -> Any:
        return c.to(self.dtype) if isinstance(c, Tensor) and c.dtype != self.dtype else c

    def full(self, i: Tensor, c: Real | Number) -> Tensor:
        if isinstance(c, Split):
            c = c.high
        if isinstance(c, (float, int)):  # otherwise a tensor, or the proxy of one in a symbolic trace
            return torch.full_like(i, c, dtype=self.dtype)
        return torch.zeros_like(i, dtype=self.dtype) + c.to(self.dtype)

    def integer(self, i: Tensor) -> Tensor:
        return i.to(self.dtype)

    def ratio(self, i: Tensor, n: Tensor | int) -> Tensor:
        return i.to(self.dtype) / (float(n) if isinstance(n, int) else n.to(self.dtype))

    def add(self, x: Real, y: Real) -> Real:
        return x + self._cast(y)

    def sub(self, x: Real, y: Real) -> Real:
        return self._cast(x) - self._cast(y)

    def mul(self, x: Real, y: Real) -> Real:
        return x * self._cast(y)

    def div(self, x: Real, y: Real) -> Real:
        return self._cast(x) / self._cast(y)

    def scale(self, x: Real, y: Real) -> Real:
        return (x * self._cast(y)).clamp(-LARGEST, LARGEST)

    def total(self, x: Real, y: Real) -> Real:
        return (x + self._cast(y)).clamp(-LARGEST, LARGEST)

    def mul_by_line(self, x: Real, time: Tensor, rate: Real) -> Real:
        if self.dtype == torch.float32 and isinstance(rate, float) and rate > LARGE_RATE:
            return self.total(self.scale(self.scale(time * LARGE_RATE, x), rate / LARGE_RATE), x)
        return self.scale(self.add(self.mul(time, rate), 1.0), x)

    def div_by_line(self, x: Real, time: Tensor, rate: Real) -> Real:
        return self.div(x, self.add(self.mul(time, rate), 1.0))

    def within(self, x: Tensor, bound: float) -> Tensor:
        return x.abs() < bound

    def where(self, mask: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return torch.where(mask, x, y)

    def clamp(self, x: Tensor, low: float | None, high: float | None) -> Tensor:
        return x.clamp(low, high)

    def floor(self, x: Tensor) -> Tensor:
        return torch.floor(x)

    def nearest(self, x: Tensor) -> Tensor:
        return torch.round(x).to(torch.int64)

    def sqrt(self, x: Tensor) -> Tensor:
        return torch.sqrt(x)

    def exp(self, x: Tensor) -> Tensor:
        return torch.exp(x)

    def expm1(self, x: Tensor) -> Tensor:
        # Kahan's formula: the logarithm of e has the same error as e, so the quotient has none. (Inductor computes expm1
        # as exp(x) - 1, which loses every digit of a small x.) The 2 keeps the unused branch and its gradient finite.
        x = x.clamp(min=-40.0)
        e = torch.exp(x)
        return torch.where(e == 1.0, x, (e - 1.0) * x / torch.log(torch.where(e == 1.0, 2.0, e)))

    def log(self, x: Tensor) -> Tensor:
        return torch.log(x)

    def log1p(self, x: Tensor) -> Tensor:
        return torch.log1p(x)

    def power(self, x: Tensor, p: float) -> Tensor:
        if p == 0.5:
            return torch.sqrt(x)
        if p in (1, 2, 3, 4):
            power = math.prod([x] * int(p - 1), start=x)
            return power.clamp(max=2.0**self._reach) if p > 2 and self.dtype == torch.float32 else power
        return torch.pow(x, p).clamp(max=2.0**self._reach)

    def one_minus_pow(self, x: Tensor, p: float) -> Tensor:
        if p == 0.5:
            return x / (1.0 + torch.sqrt(1.0 - x))
        if p == 1:
            return x
        if p == 2:
            return x * (2.0 - x)
        return -self.expm1(p * self.log1p(-x))

    def one_minus_to(self, x: Tensor, p: float) -> Tensor:
        return torch.exp(self.log1p(-x.clamp(max=0.75)) * p)

    def one_plus_to(self, x: Tensor, p: float) -> Tensor:
        return torch.exp(self.log1p(x) * -p)

    def haversine(self, x: Tensor) -> Tensor:
        half = torch.sin(x * (math.pi / 2))
        return half * half

    def log2(self, rate: Tensor, steps: int) -> Tensor:
        wide = torch.float64 if rate.device.type not in WITHOUT_FLOAT64 else self.dtype
        return torch.log2(rate.to(wide)) / steps

    def exp2(self, x: Tensor, c: Split | Tensor) -> Tensor:
        if isinstance(c, Tensor):
            return torch.exp2((x * self._cast(c)).clamp(self._least, self._reach))
        if c.high == 0:
            return torch.ones_like(x)
        # x * high is exact, because `high` is rounded to so few bits that no product up to `exact` needs rounding.
        x = x.clamp(max=min((self._reach if c.high > 0 else self._least) / c.high, torch.finfo(self.dtype).max))
        high, low = self._parts(c)
        power = torch.exp2(x * high) * torch.exp2(x * low)
        return power.clamp(max=2.0**self._reach) if c.high > 0 and self.dtype == torch.float32 else power

    def _parts(self, c: Split) -> tuple[float, float]:
        high = round(c.high * self._grid) / self._grid
        return high, (c.high - high) + c.low

    def grown(self, factor: Real, powers: Sequence[tuple[Tensor, Split | Tensor]]) -> Real:
        if isinstance(factor, float) and factor == 0:
            return torch.zeros_like(powers[0][0])
        tiny = isinstance(factor, float) and 0 < abs(factor) < 2.0 ** (126 - self._reach) < 1
        if len(powers) == 1 and not tiny:
            ((x, c),) = powers
            value: Tensor = self.mul(self.exp2(x, c), factor)
            falls = isinstance(c, Split) and c.high <= 0
            return value if falls else value.clamp(-LARGEST, LARGEST)
        factor, by = math.frexp(factor) if isinstance(factor, float) else (factor, 0)
        parts = [self._parts(c) if isinstance(c, Split) else (self._cast(c), 0.0) for _, c in powers]
        high = reduce(torch.add, [x * high for (x, _), (high, _) in zip(powers, parts, strict=True)]) + float(by)
        low = reduce(torch.add, [x * low for (x, _), (_, low) in zip(powers, parts, strict=True)])
        whole = torch.round(low)
        value = torch.exp2((high + whole).clamp(self._least, self._reach)) * torch.exp2(low - whole)
        return self.scale(value, factor)

    def multiply_ratio(self, i: Tensor, span: Real, width: Tensor | int) -> Real:
        bits = _bits(span) if isinstance(span, float) and isinstance(width, int) else _EXACT
        if bits >= _EXACT or self.dtype == torch.float32:
            return super().multiply_ratio(i, span, width)
        # A short span, such as an integer, times i may be exact; then the quotient is rounded once.
        product = self.share(i.to(self.dtype), span, width)
        fits = bits + int(width).bit_length() <= 53
        return product if fits else torch.where(i == width, self.full(i, span), product)

    def share(self, x: Tensor, span: Real, width: Tensor | int | float) -> Real:
        if self.dtype == torch.float32:  # whose product of the two could be infinite
            return super().share(x, span, width)
        return self.mul(x, span) / (float(width) if isinstance(width, (int, float)) else width.to(self.dtype))

    def gather(self, k: Tensor, values: Table) -> Tensor:
        return self.take(k, self._cast(values.high if values.wide is None else values.wide))

    def floordiv(self, i: Tensor, n: int) -> Tensor:
        # Rounded instead of cut off, because in float32 the dividend may be rounded, and then the quotient is not exact.
        return torch.round(self.ratio(i - i.remainder(n), n)).to(torch.int64)

    def round(self, x: Tensor) -> Tensor:
        return x.to(torch.float32)

    def exact(self, x: Tensor) -> Tensor:
        return x.cpu().double()


F64 = Float(torch.float64, exact=512, reach=880, least=-1100)
"""float64 inside, rounded once: correctly rounded float32 results at every step up to 2**53."""

F32 = Float(torch.float32, exact=126, reach=126, least=-126)
"""float32 throughout, which is cheap. No bits are promised; `docs/numerics.md` states its error."""

_NAMES: dict[str, Arithmetic] = {ops.name: ops for ops in (F64, TWO_FLOAT, F32)}
_forced: ContextVar[tuple[list[Arithmetic], ...]] = ContextVar("tracelr.precision", default=())  # of each block, in a list


@final
class _Thread(local):
    """The last of `_forced`, for each thread: Dynamo cannot read a context variable, but it can guard this attribute."""

    def __init__(self) -> None:  # once in each thread
        self.ops: Arithmetic | None = None


_forced_here = _Thread()


entered = _forced.get
"""Return the `precision` blocks that eager code is in: another object in others, which is quicker to ask than `forced`."""


def forced() -> Arithmetic | None:
    """Return the arithmetic that `precision` forces here, or None."""
    if torch.compiler.is_dynamo_compiling():  # not `is_compiling`, which torch.export sets for every thread
        return _forced_here.ops
    blocks = _forced.get()
    return blocks[-1][0] if blocks else None


def arithmetic_for(device: torch.device | None) -> Arithmetic:
    """Return the arithmetic of `device`, or the one forced by `precision`. None (a symbolic tracer) counts as the CPU."""
    ops = forced()
    if ops is not None:
        return ops
    return TWO_FLOAT if device is not None and device.type in WITHOUT_FLOAT64 else F64


@contextmanager
def precision(name: str) -> Iterator[None]:
    """Evaluate, trace and lower in the arithmetic called `name` inside a `with` block: "float64", "two_float" or "float32".

    It holds for the thread, or the task of asyncio, that has entered the block, and for no other. A region that torch has
    compiled follows the thread: do not await inside the block if it calls one.

    >>> from tracelr import Linear
    >>> with precision("float32"):
    ...     Linear(start=1.0, end=0.0, steps=3)(1)
    tensor(0.6667)
    """
    if name not in _NAMES:
        raise ScheduleError("precision", name, " or ".join(map(repr, _NAMES)), "use one of these names")
    before, block = _forced_here.ops, [_NAMES[name]]
    compiling = torch.compiler.is_dynamo_compiling()
    if not compiling:
        _forced.set((*_forced.get(), block))
    _forced_here.ops = block[0]
    try:
        yield
    finally:
        _forced_here.ops = before
        if not compiling:  # blocks may overlap: each takes away its own
            _forced.set(tuple(one for one in _forced.get() if one is not block))
            _forced_here.ops = forced()
