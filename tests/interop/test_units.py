"""Lengths with a unit: their exact number of steps, and the message of each mistake."""

import math
import pickle
from fractions import Fraction
from pathlib import Path

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from transformers import Trainer, TrainingArguments

import tracelr
from tracelr import Units, _torch
from tracelr.errors import ConfigError, ScheduleError, ScheduleTypeError
from tracelr.interop.load import from_dict, load

UNITS = Units(steps_per_epoch=500, batch_size=64, tokens_per_step=4096, duration=10_000)
TIMES = {
    "5ep": 2500, "0.5ep": 250, "10ba": 10, "1e3ba": 1000, "128sp": 2, "129sp": 3, "1sp": 1, "3e4tok": 8, "4096tok": 1,
    "0.1dur": 1000, "1dur": 10_000, "1.dur": 10_000, "1E0dur": 10_000, "0.00001dur": 1, "9007199254740992ba": 2**53,
}  # fmt: skip


@pytest.mark.parametrize(("time", "steps"), TIMES.items())
def test_a_time_in_steps(time, steps):
    assert UNITS.steps(time) == steps


@pytest.mark.parametrize("steps", [1, 7, 2**53])
def test_a_number_of_steps_stays_as_it_is(steps):
    assert Units().steps(steps) == steps


@given(st.integers(1, 10**12), st.integers(0, 6), st.integers(1, 1000))
def test_the_product_is_exact_and_rounded_up(digits, places, size):
    exact = Fraction(digits, 10**places)
    text = f"{digits // 10**places}.{digits % 10**places:0{places}d}" if places else str(digits)
    assert Units(tokens_per_step=size).steps(f"{text}tok") == math.ceil(exact / size)
    assert Units(steps_per_epoch=size).steps(f"{digits}e-{places}ep") == math.ceil(exact * size)


def test_no_product_of_floats():
    assert Units(duration=30).steps("0.1dur") == 3  # 30 * 0.1 is 3.0000000000000004
    assert Units(tokens_per_step=3).steps("27021597764222973tok") == 9007199254740991


def test_units_compare_by_value():
    assert pickle.loads(pickle.dumps(UNITS)) == UNITS
    assert repr(Units(duration=3)) == (
        "Units(steps_per_epoch=None, batch_size=None, tokens_per_step=None, duration=3, samples_per_epoch=None, "
        "devices=None, accumulation=None)"
    )


ALLOWED = 'an int from 1 to 2**53, or a time such as "5ep", "10ba", "128sp", "3e4tok" or "0.1dur"'


@pytest.mark.parametrize(
    ("time", "message"),
    [
        *((text, f"given {text!r}; allowed: {ALLOWED}; to fix it: write a number and its unit, without a space.") for text in ("5 ep", "ep", "5", "5epoch", "-5ep", "1e400tok", "1_0ep", "5EP")),
        (0, f"given 0; allowed: {ALLOWED}; to fix it: pass a number of steps in this range."),
        (2.0, f"given 2.0; allowed: {ALLOWED}; to fix it: pass 2."),
        (True, f"given True; allowed: {ALLOWED}; to fix it: pass a whole number of steps."),
        ("0ep", "given '0ep', which is 0 steps; allowed: a time of 1 to 2**53 steps; to fix it: write one."),
        ("9007199254740993ba", "given '9007199254740993ba', which is 9007199254740993 steps; allowed: a time of 1 to 2**53 steps; to fix it: write one."),
        ("1e99ba", "given '1e99ba', which is far too many steps; allowed: a time of 1 to 2**53 steps; to fix it: write one."),
    ],
)  # fmt: skip
def test_errors(time, message):
    with pytest.raises((ScheduleError, ScheduleTypeError)) as caught:
        UNITS.steps(time)
    assert str(caught.value) == f"Units.steps(given): {message}"


@pytest.mark.parametrize(
    ("time", "name"), [("1ep", "steps_per_epoch"), ("1sp", "batch_size"), ("1tok", "tokens_per_step"), ("1dur", "duration")]
)
def test_a_missing_unit_is_named(time, name):
    with pytest.raises(ScheduleError) as caught:
        Units().steps(time)
    assert (
        str(caught.value)
        == f"Units.steps(given): given {time!r}; allowed: a time in a unit that these Units define; {name} is None; to fix it: pass Units({name}=...)."
    )


def test_a_unit_is_a_whole_number():
    with pytest.raises(ScheduleError) as caught:
        Units(duration=0)
    assert (
        str(caught.value)
        == "Units.duration: given 0; allowed: an int from 1 to 2**53, or None; to fix it: pass a number of steps in this range."
    )


# -- in files ---------------------------------------------------------------------------------------------------------------

