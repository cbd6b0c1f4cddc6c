"""The table of classes in docs/numerics.md: what each field accepts, the largest error, and where values stop growing.

`PYTHONPATH=tests python tests/support/class_table.py` measures the errors against `exact_values.py`, in minutes, and prints the table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mpmath import mp, mpf

import tracelr
from support.exact_values import exact
from support.trees import COMPOSITIONS, CURVES, Trees, steps_of
from tracelr import Constant, Schedule, precision
from tracelr.errors import TracelrError

PAGE = Path(__file__).parents[2] / "docs" / "numerics.md"
VALUES = 5_000
"""The values of each class that are compared for the page."""
ARITHMETICS = ("float64", "two_float", "float32")


@dataclass(frozen=True)
class Range:
    """What a field accepts: a text, numbers that it accepts, at the bounds, and the next ones, that it refuses."""

    text: str
    accepted: tuple[Any, ...]
    refused: tuple[Any, ...]
    given: Callable[[Any], Any] = lambda number: number


def real(text: str, low: float, high: float, given: Callable[[Any], Any] = lambda number: number) -> Range:
    return Range(text, (low, high), (math.nextafter(low, -math.inf), math.nextafter(high, math.inf), math.nan), given)


def whole(text: str, low: int, high: int = 2**53, given: Callable[[Any], Any] = lambda number: number) -> Range:
    return Range(text, (low, high), (low - 1, high + 1, low + 0.5), given)


def one(number: Any) -> list[Any]:
    return [number]


MOST = 2.0**126
NUMBER = real("-2^126 to 2^126", -MOST, MOST)
NUMBERS = real(NUMBER.text, -MOST, MOST, one)
RATE = real("above 0, to 2^126", math.ulp(0.0), MOST)
EXPONENT = real("0.001 to 1e12", 0.001, 1e12)
STEPS, STEPS_OR_0, OFFSET = whole("1 to 2^53", 1), whole("0 to 2^53", 0), whole("-2^53 to 2^53", -(2**53))
RATIO = real("1e-6 to 0.999", 1e-6, 0.999)
MILESTONES = whole(STEPS_OR_0.text, 0, given=one)
FIRST = real('under `join="scale"`, a first value of 2^-40 to 2^40 in size', 2.0**-40, 2.0**40)


@dataclass(frozen=True)
class Row:
    made: Schedule
    fields: dict[str, Range]
    stops: str = ""
    """What stops growing, and where."""


ENDS = {"start": NUMBER, "end": NUMBER}
C = Constant(1.0)
GROWS = "its value, at 2^126"

ROWS: dict[str, Row] = {
    "Constant": Row(C, {"value": NUMBER}),
    "Linear": Row(tracelr.Linear(1.0, 0.0, 1), ENDS | {"steps": STEPS_OR_0}),
    "Cosine": Row(tracelr.Cosine(1.0, 0.0, 1), ENDS | {"steps": STEPS_OR_0}),
    "CosinePower": Row(tracelr.CosinePower(1.0, 0.0, 1, 2.0), ENDS | {"steps": STEPS_OR_0, "power": EXPONENT}),
    "Rex": Row(tracelr.Rex(1.0, 0.0, 1), ENDS | {"steps": STEPS_OR_0}),
    "CosineAnnealing": Row(tracelr.CosineAnnealing(1.0, 0.0, 1), ENDS | {"period": STEPS}),
    "CosineWaves": Row(
        tracelr.CosineWaves(1.0, 0.0, 1, 1.0),
        ENDS
        | {
            "steps": STEPS,
            "cycles": Range(
                "a / b with b to 2^16, and a b `steps` below 2^62", (2.0**-16, 2.0**61), (0.0, 2.0**-17, 2.0**62)
            ),
        },
    ),
    "Polynomial": Row(tracelr.Polynomial(1.0, 0.0, 1, 2.0), ENDS | {"steps": STEPS_OR_0, "power": EXPONENT}),
    "KDecay": Row(tracelr.KDecay(1.0, 0.0, 1, 2.0), ENDS | {"steps": STEPS_OR_0, "k": EXPONENT, "power": EXPONENT}),
    "PowerLaw": Row(
        tracelr.PowerLaw(1.0, 0.5, 1, 0), {"start": NUMBER, "exponent": EXPONENT, "steps": STEPS, "shift": OFFSET}
    ),
    "Exponential": Row(tracelr.Exponential(1.0, 0.5, 1), {"start": NUMBER, "rate": RATE, "steps": STEPS}, GROWS),
    "Step": Row(tracelr.Step(1.0, 0.5, 1), {"start": NUMBER, "gamma": RATE, "every": STEPS}, GROWS),
    "MultiStep": Row(tracelr.MultiStep(1.0, 0.5, [1]), {"start": NUMBER, "gamma": RATE, "milestones": MILESTONES}, GROWS),
    "InverseSqrt": Row(tracelr.InverseSqrt(1.0, 1), {"start": NUMBER, "steps": STEPS}),
    "InverseTime": Row(
        tracelr.InverseTime(1.0, 0.5, 1),
        {"start": NUMBER, "rate": real("0 to 2^126", 0.0, MOST), "steps": STEPS, "exponent": EXPONENT},
    ),
    "RangeTest": Row(
        tracelr.RangeTest(1.0, 0.5, 1), {"start": NUMBER, "rate": real("0 to 2^126", 0.0, MOST), "steps": STEPS}, GROWS
    ),
    "Tanh": Row(
        tracelr.Tanh(1.0, 0.0, 1, -1.0, 1.0),
        ENDS
        | {
            "steps": STEPS_OR_0,
            "low": Range("-128 to below `high`", (-128.0, math.nextafter(1.0, 0)), (math.nextafter(-128.0, -200), 1.0)),
            "high": Range("above `low`, to 128", (math.nextafter(-1.0, 0), 128.0), (-1.0, math.nextafter(128.0, 200))),
        },
    ),
    "Cyclic": Row(
        tracelr.Cyclic(0.0, 1.0, 1, mode="exp_range"),
        {"low": NUMBER, "high": NUMBER, "up": STEPS, "down": STEPS, "gamma": RATE},
        'with "exp_range" its height above `low`, at 2^126',
    ),
    "WarmRestarts": Row(
        tracelr.WarmRestarts(1.0, 0.0, 100),
        ENDS
        | {
            "period": STEPS,
            "multiplier": real("1 to 512, with at most 4096 cycles if above 1", 1.0, 512.0),
            "decay": RATE,
            "limit": STEPS,
        },
        "its peak, at 2^126",
    ),
    "PiecewiseConstant": Row(
        tracelr.PiecewiseConstant([1.0, 0.5], [1]),
        {"values": real(NUMBER.text, -MOST, MOST, lambda x: [1.0, x]), "milestones": MILESTONES},
    ),
    "Interpolate": Row(tracelr.Interpolate([1.0], [1]), {"values": NUMBERS, "milestones": MILESTONES}),
    "OneCycle": Row(
        tracelr.OneCycle(0.1, 1.0, 0.0, 10, 3.0),
        {
            **ENDS,
            "peak": NUMBER,
            "steps": whole("above `warm`, to 2^53", 4),
            "warm": Range(
                "above 0, below `steps` (half of it with `three_phase`)",
                (math.ulp(0.0), math.nextafter(10.0, 0)),
                (0.0, 10.0),
            ),
        },
    ),
    "WSD": Row(
        tracelr.WSD(1.0, 0, 0, 0),
        {"peak": NUMBER, **ENDS}
        | dict.fromkeys(("warm", "stable", "decay"), whole("0 to 2^53 together", 0))
        | {"ratio": RATIO},
    ),
    "Ramp": Row(tracelr.Ramp(1.0, 0.0, 1, "exponential"), ENDS | {"steps": STEPS_OR_0, "ratio": RATIO}),
    "Noise": Row(
        tracelr.Noise(1, 0.0, "normal", 1.0),
        {
            "seed": whole("0 to 2^53", 0),
            "spread": real('0 to 1, with "normal" to 1 / `limit`', 0.0, 1.0),
            "limit": EXPONENT,
        },
    ),
    "Sum": Row(tracelr.Sum([C]), {}, "each partial sum, at 2^126"),
    "Product": Row(tracelr.Product([C]), {}, "each partial product, at 2^126; the exponents of powers are added first"),
    "Scale": Row(tracelr.Scale(C, 1.0), {"factor": NUMBER}, GROWS),
    "Clamp": Row(tracelr.Clamp(C, -MOST, MOST), {"low": NUMBER, "high": NUMBER}),
    "Shift": Row(tracelr.Shift(C, 1), {"by": OFFSET}),
    "Loop": Row(tracelr.Loop(C, 1), {"period": STEPS}),
    "Shorten": Row(tracelr.Shorten(C, 1), {"steps": STEPS_OR_0}),
    "Stretch": Row(tracelr.Stretch(C, 1, 1), dict.fromkeys(("factor", "divisor"), whole("1 to 2^53, their product too", 1))),
    "Sequential": Row(
        tracelr.Sequential([C, C], [1], join="scale"),
        {
            "milestones": MILESTONES,
            "schedules": Range(FIRST.text, FIRST.accepted, FIRST.refused[:2], lambda first: [C, Constant(first)]),
        },
        "a joined value, at 2^126",
    ),
}
"""Every class but `Lambda`, whose values are its author's."""


