"""The exact value of any tree of schedules at a step, from the docstrings of the classes, in fractions and 300-bit mpmath.

It shares no code with `src`: it reads the fields of a schedule, and nothing else of it. With each value comes its size,
the largest magnitude that is added up on the way: an arithmetic cannot be nearer to the value than its unit times the size.
And with it comes what pairs of float32 may lose on the way, because their digits end at 2**-126: an absolute error.

Growth stops at 2**126. What is made from a part that has stopped is not known; then the value is NaN.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, reduce
from typing import Any, TypeAlias

from mpmath import mp, mpf

import tracelr
from tracelr import Schedule

Evaluate: TypeAlias = "Callable[[Any, int], Exact]"
LAST = 2**53
MOST = mpf(2) ** 126
DIGITS_END = mpf(2) ** -124  # some units of the last digit of a pair
ALL_DIGITS = mpf(2) ** -76  # a pair of this size or more has all of its digits


@dataclass(frozen=True)
class Exact:
    value: Any  # mpf
    size: Any
    lost: Any = 0
    stopped: bool = False

    @property
    def cancels(self) -> bool:
        return bool(self.size > 2 * abs(self.value))


UNKNOWN = Exact(mp.nan, mp.nan)


def end(x: Any) -> Any:
    """Return what pairs lose of a number of this size."""
    return DIGITS_END if 0 < abs(x) < ALL_DIGITS else mpf(0)


def number(value: Any) -> Exact:
    return Exact(mpf(value), abs(mpf(value)), end(value))


def part(schedule: Any, t: int) -> Exact:
    """Return the value of a part of a tree."""
    found = exact(schedule, t)
    return UNKNOWN if found.stopped else found


def field(schedule: Any, name: str, t: int) -> Exact:
    """Return the value of a field at step t, which may be a number, a tensor or a schedule."""
    value = getattr(schedule, name)
    return part(value, t) if isinstance(value, Schedule) else number(float(value))


def between(a: Exact, b: Exact, covered: Any, remaining: Any = None, magnified: float = 1.0) -> Exact:
    """Return the value that has covered this part of the way from a to b; `remaining`, if known, is 1 - covered.

    What pairs lose of either part is `magnified`, by a power.
    """
    remaining = 1 - covered if remaining is None else remaining
    value = a.value * remaining + b.value * covered
    calm = not a.cancels and not b.cancels and a.value * b.value >= 0
    lost = a.lost + b.lost + (a.size + b.size) * max(1.0, magnified) * max(end(covered), end(remaining))
    return Exact(value, abs(value) if calm else a.size + b.size, lost)


def times(a: Exact, factor: Any) -> Exact:
    return Exact(a.value * factor, a.size * abs(factor), a.lost * abs(factor) + a.size * end(factor))


def plain(formula: Callable[[Any, Any], Any]) -> Evaluate:
    """From `start` to `end` over `steps`; `formula(x, schedule)` is the part that remains at x = t / n, and then 0."""

    def evaluate(s: Any, t: int) -> Exact:
        ends = field(s, "start", t), field(s, "end", t)
        rest = formula(mpf(min(t, s.steps)) / s.steps, s)
        return between(*ends, 1 - rest, rest, getattr(s, "power", 1.0))

    return evaluate


def half_cosine(x: Any) -> Any:
    """Return cos(pi x / 2)**2, which is 0 at 1."""
    return mpf(0) if x == 1 else mp.cos(mp.pi * x / 2) ** 2


def to_the(x: Any, p: Any) -> Any:
    return mpf(x) ** mpf(p) if x else mpf(0)


def waves(s: Any, t: int) -> Exact:
    gone = Fraction(s.cycles).limit_denominator(2**16) * t / s.steps
    ends = field(s, "start", t), field(s, "end", t)
    if s.restart and t >= s.steps:
        return ends[1]
    turn = gone % 1 if s.restart else 1 - abs(1 - 2 * gone % 2)
    rest = half_cosine(mpf(turn.numerator) / turn.denominator)
    return between(*ends, 1 - rest, rest)


def annealing(s: Any, t: int) -> Exact:
    place = t % (2 * s.period)
    rest = half_cosine(mpf(min(place, 2 * s.period - place)) / s.period)
    return between(field(s, "start", t), field(s, "end", t), 1 - rest, rest)


def polynomial(s: Any, t: int) -> Exact:
    m = s.steps * max(1, -(-t // s.steps)) if s.cycle else s.steps
    rest = to_the(mpf(m - min(t, m)) / m, s.power)
    return between(field(s, "start", t), field(s, "end", t), 1 - rest, rest, s.power)


def cyclic(s: Any, t: int) -> Exact:
    down = s.up if s.down is None else s.down
    cycle, place = divmod(t, s.up + down)
    height = mpf(place) / s.up if place <= s.up else mpf(s.up + down - place) / down
    scale = {"triangular": 1, "triangular2": mpf(2) ** -cycle, "exp_range": mpf(float(s.gamma)) ** t}[s.mode]
    low, high = field(s, "low", t), field(s, "high", t)
    if s.mode == "triangular" or (s.mode == "triangular2" and cycle == 0):
        return between(low, high, height)
    part = scale * height
    lost = (high.lost + low.lost) * part + (high.size + low.size) * end(part)
    rise, size = (high.value - low.value) * part, (high.size + low.size) * part
    if abs(rise) > MOST:  # it stops before `low` is added
        rise, size = MOST if rise > 0 else -MOST, MOST
    return Exact(low.value + rise, low.size + size, low.lost + lost)


def exponential(s: Any, t: int) -> Exact:
    power = t // s.steps if s.staircase else mpf(t) / s.steps
    return times(field(s, "start", t), mpf(float(s.rate)) ** power)


def tanh(s: Any, t: int) -> Exact:
    x = mpf(min(t, s.steps)) / s.steps
    y = mpf(s.low) * (1 - x) + mpf(s.high) * x
    return between(field(s, "start", t), field(s, "end", t), 1 / (1 + mp.exp(-2 * y)), 1 / (1 + mp.exp(2 * y)))


def k_decay(s: Any, t: int) -> Exact:
    x = to_the(mpf(min(t, s.steps)) / s.steps, s.k)
    rest = half_cosine(x) if s.power is None else to_the(1 - x, s.power)
    return between(field(s, "start", t), field(s, "end", t), 1 - rest, rest, s.power or 1.0)


@cache
def restarts(period: int, multiplier: float, limit: int | None) -> list[int]:
    """Return where each cycle begins: a person adds up the decimal numbers."""
    starts, time, length = [0], Fraction(0), Fraction(period)
    while starts[-1] <= LAST and (limit is None or len(starts) <= limit):
        time, length = time + length, length * Fraction(repr(multiplier))
        starts.append(math.ceil(time))
    return starts


def warm_restarts(s: Any, t: int) -> Exact:
    end = field(s, "end", t)
    if s.multiplier == 1:
        cycle, first, width = t // s.period, t // s.period * s.period, s.period
    else:
        starts = restarts(s.period, s.multiplier, s.limit)
        cycle = bisect_right(starts, t) - 1
        first, width = starts[cycle], (starts[cycle + 1] - starts[cycle] if cycle + 1 < len(starts) else 1)
    if s.limit is not None and cycle >= s.limit:
        return end
    rest = half_cosine(mpf(t - first) / width)
    peak = stop(times(field(s, "start", t), mpf(float(s.decay)) ** cycle))
    if peak.stopped:
        return UNKNOWN
    return between(peak, end, 1 - rest, rest)


def inverse_time(s: Any, t: int) -> Exact:
    time, stairs = to_the(t, s.exponent) / s.steps, None
    if s.staircase and time < mpf(2) ** 200:
        p, q = Fraction(s.exponent).as_integer_ratio()
        root = t
        while q > 1 and root > 1 and math.isqrt(root) ** 2 == root:
            root, q = math.isqrt(root), q // 2
        stairs = root**p // s.steps if q == 1 and p < 400 else int(mp.floor(time))
    time = time if stairs is None else mpf(stairs)
    start = field(s, "start", t)
    lost = abs(start.value) * mpf(2) ** -104 if 2 < s.exponent <= 4 else mpf(0)  # a power above 2**126 counts as that
    found = times(start, 1 / (1 + mpf(float(s.rate)) * time))
    return replace(found, lost=found.lost + lost)


def range_test(s: Any, t: int) -> Exact:
    count = mpf((t + 1) // s.steps) if s.staircase else mpf(t + 1) / s.steps
    return times(field(s, "start", t), 1 + mpf(float(s.rate)) * count)


def multi_step(s: Any, t: int) -> Exact:
    return times(field(s, "start", t), mpf(float(s.gamma)) ** sum(m <= t for m in s.milestones))


def knots(milestones: list[Any], values: list[Exact], kind: str, t: int) -> Exact:
    k = sum(m <= t for m in milestones) - 1
    if k < 0 or k == len(values) - 1:
        return values[max(k, 0)]
    x = (t - mpf(milestones[k])) / (mpf(milestones[k + 1]) - mpf(milestones[k]))
    rest = 1 - x if kind == "linear" else half_cosine(x)
    return between(values[k], values[k + 1], 1 - rest, rest)


def one_cycle(s: Any, t: int) -> Exact:
    start, peak, end = (field(s, name, t) for name in ("start", "peak", "end"))
    middle = [(2 * mpf(s.warm), start)] * s.three_phase
    times_, values = zip((mpf(0), start), (mpf(s.warm), peak), *middle, (mpf(s.steps), end), strict=True)
    return knots(list(times_), list(values), s.ease, t)


def noise(s: Any, t: int) -> Exact:
    prime, digest = 2**31 - 1, hashlib.sha256(str(s.seed).encode()).digest()
    keys = [int.from_bytes(digest[4 * k : 4 * k + 4], "little") for k in range(4)]
    x = pow(pow(t + keys[0], 5, prime) + keys[1], 5, prime) + t % (2**31 - 19)
    x = pow(pow(x + keys[2], 5, prime) + keys[3], 5, prime)
    if s.kind == "uniform":
        z = mpf(2 * x + 1 - prime) / (prime - 1)
    else:
        with mp.workprec(120):
            part = mpf(2 * x + 1 - prime) / prime * mp.erf(mpf(s.limit) / mp.sqrt(2))
            z = mp.sqrt(2) * mp.erfinv(part)
    return Exact(1 + mpf(s.spread) * z, 1 + abs(mpf(s.spread) * z))


def factor(kind: str, t: int, steps: int, ratio: float) -> tuple[Any, Any]:
    """Return the factor of a decay at t, and 1 minus it."""
    r, x, rest = mpf(ratio), mpf(t) / steps, mpf(steps - t) / steps
    down = {
        "linear": lambda: rest,
        "cosine": lambda: half_cosine(x),
        "sqrt": lambda: mp.sqrt(rest),
        "square": lambda: rest**2,
        "1-sqrt": lambda: 1 - mp.sqrt(x),
        "1-square": lambda: 1 - x**2,
        "exponential": lambda: (r**x - r) / (1 - r) if t < steps else mpf(0),
        "log": lambda: mp.log(1 + steps - t) / mp.log(1 + steps),
    }[kind]()
    return down, 1 - down


def eased(a: Exact, b: Exact, kind: str, t: int, steps: int, ratio: float, rising: bool) -> Exact:
    t = max(0, min(t, steps))
    down, gone = factor(kind, steps - t if rising else t, steps, ratio)
    return between(a, b, down, gone) if rising else between(a, b, gone, down)


def ramp(s: Any, t: int) -> Exact:
    return eased(field(s, "start", t), field(s, "end", t), s.kind, t, s.steps, s.ratio, s.rising)


def wsd(s: Any, t: int) -> Exact:
    peak = field(s, "peak", t)
    if t < s.warm:
        return eased(field(s, "start", t), peak, s.warm_kind, t, s.warm, s.ratio, True)
    return eased(peak, field(s, "end", t), s.decay_kind, t - s.warm - s.stable, s.decay, s.ratio, False)


def total(s: Any, t: int) -> Exact:
    parts = [part(child, t) for child in s.schedules]
    value, size, lost = (mp.fsum(getattr(one, name) for one in parts) for name in ("value", "size", "lost"))
    may_stop = len(parts) > 2 and size > MOST and size > abs(value)  # some of them, before the others are added
    return UNKNOWN if may_stop else Exact(value, size, lost)


def is_power(s: Any) -> bool:
    """Return whether the exponent of s is added to those of others in a product."""
    kind, children = type(s).__name__, getattr(s, "schedules", [])
    if kind in ("Exponential", "Step"):
        return not isinstance(s.start, Schedule)
    if kind == "Scale":
        return is_power(s.inner) and not isinstance(s.factor, Schedule)
    return is_power(s.inner) if kind == "Shift" else kind == "Product" and all(map(is_power, children))


def unbounded(s: Any, t: int) -> Exact:
    """Return the value of a power, which may be of any size."""
    kind = type(s).__name__
    if kind == "Shift":
        return unbounded(s.inner, min(max(t - s.by, 0), LAST))
    if kind == "Scale":
        return times(unbounded(s.inner, t), mpf(float(s.factor)))
    if kind == "Product":
        return Exact(*(mp.fprod(getattr(unbounded(one, t), name) for one in s.schedules) for name in ("value", "size")))
    return EVALUATORS[kind](s, t)


def product(s: Any, t: int) -> Exact:
    powers = [one for one in s.schedules if is_power(one)]
    parts = [part(one, t) for one in s.schedules if len(powers) < 2 or not is_power(one)]
    if len(powers) > 1:
        value = mp.fprod(unbounded(one, t).value for one in powers)
        together = stop(Exact(value, abs(value), end(value)))
        if together.stopped and not parts:
            return together
        parts.append(UNKNOWN if together.stopped else together)
    sizes = [max(1, one.size) for one in parts]
    if len(parts) > 2 and mp.fprod(sizes) > MOST * min(sizes):  # some of them may stop, before they are multiplied by others
        return UNKNOWN
    return reduce(product_of, parts)


def clamp(s: Any, t: int) -> Exact:
    inner = part(s.inner, t)
    value = inner.value
    if mp.isnan(value):
        return UNKNOWN
    value = value if s.low is None else max(value, mpf(s.low))
    value = value if s.high is None else min(value, mpf(s.high))
    return Exact(value, max(inner.size, abs(value)) if inner.cancels else abs(value), inner.lost)


def child_of_sequence(s: Any, k: int, t: int) -> int:
    """Return the step at which the child k of a sequence is read."""
    first = s.milestones[k - 1] if k else 0
    reset = s.reset[k] if isinstance(s.reset, tuple) else s.reset
    if reset == "rescale" and k < len(s.schedules) - 1:
        length = s.schedules[k].length
        return (t - first) * length // ((s.milestones[k] - first) or 1)
    return t - first if reset else t


def sequential(s: Any, t: int) -> Exact:
    k = sum(m <= t for m in s.milestones)
    if s.join == "jump":
        return exact(s.schedules[k], child_of_sequence(s, k, t))
    value = part(s.schedules[0], child_of_sequence(s, 0, min([t, *s.milestones[:1]])))
    for j in range(1, k + 1):
        until = min([t, *s.milestones[j : j + 1]])
        piece = part(s.schedules[j], child_of_sequence(s, j, until))
        first = part(s.schedules[j], child_of_sequence(s, j, s.milestones[j - 1]))
        if s.join == "scale":
            if first.value == 0:
                return UNKNOWN
            ratio, other = abs(value.value / first.value), abs(piece.value / first.value)
            lost = piece.lost * ratio + value.lost * other + piece.size * end(ratio)
            size = max(piece.size * ratio, value.size * other)
            if first.cancels:
                size = size * first.size / abs(first.value)
            value = Exact(piece.value * value.value / first.value, size, lost)
        else:
            sizes, lost = piece.size + value.size + first.size, piece.lost + value.lost + first.lost
            value = Exact(piece.value + value.value - first.value, sizes, lost)
            if sizes > MOST and sizes > abs(value.value):  # value - first may have stopped
                return UNKNOWN
        if j < k and stop(value).stopped:
            return UNKNOWN
    return value


EVALUATORS: dict[str, Evaluate] = {
    "Constant": lambda s, t: field(s, "value", t),
    "Linear": plain(lambda x, s: 1 - x),
    "Cosine": plain(lambda x, s: half_cosine(x)),
    "CosinePower": plain(lambda x, s: to_the(half_cosine(x), s.power)),
    "Rex": plain(lambda x, s: (1 - x) / (1 - x / 2)),
    "CosineAnnealing": annealing,
    "CosineWaves": waves,
    "Polynomial": polynomial,
    "Cyclic": cyclic,
    "Exponential": exponential,
    "Step": lambda s, t: times(field(s, "start", t), mpf(float(s.gamma)) ** (t // s.every)),
    "Tanh": tanh,
    "KDecay": k_decay,
    "WarmRestarts": warm_restarts,
    "InverseTime": inverse_time,
    "InverseSqrt": lambda s, t: times(field(s, "start", t), mp.sqrt(mpf(s.steps) / max(t, s.steps))),
    "PowerLaw": lambda s, t: times(field(s, "start", t), (mpf(max(t + s.shift, s.steps)) / s.steps) ** -mpf(s.exponent)),
    "RangeTest": range_test,
    "MultiStep": multi_step,
    "PiecewiseConstant": lambda s, t: number(s.values[sum(m <= t for m in s.milestones)]),
    "Interpolate": lambda s, t: knots(s.milestones, [number(v) for v in s.values], s.kind, t),
    "OneCycle": one_cycle,
    "Noise": noise,
    "Ramp": ramp,
    "WSD": wsd,
    "Sum": total,
    "Product": product,
    "Scale": lambda s, t: product_of(part(s.inner, t), field(s, "factor", t)),
    "Clamp": clamp,
    "Shift": lambda s, t: exact(s.inner, min(max(t - s.by, 0), LAST)),
    "Loop": lambda s, t: exact(s.inner, t % s.period),
    "Shorten": lambda s, t: exact(s.inner, min(t, s.steps)),
    "Stretch": lambda s, t: exact(s.inner, min(t * s.divisor // s.factor, LAST)),
    "Sequential": sequential,
}
"""Every class but `Lambda`, whose values are its author's."""


def product_of(a: Exact, b: Exact) -> Exact:
    value = a.value * b.value
    return Exact(value, a.size * b.size, a.lost * b.size + b.lost * a.size + end(value))


def stop(found: Exact) -> Exact:
    """Return the value, marked if it has stopped growing: it is above 2**126."""
    return replace(found, stopped=True) if abs(found.value) > MOST else found


def exact(schedule: tracelr.Schedule, t: int) -> Exact:
    """Return the exact value of `schedule` at step t, from 0 to 2**53; NaN if it is made from a part that stopped growing."""
    found = EVALUATORS[type(schedule).__name__](schedule, t)
    near = MOST * mpf(2) ** -24 if abs(found.value) > MOST * (1 - mpf(2) ** -22) else 0  # it counts as stopped
    found = stop(replace(found, lost=found.lost + end(found.value) + near))
    return UNKNOWN if not found.stopped and found.size > 2 * MOST else found  # terms have stopped, but not their sum
