"""Writes a Python file that defines `lr(step)`, `rate(step)` and `schedule(optimizer)`, a LambdaLR, and needs only torch.

The code is the traced graph of the schedule. It gives the bits of the schedule because it has the same operations. The step
and the tables are on the CPU, whatever the default device is.
"""

from __future__ import annotations

from tracelr.errors import ConfigError, TracelrError, printable
from tracelr.interop._tools.simplify import only_schedule, refuse
from tracelr.lowering.graph import trace
from tracelr.lowering.passes import run
from tracelr.lowering.printing.formats.code import function
from tracelr.lowering.printing.listing import listing_of
from tracelr.schedules.assignment import Loaded

_FILE = '''\
"""A learning-rate schedule for torch, from tracelr: lr(step) has the bits of the schedule below."""
# {schedule}

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

{code}

def rate(t: int) -> float:
    """Return the learning rate at step t."""
    return float(lr(torch.tensor(t, device="cpu")))


def schedule(optimizer: Optimizer) -> LambdaLR:
    """Return the scheduler: its step() comes after optimizer.step(), every iteration."""
    for group in optimizer.param_groups:
        group["lr"] = 1.0  # LambdaLR multiplies it
    return LambdaLR(optimizer, rate)
'''


def write(found: Loaded) -> str:
    """Return the Python file."""
    given = only_schedule(found, "torch")
    try:
        graph = run(trace(given))
    except TracelrError as error:  # the formula of a user's class, or a function in a Lambda, cannot be traced
        raise error.of(ConfigError, "convert to torch") from error
    if any(node.op == "get_attr" and not graph.constant(node) for node in graph.nodes):
        raise refuse("torch", given, "which has a tensor for a number")
    return _FILE.format(schedule=printable(repr(given)), code=function(listing_of(graph), graph, "cpu"))
