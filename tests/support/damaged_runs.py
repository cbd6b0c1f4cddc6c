"""A run to damage: its two states, what a process does to it before it ends, and a look at what is left.

Another process finds a function by the name of its module, so these functions are in no test module.
"""

from __future__ import annotations

import ctypes
import io
import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import SGD

import tracelr.files
from tracelr import Linear, Scheduler, checkpoint
from tracelr.cli.demo.run_folder import alone
from tracelr.errors import CheckpointError

STATE = {"step": 1, "weights": torch.arange(50_000.0), "name": "before"}
AFTER = {"step": 2, "weights": -torch.arange(50_000.0), "name": "after"}
LARGEST = 2**63 - 1

# A plain fork would copy the threads' locks of whatever else this process has imported (JAX warns of it).
CLEAN = multiprocessing.get_context("forkserver")
CLEAN.set_forkserver_preload(["tracelr.checkpoint"])


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


def stop(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Half(io.FileIO):
    """A file that takes half of what it is given before the process dies."""

    def write(self, data: Any) -> int:
        super().write(bytes(data)[: len(data) // 2])
        stop()
        return 0


def save_and_die(path: Path, place: str) -> None:
    match place:
        case "half":
            os.fdopen = Half  # type: ignore[assignment]
        case "fsync":
            os.fsync = stop
        case "replace":
            os.replace = stop
        case "folder":
            tracelr.files._sync = stop
    checkpoint.save(path, AFTER)


def save_for_ever(path: Path, told: Connection) -> None:
    told.send("begun")
    while True:
        checkpoint.save(path, AFTER)
        checkpoint.save(path, STATE)


def save_on_a_full_disk(path: Path, said: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
    try:
        checkpoint.save(path, AFTER)
    except CheckpointError as error:
        said.write_text(str(error))


def begin_without_privileges(folder: Path, said: Path) -> None:
    if os.geteuid() == 0:  # root may write anywhere, unless it has no capabilities
        version = 0x20080522
        if ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(version, 0), (ctypes.c_uint32 * 6)()) != 0:
            raise OSError("no capset")
    try:
        with alone(folder):
            pass
    except CheckpointError as error:
        said.write_text(str(error))


def hold(out: Path, told: Connection) -> None:
    with alone(out):
        told.send("held")
        time.sleep(600)
