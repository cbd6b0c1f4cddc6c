"""The four schedulers of the first release, bound to an optimizer: every target that runs here gives the bits of eager."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tracelr import Schedule, lr_scheduler
from tracelr.lowering import trace, verify
from tracelr.lowering.passes import run
from tracelr.lowering.targets import find, target_names
from tracelr.lowering.verification import default_steps

CASES: dict[str, dict[str, Any]] = {
    "Constant": {"val": 0.1},
    "Exponential": {"learning_rate": 0.1, "decay_steps": 1000, "decay_rate": 0.96},
    "PiecewiseConstant": {"learning_rates": [0.1, 0.001, 0.0001], "milestones": [1000, 2000]},
    "Polynomial": {"learning_rate": 0.1, "end_learning_rate": 0.001, "decay_steps": 5000, "power": 1.0},
}
SLOW = {"aoti", "inductor", "triton"}  # seconds for each schedule; their own tests run rows of the table
HERE = [name for name in target_names() if name not in SLOW and find(name).missing() is None]


def built(name: str) -> Schedule:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule: Schedule = getattr(lr_scheduler, name)(optimizer, **CASES[name]).schedule
    return schedule


@pytest.mark.parametrize("name", CASES)
def test_every_target_has_the_bits_of_eager(name: str) -> None:
    schedule = built(name)
    report = verify(schedule, HERE, default_steps(run(trace(schedule)), random=2000))
    assert [result.target for result in report.results] == HERE
    assert {(result.target, result.differing) for result in report.results} == {(target, 0) for target in HERE}
    assert report.skipped == ()


@pytest.mark.slow
@pytest.mark.parametrize("target", sorted(SLOW))
@pytest.mark.parametrize("name", CASES)
def test_every_slow_target_has_the_bits_of_eager(name: str, target: str) -> None:
    if (reason := find(target).missing()) is not None:
        pytest.skip(f"needs {reason}")
    assert verify(built(name), [target]).ok
