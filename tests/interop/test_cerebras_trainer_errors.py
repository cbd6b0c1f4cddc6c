"""The newer Cerebras files: the message of each mistake."""

import pytest
import yaml
from support.cerebras_trainer_files import LINE, LINE_WD, TAGS, TWICE, UP, WAVE, message_of, read

from tracelr.__main__ import main
from tracelr.errors import ConfigError
from tracelr.interop.cerebras.read_trainer import KINDS
from tracelr.interop.load import from_dict, load, single

LISTED = """\
given 2 assignments, listed below; allowed: one schedule for the rate of every group; to fix it: use one of them, or pass \
the list to Scheduler(optimizer, assignments).

lr of groups with 'a': Linear(start=0.0, end=1.0, steps=4)
weight_decay of every group: Linear(start=0.0, end=1.0, steps=4)"""


def test_a_list_of_assignments_is_not_one_schedule(tmp_path, capsys):
    assert single(UP) is UP
    schedulers = [{"LinearLR": LINE | {"param_group_tags": "a"}}, {"LinearWD": LINE_WD}]
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


ALL = ", ".join(sorted(KINDS))
ONE = "allowed: a mapping with one key, the class of a scheduler; to fix it: write its class, and the parameters below that: LinearLR: {...}."
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
        ([{"LinearLR": LINE | {"steps": 3}}], f"schedulers[0].LinearLR: given the key 'steps'; {KEYS}; to fix it: rename it to 'total_iters'."),
        ([{"LinearLR": LINE_WD}], f"schedulers[0].LinearLR: given the key 'initial_val'; {KEYS}; to fix it: rename it to 'initial_learning_rate'."),
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
        ([{"LinearWD": LINE_WD | {"param_group_tags": ["a", "b"]}}, {"LinearLR": LINE}, {"LinearWD": LINE_WD | {"param_group_tags": ["b"]}}], f"schedulers[2]: given weight_decay of groups with 'b', set at [0] too; {TWICE}"),
        ([{"SequentialLR": {}}], "schedulers[0].SequentialLR.schedulers: given None; allowed: a list of schedulers, with at least one entry; to fix it: write such a list."),
        ([{"SequentialLR": {"schedulers": [{"LinearLR": LINE}], "total_iters": 3}}], "schedulers[0].SequentialLR: given the key 'total_iters'; allowed: last_epoch, milestones, param_group_tags, schedulers; to fix it: remove it."),
        ([{"SequentialLR": {"schedulers": [{"LinearLR": LINE}], "last_epoch": 5}}], "schedulers[0].SequentialLR.last_epoch: given 5; allowed: -1, the beginning; to fix it: leave it out: a Scheduler is resumed from its own state."),
        ([{"SequentialLR": {"schedulers": [{"CosineAnnealingLR": WAVE}, {"LinearLR": LINE}]}}], "schedulers[0].SequentialLR.schedulers[0]: given an entry without a length; allowed: a length in every entry but the last; to fix it: add total_iters."),
        ([{"SequentialLR": {"schedulers": [{"LinearLR": LINE}, {"LinearLR": LINE}], "milestones": [1, 2]}}], "schedulers[0].SequentialLR.schedulers: Sequential.milestones: given 2 milestones [1, 2]; allowed: exactly one fewer than its 2 schedules; to fix it: pass 1 of them."),
        ([{"SequentialLR": {"schedulers": [{"LinearLR": LINE | {"param_group_tags": "a"}}]}}], "schedulers[0].SequentialLR.schedulers[0].LinearLR.param_group_tags: given tags of an inner scheduler; allowed: tags of the outermost one; to fix it: move it to the scheduler around this one."),
        ([{"SequentialLR": {"schedulers": [{"LinearWD": LINE_WD}]}}], "schedulers[0].SequentialLR.schedulers[0]: given 'LinearWD'; allowed: a scheduler of the lr, as the outer one is; to fix it: move it out of the outer one."),
        ([{"SequentialLR": {"schedulers": [{"ScalePerParamLR": {"scheduler": {"LinearLR": LINE}}}]}}], "schedulers[0].SequentialLR.schedulers[0].ScalePerParamLR: given ScalePerParamLR inside another scheduler; allowed: it as the outermost one; to fix it: put the other one into it."),
        ([{"ScalePerParamLR": {}}], "schedulers[0].ScalePerParamLR: given ScalePerParamLR without scheduler; allowed: the key scheduler; to fix it: add scheduler: <what it scales>."),
        ([{"ChainedLR": {"schedulers": [{"LinearLR": LINE}, {"LinearLR": LINE}]}}], "schedulers[0].ChainedLR.schedulers[1]: given a scheduler that starts at 0; allowed: another start, because the chain divides by it; to fix it: put it first, or start it above 0."),
    ],
)  # fmt: skip
def test_errors(schedulers, message):
    assert message_of(schedulers) == message


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (3, "optimizer: given 3; allowed: a mapping with the optimizer's class; to fix it: write it as AdamW: {...}."),
        ({"SGD": {"learning_rate": [{"scheduler": "Constant", "learning_rate": 1}]}}, "optimizer.SGD.learning_rate: given schedulers here and under schedulers; allowed: one of them; to fix it: remove the ones here."),
    ],
)  # fmt: skip
def test_errors_in_the_optimizer(optimizer, message):
    assert message_of([{"LinearLR": LINE}], optimizer) == message


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
def test_errors_around_the_schedulers(trainer, message):
    with pytest.raises(ConfigError) as caught:
        from_dict({"trainer": trainer})
    assert str(caught.value) == f"mapping: {message}"
