"""The schedulers of the first release: the message of each mistake."""

import pytest
import torch
from support.optimizers import sgd
from torch import nn

from tracelr import lr_scheduler
from tracelr.errors import OptimizerError, ScheduleError, ScheduleTypeError

NUMBER = "a finite number within the float32 range, or a 0-d floating point tensor"
FIRST = (
    f"allowed: a torch.optim.Optimizer, or val: {NUMBER}; to fix it: pass the optimizer first, or leave it out and pass val."
)
OPTIMIZER = "allowed: a torch.optim.Optimizer; to fix it: pass one, or leave it out."
CALL = "Constant([optimizer], val, decay_steps=None, disable_lr_steps_reset=False)"
STEPS = "allowed: an int from 1 to 2**53; to fix it: pass a number of steps in this range."
ABOVE = "to fix it: pass a number in this range."


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: lr_scheduler.Constant(None, 0.1), OptimizerError, f"Constant: given None; {FIRST}"),
        (lambda: lr_scheduler.Constant("0.1"), OptimizerError, f"Constant: given '0.1'; {FIRST}"),
        (lambda: lr_scheduler.Constant(True), OptimizerError, f"Constant: given True; {FIRST}"),
        (lambda: lr_scheduler.Constant(nn.ReLU(), 0.1), OptimizerError, f"Constant: given ReLU(); {FIRST}"),
        (
            lambda: lr_scheduler.Constant(torch.optim.SGD, 0.1),
            OptimizerError,
            f"Constant: given {torch.optim.SGD!r}; {FIRST}",
        ),
        (
            lambda: lr_scheduler.Constant(optimizer=None, val=0.1),
            OptimizerError,
            f"Constant.optimizer: given None; {OPTIMIZER}",
        ),
        (
            lambda: lr_scheduler.Constant(0.1).bind(nn.ReLU()),
            OptimizerError,
            f"Constant.optimizer: given ReLU(); {OPTIMIZER}",
        ),
        (
            lambda: lr_scheduler.PiecewiseConstant("0.1", [1]),
            OptimizerError,
            "PiecewiseConstant: given '0.1'; allowed: a torch.optim.Optimizer, or learning_rates: a list of at least one finite "
            "number; to fix it: pass the optimizer first, or leave it out and pass learning_rates.",
        ),
        (
            lambda: lr_scheduler.Constant([0.1]),
            ScheduleTypeError,
            f"Constant.val: given [0.1]; allowed: {NUMBER}; to fix it: pass an int or a float.",
        ),
        (
            lambda: lr_scheduler.Constant(float("nan")),
            ScheduleError,
            f"Constant.val: given nan; allowed: {NUMBER}; to fix it: pass a finite number.",
        ),
        (lambda: lr_scheduler.Constant(0.1, 0), ScheduleError, f"Constant.decay_steps: given 0; {STEPS}"),
        (
            lambda: lr_scheduler.Constant(0.1, disable_lr_steps_reset=1),
            ScheduleTypeError,
            "Constant.disable_lr_steps_reset: given 1; allowed: True or False; to fix it: pass a bool.",
        ),
        (
            lambda: lr_scheduler.Constant(sgd()),
            ScheduleTypeError,
            f"Constant: given other arguments (missing a required argument: 'val'); allowed: {CALL}; to fix it: pass these.",
        ),
        (
            lambda: lr_scheduler.Constant(0.1, lr=1),
            ScheduleTypeError,
            f"Constant: given other arguments (got an unexpected keyword argument 'lr'); allowed: {CALL}; to fix it: pass these.",
        ),
        (
            lambda: lr_scheduler.Constant(0.1, None, False, 4),
            ScheduleTypeError,
            f"Constant: given other arguments (too many positional arguments); allowed: {CALL}; to fix it: pass these.",
        ),
        (
            lambda: lr_scheduler.Exponential(0.1, 10, -0.5),
            ScheduleError,
            f"Exponential.decay_rate: given -0.5; allowed: a finite number above 0, or a 0-d floating point tensor; {ABOVE}",
        ),
        (lambda: lr_scheduler.Exponential(0.1, 0, 0.5), ScheduleError, f"Exponential.decay_steps: given 0; {STEPS}"),
        (
            lambda: lr_scheduler.Exponential(0.1, 10, 0.5, staircase=1),
            ScheduleTypeError,
            "Exponential.staircase: given 1; allowed: True or False; to fix it: pass a bool.",
        ),
        (
            lambda: lr_scheduler.Polynomial(0.1, "0", 10),
            ScheduleTypeError,
            f"Polynomial.end_learning_rate: given '0'; allowed: {NUMBER}; to fix it: remove the quotes.",
        ),
        (
            lambda: lr_scheduler.Polynomial(0.1, 0, 10, 0),
            ScheduleError,
            f"Polynomial.power: given 0; allowed: a number from 0.001 to 1e12; {ABOVE}",
        ),
        (
            lambda: lr_scheduler.PiecewiseConstant([0.1, 0.2, 0.3], [1, 2, 3]),
            ScheduleError,
            "PiecewiseConstant.milestones: given 3 milestones [1, 2, 3]; allowed: exactly one fewer than its 3 learning_rates; "
            "to fix it: pass 2 of them.",
        ),
        (
            lambda: lr_scheduler.PiecewiseConstant([], []),
            ScheduleError,
            "PiecewiseConstant.learning_rates: given []; allowed: a list of at least one finite number; to fix it: pass a value.",
        ),
        (
            lambda: lr_scheduler.PiecewiseConstant(0.1, [1]),
            ScheduleTypeError,
            "PiecewiseConstant.learning_rates: given 0.1; allowed: a list of at least one finite number; to fix it: pass a list.",
        ),
        (
            lambda: lr_scheduler.PiecewiseConstant([0.1, "0.2"], [1]),
            ScheduleTypeError,
            "PiecewiseConstant.learning_rates[1]: given '0.2'; allowed: a finite number within the float32 range; "
            "to fix it: remove the quotes.",
        ),
        (
            lambda: lr_scheduler.PiecewiseConstant([0.1, 0.2, 0.3], [5, 4]),
            ScheduleError,
            "PiecewiseConstant.milestones: given [5, 4]; allowed: a strictly increasing list of ints from 0 to 2**53; "
            "to fix it: sort it and drop the repeated ones.",
        ),
    ],
)
def test_errors(call, kind, message):
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == message


def test_an_error_leaves_the_optimizer_unchanged():
    optimizer = sgd(0.5)
    with pytest.raises(ScheduleError):
        lr_scheduler.Constant(optimizer, 0.1, decay_steps=0)
    assert optimizer.param_groups[0]["lr"] == 0.5
    assert "initial_lr" not in optimizer.param_groups[0]
