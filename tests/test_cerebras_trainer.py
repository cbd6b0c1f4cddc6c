"""The newer form of the Cerebras params files, `trainer: init: schedulers:`: every class, the tags, and every mistake."""

import pytest
import torch
import yaml

import tracelr
from tracelr import (
    Constant,
    Cosine,
    Exponential,
    InverseSqrt,
    Linear,
    PiecewiseConstant,
    Polynomial,
    Product,
    Scale,
    Sequential,
)
from tracelr.__main__ import main
from tracelr.assignment import Assignment
from tracelr.config import from_dict, load, single
from tracelr.dialects.cerebras_trainer import KINDS
from tracelr.errors import ConfigError

LINE = {"initial_learning_rate": 0.0, "end_learning_rate": 1.0, "total_iters": 4}
TWIN = {"initial_val": 0.0, "end_val": 1.0, "total_iters": 4}
UP, WAVE = Linear(0.0, 1.0, 4), {"initial_learning_rate": 1.0, "T_max": 4}


def read(schedulers: object, optimizer: object = None) -> object:
    init = {"schedulers": schedulers} | ({} if optimizer is None else {"optimizer": optimizer})
    return from_dict({"trainer": {"init": init}})


def told(schedulers: object, optimizer: object = None) -> str:
    with pytest.raises(ConfigError) as caught:
        read(schedulers, optimizer)
    assert caught.value.__cause__ is None
    return str(caught.value).removeprefix("mapping: trainer.init.")


def plain(found: object) -> object:
    """What was found, as plain data: two schedules with the same fields are not equal."""
    return [one._replace(schedule=one.schedule.to_dict()) for one in found] if isinstance(found, list) else found.to_dict()


# -- the classes: (stem, parameters under their lr names, ours) ------------------------------------------------------------

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
def test_each_class_is_the_schedule_it_says_and_so_is_its_twin(stem, given, ours):
    assert plain(read([{f"{stem}LR": given}])) == ours.to_dict()
    assert plain(read({f"{stem}LR": given})) == ours.to_dict()
    twin = given and {NAMES.get(key, key): value for key, value in given.items()}
    assert plain(read([{f"{stem}WD": twin}])) == plain([Assignment("weight_decay", None, ours)])


@pytest.mark.parametrize(("stem", "given", "ours"), CLASSES, ids=[f"{k}-{row[0]}" for k, row in enumerate(CLASSES)])
def test_the_older_place_knows_each_of_them_too(stem, given, ours):
    for scheduler in (stem, f"{stem}LR", f"{stem.lower()}lr"):
        entry = {key: value for key, value in (given or {}).items() if value is not None}
        assert plain(from_dict({"optimizer": {"learning_rate": {"scheduler": scheduler, **entry}}})) == ours.to_dict()


def test_the_name_that_has_no_suffix():
    given = {"initial_learning_rate": 1, "T_0": 4}
    assert plain(read([{"CosineAnnealingWarmRestarts": given}])) == tracelr.WarmRestarts(1.0, 0.0, 4).to_dict()


def test_where_the_originals_are_wrong():
    restarts = read([{"CosineAnnealingWarmRestartsLR": {"initial_learning_rate": 1, "T_0": 4}}])
    assert restarts(torch.arange(4, 8)).tolist() == restarts(torch.arange(4)).tolist()  # theirs is 1, 1, 1, 1
    cycling = read([{"PolynomialLR": {"initial_learning_rate": 1, "end_learning_rate": 0, "total_iters": 4, "cycle": True}}])
    assert cycling(torch.arange(4, 9)).tolist() == [0.0, 0.375, 0.25, 0.125, 0.0]  # theirs stays at 0
    given = {"initial_learning_rate": 0.5, "max_lr": 1, "total_steps": 11, "anneal_strategy": "linear"}
    assert read([{"OneCycleLR": given}])(torch.arange(10, 14)).tolist() == pytest.approx([5e-5] * 4)  # theirs goes below 0


# -- sequences, chains, scaling --------------------------------------------------------------------------------------------


def test_a_sequence_runs_each_for_its_total_iters():
    found = read(
        [
            {
                "SequentialLR": {
                    "schedulers": [
                        {"LinearLR": LINE},
                        {"ConstantLR": {"learning_rate": 2, "total_iters": 3}},
                        {"LinearLR": LINE},
                    ]
                }
            }
        ]
    )
    assert plain(found) == Sequential([UP, Constant(2.0), UP], [4, 7]).to_dict()


