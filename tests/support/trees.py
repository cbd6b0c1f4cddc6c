"""Random trees of schedules over the whole range that each field accepts, and the steps at which to look at them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import tracelr
from tracelr import Schedule
from tracelr.errors import TracelrError

LAST = 2**53
LARGEST = 2.0**126
EASINGS = ("linear", "cosine", "sqrt", "square", "1-sqrt", "1-square", "exponential", "log")


class Trees:
    """Draws schedules. `wild` draws numbers from the whole range of a field, not only those that people use."""

    def __init__(self, seed: int | str, wild: bool = True, signed: bool = True) -> None:
        self.random = random.Random(seed)
        self.wild, self.signed = wild, signed

    def rare(self) -> bool:
        return self.wild and self.random.random() < 0.3

    def steps(self, low: int = 1, most: int = LAST) -> int:
        draw = self.random
        kind = draw.randrange(4 if self.wild else 3)
        if kind == 0:
            found = draw.choice([1, 2, 3, 4, 5, 7, 10, 12, 100, 1000, 10**5])
        elif kind == 1:
            found = int(2 ** draw.uniform(0, 20))
        elif kind == 2:
            found = int(2 ** draw.uniform(0, 53))
        else:
            found = 2 ** draw.randrange(54) + draw.choice([-1, 0, 1])
        return max(low, min(found, most))

    def number(self) -> float:
        draw = self.random
        size = draw.choice([0.0, 1.0, 0.1, 6e-4, 1e-3, draw.random(), 10 ** draw.uniform(-7, 1)])
        if self.rare():
            size = draw.choice(
                [LARGEST, 3e30, 1e-30, 1e-45, 1e-200, 5e-324, 2.0 ** draw.randint(-150, 126), 10 ** draw.uniform(-40, 37)]
            )
        return -size if self.signed and draw.random() < 0.25 else size

    def scalar(self, depth: int) -> Any:
        return self.tree(depth - 1) if depth > 0 and self.random.random() < 0.15 else self.number()

    def rate(self) -> float:
        """Return a number above 0."""
        draw = self.random
        if self.rare():
            return draw.choice([LARGEST, 1e25, 1e-30, 5e-324, 10 ** draw.uniform(-40, 37), 2.0, 10.0, 1.5])
        return draw.choice(
            [0.9, 0.1, 0.5, 0.96, 1.0, 1 - 1e-7, 1.1, 2.0, draw.uniform(0.01, 1), 1 + 10 ** -draw.uniform(1, 9)]
        )

    def not_negative(self) -> float:
        return 0.0 if self.random.random() < 0.1 else self.rate()

    def exponent(self) -> float:
        draw = self.random
        if self.rare():
            return draw.choice([60.0, 200.0, 257.0, 1e4, 1e7, 1e9, 1e30, LARGEST, 1e-30, 10 ** draw.uniform(-10, 37)])
        return draw.choice([1.0, 2.0, 3.0, 4.0, 0.5, 0.25, 1.5, 5.0, 8.0, 3.7, 10.0, draw.uniform(0.05, 4)])

    def flag(self) -> bool:
        return self.random.random() < 0.5

    def milestones(self, count: int, low: int = 0) -> list[int]:
        draw = self.random
        reach = draw.choice([count + 2, 100, 10**5, 2**24 + 3, LAST])
        return sorted(draw.sample(range(low, max(reach, count + 2)), count))

    def ends(self, depth: int) -> tuple[Any, Any]:
        return self.scalar(depth), self.scalar(depth)

    def curve(self, depth: int = 0) -> Schedule:
        name = self.random.choice(list(CURVES))
        return CURVES[name](self, depth)

    def composition(self, depth: int) -> Schedule:
        return COMPOSITIONS[self.random.choice(list(COMPOSITIONS))](self, depth)

    def tree(self, depth: int) -> Schedule:
        """Return a schedule that is at most `depth` levels of compositions above its curves."""
        while True:
            try:
                leaf = depth <= 0 or self.random.random() < 0.2
                return self.curve(depth) if leaf else self.composition(depth)
            except TracelrError:
                continue  # a range that fields have together


def _restarts(d: Trees, depth: int) -> Schedule:
    multiplier = d.random.choice([1.0, 1.0, 1.1, 1.5, 2.0, 1.3, 3.0, 512.0, round(d.random.uniform(1.05, 3), 2)])
    decay = d.random.choice([1.0, 0.7, d.rate()])
    return tracelr.WarmRestarts(*d.ends(depth), d.steps(), multiplier, decay, d.random.choice([None, 1, 3, d.steps()]))


def _one_cycle(d: Trees, depth: int) -> Schedule:
    steps, three = d.steps(low=2), d.flag()
    warm = d.random.choice([0.3, d.random.uniform(0.001, 0.499)]) * steps
    warm = float(int(warm)) if d.flag() and warm >= 1 else warm
    return tracelr.OneCycle(*d.ends(depth), d.scalar(depth), steps, warm, d.random.choice(["cosine", "linear"]), three)


def _wsd(d: Trees, depth: int) -> Schedule:
    lengths = d.random.choice([0, d.steps(most=2**51)]), d.random.choice([0, d.steps(most=2**51)]), d.steps(most=2**51)
    kinds = d.random.choice(EASINGS), d.random.choice(EASINGS)
    return tracelr.WSD(d.scalar(depth), *lengths, *d.ends(depth), *kinds, d.random.choice([0.5, 0.01, 1e-6, 0.999]))


def _noise(d: Trees, depth: int) -> Schedule:
    kind = d.random.choice(["uniform", "uniform", "normal"])
    limit = d.random.choice([3.0, 1.0, 0.1, 5.0])
    return tracelr.Noise(
        d.random.randrange(2**53), d.random.random() * (1 if kind == "uniform" else min(1, 1 / limit)), kind, limit
    )


def _cyclic(d: Trees, depth: int) -> Schedule:
    mode = d.random.choice(["triangular", "triangular2", "exp_range"])
    return tracelr.Cyclic(
        *d.ends(depth), d.steps(), d.random.choice([None, d.steps()]), mode, d.rate() if mode == "exp_range" else 1.0
    )


def _knots(d: Trees, depth: int) -> Schedule:
    at = d.milestones(d.random.choice([1, 2, 3, 6]))
    return tracelr.Interpolate([d.number() for _ in at], at, d.random.choice(["linear", "cosine"]))


def _pieces(d: Trees, depth: int) -> Schedule:
    at = d.milestones(d.random.choice([0, 0, 1, 2, 5]))
    return tracelr.PiecewiseConstant([d.number() for _ in range(len(at) + 1)], at)


def _tanh(d: Trees, depth: int) -> Schedule:
    low, high = sorted(d.random.choice([-128.0, 128.0, d.random.uniform(-128, 128), d.random.uniform(-8, 8)]) for _ in "ab")
    return tracelr.Tanh(*d.ends(depth), d.steps(), low, high)


CURVES: dict[str, Callable[[Trees, int], Schedule]] = {
    "Constant": lambda d, k: tracelr.Constant(d.scalar(k)),
    "Linear": lambda d, k: tracelr.Linear(*d.ends(k), d.steps()),
    "Cosine": lambda d, k: tracelr.Cosine(*d.ends(k), d.steps()),
    "CosinePower": lambda d, k: tracelr.CosinePower(*d.ends(k), d.steps(), d.exponent()),
    "Rex": lambda d, k: tracelr.Rex(*d.ends(k), d.steps()),
    "CosineAnnealing": lambda d, k: tracelr.CosineAnnealing(*d.ends(k), d.steps()),
    "CosineWaves": lambda d, k: tracelr.CosineWaves(
        *d.ends(k),
        d.steps(),
        d.random.choice([1, 0.5, 2, 18661, d.random.randint(1, 20) / d.random.randint(1, 8)]),
        d.flag(),
    ),
    "Polynomial": lambda d, k: tracelr.Polynomial(*d.ends(k), d.steps(), d.exponent(), d.flag()),
    "Cyclic": _cyclic,
    "Exponential": lambda d, k: tracelr.Exponential(d.scalar(k), d.rate(), d.steps(), d.flag()),
    "Step": lambda d, k: tracelr.Step(d.scalar(k), d.rate(), d.steps()),
    "Tanh": _tanh,
    "KDecay": lambda d, k: tracelr.KDecay(*d.ends(k), d.steps(), d.exponent(), d.random.choice([None, d.exponent()])),
    "WarmRestarts": _restarts,
    "InverseTime": lambda d, k: tracelr.InverseTime(d.scalar(k), d.not_negative(), d.steps(), d.exponent(), d.flag()),
    "InverseSqrt": lambda d, k: tracelr.InverseSqrt(d.scalar(k), d.steps()),
    "PowerLaw": lambda d, k: tracelr.PowerLaw(
        d.scalar(k), d.exponent(), d.steps(), d.random.choice([0, 0, d.steps(), -d.steps()])
    ),
    "RangeTest": lambda d, k: tracelr.RangeTest(d.scalar(k), d.not_negative(), d.steps(), d.flag()),
    "MultiStep": lambda d, k: tracelr.MultiStep(d.scalar(k), d.rate(), d.milestones(d.random.choice([0, 1, 2, 2, 5, 40]))),
    "PiecewiseConstant": _pieces,
    "Interpolate": _knots,
    "OneCycle": _one_cycle,
    "Noise": _noise,
    "Ramp": lambda d, k: tracelr.Ramp(
        *d.ends(k), d.steps(), d.random.choice(EASINGS), d.random.choice([0.5, 0.01, 1e-6, 0.999, 0.3]), d.flag()
    ),
    "WSD": _wsd,
}


def _sequence(d: Trees, depth: int) -> Schedule:
    count = d.random.choice([1, 2, 2, 3])
    children = [d.tree(depth - 1) for _ in range(count)]
    reset = d.random.choice([True, True, False, "rescale"])
    return tracelr.Sequential(children, d.milestones(count - 1), reset, d.random.choice(["jump", "jump", "scale", "shift"]))


def _clamp(d: Trees, depth: int) -> Schedule:
    low, high = sorted((d.number(), d.number()))
    return tracelr.Clamp(d.tree(depth - 1), *d.random.choice([(low, high), (None, high), (low, None)]))


def _several(d: Trees, depth: int) -> list[Schedule]:
    return [d.tree(depth - 1) for _ in range(d.random.choice([1, 2, 2, 2, 3]))]


COMPOSITIONS: dict[str, Callable[[Trees, int], Schedule]] = {
    "Sum": lambda d, k: tracelr.Sum(_several(d, k)),
    "Product": lambda d, k: tracelr.Product(_several(d, k)),
    "Scale": lambda d, k: tracelr.Scale(d.tree(k - 1), d.scalar(k)),
    "Clamp": _clamp,
    "Shift": lambda d, k: tracelr.Shift(d.tree(k - 1), d.random.choice([-1, 1]) * d.steps()),
    "Loop": lambda d, k: tracelr.Loop(d.tree(k - 1), d.steps()),
    "Shorten": lambda d, k: tracelr.Shorten(d.tree(k - 1), d.steps(low=0)),
    "Stretch": lambda d, k: tracelr.Stretch(d.tree(k - 1), d.steps(most=2**26), d.steps(most=2**26)),
    "Sequential": _sequence,
    "warmup": lambda d, k: d.tree(k - 1).warmup(
        d.steps(most=2**52),
        abs(d.number()),
        d.random.choice([*EASINGS, "constant"]),
        d.flag(),
        d.random.choice(["0", "1/n", "1/(n+1)"]),
    ),
    "cooldown": lambda d, k: d.tree(k - 1).cooldown(d.steps(), d.steps(low=0), d.number(), d.random.choice(EASINGS)),
}


def bounds(schedule: Schedule) -> set[int]:
    """Return the numbers of steps in the fields of a tree, which are near the places where a formula changes."""
    found: set[int] = set()
    for one in schedule.modules():
        for name in getattr(one, "_rules", ()):
            value = getattr(one, name)
            entries = value if isinstance(value, tuple) else (value,)
            found |= {abs(entry) for entry in entries if isinstance(entry, int) and not isinstance(entry, bool)}
            found |= {int(value)} if name == "warm" and value < LAST else set()
    return found


def steps_of(schedule: Schedule, draw: random.Random, count: int) -> list[int]:
    """Return `count` steps: around the bounds of the tree, around powers of two, and of every size."""
    marks = sorted(bounds(schedule)) or [1]
    found = set()
    for _ in range(4 * count):
        kind = draw.randrange(5)
        mark = draw.choice(marks)
        if kind == 0:
            step = mark * draw.choice([1, 1, 1, 2, 3, 10]) + draw.choice([-1, 0, 1])
        elif kind == 1:
            step = 2 ** draw.randrange(54) + draw.choice([-1, 0, 1])
        elif kind == 2:
            step = sum(draw.sample(marks, min(2, len(marks)))) + draw.choice([-1, 0, 1])
        elif kind == 3:
            step = draw.randrange(max(mark, 1) + 1)
        else:
            step = int(2 ** draw.uniform(0, 53))
        if 0 <= step <= LAST:
            found.add(step)
        if len(found) >= count:
            break
    return sorted(found | {0, LAST})


def trees(kind: str, seed: int | str, count: int) -> Iterator[tuple[Schedule, list[int]]]:
    """Yield trees with `count` steps in all: single curves, or compositions up to three levels deep."""
    made = CURVES if kind == "curves" else COMPOSITIONS
    draw, done = Trees(f"{kind} {seed}", wild=not isinstance(seed, int) or seed % 2 == 0), 0
    while done < count:
        for build in made.values():
            try:
                schedule = build(draw, 0 if kind == "curves" else 3)
            except TracelrError:
                continue
            steps = steps_of(schedule, draw.random, 12)
            done += len(steps)
            yield schedule, steps
