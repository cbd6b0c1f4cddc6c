"""The script that test_ranks.py starts under torchrun: `_ranks.py NAME,NAME FOLDER`. Each rank writes its results as JSON.

One start serves every check that needs this number of ranks: starting costs more than all of them.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from frameworks.common import RATE, adamw, network, used
from support.optimizers import float32, held
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel
from torch.optim import SGD, Optimizer
from torch.utils.data import DataLoader, TensorDataset

from tracelr import Constant, Scheduler, check_ranks, fuse
from tracelr.errors import OptimizerError

STEPS = 12


def batch(step: int) -> Tensor:
    """Return different data on every rank."""
    return torch.randn(3, 4, generator=torch.Generator().manual_seed(100 * dist.get_rank() + step))


def weights(model: nn.Module) -> list[float]:
    whole = (p.full_tensor() if isinstance(p, DTensor) else p for p in model.parameters())
    return [value for p in whole for value in p.detach().flatten().tolist()]


def sharded() -> nn.Module:
    model = network()
    for layer in (*model.children(), model):
        fully_shard(layer, mesh=init_device_mesh("cpu", (dist.get_world_size(),)))
    return model


def train(model: nn.Module, optimizer: Optimizer, scheduler: Scheduler, fused: bool, steps: int = STEPS) -> dict[str, Any]:
    check_ranks(scheduler)
    made = []
    update = fuse(optimizer, scheduler) if fused else None
    for step in range(steps):
        optimizer.zero_grad()
        model(batch(step)).square().mean().backward()
        made.append(held(optimizer))
        if update is None:
            optimizer.step()
            scheduler.step()
        else:
            update()
    return {"made": made, "weights": weights(model), "last_epoch": scheduler.last_epoch}


def ddp(_: Path) -> dict[str, Any]:
    found = {}
    for name, lr, fused in (("float", 0.5, False), ("tensor", torch.tensor(0.5), False), ("fuse", 0.5, True)):
        model = DistributedDataParallel(network())
        found[name] = train(model, *adamw(model, lr), fused=fused)
    return found


def fsdp(_: Path) -> dict[str, Any]:
    found = {}
    for name, lr, fused in (("float", 0.5, False), ("tensor", torch.tensor(0.5), False), ("fuse", 0.5, True)):
        model = sharded()
        found[name] = train(model, *adamw(model, lr), fused=fused)
    return found


def compared(_: Path) -> list[str | None]:
    """Errors of `check_ranks`: for equal ranks, for another schedule on the last rank, and for another step on it."""

    def error(schedule: Any, step: int) -> str | None:
        scheduler = Scheduler(SGD([nn.Parameter(torch.ones(2))], lr=1.0), lr=schedule)
        scheduler.load_state_dict({"last_epoch": step})
        try:
            check_ranks(scheduler)
        except OptimizerError as error:
            return str(error)
        return None

    last = dist.get_rank() == dist.get_world_size() - 1
    return [error(RATE, 3), error(Constant(0.2) if last else Constant(0.1), 3), error(RATE, 4 if last else 3)]


def later(_: Path) -> list[Any]:
    """Errors of `check_ranks` after equally many steps, and after one more on the last rank."""
    scheduler = Scheduler(SGD([nn.Parameter(torch.ones(2))], lr=1.0), lr=RATE)

    def error(steps: int) -> str | None:
        for _ in range(steps):
            scheduler.step()
        try:
            check_ranks(scheduler)
        except OptimizerError as error:
            return str(error)
        return None

    last = dist.get_rank() == dist.get_world_size() - 1
    return [error(2), error(1 if last else 0)]


def strict(_: Path) -> list[Any]:
    """Counts of a scheduler that counts tokens, and its error where the last rank passes its own tokens, twice."""
    scheduler = Scheduler(SGD([nn.Parameter(torch.ones(2))], lr=1.0), lr=RATE, ranks="strict")
    last = dist.get_rank() == dist.get_world_size() - 1
    found: list[Any] = []
    for tokens in (3, 3 + last, 2):
        try:
            scheduler.step(increment=tokens)
        except OptimizerError as error:
            found.append(str(error))
        found.append((scheduler.last_epoch, held(scheduler.optimizer)))
    return found


def accelerated(_: Path) -> dict[str, Any]:
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, GradientState
    from accelerate.utils import DataLoaderConfiguration

    def run(split: bool, accumulate: int, prepared: bool = True) -> list[float]:
        AcceleratorState._reset_state()
        GradientState._reset_state()
        options = DataLoaderConfiguration(split_batches=split)
        accelerator = Accelerator(cpu=True, dataloader_config=options, gradient_accumulation_steps=accumulate)
        model = network()
        optimizer, scheduler = adamw(model)
        made = used(optimizer)
        loader = DataLoader(TensorDataset(torch.ones(48, 4)), batch_size=4)
        model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
        stepped = accelerator.prepare(scheduler) if prepared else scheduler
        for (x,) in loader:
            with accelerator.accumulate(model):
                accelerator.backward(model(x).square().mean())
                optimizer.step()
                if prepared or accelerator.sync_gradients:
                    stepped.step()
                optimizer.zero_grad()
        return made

    cases = {"split": (True, 1), "whole": (False, 1), "split, accumulated": (True, 3), "whole, accumulated": (False, 3)}
    return {name: run(*case) for name, case in cases.items()} | {"not prepared": run(False, 3, prepared=False)}


def save(folder: Path) -> None:
    model = sharded()
    optimizer, scheduler = adamw(model)
    train(model, optimizer, scheduler, fused=False, steps=7)
    names = ("model", "optimizer")
    state = dict(zip(names, get_state_dict(model, optimizer), strict=True))
    dcp.save({**state, "scheduler": scheduler}, checkpoint_id=folder / "checkpoint")


def load(folder: Path) -> dict[str, Any]:
    model = sharded()
    optimizer, scheduler = adamw(model, torch.tensor(0.5))
    tensors = scheduler.tensors()
    model_state, optimizer_state = get_state_dict(model, optimizer)
    state = {"model": model_state, "optimizer": optimizer_state}
    dcp.load({**state, "scheduler": scheduler}, checkpoint_id=folder / "checkpoint")
    set_state_dict(model, optimizer, model_state_dict=model_state, optim_state_dict=optimizer_state)
    at_once = held(optimizer)
    decay = float32(optimizer.param_groups[0]["weight_decay"])
    kept = all(a is b for a, b in zip(tensors, scheduler.tensors(), strict=True))
    return {"at once": at_once, "decay": decay, "kept": kept, **train(model, optimizer, scheduler, fused=False, steps=5)}


PARTS = {
    "ddp": ddp,
    "fsdp": fsdp,
    "compared": compared,
    "later": later,
    "strict": strict,
    "accelerated": accelerated,
    "save": save,
    "load": load,
}


def main(names: str, folder: Path) -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    found = {name: PARTS[name](folder) for name in names.split(",")}
    (folder / f"{dist.get_world_size()}-{dist.get_rank()}.json").write_text(json.dumps(found))
    dist.barrier()
    dist.destroy_process_group()
    os._exit(0)  # gloo's threads can abort an interpreter that shuts down


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
