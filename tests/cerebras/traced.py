"""Traces one training step on the CSX backend: `python traced.py NAME [NAME ...]`, in a folder of its own.

The optimizer has a param group for each name, whose rate a scheduler drives: a schedule of `support.settings`, or a call of
one of their schedulers, as "theirs CALL", or of the class of ours with its name, as "ours CALL". Their compiler writes
`cirh.mlir`, and then asks for a cluster, which ends this program with an error. The last line that it prints is the seconds
of the processor which tracing and compiling took, those of the programs that it starts included.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import torch


def scheduler_of(name: str, optimizer: Any, tag: str) -> Any:
    import cerebras.pytorch as cstorch
    from support.cerebras_formulas import called
    from support.settings import schedule_of

    from tracelr import cerebras

    class Count(cstorch.optim.lr_scheduler.LRScheduler):  # type: ignore[misc]  # the package has no types
        """The number of the milestones 2, 4 and 6 that are passed, as a sum of comparisons."""

        def __init__(self, optimizer: Any, param_group_tags: str) -> None:
            super().__init__(optimizer, None, param_group_tags=param_group_tags)

        def _get_closed_form(self) -> torch.Tensor:
            return torch.stack([self.last_epoch >= milestone for milestone in (2, 4, 6)]).sum(-1).float()

    side, _, call = name.partition(" ")
    kinds = {"theirs": vars(cstorch.optim.lr_scheduler) | {"Count": Count}, "ours": vars(cerebras.lr_scheduler)}
    if side in kinds:
        return called(call, kinds[side], optimizer, tag)
    return cerebras.Scheduler(optimizer, schedule_of(name), param_group_tags=tag)


def main(names: list[str]) -> None:
    import cerebras.pytorch as cstorch

    sys.path.insert(0, str(Path(__file__).parents[1]))
    backend = cstorch.backend("CSX")
    torch.manual_seed(0)
    model = torch.nn.Sequential(*(torch.nn.Linear(2, 2, bias=False) for _ in names))
    compiled = cstorch.compile(model, backend)
    tags = [f"group {k}" for k in range(len(names))]
    parts = zip(model, tags, strict=True)
    groups = [{"params": list(layer.parameters()), "tags": {tag}, "adjust_learning_rate": 0.3} for layer, tag in parts]
    optimizer = cstorch.optim.SGD(groups, lr=0.1, momentum=0.0)
    schedulers = [scheduler_of(name, optimizer, tag) for name, tag in zip(names, tags, strict=True)]
    data = cstorch.utils.data.DataLoader(lambda: torch.utils.data.DataLoader(torch.ones(8, 2), batch_size=2))

    @cstorch.trace
    def step(batch: torch.Tensor) -> torch.Tensor:
        loss = compiled(batch).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        for scheduler in schedulers:
            scheduler.step()
        return loss

    start = sum(os.times()[:4])
    try:
        for batch in cstorch.utils.data.DataExecutor(data, num_steps=2):
            step(batch)
    finally:
        print(f"\n{sum(os.times()[:4]) - start:.3f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
