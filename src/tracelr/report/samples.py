"""The steps of a curve that a page holds, and the values of the schedule there, bit for bit."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import Any, NamedTuple, final

import numpy as np
import torch
from torch import Tensor

from tracelr.schedules.base import Schedule
from tracelr.schedules.describe.sampling import steps_between


@final
class Samples(NamedTuple):
    """Increasing steps from 0 to `last`, and the float32 values there. `missing` bounds were left out for lack of space."""

    steps: Tensor
    values: Tensor
    last: int
    missing: int = 0

    @property
    def all(self) -> bool:
        """Whether these are all the steps up to `last`."""
        return len(self.steps) == self.last + 1

    def packed(self) -> dict[str, Any]:
        """Return plain types: the distances between steps (none if all steps are held), and the bytes of the values."""
        apart = [] if self.all else torch.diff(self.steps, prepend=torch.zeros(1, dtype=torch.int64)).tolist()
        return {"last": self.last, "apart": apart, "values": b64encode(self.values.numpy().astype("<f4").tobytes()).decode()}

    def largest(self) -> tuple[int, float]:
        """Return the first step with the largest value, and the value."""
        at = int(self.values.nan_to_num(nan=-torch.inf).argmax())
        return int(self.steps[at]), float(self.values[at])


@torch.no_grad()
def samples(schedule: Schedule, last: int, bounds: Sequence[int], most: int) -> Samples:
    """Return all steps from 0 to `last`, or `most` of them: each of the `bounds`, the step before it, and steps between.

    >>> from tracelr import Step
    >>> samples(Step(1.0, 0.5, 50), 100, [50], 8).steps
    tensor([  0,  20,  40,  49,  50,  60,  80, 100])
    """
    if last < most:
        steps = torch.arange(last + 1)
        return Samples(steps, values(schedule, steps), last)
    inside = [bound for bound in bounds if 0 < bound < last]
    room = most // 3
    kept = inside if len(inside) <= room else [inside[k] for k in steps_between(0, len(inside) - 1, room).tolist()]
    near = torch.tensor([bound + side for bound in kept for side in (-1, 0)], dtype=torch.int64)
    steps = torch.unique(torch.cat([near.clamp(0, last), steps_between(0, last, max(most - len(near), 2))]))
    return Samples(steps, values(schedule, steps), last, len(inside) - len(kept))


def values(schedule: Schedule, steps: Tensor) -> Tensor:
    """Return the values at `steps`, on the CPU, in blocks, because a look-up compares each step with all milestones."""
    device = next((tensor.device for tensor in schedule.buffers()), torch.device("cpu"))
    return torch.cat([schedule(block.to(device)).detach().cpu() for block in torch.split(steps, 4096)])


def number(value: float) -> str:
    """Return a float32 in the fewest digits that identify it.

    >>> number(float(torch.tensor(3e-4))), number(2 / 3), number(1.0)
    ('0.0003', '0.6666667', '1')
    """
    return str(np.float32(value)).removesuffix(".0")
