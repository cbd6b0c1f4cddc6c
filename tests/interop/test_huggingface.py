"""The settings of a Hugging Face run: compared with transformers, and the message of each mistake."""

import dataclasses
from difflib import get_close_matches
from types import SimpleNamespace

import pytest
from support.peers.transformers import PEERS
from transformers import TrainingArguments
from transformers.trainer_utils import SchedulerType

from tracelr import Constant, Linear
from tracelr.errors import ConfigError
from tracelr.interop.huggingface.read import _KNOWN, MEASURED
from tracelr.interop.huggingface.scheduler_types import TYPES
from tracelr.interop.load import from_dict

RUN = {"lr_scheduler_type": "linear", "learning_rate": 0.1, "max_steps": 100}


def plain(**settings: object) -> object:
    return from_dict(RUN | settings).to_dict()


def after(warmup: int) -> object:
    return Linear(0.0, 0.1, warmup).then(Linear(0.1, 0.0, 100 - warmup)).to_dict()


def test_every_type_of_transformers_is_known_and_run():
    assert {kind.value for kind in SchedulerType} == {*TYPES, *MEASURED}
    assert {peer.theirs.split('"')[1] for peer in PEERS} == set(TYPES)


def test_no_other_setting_of_transformers_looks_like_a_misspelt_one():
    others = {field.name for field in dataclasses.fields(TrainingArguments)} - set(_KNOWN)
    assert [name for name in others if get_close_matches(name, _KNOWN, n=1, cutoff=0.9)] == []
    assert plain(**dict.fromkeys(others)) == Linear(0.1, 0.0, 100).to_dict()


@pytest.mark.parametrize(
    "warmup",
    [
        {"warmup_steps": 10},
        {"warmup_steps": 10, "warmup_ratio": 0.0},
        {"num_warmup_steps": "1e1"},
        {"warmup_steps": 0.1},
        {"warmup_steps": "0.1"},
        {"warmup_steps": 0, "warmup_ratio": 0.1},
        {"warmup_ratio": 0.0901},
    ],
)
def test_a_warm_up_has_three_names_and_two_units(warmup):
    assert plain(**warmup) == after(10)


@pytest.mark.parametrize(("ratio", "steps"), [(0.1, 30), (0.07, 100), (0.29, 100), (1 / 3, 99)])
def test_a_ratio_is_rounded_as_in_transformers(ratio, steps):
    theirs = TrainingArguments.get_warmup_steps(SimpleNamespace(warmup_steps=ratio), steps)
    found = from_dict(RUN | {"max_steps": steps, "warmup_ratio": ratio})
    assert found.milestones == (theirs,)


def test_settings_that_count_as_not_given():
    settings = {"warmup_steps": None, "lr_scheduler_kwargs": None, "num_training_steps": 100, "max_steps": -1}
    assert plain(**settings) == Linear(0.1, 0.0, 100).to_dict()
    assert plain(lr_scheduler_type="cosine_with_min_lr", min_lr=0.01, min_lr_rate=None)["end"] == 0.01


def test_a_parameter_may_stand_beside_the_others():
    beside = plain(lr_scheduler_type="polynomial", power=2, lr_scheduler_kwargs={"lr_end": 0.01})
    assert beside == plain(lr_scheduler_type="polynomial", lr_scheduler_kwargs={"power": 2, "lr_end": 0.01})


def test_constant_ignores_the_warm_up_as_in_transformers():
    assert plain(lr_scheduler_type="constant", warmup_ratio=0.03) == Constant(0.1).to_dict()
    assert plain(lr_scheduler_type="constant_with_warmup", max_steps=None) == Constant(0.1).to_dict()


