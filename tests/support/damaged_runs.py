"""A run to damage: its two states, its processes, and a look at what is left of it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import SGD

from tracelr import Linear, Scheduler
from tracelr.cli.demo import checkpoint

STATE = {"step": 1, "weights": torch.arange(50_000.0), "name": "before"}
AFTER = {"step": 2, "weights": -torch.arange(50_000.0), "name": "after"}
LARGEST = 2**63 - 1

# A plain fork would copy the threads' locks of whatever else this process has imported (JAX warns of it).
CLEAN = multiprocessing.get_context("forkserver")
CLEAN.set_forkserver_preload(["tracelr.cli.demo.checkpoint"])


def ended(work: Callable[..., object], *given: object) -> int | None:
    """Run `work` in a separate process and return its exit code: 0, or minus the signal that ended it."""
    child = CLEAN.Process(target=work, args=given)
    child.start()
    child.join()
    return child.exitcode


def saved(folder: Path) -> Path:
    path = folder / "checkpoint.pt"
    checkpoint.save(path, STATE)
    return path


def kept(path: Path) -> int:
    """Return which of the two states is in the file, complete."""
    state = checkpoint.load(path, ("step", "weights", "name"))
    wanted = STATE if state["step"] == 1 else AFTER
    assert state["name"] == wanted["name"]
    assert torch.equal(state["weights"], wanted["weights"])
    return int(state["step"])


def job(folder: Path) -> str:
    path = folder / "job.yaml"
    path.write_text("optimizer: {learning_rate: 0.1}\nrunconfig: {max_steps: 2}\nmodel: {hidden_size: 2}\n")
    return str(path)


def optimizer(groups: int = 1, lr: Any = 0.1) -> SGD:
    return SGD([{"params": [nn.Parameter(torch.ones(2))], "lr": lr} for _ in range(groups)], lr=0.1)


def stepped(groups: int = 1, steps: int = 3, **more: Any) -> Scheduler:
    scheduler = Scheduler(optimizer(groups), lr=Linear(0.0, 1.0, 10), **more)
    for _ in range(steps):
        scheduler.step()
    return scheduler


def held(scheduler: Scheduler) -> list[Any]:
    groups = [{key: value for key, value in group.items() if key != "params"} for group in scheduler.optimizer.param_groups]
    return [scheduler.last_epoch, scheduler._step_count, scheduler.get_last_lr(), groups, scheduler.state_dict()]