def test_explicit_milestones_hold():
    inner = {
        "schedulers": [
            {"LinearLR": LINE},
            {"StepLR": {"initial_learning_rate": 1, "gamma": 0.5, "step_size": 2}},
            {"LinearLR": LINE},
        ]
    }
    found = read([{"SequentialLR": inner | {"milestones": [2, "1e1"], "last_epoch": -1}}])
    assert plain(found) == Sequential([UP, tracelr.Step(1.0, 0.5, 2), UP], [2, 10]).to_dict()


def test_a_sequence_in_a_sequence_runs_as_long_as_its_parts():
    two = {"SequentialLR": {"schedulers": [{"LinearLR": LINE}, {"LinearLR": LINE}]}}
    found = read([{"SequentialLR": {"schedulers": [two, {"LinearLR": LINE}]}}])
    assert plain(found) == Sequential([Sequential([UP, UP], [4]), UP], [8]).to_dict()


def test_a_sequence_of_one_is_that_one():
    assert (
        plain(read([{"SequentialLR": {"schedulers": [{"CosineAnnealingLR": WAVE}]}}]))
        == tracelr.CosineAnnealing(1.0, 0.0, 4).to_dict()
    )


@pytest.mark.parametrize("name", ["ChainedLR", "ChainedScheduler"])
def test_a_chain_is_a_product_of_each_relative_to_where_it_starts(name):
    fall = {"initial_learning_rate": 2.0, "end_learning_rate": 0.0, "total_iters": 4}
    members = [
        {"LinearLR": LINE},
        {"LinearLR": fall},
        {"ConstantLR": {"learning_rate": 4}},
        {"CyclicLR": {"base_lr": 0.5, "max_lr": 1}},
    ]
    found = read([{name: {"schedulers": members}}])
    factors = [Scale(Linear(2.0, 0.0, 4), 0.5), Scale(Constant(4.0), 0.25), Scale(tracelr.Cyclic(0.5, 1.0, 2000), 2.0)]
    assert plain(found) == Product([UP, *factors]).to_dict()
    assert plain(read([{name: {"schedulers": [{"LinearLR": LINE}]}}])) == UP.to_dict()


def test_a_chain_divides_by_the_value_at_step_0():
    root = {"initial_learning_rate": 2.0, "warmup_steps": 16}  # 2 / 4 at step 0
    found = read([{"ChainedLR": {"schedulers": [{"LinearLR": LINE}, {"InverseSquareRootDecayLR": root}]}}])
    assert plain(found) == Product([UP, Scale(InverseSqrt(0.5, 16), 2.0)]).to_dict()


def test_a_chain_and_a_cycle_run_as_long_as_they_say():
    chain = {"ChainedLR": {"schedulers": [{"LinearLR": LINE}, {"ConstantLR": {"learning_rate": 1}}]}}
    cycle = {"OneCycleLR": {"initial_learning_rate": 0.1, "max_lr": 1, "total_steps": 10}}
    assert read([{"SequentialLR": {"schedulers": [chain, cycle, {"LinearLR": LINE}]}}]).milestones == (4, 14)


def test_the_older_place_chains_too():
    fall = {"initial_learning_rate": 2.0, "end_learning_rate": 0.0, "total_iters": 4}
    entries = [
        {"scheduler": "Linear", "main_scheduler": "chained", **LINE},
        {"scheduler": "Linear", "main_scheduler": "Chained", **fall},
    ]
    assert (
        plain(from_dict({"optimizer": {"learning_rate": entries}}))
        == Product([UP, Scale(Linear(2.0, 0.0, 4), 0.5)]).to_dict()
    )
    entries[0]["main_scheduler"] = "sequential"
    with pytest.raises(ConfigError) as caught:
        from_dict({"optimizer": {"learning_rate": entries}})
    assert str(caught.value) == (
        "mapping: optimizer.learning_rate: given main_scheduler sequential and Chained; allowed: one of them for the whole list; "
        "to fix it: write the same one in every entry."
    )


