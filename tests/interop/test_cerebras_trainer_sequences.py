"""The newer Cerebras files: sequences, chains, factors of a param group, and tags."""

import pytest
from support.cerebras_trainer_files import LINE, LINE_WD, UP, WAVE, read

import tracelr
from tracelr import Constant, InverseSqrt, Linear, Product, Scale, Sequential
from tracelr.errors import ConfigError
from tracelr.interop.load import from_dict
from tracelr.schedules.assignment import Assignment

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
    assert found == Sequential([UP, Constant(2.0), UP], [4, 7])


def test_explicit_milestones_are_used():
    inner = {
        "schedulers": [
            {"LinearLR": LINE},
            {"StepLR": {"initial_learning_rate": 1, "gamma": 0.5, "step_size": 2}},
            {"LinearLR": LINE},
        ]
    }
    found = read([{"SequentialLR": inner | {"milestones": [2, "1e1"], "last_epoch": -1}}])
    assert found == Sequential([UP, tracelr.Step(1.0, 0.5, 2), UP], [2, 10])


def test_a_nested_sequence_is_as_long_as_its_schedulers():
    two = {"SequentialLR": {"schedulers": [{"LinearLR": LINE}, {"LinearLR": LINE}]}}
    found = read([{"SequentialLR": {"schedulers": [two, {"LinearLR": LINE}]}}])
    assert found == Sequential([Sequential([UP, UP], [4]), UP], [8])


def test_a_sequence_of_one_scheduler_is_its_schedule():
    assert read([{"SequentialLR": {"schedulers": [{"CosineAnnealingLR": WAVE}]}}]) == tracelr.CosineAnnealing(1.0, 0.0, 4)


@pytest.mark.parametrize("name", ["ChainedLR", "ChainedScheduler"])
def test_a_chain_multiplies_by_each_value_relative_to_its_start(name):
    fall = {"initial_learning_rate": 2.0, "end_learning_rate": 0.0, "total_iters": 4}
    members = [
        {"LinearLR": LINE},
        {"LinearLR": fall},
        {"ConstantLR": {"learning_rate": 4}},
        {"CyclicLR": {"base_lr": 0.5, "max_lr": 1}},
    ]
    found = read([{name: {"schedulers": members}}])
    factors = [Scale(Linear(2.0, 0.0, 4), 0.5), Scale(Constant(4.0), 0.25), Scale(tracelr.Cyclic(0.5, 1.0, 2000), 2.0)]
    assert found == Product([UP, *factors])
    assert read([{name: {"schedulers": [{"LinearLR": LINE}]}}]) == UP


def test_a_chain_divides_by_the_value_at_step_0():
    root = {"initial_learning_rate": 2.0, "warmup_steps": 16}  # 2 / 4 at step 0
    found = read([{"ChainedLR": {"schedulers": [{"LinearLR": LINE}, {"InverseSquareRootDecayLR": root}]}}])
    assert found == Product([UP, Scale(InverseSqrt(0.5, 16), 2.0)])


def test_a_chain_and_a_cycle_have_their_lengths():
    chain = {"ChainedLR": {"schedulers": [{"LinearLR": LINE}, {"ConstantLR": {"learning_rate": 1}}]}}
    cycle = {"OneCycleLR": {"initial_learning_rate": 0.1, "max_lr": 1, "total_steps": 10}}
    assert read([{"SequentialLR": {"schedulers": [chain, cycle, {"LinearLR": LINE}]}}]).milestones == (4, 14)


def test_the_older_files_have_chains_too():
    fall = {"initial_learning_rate": 2.0, "end_learning_rate": 0.0, "total_iters": 4}
    entries = [
        {"scheduler": "Linear", "main_scheduler": "chained", **LINE},
        {"scheduler": "Linear", "main_scheduler": "Chained", **fall},
    ]
    assert from_dict({"optimizer": {"learning_rate": entries}}) == Product([UP, Scale(Linear(2.0, 0.0, 4), 0.5)])
    entries[0]["main_scheduler"] = "sequential"
    with pytest.raises(ConfigError) as caught:
        from_dict({"optimizer": {"learning_rate": entries}})
    assert str(caught.value) == (
        "mapping: optimizer.learning_rate: given main_scheduler sequential and Chained; allowed: one of them for all entries; "
        "to fix it: write the same one in every entry."
    )


def test_scale_per_param_names_the_factor_of_the_group():
    found = read(
        [
            {"ScalePerParamLR": {"scheduler": {"LinearLR": LINE}}},
            {"ScalePerParamWD": {"scheduler": {"LinearWD": LINE_WD}, "param_group_tags": "a"}},
        ]
    )
    assert found == [
        Assignment("lr", None, UP, "adjust_learning_rate"),
        Assignment("weight_decay", ("a",), UP, "adjust_val"),
    ]


@pytest.mark.parametrize(
    "scaled",
    [{"adjust_learning_rate": {"decoder_kernel": 0.5}}, {"params": [{"params": ["*"], "adjust_learning_rate": 0.5}]}],
)
def test_a_rate_that_the_optimizer_scales_has_that_factor(scaled):
    scaling = [Assignment("lr", None, UP, "adjust_learning_rate")]
    assert read([{"LinearLR": LINE}], {"AdamW": scaled}) == scaling
    assert (
        read([{"LinearLR": LINE}], {"AdamW": {"adjust_learning_rate": {}, "params": [{"params": ["*"], "tag": "a"}]}}) == UP
    )


def test_a_rate_that_an_older_file_scales_has_that_factor():
    optimizer = {"learning_rate": {"scheduler": "Linear", **LINE}, "adjust_learning_rate": {"decoder_kernel": 0.5}}
    assert from_dict({"optimizer": optimizer}) == [Assignment("lr", None, UP, "adjust_learning_rate")]


# -- tags ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "tags"), [("a", ("a",)), (["a", "b"], ("a", "b")), ([None], (None,)), (["a", None], ("a", None)), (None, None)]
)
def test_tags(given, tags):
    found = read([{"LinearLR": LINE | {"param_group_tags": given}}, {"LinearWD": LINE_WD}])
    assert found == [Assignment("lr", tags, UP), Assignment("weight_decay", None, UP)]


def test_the_text_of_an_assignment():
    found = read(
        [{"LinearLR": LINE | {"param_group_tags": ["a", None]}}, {"ScalePerParamWD": {"scheduler": {"LinearWD": LINE_WD}}}]
    )
    assert [str(one) for one in found] == [
        "lr of groups with 'a' or groups without tags",
        "weight_decay of every group, times its adjust_val",
    ]


def test_schedulers_of_disjoint_groups():
    found = read([{"LinearLR": LINE | {"param_group_tags": tag}} for tag in ("a", "b", [None])])
    assert [one.tags for one in found] == [("a",), ("b",), (None,)]
