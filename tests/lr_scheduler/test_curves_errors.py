"""The Cerebras schedulers of one curve: the message of each mistake."""

import pytest
import torch

from tracelr.errors import OptimizerError, ScheduleError, ScheduleTypeError
from tracelr.lr_scheduler import (
    ConstantLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    InverseExponentialTimeDecayLR,
    InverseSquareRootDecayLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    OneCycleLR,
    PiecewiseConstantLR,
    PolynomialLR,
    StepLR,
)
from tracelr.weight_decay_scheduler import LinearWD, MultiStepWD, PiecewiseConstantWD

TAGS = "allowed: a tag, or a list of different tags; None in the list stands for the groups without tags; to fix it: "
RISE = "allowed: a number that puts pct_start * total_steps - 1 after step 0, before the last (with three_phase, the middle); to fix it: "
SAME = "allowed: one of them; to fix it: remove one: they are names of the same thing."
ABOVE = "allowed: a finite number above 0, or a 0-d floating point tensor; to fix it: pass a number in this range."


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
            "InverseExponentialTimeDecayLR.step_exponent: given 0; allowed: a number from 0.001 to 1e12; to fix it: pass a number in this range.",
        ),
    ],
)
def test_errors(call, kind, message):
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == message