def test_scale_per_param_names_the_factor_of_the_group():
    found = read(
        [
            {"ScalePerParamLR": {"scheduler": {"LinearLR": LINE}}},
            {"ScalePerParamWD": {"scheduler": {"LinearWD": TWIN}, "param_group_tags": "a"}},
        ]
    )
    assert plain(found) == plain(
        [Assignment("lr", None, UP, "adjust_learning_rate"), Assignment("weight_decay", ("a",), UP, "adjust_val")]
    )


@pytest.mark.parametrize(
    "scaled",
    [{"adjust_learning_rate": {"decoder_kernel": 0.5}}, {"params": [{"params": ["*"], "adjust_learning_rate": 0.5}]}],
)
def test_a_rate_that_the_optimizer_scales_has_that_factor(scaled):
    scaling = plain([Assignment("lr", None, UP, "adjust_learning_rate")])
    assert plain(read([{"LinearLR": LINE}], {"AdamW": scaled})) == scaling
    assert (
        plain(read([{"LinearLR": LINE}], {"AdamW": {"adjust_learning_rate": {}, "params": [{"params": ["*"], "tag": "a"}]}}))
        == UP.to_dict()
    )


def test_so_has_one_in_the_older_place():
    optimizer = {"learning_rate": {"scheduler": "Linear", **LINE}, "adjust_learning_rate": {"decoder_kernel": 0.5}}
    assert plain(from_dict({"optimizer": optimizer})) == plain([Assignment("lr", None, UP, "adjust_learning_rate")])


# -- tags ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "tags"), [("a", ("a",)), (["a", "b"], ("a", "b")), ([None], (None,)), (["a", None], ("a", None)), (None, None)]
)
def test_tags(given, tags):
    found = read([{"LinearLR": LINE | {"param_group_tags": given}}, {"LinearWD": TWIN}])
    assert plain(found) == plain([Assignment("lr", tags, UP), Assignment("weight_decay", None, UP)])


def test_what_an_assignment_says():
    found = read(
        [{"LinearLR": LINE | {"param_group_tags": ["a", None]}}, {"ScalePerParamWD": {"scheduler": {"LinearWD": TWIN}}}]
    )
    assert [str(one) for one in found] == [
        "lr of groups with 'a' or groups without tags",
        "weight_decay of every group, times its adjust_val",
    ]


def test_schedulers_of_disjoint_groups():
    found = read([{"LinearLR": LINE | {"param_group_tags": tag}} for tag in ("a", "b", [None])])
    assert [one.tags for one in found] == [("a",), ("b",), (None,)]


# -- the rest of the file --------------------------------------------------------------------------------------------------


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
def test_the_shapes_that_occur(optimizer, whole):
    assert plain(from_dict(whole({"optimizer": optimizer, "schedulers": [{"LinearLR": LINE}]}))) == UP.to_dict()


@pytest.mark.parametrize("schedulers", [None, [], {}])
@pytest.mark.parametrize(
    "optimizer",
    [
        {"SGD": {"lr": 0.1}},
        {"SGD": {"learning_rate": "1e-1"}},
        {"optimizer_type": "SGD", "learning_rate": [{"scheduler": "Constant", "learning_rate": 0.1}]},
    ],
)
def test_without_schedulers_the_rate_is_the_optimizers_own(schedulers, optimizer):
    assert plain(read(schedulers, optimizer)) == Constant(0.1).to_dict()


def test_beside_a_scheduler_of_the_weight_decay_the_rate_is_the_optimizers_own():
    found = read([{"LinearWD": TWIN}], {"SGD": {"learning_rate": 0.1}})
    assert plain(found) == plain([Assignment("lr", None, Constant(0.1)), Assignment("weight_decay", None, UP)])


# -- one schedule, please --------------------------------------------------------------------------------------------------


LISTED = """\
given 2 assignments, listed below; allowed: one schedule for the rate of every group; to fix it: use one of them, or pass \
the list to Scheduler(optimizer, assignments).

lr of groups with 'a': Linear(start=0.0, end=1.0, steps=4)
weight_decay of every group: Linear(start=0.0, end=1.0, steps=4)"""


