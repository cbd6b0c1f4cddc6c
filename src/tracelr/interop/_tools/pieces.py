"""The pieces that the readers of frameworks share: warm-ups with their origins, decays, lengths that are fractions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, TypeAlias

from tracelr.errors import Unquoted
from tracelr.interop._tools.checks import Place
from tracelr.interop._tools.section import Section, fraction
from tracelr.schedules.assignment import Loaded
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Product, Sequential, Shift, Shorten, Stretch
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.curves.ramp import Ramp

Origin: TypeAlias = Literal["0", "1/n", "1/(n+1)"]


def rise(peak: float, steps: int, start: float = 0.0, origin: Origin = "0") -> Schedule:
    """Return the line from `start` to `peak`: k/n of it at step k, or (k+1)/n, or (k+1)/(n+1)."""
    line = Linear(start, peak, steps + (origin == "1/(n+1)"))
    return line if origin == "0" else Shift(line, -1)


def warmed(
    main: Schedule, peak: float, steps: int, start: float = 0.0, origin: Origin = "0", same_clock: bool = False
) -> Schedule:
    """Return a warm-up of `steps` steps and then `main`, read from its own step 0, or with `same_clock` at the step."""
    if steps <= 0:
        return main
    return Sequential([rise(peak, steps, start, origin), main], [steps], reset=not same_clock)


def then(first: Schedule, steps: int, second: Schedule) -> Schedule:
    """Return `second` from step `steps` on; `first` alone before it."""
    return Sequential([first, second], [steps]) if steps > 0 else second


def decay(kind: str, start: float, end: float, steps: int) -> Schedule:
    """Return a decay by name: linear, cosine, 1-sqrt or constant; over 0 steps it is at its end."""
    if kind == "constant":
        return Constant(start)
    if steps <= 0:
        return Constant(end)
    if kind == "linear":
        return Linear(start, end, steps)
    return Cosine(start, end, steps) if kind == "cosine" else Ramp(start, end, steps, "1-sqrt")


def per_epoch(schedule: Schedule, updates: int) -> Schedule:
    """Return a schedule of the epoch as one of the update: each of its steps lasts `updates` updates."""
    return schedule if updates == 1 else Stretch(schedule, updates)


def in_units(schedule: Schedule, per_update: int) -> Schedule:
    """Return a schedule of samples or tokens as one of the update, in which `per_update` of them pass."""
    return schedule if per_update == 1 else Stretch(schedule, 1, per_update)


def fractional(s: Section, *lengths: float, make: Callable[..., Schedule], per_update: int = 1) -> Schedule:
    """Return what `make` makes of lengths that may be fractions: it is passed them in a finer, common unit.

    In an update `per_update` of the coarse unit, which is that of the lengths, pass.
    """
    parts = [fraction(each) for each in lengths]
    unit = math.lcm(*(part.denominator for part in parts))
    return s.build(lambda: in_units(make(*(int(part * unit) for part in parts)), unit * per_update))


def times(factor: float, schedule: Schedule) -> Schedule:
    """Return a schedule times a number."""
    return schedule if factor == 1 else factor * schedule


def product(factors: list[Schedule]) -> Schedule:
    """Return the product of schedules."""
    return factors[0] if len(factors) == 1 else Product(factors)


def drop_first(schedule: Schedule, by: int = 1) -> Schedule:
    """Return a schedule read `by` steps later than the step, as of a program that asks for k + 1."""
    return Shift(schedule, -by)


def late(schedule: Schedule, by: int = 1) -> Schedule:
    """Return a schedule that is `by` updates late: its first value holds so much longer."""
    return Shift(schedule, by)


def refuse_empty(where: Place, found: Loaded) -> None:
    """Raise if a curve in what a foreign format describes has no steps.

    A schedule of tracelr may have 0 steps. In a program of another library a decay of 0 steps fails, or divides by 0.
    """
    for schedule in [found] if isinstance(found, Schedule) else [one.schedule for one in found]:
        for one in schedule.modules():
            if not isinstance(one, Shorten) and 0 in (getattr(one, "steps", None), getattr(one, "decay", None)):
                given = Unquoted(f"a {type(one).__name__} of 0 steps")
                raise where.refuse(given, "curves of 1 step or more", "make the decay longer, or the warm-up shorter")
