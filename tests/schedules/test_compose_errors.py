"""The message of each mistake in phases, in driven fields and in compositions."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tracelr import (
    WSD,
    Clamp,
    Constant,
    Cosine,
    Exponential,
    Linear,
    Loop,
    Ramp,
    Schedule,
    Sequential,
    Shift,
    Shorten,
    Stretch,
    Sum,
)
from tracelr.arithmetic import Arithmetic, Real
from tracelr.errors import TracelrError
from tracelr.schedules.fields import Scalar


class HalfOf(Schedule):
    """Computes a constant from a field that may be a schedule."""

    start: Scalar

    def prepare(self) -> None:
        self._half = math.sqrt(self.start) / 2  # type: ignore[arg-type]

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        return ops.full(step, self._half)


LINE = Linear(1.0, 0.0, 10)
RISE, FALL = Linear(0.0, 1.0, 10), Cosine(1.0, 0.1, 40)
ALLOWED_STEPS = "an int from 1 to 2**53"
PART = "an int from 0 to 2**53, in steps, or a fraction from 0 to below 1 of 10 steps"
KINDS = "'linear', 'cosine', 'sqrt', 'square', '1-sqrt', '1-square', 'exponential', 'log'"
CASES: list[tuple[Callable[[], object], str]] = [
    (
        lambda: Shift(LINE, 2**53 + 1),
        "Shift.by: given 9007199254740993; allowed: an int from -2**53 to 2**53; to fix it: pass a number of steps in this range.",
    ),
    (lambda: Shift(LINE, 2.0), "Shift.by: given 2.0; allowed: an int from -2**53 to 2**53; to fix it: pass 2."),  # type: ignore[arg-type]
    (
        lambda: Shift(0.1, 2),
        "Shift.inner: given 0.1; allowed: a tracelr schedule; to fix it: wrap the number as Constant(number).",
    ),  # type: ignore[arg-type]
    (
        lambda: Loop(LINE, 0),
        f"Loop.period: given 0; allowed: {ALLOWED_STEPS}; to fix it: pass a number of steps in this range.",
    ),
    (
        lambda: Shorten(LINE, -1),
        "Shorten.steps: given -1; allowed: an int from 0 to 2**53; to fix it: pass a number of steps in this range.",
    ),
    (
        lambda: Stretch(LINE, 1.5),  # type: ignore[arg-type]
        "Stretch.factor: given 1.5; allowed: an int from 1 to 2**53; to fix it: pass the ratio as two ints, factor and divisor: 3, 2.",
    ),
    (lambda: Stretch(LINE, 2.0), "Stretch.factor: given 2.0; allowed: an int from 1 to 2**53; to fix it: pass 2."),  # type: ignore[arg-type]
    (
        lambda: Stretch(LINE, 2**27 + 1, 2**26),
        "Stretch.factor: given the ratio 134217729 / 67108864; allowed: whole numbers from 1 on, whose product is at most 2**53; to fix it: write it in lowest terms, or round it.",
    ),
    (lambda: Clamp(LINE), "Clamp.low: given None; allowed: a number for low, for high or for both; to fix it: pass one."),
    (
        lambda: Clamp(LINE, 0.5, 0.2),
        "Clamp.low: given 0.5; allowed: low at most high, which is 0.2; to fix it: swap low and high.",
    ),
    (
        lambda: Clamp(LINE, low=float("nan")),
        "Clamp.low: given nan; allowed: a finite number within the float32 range, or None for no bound; to fix it: pass a finite number.",
    ),
    (
        lambda: Clamp(LINE, high=torch.tensor(0.1)),  # type: ignore[arg-type]
        "Clamp.high: given tensor(0.1000); allowed: a finite number within the float32 range, or None for no bound; to fix it: pass an int or a float.",
    ),
    (
        lambda: Sum([]),
        "Sum.schedules: given []; allowed: a list of at least one tracelr schedule; to fix it: pass a schedule.",
    ),
    (
        lambda: LINE + "0.1",  # type: ignore[operator]
        "Constant.value: given '0.1'; allowed: a finite number within the float32 range, or a 0-d floating point tensor; to fix it: remove the quotes.",
    ),
    (
        lambda: Sequential([LINE], [], join="smooth"),  # type: ignore[arg-type]
        "Sequential.join: given 'smooth'; allowed: 'jump', 'scale', 'shift'; to fix it: use one of these names.",
    ),
    (
        lambda: Sequential([LINE, 1 - LINE], [4], join="scale"),
        "Sequential.schedules: given schedules[1], which is 0 at its step 0; allowed: schedules that do not start at 0 after the first one, "
        "under join='scale'; to fix it: use join='shift'.",
    ),
    (
        lambda: Sequential([LINE, LINE], [10], reset=False, join="scale"),
        "Sequential.schedules: given schedules[1], which is 0 at its step 10; allowed: schedules that do not start at 0 after the first one, "
        "under join='scale'; to fix it: use join='shift'.",
    ),
    (
        lambda: LINE.warmup(-1),
        f"warmup(steps): given -1; allowed: {PART}; to fix it: pass a number of steps in this range.",
    ),
    (
        lambda: LINE.warmup(3, "0"),  # type: ignore[arg-type]
        "warmup(start): given '0'; allowed: a finite number within the float32 range; to fix it: remove the quotes.",
    ),
    (
        lambda: LINE.warmup(3, kind="sine"),  # type: ignore[arg-type]
        "warmup(kind): given 'sine'; allowed: 'linear', 'cosine', 'sqrt', 'square', '1-sqrt', '1-square', 'exponential', 'log', "
        "'constant'; to fix it: use 'cosine'.",
    ),
    (
        lambda: LINE.warmup(2.0),
        f"warmup(steps): given 2.0; allowed: {PART}; to fix it: pass 2.",
    ),
    (
        lambda: Constant(1.0).warmup(0.03),
        "warmup(steps): given 0.03; allowed: an int from 0 to 2**53, in steps, where the total is not known; "
        "to fix it: pass a number of steps, or give the schedule a length.",
    ),
    (
        lambda: Constant(1.0).cooldown(10),
        "cooldown(at): given no step to begin at; allowed: a step `at`, unless the schedule has a length, whose last steps are "
        "then the cool-down; to fix it: pass at=<the step to begin at>.",
    ),
    (
        lambda: LINE / 0,
        "Linear / ...: given 0; allowed: a number other than 0, whose inverse is a finite number; to fix it: divide by a larger number.",
    ),
    (
        lambda: LINE / LINE,  # type: ignore[operator]
        f"Linear / ...: given {LINE!r}; allowed: a number other than 0, whose inverse is a finite number; "
        "to fix it: multiply by a schedule, or by a tensor, that holds the inverse.",
    ),
    (
        lambda: LINE.cooldown(-1, at=3),
        f"cooldown(steps): given -1; allowed: {PART}; to fix it: pass a number of steps in this range.",
    ),
    (
        lambda: LINE.cooldown(3, at=1.5),
        f"cooldown(at): given 1.5; allowed: {PART}; to fix it: pass an int, or a fraction below 1.",
    ),
    (
        lambda: Ramp(1.0, 0.0, 10, "minus_sqrt"),  # type: ignore[arg-type]
        f"Ramp.kind: given 'minus_sqrt'; allowed: {KINDS}; to fix it: use one of these names.",
    ),
    (
        lambda: Ramp(1.0, 0.0, 10, "exponential", ratio=1.0),
        "Ramp.ratio: given 1.0; allowed: a number from 1e-6 to 0.999; to fix it: pass a number in this range.",
    ),
    (
        lambda: Linear(1.0, 0.0, 10).warmup(5, origin="1"),  # type: ignore[arg-type]
        "warmup(origin): given '1'; allowed: '0', '1/n', '1/(n+1)'; to fix it: use one of these names.",
    ),
    (
        lambda: Linear(1.0, 0.0, 10).cooldown(5, at=5, kind="constant"),  # type: ignore[arg-type]
        f"cooldown(kind): given 'constant'; allowed: {KINDS}; to fix it: use one of these names.",
    ),
    (
        lambda: Sequential([RISE, FALL], [10], reset="stretch"),  # type: ignore[arg-type]
        "Sequential.reset: given 'stretch'; allowed: True, False or 'rescale', or a list of one of them per schedule; "
        "to fix it: use one of these.",
    ),
    (
        lambda: Sequential([RISE, FALL], [10], reset=[True, "rescale"]),
        "Sequential.reset[1]: given 'rescale'; allowed: True or False for the last schedule, which has no window to fit; "
        "to fix it: pass True.",
    ),
    (
        lambda: Sequential([Constant(1.0), FALL], [10], reset="rescale"),
        "Sequential.schedules[0]: given Constant(value=1.0); allowed: a schedule with a length, under reset='rescale'; "
        "to fix it: give it a length, as Shorten does, or use reset=True.",
    ),
    (
        lambda: Sequential([Linear(0.0, 1.0, 10**9 + 7), FALL], [10**9 + 9], reset="rescale"),
        "Sequential.schedules[0]: given a length of 1000000007 for a window of 1000000009 steps; allowed: a length and a window "
        "whose ratio, in lowest terms, has terms with a product of at most 2**53; to fix it: round one of them.",
    ),
    (
        lambda: WSD(1.0, 10, 10, 10).drive(decay=RISE),
        "WSD.drive(decay): given Linear(start=0.0, end=1.0, steps=10); allowed: peak, start, end; "
        "to fix it: drive one of these.",
    ),
    (
        lambda: Loop(RISE, 5).drive(inner=RISE),
        "Loop.drive(inner): given Linear(start=0.0, end=1.0, steps=10); allowed: no field: what it is made of has them; "
        "to fix it: drive one of these.",
    ),
    (
        lambda: HalfOf(4.0).drive(start=RISE),
        "HalfOf: given start as a schedule; allowed: a number where prepare() computes a constant from it; "
        "to fix it: compute it in forward(), or pass a number.",
    ),
    (
        lambda: RISE.drive(end=0.5),  # type: ignore[arg-type]
        "Linear.drive(end): given 0.5; allowed: a tracelr schedule; to fix it: pass a schedule.",
    ),
    (
        lambda: Exponential(1.0, RISE, 10),  # type: ignore[arg-type]
        "Exponential.rate: given Linear(start=0.0, end=1.0, steps=10); allowed: a finite number above 0, or a 0-d floating point "
        "tensor; to fix it: pass an int or a float.",
    ),
    (
        lambda: WSD(1.0, 10, -1, 10),
        "WSD.stable: given -1; allowed: an int from 0 to 2**53; to fix it: pass a number of steps in this range.",
    ),
    (
        lambda: WSD(1.0, 10, 10, -1),
        "WSD.decay: given -1; allowed: an int from 0 to 2**53, with all phases together at most 2**53; "
        "to fix it: pass a number of steps in this range.",
    ),
    (
        lambda: WSD(1.0, 10, 2**53 - 10, 1),
        "WSD.decay: given 1; allowed: an int from 0 to 2**53, with all phases together at most 2**53; "
        "to fix it: shorten a phase.",
    ),
]


@pytest.mark.parametrize(("mistake", "message"), CASES, ids=[message.split(";")[0] for _, message in CASES])
def test_the_message(mistake: Callable[[], object], message: str) -> None:
    with pytest.raises(TracelrError) as caught:
        mistake()
    assert str(caught.value) == message
