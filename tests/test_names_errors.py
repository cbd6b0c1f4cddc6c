"""The names of the Cerebras family: what each mistake is told."""

import pytest
import torch
from torch import nn

import tracelr
from tracelr.errors import OptimizerError, ScheduleError, ScheduleTypeError
from tracelr.lr_scheduler import (
    ChainedLR,
    ConstantLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    InverseExponentialTimeDecayLR,
    InverseSquareRootDecayLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    OneCycleLR,
    PiecewiseConstantLR,
    PolynomialLR,
    ScalePerParamLR,
    SequentialLR,
    StepLR,
)
from tracelr.weight_decay_scheduler import (
    ChainedWD,
    ConstantWD,
    LambdaWD,
    LinearWD,
    MultiStepWD,
    PiecewiseConstantWD,
    ScalePerParamWD,
    SequentialWD,
)


def sgd() -> torch.optim.SGD:
    return torch.optim.SGD([nn.Parameter(torch.zeros(3))], lr=1.0, weight_decay=0.5)


class Both(LambdaLR):
    def set_value_lambda(self):
        return [abs]


TAGS = "allowed: a tag, or a list of different tags; None in the list stands for the groups without tags; to fix it: "
RISE = "allowed: a number that puts pct_start * total_steps - 1 after step 0, before the last (with three_phase, the middle); to fix it: "
SAME = "allowed: one of them; to fix it: remove one: they are names of the same thing."
BOUND = "given schedulers that are bound to different optimizers; allowed: one optimizer for the whole; to fix it: bind the whole, not its parts."
ABOVE = "allowed: a finite number above 0, or a 0-d floating point tensor; to fix it: pass a number in this range."
ZERO = "given Linear(start=0.0, end=1.0, steps=4), which is 0 at step 0; allowed: any other value there: it is divided by it; to fix it: put it first: the first one is not divided."
LENGTH = "allowed: a length for every one but the last; to fix it: pass its total_iters, or pass milestones."
WHOLE = "given param_group_tags=['a']; allowed: those of the whole, or none; to fix it: pass them to SequentialLR."
FUNCTION = "allowed: a function of the step, or a list of them, which are multiplied; to fix it: pass one."


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda: PolynomialLR(0.1, 0.0, 10, learning_rate=0.1, initial_learning_rate=0.1),
            ScheduleTypeError,
            f"PolynomialLR: given learning_rate and initial_learning_rate; {SAME}",
        ),
        (
            lambda: PolynomialLR(0.1, learning_rate=0.1, end_learning_rate=0.0, total_iters=10),
            ScheduleTypeError,
            "PolynomialLR: given other arguments (multiple values for argument 'initial_learning_rate'); allowed: PolynomialLR([optimizer], initial_learning_rate, end_learning_rate, total_iters, power=1.0, cycle=False, param_group_tags=None, *, disable_lr_steps_reset=False); to fix it: pass these.",
        ),
        (
            lambda: PolynomialLR(learning_rate=0.1, initial_learning_rate=0.1, end_learning_rate=0.0, total_iters=10),
            ScheduleTypeError,
            f"PolynomialLR: given learning_rate and initial_learning_rate; {SAME}",
        ),
        (
            lambda: PolynomialLR(0.1, 0.0, total_iters=10, decay_steps=10),
            ScheduleTypeError,
            f"PolynomialLR: given decay_steps and total_iters; {SAME}",
        ),
        (
            lambda: ConstantLR(val=0.1, learning_rate=0.1),
            ScheduleTypeError,
            f"ConstantLR: given val and learning_rate; {SAME}",
        ),
        (
            lambda: LinearWD(0.1, 0.0, decay_steps=10),
            ScheduleTypeError,
            "LinearWD: given other arguments (missing a required argument: 'total_iters'); allowed: LinearWD([optimizer], initial_val, end_val, total_iters, cycle=False, param_group_tags=None); to fix it: pass these.",
        ),
        (
            lambda: LinearLR(0.1, 0.0),
            ScheduleTypeError,
            "LinearLR: given other arguments (missing a required argument: 'total_iters'); allowed: LinearLR([optimizer], initial_learning_rate, end_learning_rate, total_iters, cycle=False, param_group_tags=None, *, disable_lr_steps_reset=False); to fix it: pass these.",
        ),
        (
            lambda: LinearLR(None, 0.1, 0.0, 10),
            OptimizerError,
            "LinearLR: given None; allowed: a torch.optim.Optimizer, or initial_learning_rate: a finite number within the float32 range, or a 0-d floating point tensor; to fix it: pass the optimizer first, or leave it out and pass initial_learning_rate.",
        ),
        (
            lambda: SequentialLR("abc"),
            OptimizerError,
            "SequentialLR: given 'abc'; allowed: a torch.optim.Optimizer, or schedulers: a list of at least one scheduler of this family, or tracelr schedule; to fix it: pass the optimizer first, or leave it out and pass schedulers.",
        ),
        (
            lambda: LinearLR(0.1, 0.0, 10, param_group_tags=1),
            ScheduleTypeError,
            f"LinearLR.param_group_tags: given 1; {TAGS}pass a string, the tag of a param group.",
        ),
        (
            lambda: LinearLR(0.1, 0.0, 10, param_group_tags=[1]),
            ScheduleTypeError,
            f"LinearLR.param_group_tags: given [1]; {TAGS}pass strings, the tags of param groups.",
        ),
        (
            lambda: LinearLR(0.1, 0.0, 10, param_group_tags=[]),
            ScheduleError,
            f"LinearLR.param_group_tags: given []; {TAGS}name one.",
        ),
        (
            lambda: LinearLR(0.1, 0.0, 10, param_group_tags=["a", "a"]),
            ScheduleError,
            f"LinearLR.param_group_tags: given ['a', 'a']; {TAGS}name each tag once.",
        ),
        (
            lambda: LinearLR(0.1, 0.0, 10, False, True),
            ScheduleTypeError,
            f"LinearLR.param_group_tags: given True; {TAGS}pass a string, the tag of a param group.",
        ),
        (
            lambda: LinearLR(sgd(), 0.1, 0.0, 10, param_group_tags="a"),
            OptimizerError,
            "Assignment.tags: given ('a',); allowed: tags of the param groups: none of them has any; to fix it: put \"tags\" into the param groups.",
        ),
        (
            lambda: PiecewiseConstantLR([0.1, 0.2], [1, 2]),
            ScheduleError,
            "PiecewiseConstantLR.milestones: given 2 milestones [1, 2]; allowed: exactly one fewer than its 2 learning_rates; to fix it: pass 1 of them.",
        ),
        (
            lambda: PiecewiseConstantWD([0.1, 0.2], [1, 2]),
            ScheduleError,
            "PiecewiseConstantWD.milestones: given 2 milestones [1, 2]; allowed: exactly one fewer than its 2 vals; to fix it: pass 1 of them.",
        ),
        (
            lambda: PiecewiseConstantLR([], []),
            ScheduleError,
            "PiecewiseConstantLR.learning_rates: given []; allowed: a list of at least one finite number; to fix it: pass a value.",
        ),
        (lambda: MultiStepLR(0.1, 0.0, [1]), ScheduleError, f"MultiStepLR.gamma: given 0.0; {ABOVE}"),
        (
            lambda: MultiStepWD(0.1, 0.5, [2, 1]),
            ScheduleError,
            "MultiStepWD.milestones: given [2, 1]; allowed: an increasing list of ints from 0 to 2**53; to fix it: sort it.",
        ),
        (lambda: ExponentialLR(0.1, 10, 0.0), ScheduleError, f"ExponentialLR.decay_rate: given 0.0; {ABOVE}"),
        (lambda: MultiplicativeLR(0.1, -1), ScheduleError, f"MultiplicativeLR.coefficient: given -1; {ABOVE}"),
        (
            lambda: StepLR(0.1, 2.0, 0.5),
            ScheduleTypeError,
            "StepLR.step_size: given 2.0; allowed: an int from 1 to 2**53; to fix it: pass 2.",
        ),
        (
            lambda: CosineAnnealingWarmRestarts(0.1, 10, 0.5),
            ScheduleError,
            "CosineAnnealingWarmRestarts.T_mult: given 0.5; allowed: a number from 1 to 512; to fix it: pass a number in this range.",
        ),
        (
            lambda: CosineAnnealingWarmRestarts(0.1, 1, 1.0001),
            ScheduleError,
            "CosineAnnealingWarmRestarts: WarmRestarts.multiplier: given 1.0001; allowed: 1, or a number that makes at most 4096 cycles up to the limit or 2**53; to fix it: pass a lower limit, or a larger multiplier.",
        ),
        (
            lambda: CyclicLR(0.1, 1.0, mode="sine"),
            ScheduleError,
            "CyclicLR.mode: given 'sine'; allowed: 'triangular', 'triangular2', 'exp_range'; to fix it: use one of these names.",
        ),
        (
            lambda: CyclicLR(0.1, 1.0, scale_mode="epoch"),
            ScheduleError,
            "CyclicLR.scale_mode: given 'epoch'; allowed: 'cycle', 'iterations'; to fix it: use one of these names.",
        ),
        (
            lambda: OneCycleLR(0.1, 1.0, total_steps=3),
            ScheduleError,
            f"OneCycleLR.pct_start: given 0.3; {RISE}move the peak there.",
        ),
        (
            lambda: OneCycleLR(0.1, 1.0, pct_start=0.6, three_phase=True),
            ScheduleError,
            f"OneCycleLR.pct_start: given 0.6; {RISE}move the peak there.",
        ),
        (
            lambda: OneCycleLR(0.1, 1.0, pct_start="0.3"),
            ScheduleTypeError,
            f"OneCycleLR.pct_start: given '0.3'; {RISE}remove the quotes.",
        ),
        (
            lambda: OneCycleLR(0.1, 1.0, anneal_strategy="sin"),
            ScheduleError,
            "OneCycleLR.anneal_strategy: given 'sin'; allowed: 'cos', 'linear'; to fix it: use one of these names.",
        ),
        (
            lambda: OneCycleLR(torch.tensor(0.1), 1.0),
            ScheduleTypeError,
            "OneCycleLR.initial_learning_rate: given tensor(0.1000); allowed: a finite number within the float32 range; to fix it: pass an int or a float.",
        ),
        (
            lambda: InverseSquareRootDecayLR(0.1, 1.0, 0),
            ScheduleError,
            "InverseSquareRootDecayLR.warmup_steps: given 0; allowed: an int from 1 to 2**53; to fix it: pass a number of steps in this range.",
        ),
        (
            lambda: InverseExponentialTimeDecayLR(0.1, 0, 10, 0.5),
            ScheduleError,
            "InverseExponentialTimeDecayLR.step_exponent: given 0; allowed: a finite number above 0; to fix it: pass a number in this range.",
        ),
        (
            lambda: SequentialLR([]),
            ScheduleError,
            "SequentialLR.schedulers: given []; allowed: a list of at least one scheduler of this family, or tracelr schedule; to fix it: pass a scheduler.",
        ),
        (
            lambda: SequentialLR([0.1]),
            ScheduleTypeError,
            "SequentialLR.schedulers[0]: given 0.1; allowed: a scheduler of this family, or a tracelr schedule; to fix it: pass one, such as LinearLR(...).",
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
            "SequentialLR.schedulers[0]: given ConstantWD(Constant(value=0.1), not bound); allowed: a scheduler of lr; to fix it: use its twin.",
        ),
        (
            lambda: SequentialWD([ConstantLR(0.1, 5), ConstantWD(0.2)]),
            ScheduleTypeError,
            "SequentialWD.schedulers[0]: given ConstantLR(Constant(value=0.1), not bound); allowed: a scheduler of weight_decay; to fix it: use its twin.",
        ),
        (
            lambda: SequentialLR([ScalePerParamLR(ConstantLR(0.1)), ConstantLR(0.2)], [1]),
            ScheduleTypeError,
            "SequentialLR.schedulers[0]: given ScalePerParamLR(Constant(value=0.1), not bound); allowed: a scheduler that is the same for every group; to fix it: put ScalePerParamLR around the whole.",
        ),
        (
            lambda: SequentialLR([ConstantLR(0.1, 5), ConstantLR(0.2, param_group_tags="a")]),
            ScheduleError,
            f"SequentialLR.schedulers[1]: {WHOLE}",
        ),
        (
            lambda: SequentialLR([ConstantLR(0.1, 5, param_group_tags="a"), ConstantLR(0.2)], param_group_tags="b"),
            ScheduleError,
            f"SequentialLR.schedulers[0]: {WHOLE}",
        ),
        (
            lambda: SequentialLR([ConstantLR(sgd(), 0.1)], param_group_tags=[None]),
            ScheduleError,
            "SequentialLR.schedulers[0]: given param_group_tags=None and an optimizer; allowed: those of the whole; "
            "to fix it: pass the optimizer to the whole alone.",
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
            "ScalePerParamLR.scheduler: given 0.1; allowed: a scheduler of this family, or a tracelr schedule; to fix it: pass one, such as LinearLR(...).",
        ),
        (
            lambda: ScalePerParamLR(ScalePerParamLR(ConstantLR(0.1))),
            ScheduleTypeError,
            "ScalePerParamLR.scheduler: given ScalePerParamLR(Constant(value=0.1), not bound); allowed: a scheduler that is the same for every group; to fix it: put ScalePerParamLR around the whole.",
        ),
        (
            lambda: ScalePerParamWD(ConstantLR(0.1)),
            ScheduleTypeError,
            "ScalePerParamWD.scheduler: given ConstantLR(Constant(value=0.1), not bound); allowed: a scheduler of weight_decay; to fix it: use its twin.",
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
    ],
)
def test_a_mistake_is_told_in_the_words_of_the_name(call, kind, message):
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == message


def test_a_mistake_in_a_whole_leaves_the_optimizer_alone():
    optimizer = sgd()
    with pytest.raises(ScheduleError):
        SequentialLR(optimizer, [LinearLR(0.0, 1.0, 4), ConstantLR(1.0)], [])
    assert optimizer.param_groups[0]["lr"] == 1.0
    assert "initial_lr" not in optimizer.param_groups[0]
