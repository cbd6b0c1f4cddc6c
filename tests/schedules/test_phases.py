"""Laws of easings, and of a curve made of phases."""

from __future__ import annotations

import random

import pytest
import torch
from support.laws import same
from support.oracle import probes, to_float32
from support.rows.phases import ramp

from tracelr import WSD, Cosine, Linear, Polynomial, Ramp
from tracelr.schedules.easing import EASINGS

# -- easings --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", EASINGS)
def test_an_easing_is_correctly_rounded_at_any_length(kind: str) -> None:
    draw = random.Random(kind)
    for steps in (1, 2, 3, 1000, 2**24 + 3, 10**12, 2**53):
        for rising in (False, True):
            for start, end in ((1.0, 0.0), (0.0, 1.0), (6e-4, 6e-5), (draw.random(), draw.random())):
                ratio = draw.choice([0.5, 0.01, 1e-6, 0.999, draw.uniform(0.1, 0.9)])
                exact = ramp(start, end, steps, kind, ratio, rising)
                at = [step for step in probes((steps,), 1, 20) if step <= 2 * steps]
                got = Ramp(start, end, steps, kind, ratio, rising)(torch.tensor(at)).tolist()
                assert got == [to_float32(exact(step)) for step in at], (steps, start, end, ratio, rising)


@pytest.mark.parametrize("kind", EASINGS)
def test_an_easing_is_exact_at_both_ends_and_never_turns(kind: str) -> None:
    for steps in (1, 2, 7, 1999):
        for rising in (False, True):
            values = Ramp(0.3, 0.007, steps, kind, rising=rising)(torch.arange(steps + 1))
            assert values[[0, -1]].tolist() == torch.tensor([0.3, 0.007]).tolist()
            assert (values.diff() <= 0).all()


def test_a_named_easing_is_the_curve_of_the_same_name() -> None:
    assert same(Ramp(0.3, 0.1, 999, "linear"), Linear(0.3, 0.1, 999))
    assert same(Ramp(0.3, 0.1, 999, "cosine", rising=True), Cosine(0.3, 0.1, 999))
    assert same(Ramp(0.3, 0.1, 999, "square"), Polynomial(0.3, 0.1, 999, 2.0))
    assert same(Ramp(0.3, 0.1, 999, "sqrt"), Polynomial(0.3, 0.1, 999, 0.5))


# -- phases ---------------------------------------------------------------------------------------------------------------


def test_the_phases_are_its_ramps() -> None:
    phases = WSD(0.3, 10, 20, 30, 0.1, 0.2, "log", "1-square")
    ramps = Ramp(0.1, 0.3, 10, "log", rising=True).then(Ramp(0.3, 0.2, 30, "1-square"), at=30)
    assert same(phases, ramps)
    assert phases.length == 60
    assert same(WSD(0.3, 0, 0, 30), Linear(0.3, 0.0, 30))
