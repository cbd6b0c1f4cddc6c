"""The seed's names: how they are called, what they drive, what each mistake is told."""

import copy
import inspect
import pickle

import pytest
import torch
from table import ROWS
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

import tracelr
from tracelr import lr_scheduler
from tracelr.errors import OptimizerError, ScheduleError, ScheduleTypeError
from tracelr.scheduler import Scheduler

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


def sgd(lr: float = 1.0) -> torch.optim.SGD:
    return torch.optim.SGD([nn.Parameter(torch.zeros(3))], lr=lr)


@pytest.fixture(params=CASES)
def case(request):
    keys, schedule = CASES[request.param]
    return getattr(lr_scheduler, request.param), keys, schedule


def test_every_way_to_call_it_is_the_same_schedule(case):
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


def test_a_bound_one_drives_the_optimizer(case):
    kind, keys, schedule = case
    optimizer = sgd()
    scheduler = kind(optimizer, **keys)
    assert isinstance(scheduler, Scheduler)
    assert isinstance(scheduler, LRScheduler)
    for step in range(20):
        assert optimizer.param_groups[0]["lr"] == scheduler.get_last_lr()[0] == schedule(step).item()
        optimizer.step()
        scheduler.step()
    assert scheduler.last_epoch == 20


def test_a_checkpoint_of_one_continues_in_another(case):
    kind, keys, schedule = case
    first, second = kind(sgd(), **keys), kind(**keys).bind(sgd())
    for _ in range(13):
        first.optimizer.step()
        first.step()
    second.load_state_dict(first.state_dict())
    assert second.get_last_lr() == [schedule(13).item()]


def test_the_example_of_the_seed():
    scheduler = lr_scheduler.PiecewiseConstant(learning_rates=[0.1, 0.001, 0.0001], milestones=[1000, 2000])
    values = scheduler.schedule(torch.tensor([0, 999, 1000, 1999, 2000])).tolist()
    assert values == pytest.approx([0.1, 0.1, 0.001, 0.001, 0.0001], rel=1e-7)


def test_without_a_milestone_there_is_one_rate():
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
def test_an_unbound_one_says_to_bind_it(name):
    arguments = {"load_state_dict": ({},), "peek": (0,), "curve": (0, 1)}.get(name, ())
    with pytest.raises(OptimizerError) as caught:
        getattr(lr_scheduler.Constant(0.1), name)(*arguments)
    assert str(caught.value) == (
        "Constant: given a schedule that is not bound to an optimizer; allowed: a bound one; "
        "to fix it: call .bind(optimizer) and use what it returns."
    )


def test_the_methods_are_really_tried():
    assert {"step", "get_last_lr", "state_dict", "load_state_dict", "last_epoch", "get_lr"} <= set(METHODS)


def test_an_unbound_one_copies_and_pickles(case):
    kind, keys, schedule = case
    for twin in (copy.deepcopy(kind(**keys)), pickle.loads(pickle.dumps(kind(**keys)))):
        assert type(twin) is kind
        assert twin.schedule.to_dict() == schedule.to_dict()
        assert twin.bind(sgd()).get_last_lr() == [schedule(0).item()]


def test_its_repr_says_whether_it_is_bound():
    assert repr(lr_scheduler.Constant(0.1)) == "Constant(Constant(value=0.1), not bound)"
    assert repr(lr_scheduler.Constant(sgd(), 0.1)) == "Constant(SGD, lr=Constant(value=0.1), last_epoch=0)"


def test_a_bound_one_has_no_other_attributes():
    with pytest.raises(AttributeError, match=r"^'Constant' object has no attribute 'momentum'$"):
        _ = lr_scheduler.Constant(sgd(), 0.1).momentum


# -- mistakes -------------------------------------------------------------------------------------------------------------

