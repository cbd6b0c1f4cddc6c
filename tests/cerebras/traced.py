"""Traces one training step on the CSX backend: `python traced.py NAME [NAME ...]`, in a folder of its own.

The optimizer has a param group for each name, of `support.settings`, whose schedule drives its rate. Their compiler writes
`cirh.mlir`, and then asks for a cluster, which ends this program with an error.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch


def main(names: list[str]) -> None:
    import cerebras.pytorch as cstorch

    sys.path.insert(0, str(Path(__file__).parents[1]))
    from support.settings import schedule_of

    from tracelr import cerebras

    schedules = [schedule_of(name) for name in names]
    backend = cstorch.backend("CSX")
    torch.manual_seed(0)
    model = torch.nn.Sequential(*(torch.nn.Linear(2, 2, bias=False) for _ in schedules))
    compiled = cstorch.compile(model, backend)
    groups = [{"params": list(layer.parameters()), "tags": {f"group {k}"}} for k, layer in enumerate(model)]
    optimizer = cstorch.optim.SGD(groups, lr=0.1, momentum=0.0)
    schedulers = [cerebras.Scheduler(optimizer, one, param_group_tags=f"group {k}") for k, one in enumerate(schedules)]
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

    for batch in cstorch.utils.data.DataExecutor(data, num_steps=2):
        step(batch)


if __name__ == "__main__":
    main(sys.argv[1:])