def ranges(row: Row) -> str:
    """Return the cell that says what the fields accept."""
    texts: dict[str, list[str]] = {}
    for name, accepted in row.fields.items():
        texts.setdefault(accepted.text, []).append(f"`{name}`")
    return "; ".join(f"{', '.join(names)} {text}" for text, names in texts.items()) or "any schedules"


def errors(name: str, values: int) -> dict[str, float]:
    """Return the largest error in each arithmetic, in float32 units, at fields that people use and steps to 2**53.

    In float32 the steps are up to 2**24, the values below 2**60 and the parts of a composition do not grow, because a power
    stops early there. Values below 2**-77, which pairs may make 0, and those of terms that cancel, which have another bound,
    are left out.
    """
    made, depth = (CURVES[name], 0) if name in CURVES else (COMPOSITIONS[name], 1)
    draw, done, worst = Trees(f"table {name}", wild=False, signed=False), 0, dict.fromkeys(ARITHMETICS, 0.0)
    while done < values:
        try:
            schedule = made(draw, depth)
        except TracelrError:
            continue  # a range that fields have together
        steps = steps_of(schedule, draw.random, 12) + [draw.random.randrange(2**24) for _ in range(3)]
        done += len(steps)
        found = [(step, exact(schedule, step)) for step in steps]
        kept = [(t, v) for t, v in found if abs(v.value) >= mpf(2) ** -77 and not v.stopped and not v.cancels]
        for arithmetic in ARITHMETICS:
            some = kept
            if arithmetic == "float32":
                known = depth == 0 or not grows(schedule)
                some = [x for x in kept if known and x[0] <= 2**24 and abs(x[1].value) < mpf(2) ** 60]
            with precision(arithmetic), torch.no_grad():
                got = schedule(torch.tensor([step for step, _ in some], dtype=torch.int64)).tolist()
            for value, (_, want) in zip(got, some, strict=True):
                unit = mp.ldexp(1, mp.frexp(want.value)[1] - 24)
                worst[arithmetic] = max(worst[arithmetic], float(abs(mpf(value) - want.value) / unit))
    return worst