NUMBER = "a finite number within the float32 range, or a 0-d floating point tensor"
FIRST = (
    f"allowed: a torch.optim.Optimizer, or val: {NUMBER}; to fix it: pass the optimizer first, or leave it out and pass val."
)
OPTIMIZER = "allowed: a torch.optim.Optimizer; to fix it: pass one, or leave it out."
CALL = "Constant([optimizer], val, decay_steps=None, disable_lr_steps_reset=False)"
STEPS = "allowed: an int from 1 to 2**53; to fix it: pass a number of steps in this range."
ABOVE = "to fix it: pass a number in this range."
Named = lr_scheduler


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: Named.Constant(None, 0.1), OptimizerError, f"Constant: given None; {FIRST}"),
        (lambda: Named.Constant("0.1"), OptimizerError, f"Constant: given '0.1'; {FIRST}"),
        (lambda: Named.Constant(True), OptimizerError, f"Constant: given True; {FIRST}"),
        (lambda: Named.Constant(nn.ReLU(), 0.1), OptimizerError, f"Constant: given ReLU(); {FIRST}"),
        (lambda: Named.Constant(torch.optim.SGD, 0.1), OptimizerError, f"Constant: given {torch.optim.SGD!r}; {FIRST}"),
        (lambda: Named.Constant(optimizer=None, val=0.1), OptimizerError, f"Constant.optimizer: given None; {OPTIMIZER}"),
        (lambda: Named.Constant(0.1).bind(nn.ReLU()), OptimizerError, f"Constant.optimizer: given ReLU(); {OPTIMIZER}"),
        (
            lambda: Named.PiecewiseConstant("0.1", [1]),
            OptimizerError,
            "PiecewiseConstant: given '0.1'; allowed: a torch.optim.Optimizer, or learning_rates: a list of at least one finite "
            "number; to fix it: pass the optimizer first, or leave it out and pass learning_rates.",
        ),
        (
            lambda: Named.Constant([0.1]),
            ScheduleTypeError,
            f"Constant.val: given [0.1]; allowed: {NUMBER}; to fix it: pass an int or a float.",
        ),
        (
            lambda: Named.Constant(float("nan")),
            ScheduleError,
            f"Constant.val: given nan; allowed: {NUMBER}; to fix it: pass a finite number.",
        ),
        (lambda: Named.Constant(0.1, 0), ScheduleError, f"Constant.decay_steps: given 0; {STEPS}"),
        (
            lambda: Named.Constant(0.1, disable_lr_steps_reset=1),
            ScheduleTypeError,
            "Constant.disable_lr_steps_reset: given 1; allowed: True or False; to fix it: pass a bool.",
        ),
        (
            lambda: Named.Constant(sgd()),
            ScheduleTypeError,
            f"Constant: given other arguments (missing a required argument: 'val'); allowed: {CALL}; to fix it: pass these.",
        ),
        (
            lambda: Named.Constant(0.1, lr=1),
            ScheduleTypeError,
            f"Constant: given other arguments (got an unexpected keyword argument 'lr'); allowed: {CALL}; to fix it: pass these.",
        ),
        (
            lambda: Named.Constant(0.1, None, False, 4),
            ScheduleTypeError,
            f"Constant: given other arguments (too many positional arguments); allowed: {CALL}; to fix it: pass these.",
        ),
        (
            lambda: Named.Exponential(0.1, 10, -0.5),
            ScheduleError,
            f"Exponential.decay_rate: given -0.5; allowed: a finite number above 0, or a 0-d floating point tensor; {ABOVE}",
        ),
        (lambda: Named.Exponential(0.1, 0, 0.5), ScheduleError, f"Exponential.decay_steps: given 0; {STEPS}"),
        (
            lambda: Named.Exponential(0.1, 10, 0.5, staircase=1),
            ScheduleTypeError,
            "Exponential.staircase: given 1; allowed: True or False; to fix it: pass a bool.",
        ),
        (
            lambda: Named.Polynomial(0.1, "0", 10),
            ScheduleTypeError,
            f"Polynomial.end_learning_rate: given '0'; allowed: {NUMBER}; to fix it: remove the quotes.",
        ),
        (
            lambda: Named.Polynomial(0.1, 0, 10, 0),
            ScheduleError,
            f"Polynomial.power: given 0; allowed: a finite number above 0; {ABOVE}",
        ),
        (
            lambda: Named.PiecewiseConstant([0.1, 0.2, 0.3], [1, 2, 3]),
            ScheduleError,
            "PiecewiseConstant.milestones: given 3 milestones [1, 2, 3]; allowed: exactly one fewer than its 3 learning_rates; "
            "to fix it: pass 2 of them.",
        ),
        (
            lambda: Named.PiecewiseConstant([], []),
            ScheduleError,
            "PiecewiseConstant.learning_rates: given []; allowed: a list of at least one finite number; to fix it: pass a value.",
        ),
        (
            lambda: Named.PiecewiseConstant(0.1, [1]),
            ScheduleTypeError,
            "PiecewiseConstant.learning_rates: given 0.1; allowed: a list of at least one finite number; to fix it: pass a list.",
        ),
        (
            lambda: Named.PiecewiseConstant([0.1, "0.2"], [1]),
            ScheduleTypeError,
            "PiecewiseConstant.learning_rates[1]: given '0.2'; allowed: a finite number within the float32 range; "
            "to fix it: remove the quotes.",
        ),
        (
            lambda: Named.PiecewiseConstant([0.1, 0.2, 0.3], [5, 4]),
            ScheduleError,
            "PiecewiseConstant.milestones: given [5, 4]; allowed: a strictly increasing list of ints from 0 to 2**53; "
            "to fix it: sort it and drop the repeated ones.",
        ),
    ],
)
def test_a_mistake_is_told_in_the_seeds_words(call, kind, message):
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == message


def test_a_mistake_leaves_the_optimizer_alone():
    optimizer = sgd(0.5)
    with pytest.raises(ScheduleError):
        lr_scheduler.Constant(optimizer, 0.1, decay_steps=0)
    assert optimizer.param_groups[0]["lr"] == 0.5
    assert "initial_lr" not in optimizer.param_groups[0]
