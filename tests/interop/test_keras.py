"""Serialized Keras schedules: the layouts that are read, and the message of each mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.peers import keras as peers_keras

import tracelr
from tracelr.errors import ConfigError
from tracelr.interop.keras.read import CLASSES

NAMES = ", ".join(sorted(CLASSES))
CONFIG: dict[str, Any] = {"initial_learning_rate": 0.1, "decay_steps": 100}
COSINE = "allowed: alpha, decay_steps, initial_learning_rate, name, warmup_steps, warmup_target"


def test_every_schedule_of_keras_is_known() -> None:
    classes = {name for name in dir(peers_keras.schedules) if name[0].isupper()}
    assert classes - {"LearningRateSchedule"} == set(CLASSES)


def test_json_in_a_file(tmp_path: Path) -> None:
    schedules = peers_keras.schedules
    written = json.dumps(schedules.serialize(schedules.PolynomialDecay(0.1, 100)))
    (tmp_path / "rate.json").write_text(written)
    assert repr(tracelr.load(tmp_path / "rate.json")) == repr(tracelr.Polynomial(0.1, 1e-4, 100))


def test_module_and_registered_name_may_be_left_out() -> None:
    assert repr(tracelr.from_dict({"class_name": "CosineDecay", "config": CONFIG})) == repr(tracelr.Cosine(0.1, 0.0, 100))


def test_a_boundary_keeps_the_old_value() -> None:
    config = {"boundaries": [2], "values": [1.0, 0.5]}
    schedule = tracelr.from_dict({"class_name": "PiecewiseConstantDecay", "config": config})
    assert [float(schedule(step)) for step in (1, 2, 3)] == [1.0, 1.0, 0.5]


ERRORS: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown class": (
        {"class_name": "CosineDecays", "config": CONFIG},
        f"mapping: class_name: given 'CosineDecays'; allowed: {NAMES}; to fix it: use 'CosineDecay'.",
    ),
    "driven by a metric": (
        {"class_name": "ReduceLROnPlateau", "config": CONFIG},
        f"mapping: class_name: given 'ReduceLROnPlateau'; allowed: {NAMES}; to fix it: use one of these.",
    ),
    "a class of a user": (
        {"module": "mine", "class_name": "CosineDecay", "config": CONFIG},
        "mapping: module: given 'mine'; allowed: keras.optimizers.schedules; to fix it: write the formula of your own "
        "class as a Schedule.",
    ),
    "no config": (
        {"class_name": "CosineDecay"},
        "mapping: config: given a mapping without the key config; allowed: a mapping of the arguments; to fix it: write "
        "config: {initial_learning_rate: ..., ...}.",
    ),
    "no mapping": (
        {"class_name": "CosineDecay", "config": 0.1},
        "mapping: config: given 0.1; allowed: a mapping of the arguments; to fix it: write config: "
        "{initial_learning_rate: ..., ...}.",
    ),
    "an unknown key": (
        {"class_name": "CosineDecay", "config": {**CONFIG, "alpa": 0.1}},
        f"mapping: config: given the key 'alpa'; {COSINE}; to fix it: rename it to 'alpha'.",
    ),
    "an unknown key beside": (
        {"class_name": "CosineDecay", "config": CONFIG, "decay_steps": 5},
        "mapping: given the key 'decay_steps'; allowed: build_config, class_name, compile_config, config, module, "
        "registered_name; to fix it: remove it.",
    ),
    "a missing key": (
        {"class_name": "ExponentialDecay", "config": CONFIG},
        "mapping: config: given ExponentialDecay without decay_rate; allowed: the keys initial_learning_rate, decay_steps, "
        "decay_rate; to fix it: add decay_rate.",
    ),
    "a wrong type": (
        {"class_name": "CosineDecay", "config": {**CONFIG, "decay_steps": "long"}},
        "mapping: config.decay_steps: given 'long'; allowed: a whole number of steps from 1 to 2**53; to fix it: write a "
        "number such as 2000 or 1e5.",
    ),
    "a negative warm-up": (
        {"class_name": "CosineDecay", "config": {**CONFIG, "warmup_target": 0.2, "warmup_steps": -5}},
        "mapping: config: warmup_steps: given -5; allowed: a number of steps, 0 or more; to fix it: write one.",
    ),
    "boundaries": (
        {"class_name": "PiecewiseConstantDecay", "config": {"boundaries": [5, 9], "values": [0.1, 0.2]}},
        "mapping: config: PiecewiseConstant.milestones: given 2 milestones [6, 10]; allowed: exactly one fewer than its 2 "
        "values; to fix it: pass 1 of them.",
    ),
    "cycles that shrink": (
        {
            "class_name": "CosineDecayRestarts",
            "config": {"initial_learning_rate": 0.1, "first_decay_steps": 9, "t_mul": 0.5},
        },
        "mapping: config: WarmRestarts.multiplier: given 0.5; allowed: a number from 1 to 512; to fix it: pass a number in "
        "this range.",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case: str) -> None:
    mapping, message = ERRORS[case]
    with pytest.raises(ConfigError) as caught:
        tracelr.from_dict(mapping)
    assert str(caught.value) == message
