"""Several processes, DDP: each builds the same schedule, `check_ranks` makes sure of it, and each steps its own.

torchrun --nproc-per-node 2 examples/with_torchrun.py --steps 40
"""

from __future__ import annotations

import argparse
import os

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from tracelr import Cosine, Linear, Schedule, Scheduler, check_ranks


def rate(steps: int) -> Schedule:
    warm = max(steps // 10, 1)
    return Linear(start=0.0, end=5e-2, steps=warm).then(Cosine(start=5e-2, end=0.0, steps=steps - warm))


def main(steps: int = 40) -> tuple[list[float], list[float]]:
    """Train; return the rates that this rank used, and its losses."""
    torch.manual_seed(0)
    model = DistributedDataParallel(nn.Linear(4, 1))
    optimizer = torch.optim.AdamW(model.parameters())
    scheduler = Scheduler(optimizer, lr=rate(steps))
    check_ranks(scheduler)  # raises on every rank, and names the one that differs

    draw = torch.Generator().manual_seed(dist.get_rank())  # other data on every rank
    rates, losses = list[float](), list[float]()
    for _ in range(steps):
        x = torch.randn(64, 4, generator=draw)
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), x.sum(1, keepdim=True))
        loss.backward()  # type: ignore[no-untyped-call]  # torch's is untyped
        rates.append(scheduler.get_last_lr()[0])
        losses.append(float(loss.detach()))
        optimizer.step()
        scheduler.step()
    total = torch.cat([p.detach().flatten() for p in model.parameters()]).sum()
    line = f"rank {dist.get_rank()}: {steps} updates, loss {losses[0]:.3f} -> {losses[-1]:.3f}, weights {float(total).hex()}"
    os.write(1, f"{line}\n".encode())  # whole, whoever else is writing
    return rates, losses


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=40)
    given = parser.parse_args()
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    used, _ = main(given.steps)
    assert torch.tensor(used).equal(rate(given.steps)(torch.arange(given.steps)))  # float32, to the last bit
    dist.destroy_process_group()