def grows(schedule: Schedule) -> bool:
    """Return whether a part of a tree grows without end."""
    factors = [getattr(one, name, 0.0) for one in schedule.modules() for name in ("rate", "gamma", "decay")]
    return any(isinstance(factor, float) and factor > 1 for factor in factors)


def rounded_up(error: float, arithmetic: str) -> str:
    digits = 3 if arithmetic != "float32" else max(0, 1 - math.floor(math.log10(error)))
    return f"{math.ceil(error * 10**digits) / 10**digits:.{digits}f}"


def written(name: str, stated: dict[str, str]) -> str:
    """Return the line of a class."""
    cells = [f"`{name}`", ranges(ROWS[name]), *(stated[one] for one in ARITHMETICS), ROWS[name].stops or "nothing"]
    return f"| {' | '.join(cells)} |"


def stated() -> dict[str, dict[str, str]]:
    """Return the errors that the page states."""
    found = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 6 and cells[0].strip("`") in ROWS:
            found[cells[0].strip("`")] = dict(zip(ARITHMETICS, cells[2:5], strict=True))
    return found


def lines() -> Iterator[str]:
    for name in ROWS:
        worst = errors(name, VALUES)
        yield written(name, {one: rounded_up(worst[one], one) for one in ARITHMETICS})


if __name__ == "__main__":
    mp.prec = 300
    for line in lines():
        print(line, flush=True)
