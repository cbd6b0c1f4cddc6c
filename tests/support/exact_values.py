"""The exact value of any tree of schedules at a step, from the docstrings of the classes, in fractions and 300-bit mpmath.

It shares no code with `src`: it reads the fields of a schedule, and nothing else of it. With each value comes its size,
the largest magnitude that is added up on the way. An arithmetic cannot be nearer to the value than its unit times the size.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any, TypeAlias

from mpmath import mp, mpf

import tracelr
from tracelr import Schedule

Evaluate: TypeAlias = "Callable[[Any, int], Exact]"
LAST = 2**53
MOST = mpf(2) ** 126
UNKNOWN = mpf(2) ** 100_000


@dataclass(frozen=True)
class Exact:
    value: Any  # mpf
    size: Any

    @property
    def cancels(self) -> bool:
        return bool(self.size > 2 * abs(self.value))


def number(value: Any) -> Exact:
    return Exact(mpf(value), abs(mpf(value)))


def field(schedule: Any, name: str, t: int) -> Exact:
    """Return the value of a field at step t, which may be a number, a tensor or a schedule."""
    value = getattr(schedule, name)
    return exact(value, t) if isinstance(value, Schedule) else number(float(value))


def between(a: Exact, b: Exact, covered: Any, remaining: Any = None) -> Exact:
    """Return the value that has covered this part of the way from a to b; `remaining`, if known, is 1 - covered."""
    remaining = 1 - covered if remaining is None else remaining
    value = a.value * remaining + b.value * covered
    calm = not a.cancels and not b.cancels and a.value * b.value >= 0
    return Exact(value, abs(value) if calm else a.size + b.size)


def times(a: Exact, factor: Any) -> Exact:
    return Exact(a.value * factor, a.size * abs(factor))


def plain(formula: Callable[[Any, Any], Any]) -> Evaluate:
    """From `start` to `end` over `steps`; `formula(x, schedule)` is the part that remains at x = t / n, and then 0."""

    def evaluate(s: Any, t: int) -> Exact:
        ends = field(s, "start", t), field(s, "end", t)
        rest = formula(mpf(min(t, s.steps)) / s.steps, s)
        return between(*ends, 1 - rest, rest)

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
    return between(field(s, "start", t), field(s, "end", t), 1 - rest, rest)


def cyclic(s: Any, t: int) -> Exact:
    down = s.up if s.down is None else s.down
    cycle, place = divmod(t, s.up + down)
    height = mpf(place) / s.up if place <= s.up else mpf(s.up + down - place) / down
    scale = {"triangular": 1, "triangular2": mpf(2) ** -cycle, "exp_range": mpf(float(s.gamma)) ** t}[s.mode]
    low, high = field(s, "low", t), field(s, "high", t)
    if s.mode == "triangular" or (s.mode == "triangular2" and cycle == 0):
        return between(low, high, height)
    value = low.value + (high.value - low.value) * scale * height
    return Exact(value, low.size + (high.size + low.size) * scale * height)


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
    return between(field(s, "start", t), field(s, "end", t), 1 - rest, rest)


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
    peak = times(field(s, "start", t), mpf(float(s.decay)) ** cycle)
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
    return times(field(s, "start", t), 1 / (1 + mpf(float(s.rate)) * time))


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
    parts = [exact(child, t) for child in s.schedules]
    return Exact(mp.fsum(part.value for part in parts), mp.fsum(part.size for part in parts))


def product(s: Any, t: int) -> Exact:
    parts = [exact(child, t) for child in s.schedules]
    return Exact(mp.fprod(part.value for part in parts), mp.fprod(part.size for part in parts))


def clamp(s: Any, t: int) -> Exact:
    inner = exact(s.inner, t)
    value = inner.value
    value = value if s.low is None else max(value, mpf(s.low))
    value = value if s.high is None else min(value, mpf(s.high))
    return Exact(value, max(inner.size, abs(value)) if inner.cancels else abs(value))


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
    value = exact(s.schedules[0], child_of_sequence(s, 0, min([t, *s.milestones[:1]])))
    for j in range(1, k + 1):
        until = min([t, *s.milestones[j : j + 1]])
        piece = exact(s.schedules[j], child_of_sequence(s, j, until))
        first = exact(s.schedules[j], child_of_sequence(s, j, s.milestones[j - 1]))
        if s.join == "scale":
            ratio = value.value / first.value
            value = Exact(piece.value * ratio, max(piece.size * abs(ratio), value.size * abs(piece.value / first.value)))
        else:
            value = Exact(piece.value + value.value - first.value, piece.size + value.size + first.size)
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
    "Scale": lambda s, t: product_of(exact(s.inner, t), field(s, "factor", t)),
    "Clamp": clamp,
    "Shift": lambda s, t: exact(s.inner, min(max(t - s.by, 0), LAST)),
    "Loop": lambda s, t: exact(s.inner, t % s.period),
    "Shorten": lambda s, t: exact(s.inner, min(t, s.steps)),
    "Stretch": lambda s, t: exact(s.inner, min(t * s.divisor // s.factor, LAST)),
    "Sequential": sequential,
}
"""Every class but `Lambda`, whose values are its author's."""


def product_of(a: Exact, b: Exact) -> Exact:
    return Exact(a.value * b.value, a.size * b.size)


def exact(schedule: tracelr.Schedule, t: int) -> Exact:
    """Return the exact value of `schedule` at step t, from 0 to 2**53.

    Growth stops at 2**126, also of a part of the tree; then nothing is known of what is made from it, and the size is huge.
    """
    found = EVALUATORS[type(schedule).__name__](schedule, t)
    return found if found.size < MOST else Exact(found.value, UNKNOWN)
