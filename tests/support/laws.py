"""Equality of schedules over a range of steps."""

from __future__ import annotations

import torch

from tracelr import Schedule

STEPS = torch.cat([torch.arange(2000), torch.tensor([2**24 + 1, 2**40 + 3, 2**53 - 1, 2**53])])


def same(a: Schedule, b: Schedule, steps: torch.Tensor = STEPS) -> bool:
    return torch.equal(a(steps), b(steps))