def test_single_demands_one_schedule(tmp_path, capsys):
    assert single(UP) is UP
    schedulers = [{"LinearLR": LINE | {"param_group_tags": "a"}}, {"LinearWD": TWIN}]
    with pytest.raises(ConfigError) as caught:
        single(read(schedulers))
    assert str(caught.value) == f"mapping: {LISTED}"
    file = tmp_path / "params.yaml"
    file.write_text(yaml.safe_dump({"trainer": {"init": {"schedulers": schedulers}}}))
    for verb in ("dump", "lower", "verify"):
        assert main([verb, str(file)]) == 2
        assert capsys.readouterr().err == f"tracelr: error: {file}: {LISTED}\n"
    with pytest.raises(ConfigError, match="given 1 assignment, listed below"):
        single(load(file)[:1])


# -- mistakes --------------------------------------------------------------------------------------------------------------

ALL = ", ".join(sorted(KINDS))
ONE = "allowed: a mapping with one key, the class of a scheduler; to fix it: write its class, and the parameters below that: LinearLR: {...}."
TAGS = "allowed: a tag, a list of different tags, or [null]; to fix it: write the tags of the groups it is for."
TWICE = "allowed: one schedule for each key of a group; to fix it: give them different tags."
KEYS = "allowed: cycle, end_learning_rate, initial_learning_rate, param_group_tags, total_iters"


