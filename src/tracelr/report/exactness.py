"""How near the values of a schedule come to a tie in their last rounding, and how they differ in float32 throughout."""

from __future__ import annotations

from typing import NamedTuple, final

import torch
from torch import Tensor

from tracelr.arithmetic import F64, LAST_STEP, precision
from tracelr.report.samples import values
from tracelr.schedules.base import Schedule

NEAR = 2.0**-27
"""Two units of float64, in units of float32: this near to a tie, the rounding may go to either side."""


@final
class Exactness(NamedTuple):
    """Of `steps` steps, `near` have an unrounded value within `NEAR` of a tie; `step` comes nearest, at `nearest`.

    At `differing` of the steps, float32 throughout gives another value, which is off by at most `ulp` units.
    """

    steps: int
    near: int
    step: int
    nearest: float
    differing: int
    ulp: float


@torch.no_grad()
def exactness(schedule: Schedule, steps: Tensor) -> Exactness:
    """Return the figures of `schedule` at int64 `steps`, which are clamped to 0 to 2**53; each step counts once."""
    steps = torch.unique(steps.clamp(0, LAST_STEP))
    wide = torch.cat([schedule.wide(block, F64).cpu() for block in torch.split(steps, 4096)])
    rounded = wide.to(torch.float32)
    towards = torch.where(wide > rounded, torch.inf, -torch.inf).to(torch.float32)
    unit = (torch.nextafter(rounded, towards).double() - rounded.double()).abs()
    distance = 0.5 - ((wide - rounded.double()).abs() / unit)
    distance = torch.where(wide.isfinite() & rounded.isfinite(), distance, 0.5)
    at = int(distance.argmin())
    with precision("float32"):
        cheap = values(schedule, steps)
    off = (cheap.double() - rounded.double()).abs() / unit
    off = torch.where(cheap == rounded, 0.0, off)
    return Exactness(
        len(steps),
        int((distance < NEAR).sum()),
        int(steps[at]),
        float(distance[at]),
        int((off != 0).sum()),
        float(off.max()),
    )


def caveats(schedule: Schedule) -> list[str]:
    """Return one sentence for each component of a schedule whose exactness is not promised."""
    kinds = {type(module) for module in schedule.modules() if isinstance(module, Schedule)}
    own = sorted(kind.__name__ for kind in kinds if not kind.__module__.startswith("tracelr."))
    names = {kind.__name__ for kind in kinds}
    found = [f"{name} is not a class of tracelr: nothing is promised for its formula." for name in own]
    if "Lambda" in names:
        found.append("A Lambda is as exact as its function.")
    if "Sum" in names:
        found.append("Where the terms of a Sum nearly cancel, it is only as exact as its largest term.")
    return found
