"""Graphs of complete training steps, as torch.compile hands them to a backend."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

import torch
from functorch.compile import make_boxed_func
from torch import fx, nn
from torch._dynamo.backends.common import aot_autograd
from torch.optim import SGD, AdamW, Optimizer

from tracelr import Scheduler, fuse
from tracelr.schedules.base import Schedule

OPTIMIZERS: dict[str, Callable[[list[nn.Parameter]], Optimizer]] = {"sgd": lambda p: SGD(p, lr=0.1), "adamw": AdamW}
TRACERS = ("dynamo", "aot")


def captured(optimizer: str, tracer: str, rate: Schedule) -> tuple[fx.GraphModule, list[Any]]:
    """Return the graph of a fused step, of Dynamo or of aten operations, and the inputs that it was captured with."""
    graphs: list[tuple[fx.GraphModule, list[Any]]] = []

    def backend(module: fx.GraphModule, inputs: list[Any]) -> Any:
        graphs.append((copy(module), inputs))  # Dynamo takes the tensors from its module once it drops the compiled code
        return module if tracer == "dynamo" else make_boxed_func(module.forward)

    torch._dynamo.reset()
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    made = OPTIMIZERS[optimizer](list(model.parameters()))
    compiler = backend if tracer == "dynamo" else aot_autograd(fw_compiler=backend)
    update = fuse(made, Scheduler(made, lr=rate), backend=compiler)
    model(torch.ones(1, 3)).sum().backward()
    update()
    ((module, inputs),) = graphs  # the inputs of an aten graph have no values
    return module, [torch.ones(tuple(value.shape), dtype=value.dtype) for value in inputs]
