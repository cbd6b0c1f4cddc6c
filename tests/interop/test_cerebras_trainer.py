"""The newer Cerebras params files, `trainer: init: schedulers:`: every class, and every layout of a file."""

import pytest
import torch
from support.cerebras_trainer_files import LINE, LINE_WD, UP, WAVE, read

import tracelr
from tracelr import Constant, Cosine, Exponential, InverseSqrt, PiecewiseConstant, Polynomial
from tracelr.interop.load import from_dict
from tracelr.schedules.assignment import Assignment

CLASSES = [
    ("Constant", {"learning_rate": 0.1, "total_iters": 3}, Constant(0.1)),
    ("Constant", {"learning_rate": "1e-5", "total_iters": None}, Constant(1e-5)),
    ("Linear", LINE, UP),
    ("Linear", LINE | {"cycle": True}, Polynomial(0.0, 1.0, 4, cycle=True)),
    ("Polynomial", LINE | {"power": 2, "cycle": False}, Polynomial(0.0, 1.0, 4, 2.0)),
    ("Exponential", {"initial_learning_rate": 1, "total_iters": 4, "decay_rate": 0.5, "staircase": True}, Exponential(1.0, 0.5, 4, True)),
    (
        "InverseExponentialTimeDecay",
        {"initial_learning_rate": 1.0, "step_exponent": 2, "total_iters": 4, "decay_rate": 0.5},
        tracelr.InverseTime(1.0, 0.5, 4, 2.0),
    ),
    ("InverseSquareRootDecay", {"initial_learning_rate": 0.5, "scale": 8, "warmup_steps": 4.0}, InverseSqrt(2.0, 4)),
    ("InverseSquareRootDecay", None, InverseSqrt(1.0, 1)),
    ("CosineDecay", LINE, Cosine(0.0, 1.0, 4)),
    ("PiecewiseConstant", {"learning_rates": [1, "5e-1"], "milestones": [3]}, PiecewiseConstant([1.0, 0.5], [3])),
    ("MultiStep", {"initial_learning_rate": 1, "gamma": 0.1, "milestones": [3, 3]}, tracelr.MultiStep(1.0, 0.1, [3, 3])),
    ("Step", {"initial_learning_rate": 1, "gamma": 0.1, "step_size": 3}, tracelr.Step(1.0, 0.1, 3)),
    ("CosineAnnealing", WAVE | {"eta_min": 0.5}, tracelr.CosineAnnealing(1.0, 0.5, 4)),
    ("CosineAnnealing", WAVE, tracelr.CosineAnnealing(1.0, 0.0, 4)),
    ("CosineAnnealingWarmRestarts", {"initial_learning_rate": 1, "T_0": 4, "T_mult": 2}, tracelr.WarmRestarts(1.0, 0.0, 4, 2.0)),
    ("Multiplicative", {"initial_learning_rate": 1, "coefficient": 0.9}, Exponential(1.0, 0.9, 1)),
    ("Cyclic", {"base_lr": 0.1, "max_lr": 1}, tracelr.Cyclic(0.1, 1.0, 2000)),
    (
        "Cyclic",
        {"base_lr": 0, "max_lr": 1, "step_size_up": 3, "step_size_down": 5, "mode": "exp_range", "gamma": 0.9, "scale_mode": "cycle"},
        tracelr.Cyclic(0.0, 1.0, 3, 5, "exp_range", 0.9),
    ),
    ("OneCycle", {"initial_learning_rate": 0.1, "max_lr": 1}, tracelr.OneCycle(0.1, 1.0, 0.1 / 1e4, 999, 299.0)),
    (
        "OneCycle",
        {
            "initial_learning_rate": 0.1, "max_lr": 1, "total_steps": 100, "pct_start": 0.07, "final_div_factor": 10,
            "three_phase": True, "anneal_strategy": "linear",
        },
        tracelr.OneCycle(0.1, 1.0, 0.01, 99, 6.0, "linear", True),
    ),
]  # fmt: skip
NAMES = {
    "learning_rate": "val", "initial_learning_rate": "initial_val", "end_learning_rate": "end_val", "learning_rates": "vals",
    "base_lr": "base_val", "max_lr": "max_val",
}  # fmt: skip


