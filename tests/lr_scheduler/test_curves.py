"""The Cerebras schedulers of one curve: compared with Cerebras' formulas, and the intended differences."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest
import torch
from support.cerebras_formulas import CASES, Case
from support.optimizers import held, sgd

import tracelr
from tracelr import lr_scheduler, weight_decay_scheduler
from tracelr.interop.cerebras.curves import CURVES
from tracelr.lr_scheduler.base import CerebrasScheduler
from tracelr.optim.scheduler import Scheduler

EVERY = pytest.mark.parametrize("case", CASES, ids=[f"{case.stem}{k}" for k, case in enumerate(CASES)])


def rate(case: Case) -> type[CerebrasScheduler]:
    return getattr(lr_scheduler, case.rate)


def decay(case: Case) -> type[CerebrasScheduler]:
    return getattr(weight_decay_scheduler, f"{case.stem}WD")


def test_every_curve_has_two_classes_and_a_case():
    assert {case.stem for case in CASES} == CURVES.keys() - {"Lambda"}
    for stem in [*CURVES, "Sequential", "Chained", "ScalePerParam"]:
        for kind in (rate(Case(stem, {}, "", float, ())), decay(Case(stem, {}, "", float, ()))):
            assert issubclass(kind, Scheduler)
            assert kind.__doc__
    assert lr_scheduler.ChainedScheduler is lr_scheduler.ChainedLR


@EVERY
def test_every_way_to_call_it_gives_the_same_schedule(case):
    expected = eval(case.ours, dict(vars(tracelr))).to_dict()
    for kind, words in ((rate(case), case.words), (decay(case), case.given)):
        for made in (kind(**words), kind(sgd(), **words), kind(optimizer=sgd(), **words), kind(**words).bind(sgd())):
            assert type(made) is kind
            assert made.schedule.to_dict() == expected
            assert made.param_group_tags is None


@EVERY
def test_both_classes_take_the_same_parameters_in_the_same_order(case):
    ours, theirs = inspect.signature(rate(case)).parameters, inspect.signature(decay(case)).parameters
    assert next(iter(ours)) == next(iter(theirs)) == "optimizer"
    assert list(ours)[-2:] == ["param_group_tags", "disable_lr_steps_reset"]
    assert list(theirs)[-1] == "param_group_tags"
    assert [p.default for p in ours.values()][:-1] == [p.default for p in theirs.values()]


@EVERY
def test_a_bound_scheduler_follows_the_formula(case):
    optimizer = sgd()
    scheduler = rate(case)(optimizer, **case.words)
    last = 2 * max(case.ends) + 2 if case.until is None else case.until - 1
    size = max(abs(case.formula(step)) for step in range(last + 1))
    for step in range(min(last, 500) + 1):
        assert optimizer.param_groups[0]["lr"] == scheduler.get_last_lr()[0]
        assert optimizer.param_groups[0]["lr"] == pytest.approx(case.formula(step), abs=1e-7 * size)
        optimizer.step()
        scheduler.step()
    assert optimizer.param_groups[0]["weight_decay"] == 0.5


@EVERY
def test_the_weight_decay_class_drives_the_same_values(case):
    optimizer = sgd()
    rates, decays = rate(case)(optimizer, **case.words), decay(case)(optimizer, **case.given)
    for _ in range(30):
        group = optimizer.param_groups[0]
        assert group["weight_decay"] == group["lr"]
        optimizer.step()
        rates.step()
        decays.step()


@EVERY
def test_it_copies_and_pickles_unbound(case):
    for made in (rate(case)(**case.words), decay(case)(**case.given)):
        for twin in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
            assert type(twin) is type(made)
            assert twin.schedule.to_dict() == made.schedule.to_dict()


@EVERY
def test_a_checkpoint_continues_in_another_scheduler(case):
    first, second = rate(case)(sgd(), **case.words), rate(case)(**case.words).bind(sgd())
    for _ in range(13):
        first.optimizer.step()
        first.step()
    second.load_state_dict(first.state_dict())
    assert held(second.optimizer) == [first.schedule(13).item()]


@EVERY
def test_a_file_with_this_class_gives_the_same_schedule(case):
    made = rate(case)(**case.words)
    older = {"scheduler": case.rate, **case.words}
    for mapping in ({"schedulers": [{case.rate: case.words}]}, {"optimizer": {"learning_rate": older}}):
        assert tracelr.from_dict(mapping).to_dict() == made.schedule.to_dict()
    (twin,) = tracelr.from_dict({"schedulers": [{f"{case.stem}WD": case.given}]})
    assert twin.key == "weight_decay"
    assert twin.schedule.to_dict() == made.schedule.to_dict()


def test_pct_start_is_multiplied_in_decimals():
    for made in (
        lr_scheduler.OneCycleLR(0.1, 1.0, total_steps=100, pct_start=0.07),
        weight_decay_scheduler.OneCycleWD(0.1, 1.0, 100, 0.07),
    ):
        assert made.schedule.warm == 6.0  # 0.07 * 100 - 1 is 6.000000000000001


# -- parameters of older releases ------------------------------------------------------------------------------------------


def test_names_of_parameters_of_older_releases_are_accepted():
    older = lr_scheduler.PolynomialLR(sgd(), learning_rate=0.1, end_learning_rate=0.0, decay_steps=10)
    assert older.schedule.to_dict() == lr_scheduler.PolynomialLR(0.1, 0.0, 10).schedule.to_dict()
    assert older.bind(sgd()).schedule.to_dict() == older.schedule.to_dict()
    constant = lr_scheduler.ConstantLR(val=0.1, decay_steps=10, disable_lr_steps_reset=True)
    assert constant.schedule.to_dict() == tracelr.Constant(0.1).to_dict()
    assert constant.runs == 10
    assert constant.disable_lr_steps_reset is True


# -- intended differences from the class of the same name -----------------------------------------------------------------------


def test_a_restart_starts_at_the_peak():
    theirs = next(case for case in CASES if case.stem == "CosineAnnealingWarmRestarts").formula
    assert [round(theirs(t), 3) for t in range(13)] == [1, 0.854, 0.5, 0.146, 1, 1, 1, 1, 0, 0, 0, 0, 1]
    ours = lr_scheduler.CosineAnnealingWarmRestarts(1.0, T_0=4).schedule(torch.arange(13)).tolist()
    assert ours == pytest.approx([1, 0.853553, 0.5, 0.146447] * 3 + [1], abs=1e-6)


def test_warm_restarts_take_any_multiplier():
    ours = lr_scheduler.CosineAnnealingWarmRestarts(1.0, T_0=4, T_mult=1.5).schedule(torch.arange(11)).tolist()
    assert ours[4] == ours[10] == 1.0
    assert ours[7] == pytest.approx(0.5)


def test_a_polynomial_with_cycle_cycles():
    theirs = next(case for case in CASES if case.given.get("cycle")).formula
    assert [theirs(t) for t in (0, 10, 40, 50, 80)] == [1.0, 0.75, 0.0, 0.0, 0.0]
    ours = lr_scheduler.PolynomialLR(1.0, 0.0, 4, cycle=True).schedule(torch.arange(10)).tolist()
    assert ours == [1, 0.75, 0.5, 0.25, 0, 0.375, 0.25, 0.125, 0, 0.25]


def test_one_cycle_keeps_its_last_value():
    case = next(case for case in CASES if case.given.get("anneal_strategy") == "linear")
    assert case.formula(9) == pytest.approx(0.01)
    assert case.formula(10) < -0.1
    assert rate(case)(**case.words).schedule(torch.tensor([9, 10, 1000])).tolist() == [torch.tensor(0.01).item()] * 3


def test_an_exponential_has_its_rate_per_total_iters():
    optimizer = sgd()
    theirs = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.1)
    ours = lr_scheduler.ExponentialLR(1.0, total_iters=4, decay_rate=0.1).schedule(torch.arange(5)).tolist()
    for _ in range(4):
        optimizer.step()
        theirs.step()
    assert theirs.get_last_lr()[0] == pytest.approx(1e-4)
    assert ours[4] == pytest.approx(0.1)


def test_a_constant_does_not_end():
    assert (
        lr_scheduler.ConstantLR(0.1, total_iters=3).schedule(torch.tensor([0, 3, 10**6])).tolist()
        == [torch.tensor(0.1).item()] * 3
    )
    assert torch.optim.lr_scheduler.ConstantLR(sgd(), 0.1, total_iters=3).get_last_lr() == [0.1 * 1.0]


def test_inverse_square_root_has_no_warm_up():
    values = lr_scheduler.InverseSquareRootDecayLR(1.0, 1.0, 16).schedule(torch.tensor([0, 16, 64])).tolist()
    assert values == [0.25, 0.25, 0.125]
