"""Every curve as a textbook formula in Python floats, to be copied into a file that needs nothing else.

A function has the name of its class and takes the step and the fields in their order. Nothing here is used by tracelr.
"""

from __future__ import annotations

import math
from fractions import Fraction


def linear(t: int, start: float, end: float, steps: int) -> float:
    return start + (end - start) * min(t, steps) / steps


def polynomial(t: int, start: float, end: float, steps: int, power: float, cycle: bool) -> float:
    period = steps * max(1, -(-t // steps)) if cycle else steps
    return float(end + (start - end) * (1 - min(t, period) / period) ** power)


def exponential(t: int, start: float, rate: float, steps: int, staircase: bool) -> float:
    return float(start * rate ** (t // steps if staircase else t / steps))


def inverse_time(t: int, start: float, rate: float, steps: int, exponent: float, staircase: bool) -> float:
    time = (t // steps if staircase else t / steps) if exponent == 1 else t**exponent / steps
    return start / (1 + rate * (math.floor(time) if staircase else time))


def inverse_sqrt(t: int, start: float, steps: int) -> float:
    return start * math.sqrt(steps / max(t, steps))


def power_law(t: int, start: float, exponent: float, steps: int, shift: int) -> float:
    return float(start * (steps / max(t + shift, steps)) ** exponent)


def cosine(t: int, start: float, end: float, steps: int) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(t, steps) / steps)) / 2


def cosine_power(t: int, start: float, end: float, steps: int, power: float) -> float:
    return float(end + (start - end) * ((1 + math.cos(math.pi * min(t, steps) / steps)) / 2) ** power)


def k_decay(t: int, start: float, end: float, steps: int, k: float, power: float | None) -> float:
    x = (min(t, steps) / steps) ** k
    return float(end + (start - end) * ((1 + math.cos(math.pi * x)) / 2 if power is None else (1 - x) ** power))


def rex(t: int, start: float, end: float, steps: int) -> float:
    x = min(t, steps) / steps
    return end + (start - end) * (1 - x) / (1 - x / 2)


def tanh(t: int, start: float, end: float, steps: int, low: float, high: float) -> float:
    x = min(t, steps) / steps
    return end + (start - end) * (1 - math.tanh(low * (1 - x) + high * x)) / 2


def eased(x: float, kind: str, steps: int, ratio: float) -> float:
    if kind == "exponential":
        return float((ratio**x - ratio) / (1 - ratio))
    if kind == "log":
        return math.log(1 + steps - x * steps) / math.log(1 + steps)
    decays = {"linear": 1 - x, "cosine": (1 + math.cos(math.pi * x)) / 2, "sqrt": math.sqrt(1 - x)}
    return (decays | {"square": (1 - x) ** 2, "1-sqrt": 1 - math.sqrt(x), "1-square": 1 - x**2})[kind]


def ramp(t: int, start: float, end: float, steps: int, kind: str, ratio: float, rising: bool) -> float:
    x = min(t, steps) / steps
    if rising:
        return start + (end - start) * eased(1 - x, kind, steps, ratio)
    return end + (start - end) * eased(x, kind, steps, ratio)


def wsd(
    t: int,
    peak: float,
    warm: int,
    stable: int,
    decay: int,
    start: float,
    end: float,
    warm_kind: str,
    decay_kind: str,
    ratio: float,
) -> float:
    if t < warm:
        return ramp(t, start, peak, warm, warm_kind, ratio, True)
    return ramp(max(t - warm - stable, 0), peak, end, decay, decay_kind, ratio, False)


def one_cycle(t: int, start: float, peak: float, end: float, steps: int, warm: float, ease: str, three_phase: bool) -> float:
    knots = [(0.0, start), (warm, peak), *[(2 * warm, start)] * three_phase, (float(steps), end)]
    for (a, v), (b, w) in zip(knots[:-1], knots[1:], strict=True):  # noqa: RUF007
        if t <= b:
            x = (t - a) / (b - a)
            return v + (w - v) * ((1 - math.cos(math.pi * x)) / 2 if ease == "cosine" else x)
    return end


def step(t: int, start: float, gamma: float, every: int) -> float:
    return float(start * gamma ** (t // every))


def multi_step(t: int, start: float, gamma: float, milestones: list[int]) -> float:
    return float(start * gamma ** sum(milestone <= t for milestone in milestones))


def piecewise_constant(t: int, values: list[float], milestones: list[int]) -> float:
    return values[sum(milestone <= t for milestone in milestones)]


def interpolate(t: int, values: list[float], milestones: list[int], kind: str) -> float:
    k = sum(milestone <= t for milestone in milestones)
    if k == 0 or k == len(values):
        return values[max(k - 1, 0)]
    x = (t - milestones[k - 1]) / (milestones[k] - milestones[k - 1])
    return values[k - 1] + (values[k] - values[k - 1]) * ((1 - math.cos(math.pi * x)) / 2 if kind == "cosine" else x)


def range_test(t: int, start: float, rate: float, steps: int, staircase: bool) -> float:
    return start * (1 + rate * ((t + 1) // steps if staircase else (t + 1) / steps))


def cosine_annealing(t: int, start: float, end: float, period: int) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * (t % (2 * period)) / period)) / 2


def cosine_waves(t: int, start: float, end: float, steps: int, cycles: float, restart: bool) -> float:
    x = float(Fraction(cycles).limit_denominator(2**16) * t / steps % 1)
    if restart:
        return end + (start - end) * (1 + math.cos(math.pi * (x if t < steps else 1))) / 2
    return end + (start - end) * (1 + math.cos(2 * math.pi * x)) / 2


def warm_restarts(
    t: int, start: float, end: float, period: int, multiplier: float, decay: float, limit: int | None
) -> float:
    cycle, begin, until, exact = 0, 0, period, float(period)
    if multiplier == 1:
        cycle = t // period
        begin, until = cycle * period, (cycle + 1) * period
    while t >= until:
        cycle, begin, exact = cycle + 1, until, exact + period * multiplier ** (cycle + 1)
        until = math.ceil(exact)
    if limit is not None and cycle >= limit:
        return end
    return float(end + (start * decay**cycle - end) * (1 + math.cos(math.pi * (t - begin) / (until - begin))) / 2)


def cyclic(t: int, low: float, high: float, up: int, down: int | None, mode: str, gamma: float) -> float:
    down = up if down is None else down
    cycle, place = t // (up + down), t % (up + down)
    x = place / up if place <= up else (up + down - place) / down
    return float(low + (high - low) * x * {"triangular": 1.0, "triangular2": 0.5**cycle, "exp_range": gamma**t}[mode])
