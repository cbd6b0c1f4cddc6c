"""Torch's schedulers inside each other, and what one of ours gives beside one of them."""

from __future__ import annotations

import pytest
import torch
from torch.optim import lr_scheduler as torchs

from support.peers.torch import Build, stepped
from tracelr import Schedule

HORIZON = 150


def sequential(children: list[Build], milestones: list[int]) -> Build:
    return lambda o: torchs.SequentialLR(o, [child(o) for child in children], milestones)


def chained(children: list[Build]) -> Build:
    return lambda o: torchs.ChainedScheduler([child(o) for child in children])


def agree(schedule: Schedule, theirs: Build) -> None:
    want = stepped(theirs)(list(range(HORIZON)))
    got = schedule(torch.arange(HORIZON)).tolist()
    assert got == pytest.approx(want, rel=2e-7, abs=1e-7 * max(want))
