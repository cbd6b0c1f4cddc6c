"""Check that all processes of a distributed run follow the same schedules from the same step, at the same rates."""

from __future__ import annotations

from collections import Counter

import torch.distributed as dist

from tracelr.errors import OptimizerError, Unquoted
from tracelr.optim.counter import is_distributed
from tracelr.optim.scheduler import Scheduler
from tracelr.optim.state import describe_changes, read_state


def check_ranks(scheduler: Scheduler, group: dist.ProcessGroup | None = None) -> None:
    """Compare the schedules, the step and the rates of `scheduler` with those of every other rank.

    Call it on every rank of `group` (None: of the run) once the scheduler is built or its checkpoint is loaded, or after any
    step. What most ranks have counts as right. It is one collective of a few hundred bytes; in a run of one process it
    does nothing. With pipeline stages of different param groups, pass the process group of one stage.

    Raises `OptimizerError`, which names the ranks that differ, on every rank.

    >>> import torch
    >>> from tracelr import Linear
    >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=0.1)
    >>> check_ranks(Scheduler(optimizer, lr=Linear(start=1.0, end=0.0, steps=4)))
    """
    if not is_distributed():
        return
    state = scheduler.state_dict()
    here = (*read_state(state, len(scheduler.get_last_lr())), scheduler.get_last_lr())
    every = [here] * dist.get_world_size(group)
    dist.all_gather_object(every, here, group)
    texts = list(map(repr, every))
    step, schedules, rates = every[texts.index(Counter(texts).most_common(1)[0][0])]
    differing = {
        rank: describe_changes(schedules, theirs) or (f"step {step} -> {at}" if at != step else f"rates {rates} -> {held}")
        for rank, (at, theirs, held) in enumerate(every)
        if repr((at, theirs, held)) != repr((step, schedules, rates))
    }
    if differing:
        what = "; ".join(f"rank {rank} with {difference}" for rank, difference in differing.items())
        allowed = f"what {len(every) - len(differing)} of {len(every)} ranks have"
        fix = "build the scheduler from the same file, and load the same checkpoint, on every rank"
        raise OptimizerError("check_ranks", Unquoted(what), allowed, fix, limit=1000)
