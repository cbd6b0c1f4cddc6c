"""What is written for a training framework is read back as the same rates, or refused with the first step that differs."""

from __future__ import annotations

import re

import pytest

from tracelr import Constant, Cosine, Linear, Polynomial, Schedule, Units, WarmRestarts
from tracelr.errors import ConfigError
from tracelr.interop import training
from tracelr.interop._tools import kinds
from tracelr.interop._tools.checks import Place
from tracelr.interop.convert import convert
from tracelr.interop.load import from_dict

PEAK = 1e-3
DECAYS: dict[str, Schedule] = {
    "linear": Linear(PEAK, 0.0, 100),
    "linear to a floor": Linear(PEAK, 1e-4, 100),
    "cosine": Cosine(PEAK, 0.0, 100),
    "cosine to a floor": Cosine(PEAK, 1e-4, 100),
    "polynomial": Polynomial(PEAK, 1e-4, 100, 2.0),
    "constant": Constant(PEAK),
}
WARM = {
    "none": lambda main: main,
    "from 0": lambda main: Linear(0.0, PEAK, 10).then(main),
    "from 1/n": lambda main: main.warmup(10, origin="1/n"),
    "from a tenth": lambda main: Linear(PEAK / 10, PEAK, 10).then(main),
    "and a constant rate": lambda main: Linear(0.0, PEAK, 10).then(Constant(PEAK)).then(main, at=50),
}


def said(schedule: Schedule, to: str) -> str | None:
    """Return the settings, or None if they are refused."""
    try:
        return convert(schedule, to)
    except ConfigError:
        return None


@pytest.mark.parametrize("to", training.WRITTEN)
@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("warm", WARM)
def test_it_is_read_back_or_refused(warm: str, decay: str, to: str) -> None:
    schedule = WARM[warm](DECAYS[decay])
    text = said(schedule, to)
    if text is None:
        return
    name = training.WRITTEN[to][1]
    updates = re.match(r"# An epoch has (\d+) optimizer updates", text)
    units = None if updates is None else Units(steps_per_epoch=int(updates[1]))
    read = from_dict(kinds.mapping(text.encode(), Place(name)), units=units, format=to)
    assert isinstance(read, Schedule)
    for step in range(0, schedule.length or 100, 3):
        assert float(read(step)) == pytest.approx(float(schedule(step)), abs=2e-6 * PEAK)


def test_how_many_of_them_each_framework_can_say() -> None:
    schedules = [warm(decay) for warm in WARM.values() for decay in DECAYS.values()]
    assert {to: sum(said(each, to) is not None for each in schedules) for to in training.WRITTEN} == SAID


SAID = {"huggingface": 15, "deepspeed": 4, "torchtitan": 5, "megatron": 20, "mmengine": 12, "timm": 15}
"""Of 30 pairs of a warm-up and a decay."""


def test_the_error_says_the_first_step() -> None:
    with pytest.raises(ConfigError) as caught:
        convert(Linear(0.0, PEAK, 10).then(Cosine(PEAK, 0.0, 100)), "torchtitan")
    assert "given a rate of 0 at step 0, where torchtitan would have 9.99999975e-05" in str(caught.value)


@pytest.mark.parametrize("to", training.WRITTEN)
def test_another_shape_is_refused(to: str) -> None:
    with pytest.raises(ConfigError) as caught:
        convert(WarmRestarts(PEAK, 0.0, 10), to)
    assert "which is not a warm-up, a constant rate and one decay" in str(caught.value)


def test_timm_counts_in_epochs() -> None:
    schedule = Linear(0.0, PEAK, 20).then(Cosine(PEAK, 1e-4, 80))
    assert "# An epoch has 5 optimizer updates" in convert(schedule, "timm", Units(steps_per_epoch=5))
    with pytest.raises(ConfigError) as caught:
        convert(schedule, "timm", Units(steps_per_epoch=30))
    assert str(caught.value) == (
        "convert to timm: given a warm-up of 20 and a decay of 80 steps; allowed: multiples of an epoch of 30 steps; to fix it: "
        "change the schedule, or --steps-per-epoch."
    )