@pytest.mark.parametrize(
    ("schedulers", "message"),
    [
        (3, "schedulers: given 3; allowed: a list of schedulers; to fix it: write one, such as - LinearLR: {...}."),
        ([3], f"schedulers[0]: given 3; {ONE}"),
        ([{}], f"schedulers[0]: given {{}}; {ONE}"),
        ([{"LinearLR": None, "total_iters": 3}], f"schedulers[0]: given the keys LinearLR, total_iters; {ONE}"),
        ([{"LinearLr": LINE}], f"schedulers[0]: given 'LinearLr'; allowed: {ALL}; to fix it: use 'LinearLR'."),
        ([{"Foo": LINE}], f"schedulers[0]: given 'Foo'; allowed: {ALL}; to fix it: use one of these."),
        ([{"LambdaLR": {"initial_learning_rate": 1}}], "schedulers[0]: given 'LambdaLR'; allowed: a scheduler whose values a file can hold; to fix it: build the schedule in Python."),
        ([{"LinearLR": 3}], "schedulers[0].LinearLR: given 3; allowed: a mapping of its parameters; to fix it: write {name: value, ...}."),
        ([{"LinearLR": {}}], "schedulers[0].LinearLR: given LinearLR without initial_learning_rate; allowed: the keys initial_learning_rate, end_learning_rate, total_iters; to fix it: add initial_learning_rate."),
        ([{"LinearLR": LINE | {"steps": 3}}], f"schedulers[0].LinearLR: given the key 'steps'; {KEYS}; to fix it: remove it."),
        ([{"LinearLR": TWIN}], f"schedulers[0].LinearLR: given the key 'initial_val'; {KEYS}; to fix it: remove it."),
        ([{"LinearLR": LINE | {"total_iters": 0.5}}], "schedulers[0].LinearLR.total_iters: given 0.5; allowed: a whole number of steps from 1 to 2**53; to fix it: write a number such as 2000 or 1e5."),
        ([{"ConstantLR": {"learning_rate": 1, "total_iters": 0}}], "schedulers[0].ConstantLR.total_iters: given 0; allowed: a whole number of steps from 1 to 2**53; to fix it: write a number such as 2000 or 1e5."),
        ([{"ExponentialLR": {"initial_learning_rate": 1, "total_iters": 4, "decay_rate": -1}}], "schedulers[0].ExponentialLR.decay_rate: Exponential.rate: given -1.0; allowed: a finite number above 0, or a 0-d floating point tensor; to fix it: pass a number in this range."),
        ([{"OneCycleLR": {"initial_learning_rate": 1, "max_lr": 2, "final_div_factor": 0}}], "schedulers[0].OneCycleLR.final_div_factor: given 0; allowed: a number above 0; to fix it: write one."),
        ([{"OneCycleLR": {"initial_learning_rate": 1, "max_lr": 2, "anneal_strategy": "cosine"}}], "schedulers[0].OneCycleLR.anneal_strategy: given 'cosine'; allowed: cos, linear; to fix it: use 'cos'."),
        ([{"CyclicLR": {"base_lr": 1, "max_lr": 2, "scale_mode": "epoch"}}], "schedulers[0].CyclicLR.scale_mode: given 'epoch'; allowed: cycle, iterations; to fix it: use one of these."),
        ([{"OneCycleLR": {"initial_learning_rate": 1, "max_lr": 2, "pct_start": 1.5}}], "schedulers[0].OneCycleLR: OneCycle.warm: given 1499.0; allowed: a number of steps above 0, below steps (with three_phase, below half of them); to fix it: move the peak into this range."),
        ([{"LinearLR": LINE | {"param_group_tags": []}}], f"schedulers[0].LinearLR.param_group_tags: given []; {TAGS}"),
        ([{"LinearLR": LINE | {"param_group_tags": ["a", "a"]}}], f"schedulers[0].LinearLR.param_group_tags: given ['a', 'a']; {TAGS}"),
        ([{"LinearLR": LINE | {"param_group_tags": [3]}}], f"schedulers[0].LinearLR.param_group_tags: given [3]; {TAGS}"),
        ([{"LinearLR": LINE}, {"LinearLR": LINE | {"param_group_tags": "a"}}], f"schedulers[1]: given lr of groups with 'a', set at [0] too; {TWICE}"),
        ([{"LinearWD": TWIN | {"param_group_tags": ["a", "b"]}}, {"LinearLR": LINE}, {"LinearWD": TWIN | {"param_group_tags": ["b"]}}], f"schedulers[2]: given weight_decay of groups with 'b', set at [0] too; {TWICE}"),
        ([{"SequentialLR": {}}], "schedulers[0].SequentialLR.schedulers: given None; allowed: a list of schedulers, with at least one entry; to fix it: write such a list."),
        ([{"SequentialLR": {"schedulers": [{"LinearLR": LINE}], "total_iters": 3}}], "schedulers[0].SequentialLR: given the key 'total_iters'; allowed: last_epoch, milestones, param_group_tags, schedulers; to fix it: remove it."),
        ([{"SequentialLR": {"schedulers": [{"LinearLR": LINE}], "last_epoch": 5}}], "schedulers[0].SequentialLR.last_epoch: given 5; allowed: -1, the beginning; to fix it: leave it out: a Scheduler is resumed from its own state."),
        ([{"SequentialLR": {"schedulers": [{"CosineAnnealingLR": WAVE}, {"LinearLR": LINE}]}}], "schedulers[0].SequentialLR.schedulers[0]: given an entry that does not say how long it runs; allowed: a length in every entry but the last; to fix it: add total_iters."),
        ([{"SequentialLR": {"schedulers": [{"LinearLR": LINE}, {"LinearLR": LINE}], "milestones": [1, 2]}}], "schedulers[0].SequentialLR.schedulers: Sequential.milestones: given 2 milestones [1, 2]; allowed: exactly one fewer than its 2 schedules; to fix it: pass 1 of them."),
        ([{"SequentialLR": {"schedulers": [{"LinearLR": LINE | {"param_group_tags": "a"}}]}}], "schedulers[0].SequentialLR.schedulers[0].LinearLR.param_group_tags: given tags of an inner scheduler; allowed: tags of the outermost one; to fix it: move it to the scheduler around this one."),
        ([{"SequentialLR": {"schedulers": [{"LinearWD": TWIN}]}}], "schedulers[0].SequentialLR.schedulers[0]: given 'LinearWD'; allowed: a scheduler of the lr, as the one around it; to fix it: move it out of there."),
        ([{"SequentialLR": {"schedulers": [{"ScalePerParamLR": {"scheduler": {"LinearLR": LINE}}}]}}], "schedulers[0].SequentialLR.schedulers[0].ScalePerParamLR: given ScalePerParamLR inside another scheduler; allowed: it around all others; to fix it: put the other one into it."),
        ([{"ScalePerParamLR": {}}], "schedulers[0].ScalePerParamLR: given ScalePerParamLR without scheduler; allowed: the key scheduler; to fix it: add scheduler: <what it scales>."),
        ([{"ChainedLR": {"schedulers": [{"LinearLR": LINE}, {"LinearLR": LINE}]}}], "schedulers[0].ChainedLR.schedulers[1]: given a scheduler that starts at 0; allowed: a factor that starts at 1, once divided; to fix it: put it first, or start it above 0."),
    ],
)  # fmt: skip
def test_mistakes(schedulers, message):
    assert told(schedulers) == message


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (3, "optimizer: given 3; allowed: a mapping with the optimizer's class; to fix it: write it as AdamW: {...}."),
        ({"SGD": {"learning_rate": [{"scheduler": "Constant", "learning_rate": 1}]}}, "optimizer.SGD.learning_rate: given schedulers here and under schedulers; allowed: one of them; to fix it: remove the ones here."),
    ],
)  # fmt: skip
def test_mistakes_in_the_optimizer(optimizer, message):
    assert told([{"LinearLR": LINE}], optimizer) == message