KINDS = ", ".join(TYPES)
COUNT = "allowed: a whole number of steps from 1 to 2**53; to fix it: write a number such as 2000 or 1e5."
NUMBER = "allowed: a finite number within the float32 range; to fix it: write a number such as 0.001 or 1e-3."


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr_scheduler_type": "cosin"}, f"lr_scheduler_type: given 'cosin'; allowed: {', '.join(sorted(TYPES))}; to fix it: use 'cosine'."),
        *(({"lr_scheduler_type": name}, f"lr_scheduler_type: given {name!r}; allowed: {KINDS}; to fix it: use one of these, because this one follows a metric and not the step.") for name in ("reduce_lr_on_plateau", "greedy")),
        ({"warmup_step": 10}, f"given the key 'warmup_step'; allowed: {', '.join(_KNOWN)}; to fix it: rename it to 'warmup_steps'."),
        ({"learning_rate": None}, f"learning_rate: given None; {NUMBER}"),
        ({"max_steps": 0}, f"max_steps: given 0; {COUNT}"),
        ({"max_steps": None}, "given 3 epochs of batch 8; allowed: a length in updates of the optimizer; to fix it: add --steps-per-epoch N, or --samples N --devices D, or --steps N."),
        ({"num_training_steps": 100}, "given num_training_steps and max_steps; allowed: one of them; to fix it: remove one."),
        ({"warmup_steps": 10, "warmup_ratio": 0.1}, "given warmup_steps and warmup_ratio; allowed: one of them; to fix it: remove one."),
        ({"warmup_steps": 2.5}, f"warmup_steps: given 2.5; {COUNT}"),
        ({"warmup_steps": 10**400}, f"warmup_steps: given {'1' + '0' * 76}...; {COUNT}"),
        ({"warmup_steps": -1}, "warmup_steps: given -1; allowed: a number from 0 to 1; to fix it: write the fraction of all steps that the warm-up takes."),
        ({"warmup_ratio": 1.5}, "warmup_ratio: given 1.5; allowed: a number from 0 to 1; to fix it: write the fraction of all steps that the warm-up takes."),
        ({"lr_scheduler_type": "inverse_sqrt", "max_steps": -1, "warmup_ratio": 0.1}, "given 3 epochs of batch 8; allowed: a length in updates of the optimizer; to fix it: add --steps-per-epoch N, or --samples N --devices D, or --steps N."),
        ({"warmup_steps": 100}, "given a warm-up of 100 in 100 steps; allowed: a shorter one; to fix it: shorten it."),
        ({"lr_scheduler_kwargs": 3}, "lr_scheduler_kwargs: given 3; allowed: a mapping; to fix it: write {name: value, ...}."),
        ({"lr_scheduler_kwargs": {"power": 3}}, "lr_scheduler_kwargs: given the key 'power'; allowed: those of linear: none; to fix it: remove it."),
        ({"min_lr": 3}, "given the key 'min_lr'; allowed: those of linear: none; to fix it: remove it."),
        ({"lr_scheduler_type": "polynomial", "lr_scheduler_kwargs": {"powr": 3}}, "lr_scheduler_kwargs: given the key 'powr'; allowed: those of polynomial: lr_end, power; to fix it: rename it to 'power'."),
        ({"lr_scheduler_type": "polynomial", "power": 2, "lr_scheduler_kwargs": {"power": 3}}, "given the key 'power' twice; allowed: each key once; to fix it: keep the one under lr_scheduler_kwargs."),
        ({"lr_scheduler_type": "polynomial", "power": 0}, "Polynomial.power: given 0.0; allowed: a number from 0.001 to 1e12; to fix it: pass a number in this range."),
        ({"lr_scheduler_type": "cosine_with_min_lr"}, "min_lr: given neither of them; allowed: one of min_lr and min_lr_rate; to fix it: give the lowest rate, or its ratio to the peak."),
        ({"lr_scheduler_type": "cosine_with_min_lr", "min_lr": 0, "min_lr_rate": 0}, "min_lr: given both of them; allowed: one of min_lr and min_lr_rate; to fix it: give the lowest rate, or its ratio to the peak."),
        ({"lr_scheduler_type": "cosine_with_min_lr", "min_lr": -1}, "min_lr: given -1; allowed: a number of 0 or more; to fix it: write one."),
        ({"lr_scheduler_type": "warmup_stable_decay"}, "given warmup_stable_decay without num_decay_steps; allowed: the key num_decay_steps; to fix it: add num_decay_steps."),
        ({"lr_scheduler_type": "warmup_stable_decay", "num_decay_steps": 101}, "num_decay_steps: given 101; allowed: at most 100, the steps after the warm-up; to fix it: shorten a phase."),
        ({"lr_scheduler_type": "warmup_stable_decay", "num_decay_steps": 10, "num_cycles": 1}, "num_cycles: given 1.0; allowed: 0.5, half a wave; to fix it: leave it out."),
        ({"lr_scheduler_type": "warmup_stable_decay", "num_decay_steps": 10, "decay_type": "sqrt"}, "decay_type: given 'sqrt'; allowed: 1-sqrt, cosine, linear; to fix it: use '1-sqrt'."),
    ],
)  # fmt: skip
def test_errors(settings, message):
    with pytest.raises(ConfigError) as caught:
        from_dict(RUN | settings)
    assert str(caught.value).removeprefix("mapping: ") == message


def test_settings_without_a_rate():
    with pytest.raises(ConfigError) as caught:
        from_dict({"lr_scheduler_type": "constant"})
    assert (
        str(caught.value)
        == "mapping: given settings without learning_rate; allowed: the peak rate; to fix it: add learning_rate."
    )
