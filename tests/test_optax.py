"""What each mistake in a mapping of optax calls is told, word for word, and the forms that a file may have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import optax
import pytest

import tracelr
from tracelr.dialects.optax import FUNCTIONS
from tracelr.errors import ConfigError

NUMBER = "allowed: a finite number within the float32 range; to fix it: write a number such as 0.001 or 1e-3."
COUNT = "allowed: a whole number of steps from 1 to 2**53; to fix it: write a number such as 2000 or 1e5."
NAMES = ", ".join(sorted(FUNCTIONS))
COSINE = {"optax": "cosine_decay_schedule", "init_value": 0.1, "decay_steps": 100}
LINEAR = {"optax": "linear_schedule", "init_value": 0.1, "end_value": 0.0, "transition_steps": 100}
WARM = {"init_value": 0.0, "peak_value": 0.1, "warmup_steps": 10, "decay_steps": 100}


def test_every_schedule_of_optax_is_there() -> None:
    made = {
        name for name in dir(optax.schedules) if name.endswith("schedule") or name.endswith("decay") or "_schedules" in name
    }
    assert {name for name in made if name[0] != "_"} == set(FUNCTIONS)


def test_a_file(tmp_path: Path) -> None:
    (tmp_path / "rate.yaml").write_text(
        "optax: piecewise_constant_schedule\ninit_value: 1e-1\nboundaries_and_scales: {1e3: 0.5}\n"
    )
    assert repr(tracelr.load(tmp_path / "rate.yaml")) == "PiecewiseConstant(values=[0.1, 0.05], milestones=[1000])"


def test_json_has_strings_for_steps() -> None:
    call = {"optax": "piecewise_constant_schedule", "init_value": 0.1, "boundaries_and_scales": {1000: 0.5}}
    assert repr(tracelr.from_dict(json.loads(json.dumps(call)))) == repr(tracelr.from_dict(call))


def test_nulls_are_the_defaults_of_optax() -> None:
    plain = {"optax": "exponential_decay", "init_value": 0.1, "transition_steps": 100, "decay_rate": 0.5}
    assert (
        repr(tracelr.from_dict({**plain, "end_value": None}))
        == "Exponential(start=0.1, rate=0.5, steps=100, staircase=False)"
    )


def test_an_exponent_is_another_curve() -> None:
    assert type(tracelr.from_dict({**COSINE, "exponent": 2.0})).__name__ == "CosinePower"


ERRORS: dict[str, tuple[dict[Any, Any], str]] = {
    "an unknown function": (
        {"optax": "cosine_schedule"},
        f"mapping: optax: given 'cosine_schedule'; allowed: {NAMES}; to fix it: use 'cosine_decay_schedule'.",
    ),
    "driven by a metric": (
        {"optax": "reduce_on_plateau"},
        f"mapping: optax: given 'reduce_on_plateau'; allowed: {NAMES}; to fix it: use one of these.",
    ),
    "an unknown key": (
        {**COSINE, "decay_step": 5},
        "mapping: given the key 'decay_step'; allowed: alpha, decay_steps, exponent, init_value, optax; to fix it: rename it "
        "to 'decay_steps'.",
    ),
    "a missing key": (
        {"optax": "cosine_decay_schedule", "init_value": 0.1},
        "mapping: given cosine_decay_schedule without decay_steps; allowed: the keys init_value, decay_steps; to fix it: add "
        "decay_steps.",
    ),
    "a wrong type": ({**COSINE, "init_value": "high"}, f"mapping: init_value: given 'high'; {NUMBER}"),
    "a length of 0": ({**COSINE, "decay_steps": 0}, f"mapping: decay_steps: given 0; {COUNT}"),
    "half a step": (
        {**LINEAR, "transition_steps": 2.5},
        "mapping: transition_steps: given 2.5; allowed: a whole number of steps up to 2**53; to fix it: write a number such "
        "as 2000 or 1e5.",
    ),
    "a power of 0": (
        {**LINEAR, "optax": "polynomial_schedule", "power": 0},
        "mapping: Polynomial.power: given 0.0; allowed: a finite number above 0; to fix it: pass a number in this range.",
    ),
    "a negative rate": (
        {"optax": "exponential_decay", "init_value": 0.1, "transition_steps": 100, "decay_rate": -0.5},
        "mapping: Exponential.rate: given -0.5; allowed: a finite number above 0, or a 0-d floating point tensor; to fix it: "
        "pass a number in this range.",
    ),
    "a flag": (
        {"optax": "exponential_decay", "init_value": 0.1, "transition_steps": 9, "decay_rate": 0.5, "staircase": "yes"},
        "mapping: staircase: given 'yes'; allowed: true or false; to fix it: write one of them, without quotes.",
    ),
    "factors in a list": (
        {"optax": "piecewise_constant_schedule", "init_value": 0.1, "boundaries_and_scales": [100, 0.5]},
        "mapping: boundaries_and_scales: given [100, 0.5]; allowed: a mapping from steps to factors; to fix it: write "
        "{1000: 0.1, 2000: 0.1}.",
    ),
    "a negative factor": (
        {"optax": "piecewise_constant_schedule", "init_value": 0.1, "boundaries_and_scales": {100: -0.5}},
        "mapping: boundaries_and_scales.100: given -0.5; allowed: a factor of 0 or more; to fix it: write one.",
    ),
    "a negative boundary": (
        {"optax": "piecewise_constant_schedule", "init_value": 0.1, "boundaries_and_scales": {-1: 0.5}},
        "mapping: boundaries_and_scales.-1: given -1; allowed: a whole number of steps from 0 to 2**53; to fix it: write a "
        "number such as 2000 or 1e5.",
    ),
    "a boundary twice": (
        {"optax": "piecewise_constant_schedule", "init_value": 0.1, "boundaries_and_scales": {100: 0.5, "1e2": 0.5}},
        "mapping: boundaries_and_scales.1e2: given the step 100 twice; allowed: each step once; to fix it: remove one of them.",
    ),
    "a kind": (
        {"optax": "piecewise_interpolate_schedule", "interpolate_type": "cos", "init_value": 0.1},
        "mapping: interpolate_type: given 'cos'; allowed: cosine, linear; to fix it: use 'cosine'.",
    ),
    "a divisor": (
        {"optax": "cosine_onecycle_schedule", "transition_steps": 100, "peak_value": 0.1, "div_factor": 0},
        "mapping: div_factor: given 0.0; allowed: a number above 0; to fix it: write one.",
    ),
    "a long warm-up": (
        {"optax": "warmup_cosine_decay_schedule", **WARM, "warmup_steps": 100},
        "mapping: decay_steps: given 100; allowed: more than warmup_steps, 100; to fix it: make it longer: it counts the "
        "warm-up too.",
    ),
    "a negative warm-up": (
        {"optax": "warmup_cosine_decay_schedule", **WARM, "warmup_steps": -1},
        "mapping: warmup_steps: given -1; allowed: a number of steps, 0 or more; to fix it: write one.",
    ),
    "no mapping in a join": (
        {"optax": "join_schedules", "schedules": [LINEAR, 0.1], "boundaries": [5]},
        "mapping: schedules[1]: given 0.1; allowed: a mapping with the key optax; to fix it: write "
        "{optax: constant_schedule, value: ...}.",
    ),
    "deep in a join": (
        {
            "optax": "join_schedules",
            "schedules": [LINEAR, {"optax": "join_schedules", "schedules": [{**COSINE, "alpha": None}], "boundaries": []}],
            "boundaries": [5],
        },
        f"mapping: schedules[1].schedules[0].alpha: given None; {NUMBER}",
    ),
    "boundaries too few": (
        {"optax": "join_schedules", "schedules": [LINEAR] * 3, "boundaries": [5]},
        "mapping: Sequential.milestones: given 1 milestones [5]; allowed: exactly one fewer than its 3 schedules; to fix it: "
        "pass 2 of them.",
    ),
    "boundaries that fall": (
        {"optax": "join_schedules", "schedules": [LINEAR] * 3, "boundaries": [5, 3]},
        "mapping: Sequential.milestones: given [5, 3]; allowed: a strictly increasing list of ints from 0 to 2**53; to fix "
        "it: sort it and drop the repeated ones.",
    ),
    "no cycles": (
        {"optax": "sgdr_schedule", "cosine_kwargs": []},
        "mapping: cosine_kwargs: given []; allowed: a list of arguments of warmup_cosine_decay_schedule, with at least one "
        "entry; to fix it: write such a list.",
    ),
    "no cycle": (
        {"optax": "sgdr_schedule", "cosine_kwargs": [100]},
        "mapping: cosine_kwargs[0]: given 100; allowed: a mapping; to fix it: write the arguments of "
        "warmup_cosine_decay_schedule.",
    ),
    "in a cycle": (
        {"optax": "sgdr_schedule", "cosine_kwargs": [WARM, {**WARM, "init_value": None}]},
        f"mapping: cosine_kwargs[1].init_value: given None; {NUMBER}",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case: str) -> None:
    mapping, message = ERRORS[case]
    with pytest.raises(ConfigError) as caught:
        tracelr.from_dict(mapping)
    assert str(caught.value) == message
