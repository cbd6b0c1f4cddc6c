"""Schedulers built from other schedulers: in a sequence, multiplied, or times a function."""

from __future__ import annotations

import pickle

import pytest
import torch
from support.optimizers import held, sgd
from torch import nn

import tracelr
from tracelr import lr_scheduler, weight_decay_scheduler
from tracelr.errors import ScheduleError
from tracelr.lr_scheduler import (
    ChainedLR,
    ConstantLR,
    CosineDecayLR,
    InverseSquareRootDecayLR,
    LinearLR,
    OneCycleLR,
    ScalePerParamLR,
    SequentialLR,
    StepLR,
)
from tracelr.weight_decay_scheduler import ChainedWD, ConstantWD, LinearWD, SequentialWD

T = torch.arange(12)


# -- sequences ------------------------------------------------------------------------------------------------------------


def test_children_may_be_schedules_or_schedulers_bound_or_not():
    optimizer = sgd()
    expected = tracelr.Sequential([tracelr.Linear(0.0, 1.0, 4), tracelr.Cosine(1.0, 0.5, 6)], [4]).to_dict()
    for combined in (
        SequentialLR([LinearLR(0.0, 1.0, 4), CosineDecayLR(1.0, 0.5, 6)], [4]),
        SequentialLR([LinearLR(0.0, 1.0, 4), CosineDecayLR(1.0, 0.5, 6)]),
        SequentialLR([tracelr.Linear(0.0, 1.0, 4), tracelr.Cosine(1.0, 0.5, 6)]),
        SequentialLR(optimizer, [LinearLR(0.0, 1.0, 4), tracelr.Cosine(1.0, 0.5, 6)], milestones=[4]),
        SequentialLR(optimizer, [LinearLR(optimizer, 0.0, 1.0, 4), CosineDecayLR(optimizer, 1.0, 0.5, 6)], [4]),
        SequentialLR(schedulers=[LinearLR(0.0, 1.0, 4), CosineDecayLR(1.0, 0.5, 6)]).bind(optimizer),
    ):
        assert combined.schedule.to_dict() == expected
    assert optimizer.param_groups[0]["lr"] == 0.0


def test_a_length_is_total_iters_or_that_of_the_curve():
    assert [
        ConstantLR(1.0, total_iters=5).runs,
        ConstantLR(1.0).runs,
        lr_scheduler.Constant(1.0, decay_steps=5).runs,
        LinearLR(0.0, 1.0, 4).runs,
        OneCycleLR(0.1, 1.0, total_steps=10).runs,
        InverseSquareRootDecayLR(1.0).runs,
        lr_scheduler.PiecewiseConstantLR([1.0, 2.0], [7]).runs,
        SequentialLR([LinearLR(0.0, 1.0, 4), CosineDecayLR(1.0, 0.5, 6)]).runs,
    ] == [5, None, 5, 4, 10, None, 7, 10]


def test_a_milestone_may_differ_from_the_length():
    combined = SequentialLR([ConstantLR(1.0), LinearLR(0.5, 0.0, 4)], [3]).schedule
    assert combined(T).tolist() == [1, 1, 1, 0.5, 0.375, 0.25, 0.125, 0, 0, 0, 0, 0]


def test_a_child_with_disable_lr_steps_reset_sees_the_global_step():
    combined = SequentialLR([ConstantLR(1.0, 2), LinearLR(1.0, 0.0, 4, disable_lr_steps_reset=True)]).schedule
    assert combined(T[:6]).tolist() == [1, 1, 0.5, 0.25, 0, 0]
    assert SequentialLR([ConstantLR(1.0, 2), LinearLR(1.0, 0.0, 4)]).schedule(T[:6]).tolist() == [1, 1, 1, 0.75, 0.5, 0.25]


def test_a_sequence_goes_into_a_sequence():
    inner = SequentialLR([LinearLR(0.0, 1.0, 2), ConstantLR(1.0, 2)])
    outer = SequentialLR([inner, LinearLR(1.0, 0.0, 4)], [4]).schedule
    assert outer(T[:10]).tolist() == [0, 0.5, 1, 1, 1, 0.75, 0.5, 0.25, 0, 0]
    assert SequentialLR([inner, LinearLR(1.0, 0.0, 4)]).schedule.to_dict() == outer.to_dict()


def test_a_sequence_of_one_scheduler_is_its_schedule():
    alone = SequentialLR([ConstantLR(0.5, 3)])
    assert alone.schedule.to_dict() == tracelr.Constant(0.5).to_dict()
    assert alone.runs == 3


def test_resets_are_written_once_where_they_agree():
    late = LinearLR(1.0, 0.0, 4, disable_lr_steps_reset=True)
    assert SequentialLR([ConstantLR(1.0, 2), late]).schedule.reset is False
    assert SequentialLR([ConstantLR(1.0, 2), late, ConstantLR(0.5)]).schedule.reset == (True, False, True)


def test_last_epoch_is_where_it_starts():
    optimizer = sgd()
    scheduler = SequentialLR(optimizer, [LinearLR(0.0, 1.0, 4), ConstantLR(1.0)], None, 1)
    assert scheduler.last_epoch == 2
    assert scheduler.get_last_lr() == [0.5]


def test_children_without_an_optimizer_leave_the_sequence_unbound():
    assert "optimizer" not in vars(SequentialLR([LinearLR(0.0, 1.0, 4), tracelr.Constant(1.0)]))


# -- chains ---------------------------------------------------------------------------------------------------------------


