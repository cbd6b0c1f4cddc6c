"""`from_torch`, given schedulers of other settings, and objects that are not schedulers."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st
from support.bad_values import ANY, HOSTILE, outcome, profile
from torch import nn
from torch.optim import SGD
from torch.optim import lr_scheduler as torchs
from torch.optim.swa_utils import SWALR

from tracelr import Schedule, from_torch

TORCHS: list[Any] = [
    lambda o: torchs.StepLR(o, 3),
    lambda o: torchs.MultiStepLR(o, [2, 5]),
    lambda o: torchs.ConstantLR(o),
    lambda o: torchs.LinearLR(o),
    lambda o: torchs.ExponentialLR(o, 0.9),
    lambda o: torchs.PolynomialLR(o, 5),
    lambda o: torchs.CosineAnnealingLR(o, 5),
    lambda o: torchs.CosineAnnealingWarmRestarts(o, 5),
    lambda o: torchs.CyclicLR(o, 0.1, 0.2, 5, cycle_momentum=False),
    lambda o: torchs.OneCycleLR(o, 0.2, 20),
    lambda o: torchs.LambdaLR(o, lambda step: 0.5),
    lambda o: torchs.MultiplicativeLR(o, lambda step: 0.5),
    lambda o: SWALR(o, 0.05),
    lambda o: torchs.SequentialLR(o, [torchs.ConstantLR(o), torchs.ExponentialLR(o, 0.9)], [3]),
    lambda o: torchs.ChainedScheduler([torchs.ConstantLR(o), torchs.ExponentialLR(o, 0.9)]),
]


@profile(80)
@given(data=st.data())
def test_torchs_schedulers_with_other_settings(data: Any) -> None:
    scheduler = data.draw(st.sampled_from(TORCHS))(SGD([nn.Parameter(torch.zeros(2))], lr=0.1, momentum=0.9))
    names = sorted(set(vars(scheduler)) - {"optimizer"})
    setattr(scheduler, data.draw(st.sampled_from(names)), data.draw(ANY).value)
    found = outcome(lambda: from_torch(scheduler, data.draw(st.sampled_from(["lr", "lr", "lr", "momentum", "betas"]))))
    for schedule in [found] if isinstance(found, Schedule) else found or []:
        schedule(3)


@profile(40)
@given(scheduler=HOSTILE, key=ANY)
def test_what_is_no_scheduler_of_torch(scheduler: Any, key: Any) -> None:
    assert outcome(lambda: from_torch(scheduler.value, key.value)) is None
    good = torchs.StepLR(SGD([nn.Parameter(torch.zeros(2))], lr=0.1), 3)
    outcome(lambda: from_torch(good, key.value))