LINE = {"initial_learning_rate": 0.0, "end_learning_rate": 1.0}
PIECES = {"learning_rates": [1, 2, 3], "milestones": ["1ep", "0.1dur"]}
UP = tracelr.Linear(0.0, 1.0, 2500)
FILES = {
    "older": ({"optimizer": {"learning_rate": {"scheduler": "Linear", **LINE, "steps": "5ep"}}}, UP),
    "older milestones": ({"optimizer": {"learning_rate": {"scheduler": "PiecewiseConstant", **PIECES}}}, tracelr.PiecewiseConstant([1, 2, 3], [500, 1000])),
    "newer": ({"schedulers": [{"LinearLR": LINE | {"total_iters": "5ep"}}]}, UP),
    "newer milestones": ({"schedulers": [{"SequentialLR": {"schedulers": [{"LinearLR": LINE | {"total_iters": "5ep"}}, {"ConstantLR": {"learning_rate": 1}}], "milestones": ["3e4tok"]}}]}, tracelr.Sequential([UP, tracelr.Constant(1.0)], [8])),
    "hugging face": ({"lr_scheduler_type": "linear", "learning_rate": 1, "warmup_steps": "5ep", "max_steps": "1dur"}, UP.then(tracelr.Linear(1.0, 0.0, 7500))),
    "native": ({"schedule": "Linear", "start": 0.0, "end": 1.0, "steps": "5ep"}, UP),
    "ours, inside": ({"schedule": "Sequential", "milestones": ["128sp", 10], "schedules": [{"schedule": "Linear", "start": 0.0, "end": 1.0, "steps": "5ep"}, {"schedule": "Shift", "inner": UP.to_dict(), "by": "1ep"}, UP.to_dict()]}, tracelr.Sequential([UP, tracelr.Shift(UP, 500), UP], [2, 10])),
}  # fmt: skip
FIX = "allowed: a number of steps, or a time whose unit is known; to fix it: pass units=Units(...), which says what a unit is in steps."


@pytest.mark.parametrize("name", FILES)
def test_every_format_has_lengths_with_units(name, tmp_path):
    mapping, ours = FILES[name]
    file = tmp_path / "params.yaml"
    file.write_text(yaml.safe_dump(mapping))
    assert load(file, units=UNITS).to_dict() == from_dict(mapping, units=UNITS).to_dict() == ours.to_dict()
    with pytest.raises(ConfigError) as caught:
        from_dict(mapping)
    assert str(caught.value).endswith(FIX)


def test_assignments_have_lengths_with_units_too():
    found = from_dict({"assignments": [{"key": "lr", "schedule": FILES["native"][0]}]}, units=UNITS)
    assert found[0].schedule.to_dict() == UP.to_dict()


@pytest.mark.parametrize(
    ("mapping", "units", "message"),
    [
        (FILES["older"][0], None, f"optimizer.learning_rate.steps: given '5ep'; {FIX}"),
        (FILES["older milestones"][0], None, f"optimizer.learning_rate.milestones[0]: given '1ep'; {FIX}"),
        (FILES["ours, inside"][0] | {"schedules": [UP.to_dict()] * 3}, None, f"milestones[0]: given '128sp'; {FIX}"),
        (FILES["older"][0], Units(), "optimizer.learning_rate.steps: Units.steps(given): given '5ep'; allowed: a time in a unit that these Units define; steps_per_epoch is None; to fix it: pass Units(steps_per_epoch=...)."),
        (FILES["older"][0], 500, "given 500; allowed: units=Units(...), or None; to fix it: pass tracelr.Units(steps_per_epoch=...)."),
        ({"optimizer": {"learning_rate": "5ep"}}, UNITS, "optimizer.learning_rate: given '5ep'; allowed: a finite number within the float32 range; to fix it: write a number such as 0.001 or 1e-3."),
        ({"schedule": "Constant", "value": "5ep"}, UNITS, "value: Constant.value: given '5ep'; allowed: a finite number within the float32 range, or a 0-d floating point tensor; to fix it: remove the quotes."),
        ({"schedule": "Linear", "start": 0, "end": 1, "steps": "5 ep"}, UNITS, "steps: Linear.steps: given '5 ep'; allowed: an int from 0 to 2**53; to fix it: pass a whole number of steps."),
    ],
)  # fmt: skip
def test_errors_in_files(mapping, units, message):
    with pytest.raises(ConfigError) as caught:
        from_dict(mapping, units=units)
    assert str(caught.value) == f"mapping: {message}"


class Numbers(torch.utils.data.Dataset[torch.Tensor]):
    def __len__(self) -> int:
        return 100

    def __getitem__(self, k: int) -> torch.Tensor:
        return torch.tensor([float(k)])


@pytest.mark.skipif(_torch.RELEASE < (2, 6), reason="transformers needs torch 2.6")
def test_the_units_of_a_trainer_of_transformers_are_those_that_it_uses(tmp_path: Path) -> None:
    arguments = TrainingArguments(
        str(tmp_path), per_device_train_batch_size=8, gradient_accumulation_steps=4, num_train_epochs=2.5, use_cpu=True
    )
    trainer = Trainer(torch.nn.Linear(1, 1), arguments, train_dataset=Numbers())
    loader = trainer.get_train_dataloader()
    _, updates, *_, steps = trainer.set_initial_training_values(arguments, loader)
    assert Units.of(trainer) == Units(steps_per_epoch=updates, duration=steps)


def test_the_units_of_what_has_no_length() -> None:
    with pytest.raises(ScheduleTypeError) as caught:
        Units.of(iter([]))
    assert "allowed: a Trainer of transformers or Lightning, or a DataLoader" in str(caught.value)
