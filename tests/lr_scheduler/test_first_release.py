"""The schedulers of the first release: how they are called, and what they drive."""

import copy
import inspect
import pickle

import pytest
import torch
from support.optimizers import held, sgd
from support.table import ROWS
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

import tracelr
from tracelr import Constant, lr_scheduler
from tracelr.errors import OptimizerError
from tracelr.optim.scheduler import Scheduler

CASES = {
    "Constant": ({"val": 0.1}, tracelr.Constant(0.1)),
    "Exponential": (
        {"learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5, "staircase": True},
        tracelr.Exponential(0.1, 0.5, 7, staircase=True),
    ),
    "PiecewiseConstant": (
        {"learning_rates": [0.1, 0.001, 0.0001], "milestones": [1000, 2000]},
        ROWS["piecewise_constant"].schedule,
    ),
    "Polynomial": (
        {"learning_rate": 0.1, "end_learning_rate": 0.01, "decay_steps": 9, "power": 2.5, "cycle": True},
        tracelr.Polynomial(0.1, 0.01, 9, 2.5, cycle=True),
    ),
}


@pytest.fixture(params=CASES)
def case(request):
    keys, schedule = CASES[request.param]
    return getattr(lr_scheduler, request.param), keys, schedule


def test_every_way_to_call_it_gives_the_same_schedule(case):
    kind, keys, schedule = case
    values = list(keys.values())
    for made in (
        kind(*values),
        kind(**keys),
        kind(sgd(), *values),
        kind(sgd(), **keys),
        kind(optimizer=sgd(), **keys),
        kind(**keys).bind(sgd()),
        kind(sgd(), **keys).bind(sgd()),
        kind(values[0], **dict(list(keys.items())[1:]), optimizer=sgd()),
    ):
        assert type(made) is kind
        assert made.schedule.to_dict() == schedule.to_dict()
        assert made.disable_lr_steps_reset is False


def test_a_bound_scheduler_drives_the_optimizer(case):
    kind, keys, schedule = case
    optimizer = sgd()
    scheduler = kind(optimizer, **keys)
    assert isinstance(scheduler, Scheduler)
    assert isinstance(scheduler, LRScheduler)
    for step in range(20):
        assert scheduler.get_last_lr() == [optimizer.param_groups[0]["lr"]]
        assert held(optimizer) == [schedule(step).item()]
        optimizer.step()
        scheduler.step()
    assert scheduler.last_epoch == 20


def test_a_checkpoint_continues_in_another_scheduler(case):
    kind, keys, schedule = case
    first, second = kind(sgd(), **keys), kind(**keys).bind(sgd())
    for _ in range(13):
        first.optimizer.step()
        first.step()
    second.load_state_dict(first.state_dict())
    assert held(second.optimizer) == [schedule(13).item()]


def test_the_example_of_the_first_release():
    scheduler = lr_scheduler.PiecewiseConstant(learning_rates=[0.1, 0.001, 0.0001], milestones=[1000, 2000])
    values = scheduler.schedule(torch.tensor([0, 999, 1000, 1999, 2000])).tolist()
    assert values == pytest.approx([0.1, 0.1, 0.001, 0.001, 0.0001], rel=1e-7)


def test_no_milestones_give_one_rate():
    assert lr_scheduler.PiecewiseConstant([0.1], []).schedule(5).item() == pytest.approx(0.1)


def test_disable_lr_steps_reset_is_kept_and_comes_last(case):
    kind, keys, schedule = case
    flagged = kind(**keys, disable_lr_steps_reset=True)
    assert flagged.disable_lr_steps_reset is True
    assert flagged.bind(sgd()).disable_lr_steps_reset is True
    assert flagged.schedule.to_dict() == schedule.to_dict()
    assert list(inspect.signature(kind).parameters)[-1] == "disable_lr_steps_reset"


def test_a_tensor_field_stays_an_input():
    peak = nn.Parameter(torch.tensor(0.5))
    scheduler = lr_scheduler.Polynomial(peak, 0.0, 4).bind(sgd())
    assert scheduler.schedule.start is peak
    assert scheduler.get_last_lr() == [0.5]


# -- not bound yet --------------------------------------------------------------------------------------------------------

METHODS = [
    name
    for name in dir(Scheduler)
    if not name.startswith("_") and (callable(getattr(Scheduler, name)) or isinstance(getattr(Scheduler, name), property))
]


@pytest.mark.parametrize("name", [*METHODS, "optimizer", "base_lrs"])
def test_an_unbound_scheduler_asks_to_be_bound(name):
    one = {"load_state_dict": {}, "peek": 0, "continue_with": Constant(0.1), "drives": sgd(), "uses": torch.tensor(0.1)}
    arguments = (0, 1) if name == "curve" else (one[name],) if name in one else ()
    with pytest.raises(OptimizerError) as caught:
        getattr(lr_scheduler.Constant(0.1), name)(*arguments)
    assert str(caught.value) == (
        "Constant: given a schedule that is not bound to an optimizer; allowed: a bound one; "
        "to fix it: call .bind(optimizer) and use what it returns."
    )


def test_the_list_has_the_methods_of_a_scheduler():
    assert {"step", "get_last_lr", "state_dict", "load_state_dict", "last_epoch", "get_lr"} <= set(METHODS)


def test_an_unbound_scheduler_copies_and_pickles(case):
    kind, keys, schedule = case
    for twin in (copy.deepcopy(kind(**keys)), pickle.loads(pickle.dumps(kind(**keys)))):
        assert type(twin) is kind
        assert twin.schedule.to_dict() == schedule.to_dict()
        assert held(twin.bind(sgd()).optimizer) == [schedule(0).item()]


def test_its_repr_says_whether_it_is_bound():
    assert repr(lr_scheduler.Constant(0.1)) == "Constant(Constant(value=0.1), not bound)"
    assert repr(lr_scheduler.Constant(sgd(), 0.1)) == (
        "Constant of SGD, step 0\n"
        "  group  key  tag  schedule             now  next\n"
        "  0      lr        Constant(value=0.1)  0.1  0.1"
    )


def test_a_bound_scheduler_has_no_other_attributes():
    with pytest.raises(AttributeError, match=r"^'Constant' object has no attribute 'momentum'$"):
        _ = lr_scheduler.Constant(sgd(), 0.1).momentum
