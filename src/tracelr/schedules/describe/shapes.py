"""Shapes: what each curve does from one step to the next at which its formula changes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias, final

import torch

from tracelr.arithmetic import F64, LAST_STEP
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.constant import Constant


@final
class Piece(NamedTuple):
    """From step `first` on, as long as the step is below `until` (None: for ever), the value is that of `curve`.

    `curve`, in the time of the whole, also has the value that the piece leads to, at `until`, where the next may jump.
    `shape` says how it goes, and is empty where the value stays; after `period` steps it comes again.
    """

    first: int
    until: int | None
    shape: str
    curve: Schedule
    period: int | None = None

    @property
    def flat(self) -> bool:
        """Whether the value stays."""
        return not self.shape


Pieces: TypeAlias = list[Piece]


def _ramp(schedule: Any, shape: str) -> Pieces:
    """Return the piece from `start` to `end`, and that it is held."""
    if isinstance(schedule.start, float) and schedule.start == schedule.end:
        return [Piece(0, None, "", schedule)]
    return [Piece(0, schedule.steps, shape, schedule), Piece(schedule.steps, None, "", schedule)]


def whole(schedule: Schedule, shape: str) -> Pieces:
    length = schedule.length
    if not length:
        return [Piece(0, None, shape, schedule)]
    probes = [float(schedule(min(length * k + k - 1, LAST_STEP))) for k in (1, 2, 3, 5, 8)]
    return [Piece(0, length, shape, schedule), Piece(length, None, "" if len(set(probes)) == 1 else shape, schedule)]


def _waves(shape: str, period: Callable[[Any], int | None]) -> Callable[[Any], Pieces]:
    return lambda schedule: [Piece(0, None, shape, schedule, period(schedule))]


def _endless(shape: Callable[[Any], str]) -> Callable[[Any], Pieces]:
    return lambda schedule: [Piece(0, None, shape(schedule), schedule)]


def eased(kind: str) -> str:
    """Return how a curve goes by the name of its easing."""
    return {"linear": "in a straight line", "cosine": "along half a cosine"}.get(kind, f'along "{kind}"')


def _late(schedule: Schedule, start: int, shape: str) -> Pieces:
    """Return a curve that is flat up to the step `start`."""
    if start <= 1:
        return [Piece(0, None, shape, schedule)]
    return [Piece(0, start, "", schedule), Piece(start, None, shape, schedule)]


def _knots(schedule: Schedule, parts: Iterable[tuple[int, str]]) -> Pieces:
    """Return pieces that each end at a step, and that the last value is held; a piece of no steps is left out."""
    found, first = [], 0
    for until, shape in parts:
        if until > first:
            found.append(Piece(first, until, shape, schedule))
            first = until
    return [*found, Piece(first, None, "", schedule)]


def _stairs(schedule: Any) -> Pieces:
    bounds = [0, *sorted({step for step in schedule.milestones if step > 0})]
    values = schedule.wide(torch.tensor(bounds), F64).tolist()  # not rounded: a factor may come before that
    return [Piece(a, b, "", Constant(v)) for (a, b), v in zip(pairwise([*bounds, None]), values, strict=True)]


def _one_cycle(schedule: Any) -> Pieces:
    shape = eased(schedule.ease)
    knots = [schedule.warm, *[2 * schedule.warm] * schedule.three_phase, schedule.steps]
    return _knots(schedule, [(math.ceil(knot), shape) for knot in knots])


def _wsd(schedule: Any) -> Pieces:
    flat = schedule.warm + schedule.stable
    parts = [(schedule.warm, eased(schedule.warm_kind)), (flat, ""), (schedule.length, eased(schedule.decay_kind))]
    return _knots(schedule, parts)


def _interpolate(schedule: Any) -> Pieces:
    shapes = ["" if a == b else eased(schedule.kind) for a, b in pairwise(schedule.values)]
    return _knots(schedule, zip(schedule.milestones, ["", *shapes], strict=True))


def _polynomial(schedule: Any) -> Pieces:
    shape = "in a straight line" if schedule.power == 1 else f"along the power {schedule.power:g} of the time left"
    if schedule.cycle:
        return [Piece(0, None, f"{shape}, again and again on a longer line", schedule, schedule.steps)]
    return _ramp(schedule, shape)


def _cosine_waves(schedule: Any) -> Pieces:
    period = max(round(schedule.steps / schedule.cycles), 1)
    if not schedule.restart:
        return [Piece(0, None, "in cosine waves", schedule, period)]
    held = Piece(schedule.steps, None, "", schedule)
    return [Piece(0, schedule.steps, "along half a cosine, again and again", schedule, period), held]


def _restarts(schedule: Any) -> Pieces:
    grows = f", each {schedule.multiplier:g} times as long" if schedule.multiplier != 1 else ""
    decays = "" if schedule.decay == 1 else f", each {float(schedule.decay):g} times as high"
    waves = Piece(0, schedule.length, f"along half a cosine, again and again{grows}{decays}", schedule, schedule.period)
    return [waves] if schedule.length is None else [waves, Piece(schedule.length, None, "", schedule)]


def _times(schedule: Any, factor: Any, every: int, stairs: bool) -> str:
    return f"by a factor of {float(factor):.6g} every {every:,} steps, {'at once' if stairs else 'smoothly'}"


CURVES: dict[str, Callable[[Any], Pieces]] = {
    "Constant": lambda s: [Piece(0, None, "", s)],
    "Linear": lambda s: _ramp(s, "in a straight line"),
    "Polynomial": _polynomial,
    "Exponential": _endless(lambda s: _times(s, s.rate, s.steps, s.staircase)),
    "InverseTime": _endless(lambda s: f"divided by a {'stair' if s.staircase else 'line'} of the time"),
    "InverseSqrt": lambda s: _late(s, s.steps, "as one over the square root of the step"),
    "PowerLaw": lambda s: _late(s, s.steps - s.shift, f"as the power -{s.exponent:g} of the step"),
    "Cosine": lambda s: _ramp(s, "along half a cosine"),
    "CosinePower": lambda s: _ramp(s, f"along the power {s.power:g} of half a cosine"),
    "KDecay": lambda s: _ramp(s, f"along {'half a cosine' if s.power is None else 'a power'}, the time to the {s.k:g}"),
    "Rex": lambda s: _ramp(s, "along a reflected exponential"),
    "Tanh": lambda s: _ramp(s, "along a hyperbolic tangent"),
    "Ramp": lambda s: _ramp(s, eased(s.kind)),
    "WSD": _wsd,
    "OneCycle": _one_cycle,
    "Step": _endless(lambda s: _times(s, s.gamma, s.every, True)),
    "MultiStep": _stairs,
    "PiecewiseConstant": _stairs,
    "Interpolate": _interpolate,
    "RangeTest": _endless(lambda s: f"by {float(s.rate):g} of its start every {s.steps:,} steps"),
    "CosineAnnealing": _waves("in cosine waves", lambda s: 2 * s.period),
    "CosineWaves": _cosine_waves,
    "WarmRestarts": _restarts,
    "Cyclic": _waves("up and down in straight lines", lambda s: s.up + s._down),
    "Noise": _endless(lambda s: f"by chance, {s.kind} with a spread of {s.spread:g}"),
    "Lambda": _endless(lambda s: "as its function says"),
}
"""The pieces of each class that is made of numbers, by its name."""
