"""What a scheduler drives, as numbers for a logger."""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

from tracelr.errors import OptimizerError
from tracelr.optim.description import tag_of
from tracelr.optim.groups import HyperParameter, rate_of
from tracelr.optim.scheduler import Scheduler
from tracelr.schedules.base import Schedule
from tracelr.schedules.describe.phases import phases


def log(scheduler: Scheduler) -> dict[str, float]:
    """Return what `scheduler` drives as a flat mapping of floats, for a logger of any kind.

    Under each key, such as "lr" or "weight_decay", stands the number that the next update uses. Where groups follow
    different schedules, each has its own entry: "lr/<tag>", or "lr/<position>" for a group without a tag of its own. "step"
    counts the updates so far. "phase" is the number of the phase of the first schedule, from 0, as `tracelr show` lists
    them. "progress" goes from 0 to 1 over the longest schedule; it is left out if no schedule has a length. The names stay
    the same during a run. If the numbers are tensors on a device, this reads them, and so waits for it.

    Raises `OptimizerError` if `scheduler` is not a `Scheduler`.

    >>> import torch
    >>> from tracelr import Scheduler, warmup_linear
    >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=0.1)
    >>> scheduler = Scheduler(optimizer, lr=warmup_linear(1.0, 100, warmup=20))
    >>> scheduler.last_epoch = 50
    >>> log(scheduler)
    {'lr': 0.625, 'step': 50.0, 'progress': 0.5, 'phase': 1.0}
    """
    if not isinstance(scheduler, Scheduler):
        raise OptimizerError("log(scheduler)", scheduler, "a tracelr.Scheduler", "pass the scheduler of the optimizer")
    count, driven = max(scheduler.last_epoch, 0), scheduler.driven()
    found = {name: rate_of(one.group, one.key) for name, one in zip(_names(driven), driven, strict=True)}
    found["step"] = float(count)
    lengths = [one.schedule.length for one in driven]
    if longest := max((length for length in lengths if length), default=0):
        found["progress"] = min(count / longest, 1.0)
    firsts = _firsts(driven[0].schedule) if driven else ()
    return found | {"phase": float(max(sum(first <= count for first in firsts) - 1, 0))}


def _names(driven: Sequence[HyperParameter]) -> list[str]:
    """Return the name of each number: its key, and a tag or a position where its groups do not follow one schedule."""
    names = []
    for one in driven:
        same = [other for other in driven if other.key == one.key]
        if all(other.schedule is one.schedule and other.factor == one.factor for other in same):
            names.append(one.key)
            continue
        tag = tag_of(one)
        alone = tag and [tag_of(other) for other in same].count(tag) == 1
        names.append(f"{one.key}/{tag if alone else one.position}")
    return names


_SEEN: WeakKeyDictionary[Schedule, tuple[int, ...]] = WeakKeyDictionary()
"""The first steps of the phases of schedules that are alive. Equal schedules have the same phases."""


def _firsts(schedule: Schedule) -> tuple[int, ...]:
    """Return the first step of each phase."""
    if schedule not in _SEEN:
        _SEEN[schedule] = tuple(phase.first for phase in phases(schedule))
    return _SEEN[schedule]
