"""The message of every error of `from_torch`."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from support.nested_torch import chained, sequential
from support.peers.torch import Build, built, optimizer
from torch.optim import lr_scheduler as torchs
from torch.optim.swa_utils import SWALR

from tracelr import from_torch
from tracelr.errors import TracelrError

pytestmark = pytest.mark.usefixtures("quiet_torch")
ADAM = "from_torch(key): given 'momentum' of a OneCycleLR; allowed: 'betas', which Adam has; to fix it: pass key='betas'."
FUNCTION = "allowed: a function of a tensor step, made of arithmetic and torch's functions; to fix it:"
BRANCH = (
    "LambdaLR: lr_lambda: given a function that takes a branch on the step (if, while, min, max, and, or, in); "
    f"{FUNCTION} write torch.where(step < 10, a, b) for an if, step.clamp(max=10) for min(step, 10)."
)
NUMBER = (
    "LambdaLR: lr_lambda: given a function that makes a Python number of the step (math, numpy, int, float); "
    f"{FUNCTION} write torch.cos(step) for math.cos(step), and so on."
)
LOOKUP = (
    "LambdaLR: lr_lambda: given a function that looks the step up in a list or a dict, or counts to it; "
    f"{FUNCTION} use tracelr.PiecewiseConstant or tracelr.Interpolate."
)
PRODUCT = (
    "allowed: schedulers that multiply the current rate, so that the chain is their product; to fix it: multiply tracelr's "
    "own schedules, as in WarmRestarts(0.1, 0.0, 10) * Exponential(1.0, 0.9, 1)."
)
MULTIPLICATIVE = (
    "given factors that depend on the step; allowed: one number, such as lambda step: 0.95, because the product of all factors so "
    "far is not a function of the step; to fix it: write that product as a function of the step, in a LambdaLR, or as one of "
    "tracelr's schedules."
)
KNOWN = (
    "ChainedScheduler, ConstantLR, CosineAnnealingLR, CosineAnnealingWarmRestarts, CyclicLR, ExponentialLR, LambdaLR, "
    "LinearLR, MultiStepLR, MultiplicativeLR, OneCycleLR, PolynomialLR, SWALR, SequentialLR, StepLR"
)


class Mine(torchs.StepLR):
    """A user's class, whose get_lr may be anything."""


def chain_with(member: Build) -> Build:
    return chained([lambda o: torchs.ConstantLR(o, 0.5, 9), member])


def warm(step: int, last: int) -> float:
    return step / last if step < last else 1.0


class Answer:
    """A number for an int, a tuple for anything else."""

    def __call__(self, step: Any) -> Any:
        return 1.0 if isinstance(step, int) else (1.0, step)


def two_faced(step: Any) -> Any:
    return 1.0 / (1 + step) if isinstance(step, int) else 1.0 * step