@pytest.mark.parametrize(
    ("trainer", "message"),
    [
        (3, "trainer: given 3; allowed: a mapping with the mapping init; to fix it: write init: under it, and schedulers: under that."),
        ({}, "trainer: given {}; allowed: a mapping with the mapping init; to fix it: write init: under it, and schedulers: under that."),
        ([{}, {}], "trainer: given a list of 2 trainers; allowed: one trainer; to fix it: pass one of them to from_dict, as {'trainer': ...}."),
        ({"init": {"optimizer": {"SGD": {"momentum": 0.9}}}}, "trainer.init: given neither schedulers nor a rate in its optimizer; allowed: a mapping with the key schedulers; to fix it: add schedulers."),
        ({"init": {"optimizer": {"SGD": {"lr": "x"}}}}, "trainer.init.optimizer.SGD.lr: given 'x'; allowed: a finite number within the float32 range; to fix it: write a number such as 0.001 or 1e-3."),
    ],
)  # fmt: skip
def test_mistakes_around_it(trainer, message):
    with pytest.raises(ConfigError) as caught:
        from_dict({"trainer": trainer})
    assert str(caught.value) == f"mapping: {message}"


# -- our own form ----------------------------------------------------------------------------------------------------------

OURS = [
    Assignment("lr", ("a", None), Sequential([UP, Constant(1.0)], [4]), "adjust_learning_rate"),
    Assignment("lr", ("b",), UP),
    Assignment("weight_decay", None, UP),
]


def test_assignments_round_trip(tmp_path):
    written = {"assignments": [one.to_dict() for one in OURS]}
    file = tmp_path / "assignments.yaml"
    file.write_text(yaml.safe_dump(written))
    assert plain(from_dict(written)) == plain(load(file)) == plain(OURS)


def test_what_an_assignment_may_leave_out():
    given = [{"key": "lr", "schedule": UP.to_dict()}, {"key": "momentum", "tags": "a", "schedule": UP.to_dict()}]
    assert plain(from_dict({"assignments": given})) == plain(
        [Assignment("lr", None, UP), Assignment("momentum", ("a",), UP)]
    )


def given(**changes: object) -> dict[str, object]:
    return {"assignments": [{"key": "lr", "schedule": UP.to_dict()} | changes]}


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"assignments": 3}, "assignments: given 3; allowed: a list of assignments, with at least one entry; to fix it: write such a list."),
        ({"assignments": [3]}, "assignments[0]: given 3; allowed: a mapping with the keys key and schedule; to fix it: write {key: lr, schedule: {...}}."),
        ({"assignments": [{}], "tags": 3}, "given the key 'tags'; allowed: assignments; to fix it: remove it."),
        (given(tag="a"), "assignments[0]: given the key 'tag'; allowed: factor, key, schedule, tags; to fix it: rename it to 'tags'."),
        (given(key=None), "assignments[0].key: given None; allowed: the key of a param group, such as lr; to fix it: add key: lr."),
        (given(factor=2), "assignments[0].factor: given 2; allowed: the key of a param group, or null; to fix it: leave it out, or name the key."),
        (given(tags=3), f"assignments[0].tags: given 3; {TAGS}"),
        (given(schedule=0.1), "assignments[0].schedule: given 0.1; allowed: a schedule; to fix it: write {schedule: <name>, ...}."),
        (given(schedule={"schedule": "Linear", "start": 0, "end": 1, "steps": 0}), "assignments[0].schedule.steps: Linear.steps: given 0; allowed: an int from 1 to 2**53; to fix it: pass a number of steps in this range."),
        ({"assignments": [{"key": "lr", "schedule": UP.to_dict()}] * 2}, f"assignments[1]: given lr of every group, set at [0] too; {TWICE}"),
    ],
)  # fmt: skip
def test_mistakes_in_our_own_form(mapping, message):
    with pytest.raises(ConfigError) as caught:
        from_dict(mapping)
    assert str(caught.value) == f"mapping: {message}"
