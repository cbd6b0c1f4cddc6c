"""What a schedule does, in words: laws for every row, and the words of a few."""

from __future__ import annotations

import pytest
import torch
from support.table import ROWS

from tracelr import Constant, Cosine, Linear, MultiStep, Noise, Schedule, WarmRestarts
from tracelr.arithmetic import LAST_STEP, Arithmetic, Real
from tracelr.schedules.base import REGISTRY
from tracelr.schedules.describe.phases import phases, table
from tracelr.schedules.describe.sampling import horizon
from tracelr.schedules.fields import Scalar, Steps


@pytest.mark.parametrize("name", ROWS)
def test_a_picture_has_an_end(name: str) -> None:
    assert 0 < horizon(ROWS[name].schedule) <= LAST_STEP


@pytest.mark.parametrize("name", ROWS)
def test_every_phase_has_words_and_a_row(name: str) -> None:
    found = phases(ROWS[name].schedule)
    assert all(phase.words and phase.steps and phase.name for phase in found)
    assert len(table(found, most=10_000).splitlines()) == len(found) + 1
    for phase in found:
        assert phase.low <= phase.start <= phase.high


def words(schedule: Schedule) -> list[str]:
    return [f"{phase.name}, {phase.steps}: {phase.words}" for phase in phases(schedule)]


def test_the_words() -> None:
    assert words(Linear(0.0, 3e-4, 2000).then(Cosine(3e-4, 3e-5, 98_000))) == [
        "warm-up, 0 to 1,999: rises from 0 to 0.0003 in a straight line",
        "decay, 2,000 to 99,999: falls from 0.0003 to 3e-5 along half a cosine",
        "flat, 100,000 on: holds 3e-5",
    ]
    assert words(Cosine(1.0, 0.0, 10).warmup(5)) == [
        "warm-up, 0 to 4: rises from 0 to 1 in a straight line",
        "decay, 5 to 14: falls from 1 to 0 along half a cosine",
        "flat, 15 on: holds 0",
    ]
    assert words(Constant(1.0).cooldown(4, at=10)) == [
        "flat, 0 to 9: holds 1",
        "decay, 10 to 13: falls from 1 to 0 in a straight line",
        "flat, 14 on: holds 0",
    ]
    assert words(WarmRestarts(1.0, 0.0, 100, 2.0)) == [
        "waves, 0 on: goes between 0 and 1 along half a cosine, again and again, each 2 times as long; "
        "one of them is 100 steps long"
    ]
    assert words(Noise(seed=1, spread=0.1))[0].endswith("by chance, uniform with a spread of 0.1")


def test_a_jump_is_where_the_next_phase_begins() -> None:
    up, flat = phases(Linear(0.0, 1.0, 10).then(Constant(0.25)))
    assert (up.stop, flat.start) == (1.0, 0.25)


def test_many_phases_are_cut_in_the_table() -> None:
    text = table(phases(MultiStep(1.0, 0.5, list(range(10, 1010, 10)))), most=6)
    assert text.splitlines()[4].split() == ["...", "96", "more"]
    assert len(text.splitlines()) == 7


def test_a_class_of_a_user_is_a_phase_by_its_name() -> None:
    class Fourth(Schedule):
        start: Scalar
        steps: Steps

        def forward(self, step: torch.Tensor, ops: Arithmetic) -> Real:
            return ops.ramp(step, self.steps, self.start, 0.0)

    try:
        assert words(Fourth(1.0, 8)) == ["decay, 0 to 7: falls from 1 to 0 as Fourth", "flat, 8 on: holds 0"]
    finally:
        del REGISTRY["Fourth"]


def test_a_tensor_field_and_a_driven_one_are_read_as_they_are_now() -> None:
    assert words(Linear(torch.tensor(1.0), 0.0, 4))[0] == "decay, 0 to 3: falls from 1 to 0 in a straight line"
    driven = Linear(Cosine(1.0, 0.5, 8), 0.0, 4)
    assert words(driven)[0] == "decay, 0 to 3: falls from 1 to 0 as Linear, its start being driven"