def test_a_chain_multiplies_by_each_value_relative_to_its_start():
    chain = ChainedLR([LinearLR(0.0, 1.0, 4), StepLR(0.1, step_size=2, gamma=0.5), ConstantLR(7.0)]).schedule
    assert chain(T[:6]).tolist() == [0.0, 0.25, 0.25, 0.375, 0.25, 0.25]
    product = tracelr.Linear(0.0, 1.0, 4) * tracelr.Step(1.0, 0.5, 2)
    assert torch.equal(chain(T), product(T))
    assert torch.equal(ChainedWD([LinearWD(0.0, 1.0, 4), tracelr.Step(3.0, 0.5, 2)]).schedule(T), product(T))


def test_a_chain_does_not_depend_on_a_parameter_called_initial():
    chain = ChainedLR([ConstantLR(1.0), InverseSquareRootDecayLR(1.0, 1.0, 4)]).schedule
    assert chain(torch.tensor([0, 16])).tolist() == [1.0, 0.5]


def test_a_chain_divides_by_any_number_that_is_large_enough():
    tiny = ChainedLR([ConstantLR(1.0), LinearLR(1e-30, 3e-30, 4)])
    assert tiny.schedule(T[:5]).tolist() == [1.0, 1.5, 2.0, 2.5, 3.0]
    assert tiny.runs == 4
    with pytest.raises(ScheduleError, match=r"1e-40 at its step 0; allowed: schedules that start at a size from 2\*\*-40"):
        ChainedLR([ConstantLR(1.0), LinearLR(1e-40, 3e-40, 4)])


def test_a_chain_follows_a_tensor():
    peak = nn.Parameter(torch.tensor(2.0))
    chain = ChainedLR([ConstantLR(1.0), LinearLR(peak, 1.0, 2)]).schedule
    assert chain(T[:3]).tolist() == [1.0, 0.75, 0.5]
    with torch.no_grad():
        peak.fill_(4.0)
    assert chain(T[:3]).tolist() == [1.0, 0.625, 0.25]


def test_a_chain_of_bound_schedulers_is_bound_to_their_optimizer():
    optimizer = sgd()
    chain = ChainedLR([LinearLR(optimizer, 1.0, 0.5, 4), StepLR(optimizer, 0.1, 2, 0.5)])
    for expected in (1.0, 0.875, 0.375, 0.3125, 0.125):
        assert optimizer.param_groups[0]["lr"] == expected
        optimizer.step()
        chain.step()


def test_a_chain_of_one_scheduler_is_its_schedule():
    assert ChainedLR([LinearLR(0.0, 1.0, 4)]).schedule.to_dict() == tracelr.Linear(0.0, 1.0, 4).to_dict()


# -- all of them ----------------------------------------------------------------------------------------------------------


def test_a_weight_decay_sequence_takes_weight_decay_schedulers():
    optimizer = sgd()
    scheduler = SequentialWD(optimizer, [LinearWD(0.0, 1.0, 4), ConstantWD(1.0)])
    scheduler.step()
    assert optimizer.param_groups[0]["weight_decay"] == 0.25
    assert optimizer.param_groups[0]["lr"] == 1.0


@pytest.mark.parametrize(
    "combined",
    [
        SequentialLR([LinearLR(0.0, 1.0, 4), tracelr.Constant(1.0)]),
        ChainedLR([LinearLR(0.0, 1.0, 4), tracelr.Constant(1.0)]),
        ScalePerParamLR(LinearLR(0.0, 1.0, 4)),
        ScalePerParamLR(tracelr.Linear(0.0, 1.0, 4)),
    ],
    ids=lambda combined: type(combined).__name__,
)
def test_a_combined_scheduler_pickles_and_binds(combined):
    twin = pickle.loads(pickle.dumps(combined))
    assert twin.schedule.to_dict() == combined.schedule.to_dict()
    optimizer = sgd()
    optimizer.param_groups[0]["adjust_learning_rate"] = 0.5
    assert twin.bind(optimizer).get_last_lr() == [0.0]


# -- functions ------------------------------------------------------------------------------------------------------------


def halves(step: torch.Tensor) -> torch.Tensor:
    return 0.5 ** step.double()


def thirds(step: torch.Tensor) -> torch.Tensor:
    return step.double() / 3.0


class Derived(lr_scheduler.LambdaLR):
    def set_value_lambda(self):
        return [halves, thirds]


class DerivedDecay(weight_decay_scheduler.LambdaWD):
    def set_value_lambda(self):
        return [halves, thirds]


def test_functions_are_passed_or_come_from_a_subclass():
    expected = [0.3 * 0.5**t * t / 3 for t in range(12)]
    for made in (
        lr_scheduler.LambdaLR(0.3, [halves, thirds]),
        lr_scheduler.LambdaLR(sgd(), 0.3, [halves, thirds]),
        Derived(0.3),
        Derived(sgd(), initial_learning_rate=0.3),
        Derived(0.3).bind(sgd()),
        weight_decay_scheduler.LambdaWD(initial_val=0.3, val_lambda=(halves, thirds)),
        DerivedDecay(sgd(), 0.3),
    ):
        assert made.schedule(T).tolist() == pytest.approx(expected, rel=1e-7)
    assert lr_scheduler.LambdaLR(0.3, halves).schedule(T).tolist() == pytest.approx([0.3 * 0.5**t for t in range(12)])


def test_a_subclass_drives_its_optimizer():
    optimizer = sgd()
    scheduler = Derived(optimizer, 0.3)
    for step in range(5):
        assert held(optimizer) == [scheduler.schedule(step).item()]
        optimizer.step()
        scheduler.step()