ERRORS: dict[str, tuple[Build, str]] = {
    "metric driven": (
        lambda o: torchs.ReduceLROnPlateau(o),
        "ReduceLROnPlateau: scheduler: given a scheduler driven by a metric; allowed: a scheduler that is a function of the "
        "step; to fix it: keep it as it is, beside the training step.",
    ),
    "a class of a user's own": (
        lambda o: Mine(o, 5),
        f"Mine: scheduler: given a class that is not torch's own; allowed: {KNOWN}; to fix it: write its formula as a "
        "Schedule, or pass one of these.",
    ),
    "an if": (lambda o: torchs.LambdaLR(o, lambda t: t / 10 if t < 10 else 1.0), BRANCH),
    "min": (lambda o: torchs.LambdaLR(o, lambda t: min(t, 5) / 5), BRANCH),
    "and": (lambda o: torchs.LambdaLR(o, lambda t: (t > 5 and 0.1) or 1.0), BRANCH),
    "math": (lambda o: torchs.LambdaLR(o, lambda t: math.cos(t / 100)), NUMBER),
    "int": (lambda o: torchs.LambdaLR(o, lambda t: 0.5 ** int(t / 10)), NUMBER),
    "item": (lambda o: torchs.LambdaLR(o, lambda t: torch.as_tensor(t).item() * 0.1), NUMBER),
    "a list": (lambda o: torchs.LambdaLR(o, lambda t: [1.0, 0.5, 0.25, 0.1][t]), LOOKUP),
    "a dict": (lambda o: torchs.LambdaLR(o, lambda t: {0: 1.0}.get(t, 0.5)), LOOKUP),
    "a range": (lambda o: torchs.LambdaLR(o, lambda t: sum(0.9**k for k in range(t)) + 1.0), LOOKUP),
    "an attribute of an int": (
        lambda o: torchs.LambdaLR(o, lambda t: 1.0 / (1 + t.bit_length())),
        f"LambdaLR: lr_lambda: given a function that fails on a tensor step; {FUNCTION} write it with torch's functions; it "
        "says: AttributeError: '_Probe' object has no attribute 'bit_length'.",
    ),
    "no number": (
        lambda o: torchs.LambdaLR(o, Answer()),
        f"LambdaLR: lr_lambda: given a function that returns a tuple; {FUNCTION} return a number made of the step.",
    ),
    "two faces": (
        lambda o: torchs.LambdaLR(o, two_faced),
        "LambdaLR: lr_lambda: given a function that gives 1 at step 0, and 0 at torch.tensor(0); "
        f"{FUNCTION} make both the same, for example by leaving out isinstance.",
    ),
    "factors that change": (
        lambda o: torchs.MultiplicativeLR(o, lambda t: 1 / t),
        f"MultiplicativeLR: lr_lambda: {MULTIPLICATIVE}",
    ),
    "an overwriting scheduler in a chain": (
        chain_with(lambda o: torchs.CosineAnnealingWarmRestarts(o, 5)),
        "ChainedScheduler.schedulers[1]: scheduler: given CosineAnnealingWarmRestarts, which overwrites the rate of "
        f"the others; {PRODUCT}",
    ),
    "a sequence in a chain": (
        chain_with(sequential([lambda o: torchs.ConstantLR(o, 0.5, 9)] * 2, [5])),
        "ChainedScheduler.schedulers[1]: scheduler: given SequentialLR, which starts each of its schedulers at its own base "
        f"rate; {PRODUCT}",
    ),
    "a floor in a chain": (
        chain_with(lambda o: torchs.CosineAnnealingLR(o, 5, 0.01)),
        "ChainedScheduler.schedulers[1]: scheduler: given CosineAnnealingLR, which goes to eta_min, whatever the "
        f"others do; {PRODUCT}",
    ),
    "SWA in a chain": (
        chain_with(lambda o: SWALR(o, 0.5)),
        f"ChainedScheduler.schedulers[1]: scheduler: given SWALR, which goes to swa_lr, whatever the others do; {PRODUCT}",
    ),
    "a chain in a chain": (
        chained([chain_with(lambda o: torchs.MultiplicativeLR(o, lambda t: 1 / t))]),
        f"ChainedScheduler.schedulers[1]: MultiplicativeLR: lr_lambda: {MULTIPLICATIVE}",
    ),
    "in a sequence": (
        sequential([lambda o: torchs.ConstantLR(o, 0.5, 9), lambda o: torchs.StepLR(o, 5, -0.5)], [3]),
        "SequentialLR.schedulers[1]: StepLR: Step.gamma: given -0.5; allowed: a finite number above 0, or a 0-d floating "
        "point tensor; to fix it: pass a number in this range.",
    ),
    "milestones": (
        sequential([lambda o: torchs.ConstantLR(o, 0.5, 9)] * 3, [5, 3]),
        "SequentialLR: Sequential.milestones: given [5, 3]; allowed: a strictly increasing list of ints from 0 to 2**53; to "
        "fix it: sort it and drop the repeated ones.",
    ),
    "no iterations": (
        lambda o: torchs.LinearLR(o, total_iters=0),
        "LinearLR: total_iters: given 0; allowed: 1 or more, because with 0 torch's steps and its closed "
        "form differ; to fix it: leave this scheduler out.",
    ),
    "scale_fn": (
        lambda o: torchs.CyclicLR(o, 0.1, 0.2, scale_fn=lambda x: 0.9**x),
        "CyclicLR: scale_fn: given a function; allowed: None, with a mode in place of the function; to fix it: use one of its modes, "
        "or multiply tracelr.Cyclic by a schedule of your own.",
    ),
    "half steps": (
        lambda o: torchs.CyclicLR(o, 0.1, 0.2, 2.5, 3),  # type: ignore[arg-type]
        "CyclicLR: step_size_up and step_size_down: given 2.5 and 3; allowed: whole steps; to fix it: round them.",
    ),
    "no warm-up": (
        lambda o: torchs.OneCycleLR(o, 0.1, 10, pct_start=0.0),
        "OneCycleLR: pct_start: given 0.0; allowed: a fraction of total_steps that ends after its first step and before its last; "
        "to fix it: use a larger fraction, or Cosine or Linear for a single phase.",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case: str) -> None:
    theirs, message = ERRORS[case]
    driven = optimizer()
    scheduler = built(theirs, driven)
    with pytest.raises(TracelrError) as caught:
        from_torch(scheduler, "lr")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("theirs", "key", "message"),
    [
        (
            lambda o: torchs.StepLR(o, 5),
            "momentum",
            "from_torch(key): given 'momentum' of a StepLR; allowed: 'lr', or a CyclicLR or OneCycleLR; to fix it: convert "
            "one of these on its own.",
        ),
        (
            lambda o: torchs.OneCycleLR(o, 0.1, 50, cycle_momentum=False),
            "momentum",
            "from_torch(key): given 'momentum' of a OneCycleLR; allowed: 'lr', with cycle_momentum=False; to fix it: leave "
            "the key out.",
        ),
        (lambda o: torchs.OneCycleLR(o, 0.1, 50), "momentum", ADAM),
        (
            lambda o: torchs.StepLR(o, 5),
            "weight_decay",
            "from_torch(key): given 'weight_decay'; allowed: 'lr', 'momentum', 'betas'; to fix it: use one of these names.",
        ),
    ],
)
def test_keys(theirs: Build, key: Any, message: str) -> None:
    scheduler = theirs(optimizer("betas" if message == ADAM else "lr"))
    with pytest.raises(TracelrError) as caught:
        from_torch(scheduler, key)
    assert str(caught.value) == message


def test_a_class_is_not_a_scheduler() -> None:
    with pytest.raises(TracelrError) as caught:
        from_torch(torchs.StepLR)  # type: ignore[arg-type]
    assert str(caught.value) == (
        "from_torch: given <class 'torch.optim.lr_scheduler.StepLR'>; allowed: a scheduler of torch.optim.lr_scheduler; "
        "to fix it: pass the scheduler, not its class or its optimizer."
    )


def test_a_group_added_later() -> None:
    driven = optimizer()
    scheduler = torchs.StepLR(driven, 5)
    driven.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))]})
    with pytest.raises(TracelrError) as caught:
        from_torch(scheduler)
    assert str(caught.value) == (
        "StepLR: base_lrs: given base_lrs of 1 groups; allowed: one for each param group of the optimizer; to fix it: build "
        "the scheduler after the last group."
    )
