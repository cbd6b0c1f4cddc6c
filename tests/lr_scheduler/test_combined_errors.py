"""Schedulers built from other schedulers or functions: the message of each mistake."""

import pytest
from support.optimizers import sgd

import tracelr
from tracelr.errors import OptimizerError, ScheduleError, ScheduleTypeError
from tracelr.lr_scheduler import ChainedLR, ConstantLR, LambdaLR, LinearLR, ScalePerParamLR, SequentialLR
from tracelr.weight_decay_scheduler import ChainedWD, ConstantWD, LambdaWD, LinearWD, ScalePerParamWD, SequentialWD


class Both(LambdaLR):
    def set_value_lambda(self):
        return [abs]


BOUND = "given schedulers that are bound to different optimizers; allowed: one optimizer for all of them; to fix it: bind the outermost scheduler only."
ZERO = "given Linear(start=0.0, end=1.0, steps=4), which is 0 at step 0; allowed: any other value there, because the chain divides by it; to fix it: put it first, because the first one is not divided."
LENGTH = "allowed: a length for every scheduler but the last; to fix it: pass its total_iters, or pass milestones."
TAGS = "given param_group_tags=['a']; allowed: those of SequentialLR, or None; to fix it: pass them to SequentialLR."
FUNCTION = "allowed: a function of the step, or a list of them, which are multiplied; to fix it: pass one."


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda: SequentialLR("abc"),
            OptimizerError,
            "SequentialLR: given 'abc'; allowed: a torch.optim.Optimizer, or schedulers: a list of at least one Cerebras scheduler or tracelr schedule; to fix it: pass the optimizer first, or leave it out and pass schedulers.",
        ),
        (
            lambda: SequentialLR([]),
            ScheduleError,
            "SequentialLR.schedulers: given []; allowed: a list of at least one Cerebras scheduler or tracelr schedule; to fix it: pass a scheduler.",
        ),
        (
            lambda: SequentialLR([0.1]),
            ScheduleTypeError,
            "SequentialLR.schedulers[0]: given 0.1; allowed: a Cerebras scheduler, or a tracelr schedule; to fix it: pass one, such as LinearLR(...).",
        ),
        (
            lambda: SequentialLR([ConstantLR(0.1), ConstantLR(0.2)]),
            ScheduleError,
            f"SequentialLR.schedulers[0]: given Constant(value=0.1) without a length; {LENGTH}",
        ),
        (
            lambda: SequentialLR([tracelr.InverseSqrt(0.1), ConstantLR(0.2)]),
            ScheduleError,
            f"SequentialLR.schedulers[0]: given InverseSqrt(start=0.1, steps=1) without a length; {LENGTH}",
        ),
        (
            lambda: SequentialLR([ConstantLR(0.1, 5), ConstantLR(0.2)], []),
            ScheduleError,
            "SequentialLR.milestones: given 0 milestones []; allowed: exactly one fewer than its 2 schedulers; to fix it: pass 1 of them.",
        ),
        (
            lambda: SequentialLR([ConstantLR(0.1), ConstantLR(0.2)], [1.5]),
            ScheduleTypeError,
            "SequentialLR.milestones[0]: given 1.5; allowed: an int from 0 to 2**53; to fix it: pass a whole number of steps.",
        ),
        (
            lambda: SequentialLR([ConstantWD(0.1, 5), ConstantLR(0.2)]),
            ScheduleTypeError,
            "SequentialLR.schedulers[0]: given ConstantWD(Constant(value=0.1), not bound); allowed: a scheduler of lr; to fix it: use the scheduler of lr with the same curve.",
        ),
        (
            lambda: SequentialWD([ConstantLR(0.1, 5), ConstantWD(0.2)]),
            ScheduleTypeError,
            "SequentialWD.schedulers[0]: given ConstantLR(Constant(value=0.1), not bound); allowed: a scheduler of weight_decay; to fix it: use the scheduler of weight_decay with the same curve.",
        ),
        (
            lambda: SequentialLR([ScalePerParamLR(ConstantLR(0.1)), ConstantLR(0.2)], [1]),
            ScheduleTypeError,
            "SequentialLR.schedulers[0]: given ScalePerParamLR(Constant(value=0.1), not bound); allowed: a scheduler that is the same for every group; to fix it: put ScalePerParamLR around the outermost scheduler.",
        ),
        (
            lambda: SequentialLR([ConstantLR(0.1, 5), ConstantLR(0.2, param_group_tags="a")]),
            ScheduleError,
            f"SequentialLR.schedulers[1]: {TAGS}",
        ),
        (
            lambda: SequentialLR([ConstantLR(0.1, 5, param_group_tags="a"), ConstantLR(0.2)], param_group_tags="b"),
            ScheduleError,
            f"SequentialLR.schedulers[0]: {TAGS}",
        ),
        (
            lambda: SequentialLR([ConstantLR(sgd(), 0.1)], param_group_tags=[None]),
            ScheduleError,
            "SequentialLR.schedulers[0]: given param_group_tags=None and an optimizer; allowed: those of SequentialLR; "
            "to fix it: pass the optimizer to SequentialLR only.",
        ),
        (
            lambda: SequentialLR([ConstantLR(0.1, 5)], None, -2),
            ScheduleError,
            "SequentialLR.last_epoch: given -2; allowed: an int, -1 or more; to fix it: pass a number of steps in this range.",
        ),
        (lambda: SequentialLR(sgd(), [ConstantLR(sgd(), 0.1)]), OptimizerError, f"SequentialLR: {BOUND}"),
        (lambda: ChainedLR([ConstantLR(sgd(), 0.1), ConstantLR(sgd(), 0.1)]), OptimizerError, f"ChainedLR: {BOUND}"),
        (lambda: ChainedLR([ConstantLR(0.1), LinearLR(0.0, 1.0, 4)]), ScheduleError, f"ChainedLR.schedulers[1]: {ZERO}"),
        (lambda: ChainedWD([ConstantWD(0.1), LinearWD(0.0, 1.0, 4)]), ScheduleError, f"ChainedWD.schedulers[1]: {ZERO}"),
        (
            lambda: ScalePerParamLR(0.1),
            ScheduleTypeError,
            "ScalePerParamLR.scheduler: given 0.1; allowed: a Cerebras scheduler, or a tracelr schedule; to fix it: pass one, such as LinearLR(...).",
        ),
        (
            lambda: ScalePerParamLR(ScalePerParamLR(ConstantLR(0.1))),
            ScheduleTypeError,
            "ScalePerParamLR.scheduler: given ScalePerParamLR(Constant(value=0.1), not bound); allowed: a scheduler that is the same for every group; to fix it: put ScalePerParamLR around the outermost scheduler.",
        ),
        (
            lambda: ScalePerParamWD(ConstantLR(0.1)),
            ScheduleTypeError,
            "ScalePerParamWD.scheduler: given ConstantLR(Constant(value=0.1), not bound); allowed: a scheduler of weight_decay; to fix it: use the scheduler of weight_decay with the same curve.",
        ),
        (
            lambda: LambdaLR(0.1),
            ScheduleTypeError,
            "LambdaLR: given neither lr_lambda nor set_value_lambda; allowed: one of them; to fix it: pass lr_lambda, or derive a class that overrides set_value_lambda.",
        ),
        (lambda: LambdaLR(0.1, 2), ScheduleTypeError, f"LambdaLR.lr_lambda: given 2; {FUNCTION}"),
        (lambda: LambdaLR(0.1, []), ScheduleTypeError, f"LambdaLR.lr_lambda: given []; {FUNCTION}"),
        (
            lambda: LambdaWD(0.1),
            ScheduleTypeError,
            "LambdaWD: given neither val_lambda nor set_value_lambda; allowed: one of them; to fix it: pass val_lambda, or derive a class that overrides set_value_lambda.",
        ),
        (
            lambda: ConstantWD(0.1).step(),
            OptimizerError,
            "ConstantWD: given a schedule that is not bound to an optimizer; allowed: a bound one; to fix it: call .bind(optimizer) and use what it returns.",
        ),
        (
            lambda: Both(0.1, abs),
            ScheduleTypeError,
            "Both: given lr_lambda and set_value_lambda; allowed: one of them; to fix it: pass lr_lambda, or derive a class that overrides set_value_lambda.",
        ),
        (
            lambda: LinearLR(sgd(), 0.1, 0.0, 10, param_group_tags="a"),
            OptimizerError,
            "Assignment.tags: given ('a',); allowed: tags of the param groups: no group has any; to fix it: put \"tags\" into the param groups.",
        ),
    ],
)
def test_errors(call, kind, message):
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == message


def test_an_error_leaves_the_optimizer_unchanged():
    optimizer = sgd()
    with pytest.raises(ScheduleError):
        SequentialLR(optimizer, [LinearLR(0.0, 1.0, 4), ConstantLR(1.0)], [])
    assert optimizer.param_groups[0]["lr"] == 1.0
    assert "initial_lr" not in optimizer.param_groups[0]