@pytest.mark.parametrize(("stem", "given", "ours"), CLASSES, ids=[f"{k}-{row[0]}" for k, row in enumerate(CLASSES)])
def test_each_class_gives_its_schedule_for_rate_and_weight_decay(stem, given, ours):
    assert read([{f"{stem}LR": given}]) == ours
    assert read({f"{stem}LR": given}) == ours
    decay = given and {NAMES.get(key, key): value for key, value in given.items()}
    assert read([{f"{stem}WD": decay}]) == [Assignment("weight_decay", None, ours)]


@pytest.mark.parametrize(("stem", "given", "ours"), CLASSES, ids=[f"{k}-{row[0]}" for k, row in enumerate(CLASSES)])
def test_the_older_files_take_each_curve_too(stem, given, ours):
    for scheduler in (stem, f"{stem}LR", f"{stem.lower()}lr"):
        entry = {key: value for key, value in (given or {}).items() if value is not None}
        assert from_dict({"optimizer": {"learning_rate": {"scheduler": scheduler, **entry}}}) == ours


def test_the_class_without_a_suffix():
    given = {"initial_learning_rate": 1, "T_0": 4}
    assert read([{"CosineAnnealingWarmRestarts": given}]) == tracelr.WarmRestarts(1.0, 0.0, 4)


def test_corrected_curves():
    restarts = read([{"CosineAnnealingWarmRestartsLR": {"initial_learning_rate": 1, "T_0": 4}}])
    assert restarts(torch.arange(4, 8)).tolist() == restarts(torch.arange(4)).tolist()  # theirs is 1, 1, 1, 1
    cycling = read([{"PolynomialLR": {"initial_learning_rate": 1, "end_learning_rate": 0, "total_iters": 4, "cycle": True}}])
    assert cycling(torch.arange(4, 9)).tolist() == [0.0, 0.375, 0.25, 0.125, 0.0]  # theirs stays at 0
    given = {"initial_learning_rate": 0.5, "max_lr": 1, "total_steps": 11, "anneal_strategy": "linear"}
    assert read([{"OneCycleLR": given}])(torch.arange(10, 14)).tolist() == pytest.approx([5e-5] * 4)  # theirs goes below 0


@pytest.mark.parametrize(
    "optimizer",
    [
        None,
        {},
        {"AdamW": None},
        {"AdamW": {"weight_decay": 0.1}},
        {"SGD": {"learning_rate": 0.1}},
        {"optimizer_type": "SGD", "learning_rate": 0.1},
    ],
)
@pytest.mark.parametrize(
    "whole",
    [
        lambda init: {"trainer": {"init": init, "fit": {}}},
        lambda init: init,
        lambda init: {"trainer": [{"trainer": {"init": init}}]},
    ],
)
def test_layouts_of_published_files(optimizer, whole):
    assert from_dict(whole({"optimizer": optimizer, "schedulers": [{"LinearLR": LINE}]})) == UP


@pytest.mark.parametrize("schedulers", [None, [], {}])
@pytest.mark.parametrize(
    "optimizer",
    [
        {"SGD": {"lr": 0.1}},
        {"SGD": {"learning_rate": "1e-1"}},
        {"optimizer_type": "SGD", "learning_rate": [{"scheduler": "Constant", "learning_rate": 0.1}]},
    ],
)
def test_without_schedulers_the_rate_is_that_of_the_optimizer(schedulers, optimizer):
    assert read(schedulers, optimizer) == Constant(0.1)


def test_beside_a_weight_decay_scheduler_the_rate_is_that_of_the_optimizer():
    found = read([{"LinearWD": LINE_WD}], {"SGD": {"learning_rate": 0.1}})
    assert found == [Assignment("lr", None, Constant(0.1)), Assignment("weight_decay", None, UP)]
