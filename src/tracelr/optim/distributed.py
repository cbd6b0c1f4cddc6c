"""Check that all processes of a distributed run follow the same schedules from the same step."""

from __future__ import annotations

from collections import Counter

import torch.distributed as dist

from tracelr.errors import OptimizerError, Unquoted
from tracelr.optim.scheduler import Scheduler
from tracelr.optim.state import changes, read_state


def check_ranks(scheduler: Scheduler, group: dist.ProcessGroup | None = None) -> None:
    """Compare the schedules and the step of `scheduler` with those of every other rank, and name the ranks that differ.

    Call it on every rank of `group` (None: of the run) once the scheduler is built or its checkpoint is loaded, or after any
    step. The state of most ranks counts as right. It is one collective of a few hundred bytes; in a run of one process it
    does nothing. With pipeline stages of different param groups, pass the process group of one stage.

    Raises `OptimizerError` on every rank if the state of one differs.

    >>> import torch
    >>> from tracelr import Linear
    >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=0.1)
    >>> check_ranks(Scheduler(optimizer, lr=Linear(start=1.0, end=0.0, steps=4)))
    """
    if not dist.is_available() or not dist.is_initialized():
        return
    here = read_state(scheduler.state_dict(), len(scheduler.optimizer.param_groups))
    every = [here] * dist.get_world_size(group)
    dist.all_gather_object(every, here, group)
    texts = list(map(repr, every))
    step, schedules = every[texts.index(Counter(texts).most_common(1)[0][0])]
    differing = {
        rank: changes(schedules, theirs) or f"step {step} -> {at}"
        for rank, (at, theirs) in enumerate(every)
        if (at, theirs) != (step, schedules)
    }
    if differing:
        what = "; ".join(f"rank {rank} with {difference}" for rank, difference in differing.items())
        allowed = f"what {len(every) - len(differing)} of {len(every)} ranks have"
        fix = "build the scheduler from the same file, and load the same checkpoint, on every rank"
        raise OptimizerError("check_ranks", Unquoted(what), allowed, fix, limit=1000)
