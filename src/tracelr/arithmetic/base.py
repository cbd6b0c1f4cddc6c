"""Arithmetic: the operations that a formula may use. Each number type of the room implements them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext
from types import FunctionType
from typing import Any, ClassVar, NamedTuple, TypeAlias, final

import torch
from torch import Tensor

from tracelr._torch import is_eager
from tracelr.arithmetic import bits

Real: TypeAlias = Any  # a number before rounding: a tensor, or a pair of tensors. A formula must not look inside
Number: TypeAlias = "float | Tensor"  # a Python number is folded into the graph, a 0-d tensor is an input of it

LAST_STEP = 2**53
"""Steps count from 0 to here; a later step reads as this one. Every integer up to here is exact in float64."""


LARGEST = 2.0**126
"""A value stops growing here, so that no sum or product of values is infinite."""

LARGE_POWER = 256
"""From here on, the rounding of the base shows in its power, so the base is taken as 1 minus a small number."""
LARGE_RATE = 2.0**67
"""The product of a time with a larger rate may be above 2**120."""
_FEW = 64  # milestones that are compared one by one

WITHOUT_FLOAT64 = frozenset({"mps"})
"""The types of the devices on which no tensor may be float64."""


@final
class Table(NamedTuple):
    """The values of a look-up: in float64 (None on a device without it), and as a sum of two float32."""

    wide: Tensor | None
    high: Tensor
    low: Tensor


@final
class Split(NamedTuple):
    """A real constant as an unevaluated sum of two floats: about 106 bits."""

    high: float
    low: float


def log2_ratio(rate: Number, steps: int = 1) -> Split:
    """Return log2(rate) / steps of a number, with a relative error below 2**-100. `Arithmetic.log2_of` takes tensors too.

    >>> log2_ratio(0.25, 2)
    Split(high=-1.0, low=0.0)
    """
    if isinstance(rate, Tensor):
        return Split(0.0, 0.0)
    with localcontext(prec=60):
        exact = Decimal(rate).ln() / Decimal(2).ln() / steps
        high = float(exact)
        return Split(high, float(exact - Decimal(high)))


class Arithmetic(ABC):
    """Abstract base of the number types. `i` and `k` are int64 tensors, `x` and `y` are numbers of the type."""

    name: str
    unit: float
    """A difference of two numbers of size 1 is wrong by less than this."""

    @abstractmethod
    def full(self, i: Tensor, c: Real | Number) -> Real:
        """Return `c` in the shape of `i`."""

    @abstractmethod
    def integer(self, i: Tensor) -> Real:
        """Return `i` as a number of this type."""

    @abstractmethod
    def ratio(self, i: Tensor, n: Tensor | int) -> Real:
        """Return i / n, for integers."""

    @abstractmethod
    def add(self, x: Real, y: Real | Number) -> Real:
        """Return x + y."""

    @abstractmethod
    def sub(self, x: Real | Number, y: Real) -> Real:
        """Return x - y."""

    @abstractmethod
    def mul(self, x: Real, y: Real | Number) -> Real:
        """Return x * y."""

    @abstractmethod
    def div(self, x: Real | Number, y: Real) -> Real:
        """Return x / y."""

    @abstractmethod
    def scale(self, x: Real, y: Real | Number) -> Real:
        """Return x * y, but of size 2**126 at most."""

    @abstractmethod
    def total(self, x: Real, y: Real | Number) -> Real:
        """Return x + y, but of size 2**126 at most."""

    @abstractmethod
    def mul_by_line(self, x: Real | Number, time: Real, rate: Real | Number) -> Real:
        """Return x * (1 + rate * time), of size 2**126 at most."""

    @abstractmethod
    def div_by_line(self, x: Real | Number, time: Real, rate: Real | Number) -> Real:
        """Return x / (1 + rate * time), for numbers of 0 or more; a quotient below 2**-124 x may be 0."""

    @abstractmethod
    def where(self, mask: Tensor, x: Real, y: Real) -> Real:
        """Return x where `mask` holds and y elsewhere."""

    @abstractmethod
    def clamp(self, x: Real, low: float | None, high: float | None) -> Real:
        """Return x, but `low` where it is below that and `high` where it is above that; None stands for no bound."""

    @abstractmethod
    def within(self, x: Real, bound: float) -> Tensor:
        """Return whether x is of size below `bound`."""

    @abstractmethod
    def floor(self, x: Real) -> Real:
        """Return the largest integer not above x."""

    @abstractmethod
    def nearest(self, x: Real) -> Tensor:
        """Return an integer nearest to x, of size up to 2**53, as an int64 tensor; of 2 1/2 either 2 or 3."""

    @abstractmethod
    def sqrt(self, x: Real) -> Real:
        """Return the square root of x >= 0."""

    @abstractmethod
    def exp(self, x: Real) -> Real:
        """Return e ** x."""

    @abstractmethod
    def expm1(self, x: Real) -> Real:
        """Return e ** x - 1, without cancellation where x is small."""

    @abstractmethod
    def log(self, x: Real) -> Real:
        """Return the natural logarithm of x > 0."""

    @abstractmethod
    def log1p(self, x: Real) -> Real:
        """Return the natural logarithm of 1 + x for x > -1, without cancellation where x is small."""

    @abstractmethod
    def power(self, x: Real, p: float) -> Real:
        """Return x ** p, for x >= 0."""

    @abstractmethod
    def one_minus_pow(self, x: Real, p: float) -> Real:
        """Return 1 - (1 - x) ** p without cancellation, for 0 <= x < 1."""

    @abstractmethod
    def one_minus_to(self, x: Real, p: float) -> Real:
        """Return (1 - x) ** p for a large p and 0 <= x < 1, without the rounding of 1 - x, which a large p would magnify."""

    @abstractmethod
    def one_plus_to(self, x: Real, p: float) -> Real:
        """Return (1 + x) ** -p for a large p and x >= 0, likewise."""

    @abstractmethod
    def haversine(self, x: Real) -> Real:
        """Return sin(pi x / 2) ** 2, which is (1 - cos(pi x)) / 2 without cancellation, for 0 <= x <= 1/2."""

    @abstractmethod
    def exp2(self, x: Real, c: Split | Real) -> Real:
        """Return 2 ** (x c), for an integer x >= 0."""

    @abstractmethod
    def grown(self, factor: Real | Number, powers: Sequence[tuple[Real, Real]]) -> Real:
        """Return factor * 2 ** (the sum of x c over the `powers`), of size 2**126 at most. The sum may be of any size."""

    @abstractmethod
    def log2(self, rate: Tensor, steps: int) -> Real:
        """Return log2(rate) / steps, for `exp2`."""

    @abstractmethod
    def gather(self, k: Tensor, values: Table) -> Real:
        """Return `values[k]`."""

    @abstractmethod
    def floordiv(self, i: Tensor, n: int) -> Tensor:
        """Return floor(i / n) as an int64 tensor. It uses no division of integers, because some targets have none."""

    @abstractmethod
    def round(self, x: Real) -> Tensor:
        """Return x as a float32 tensor. A schedule calls it once, at the end; a formula never does."""

    @abstractmethod
    def exact(self, x: Real) -> Tensor:
        """Return x as a float64 tensor on the CPU. `round` gives the float32 nearest to it."""

    def log2_of(self, rate: Number, known: Split, steps: int = 1) -> Split | Real:
        """Return log2(rate) / steps: for a number `known`, which `log2_ratio` returned; for a tensor as its value is now."""
        return self.log2(rate, steps) if isinstance(rate, Tensor) else known

    def take(self, k: Tensor, table: Tensor) -> Tensor:
        """Return `table[k]`, of the table's own dtype, in a form that every tracer and target knows."""
        return bits.beside(k, table).index_select(0, k.reshape(-1)).reshape(k.shape)

    def bucketize(self, i: Tensor, milestones: Tensor) -> Tensor:
        """Return how many of the `milestones` are at or below each i."""
        # A sum of comparisons is the only look-up that needs no host value and that every lowering target can express. A
        # search finds the same in a long table, with less memory, where nothing is traced.
        if milestones.numel() > _FEW and is_eager(i) and not bits.lazy(i):
            return torch.searchsorted(milestones, i, right=True)
        return bits.count(i.unsqueeze(-1) >= bits.beside(i, milestones))

    def table_lookup(self, i: Tensor, milestones: Tensor, values: Table) -> Real:
        """Return `values[k]`, k being how many of the `milestones` are at or below each i."""
        return self.gather(self.bucketize(i, milestones), values)

    def ramp(
        self,
        i: Tensor,
        steps: int,
        start: Real | Number,
        end: Real | Number,
        easing: Callable[[Real], Real] | None = None,
        mirrored: Callable[[Real], Real] | None = None,
        switch_at: int | None = None,
    ) -> Real:
        """Go from `start` to `end` in `steps` steps along `easing`, as `interpolate` does, and hold; 0 steps give `end`."""
        if steps == 0:
            at_end = self.full(i, end)  # a `start` that is a tensor stays an input, with a gradient of 0
            return at_end if isinstance(start, (float, int)) else self.where(i == i, at_end, self.full(i, start))
        return self.interpolate(i.clamp(0, steps), steps, start, end, easing, mirrored, switch_at)

    def interpolate(
        self,
        done: Tensor,
        width: Tensor | int,
        start: Real | Number,
        end: Real | Number,
        easing: Callable[[Real], Real] | None = None,
        mirrored: Callable[[Real], Real] | None = None,
        switch_at: int | None = None,
    ) -> Real:
        """Return the value `done` steps after `start`, on the way to `end`, which is reached after `width` steps.

        `done` is from 0 to `width`. With x = done / width, `easing(x)` is the fraction of the way covered, for x up to 1/2;
        `mirrored(x)` is the fraction that remains at 1 - x, by default the same function. Up to the step `switch_at` the
        value is measured from `start` by `easing`, after it from `end` by `mirrored`; by default the switch is half-way. So
        both ends are exact, and the steps beside them are accurate. Without easings the way is a straight line; from or to 0
        that is one product, which is accurate at either end.
        """
        left = width - done
        if easing is None and switch_at is None:
            if isinstance(end, (float, int)) and end == 0:
                return self.multiply_ratio(left, start, width)
            if isinstance(start, (float, int)) and start == 0:
                return self.multiply_ratio(done, end, width)
        early = done <= (left if switch_at is None else switch_at)
        near = torch.minimum(done, left) if switch_at is None else torch.where(early, done, left)
        span = self.sub(start, end)
        if easing is None:
            drop = self.multiply_ratio(near, span, width)
        else:
            x = self.ratio(near, width)
            drop = self.mul(easing(x) if mirrored is None else self.where(early, easing(x), mirrored(x)), span)
        value = self.where(early, self.sub(start, drop), self.add(drop, end))
        if easing is None and isinstance(width, int):
            return self._zero_on_line(value, done, width, start, end)
        return self.zero_between(value, start, end)

    def zero_between(self, value: Real, *ends: Real | Number) -> Real:
        """Return the value, but 0 where it is as small as the rounding errors between `ends` of opposite sign."""
        numbers = [end for end in ends if isinstance(end, (float, int))]
        if not numbers or min(numbers) >= 0 or max(numbers) <= 0:
            return value
        bound = min(map(abs, numbers)) * self.unit  # the value is measured from the end of the smaller size where it is 0
        small = self.within(value, bound)
        return self.where(small, self.full(small, 0.0), value)

    def _zero_on_line(self, value: Real, done: Tensor, width: int, start: Real | Number, end: Real | Number) -> Real:
        """Return the value, but 0 at the step, if there is one, at which the line is 0."""
        if not isinstance(start, (float, int)) or not isinstance(end, (float, int)) or start * end >= 0:
            return value
        (a, b), (c, d) = float(start).as_integer_ratio(), float(end).as_integer_ratio()
        crossing, rest = divmod(a * d * width, a * d - b * c)  # integers, because Dynamo traces this
        return value if rest else self.where(done == crossing, self.full(done, 0.0), value)

    def multiply_ratio(self, i: Tensor, span: Real | Number, width: Tensor | int) -> Real:
        """Return span * i / width; it is `span` itself at i = width."""
        return self.mul(self.ratio(i, width), span)

    def share(self, x: Real, span: Real | Number, width: Tensor | int | float) -> Real:
        """Return span * x / width."""
        return self.mul(self.div(x, float(width) if isinstance(width, (int, float)) else self.integer(width)), span)

    def floordiv_real(self, i: Tensor, width: int) -> Real:
        """Return floor(i / width), exactly. The remainder is subtracted first, so that the exact quotient is an integer."""
        return self.ratio(i - i.remainder(width), width)


class Formula:
    """Abstract base of a module that evaluates a formula. `lowering` knows nothing else about schedules."""

    kinds: ClassVar[dict[str, type[Formula]]] = {}
    """Every class derived from this one, by module and qualified name, because torch.export keeps only the name."""

    _formula: ClassVar[FunctionType]
    """What the author wrote as `forward`. The class has another `forward`, which calls it."""

    forward: Any

    def __init_subclass__(cls) -> None:
        Formula.kinds[f"{cls.__module__}.{cls.__qualname__}"] = cls

    @abstractmethod
    def wide(self, step: Tensor, ops: Arithmetic) -> Real:
        """Return the value at `step`, from 0 to 2**53, before rounding."""
