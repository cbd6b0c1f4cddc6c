"""Resume at any step, after a kill, and from checkpoints of other libraries."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import warnings
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed.checkpoint as dcp
from support.optimizers import float32, held, sgd
from torch import Tensor, nn
from torch.optim import AdamW

from tracelr import Cosine, Linear, Schedule, Scheduler, lr_scheduler

LONG = Linear(0.0, 1.0, 2**20).then(Cosine(1.0, 0.0, 2**52))
SCRIPT = """
import sys
from pathlib import Path
import torch
from tracelr import Cosine, Linear, Scheduler
from tracelr import checkpoint
folder = Path(sys.argv[1])
groups = [{"params": [torch.nn.Parameter(torch.ones(2))], "lr": lr} for lr in (1.0, torch.tensor(1.0))]
optimizer = torch.optim.AdamW(groups, weight_decay=0.1)
scheduler = Scheduler(optimizer, lr=Linear(0.0, 1e-2, 100).then(Cosine(1e-2, 1e-4, 900)), weight_decay=Linear(0.0, 1.0, 1000))
if (folder / "checkpoint.pt").exists():
    state = checkpoint.load(folder / "checkpoint.pt", ("optimizer", "scheduler"))
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
with (folder / "rates.txt").open("a") as file:
    while scheduler.last_epoch < 400:
        used = [float(group[key]).hex() for group in optimizer.param_groups for key in ("lr", "weight_decay")]
        print(scheduler.last_epoch, *used, file=file, flush=True)
        optimizer.step()
        scheduler.step()
        if scheduler.last_epoch % 7 == 0:
            checkpoint.save(
                folder / "checkpoint.pt", {"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}
            )
"""


@pytest.mark.parametrize("lr", [1.0, torch.tensor(1.0)], ids=["float", "tensor"])
def test_any_step_is_reached_by_one_evaluation(lr: float | Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [
        0,
        1,
        255,
        256,
        2**20,
        10**12,
        2**52,
        2**52 + 2**20 + 1,
        *(random.Random(7).randrange(2**53) for _ in range(50)),
    ]
    wanted = [LONG(step).item() for step in steps]
    evaluated: list[int] = []
    formula = Linear._formula
    monkeypatch.setattr(Linear, "_formula", lambda self, step, ops: evaluated.append(1) or formula(self, step, ops))
    for step, value in zip(steps, wanted, strict=True):
        optimizer = sgd(lr)
        scheduler = Scheduler(optimizer, lr=LONG)
        evaluated.clear()
        scheduler.load_state_dict({"last_epoch": step})
        assert held(optimizer) == [value]
        assert [*map(float32, scheduler.get_last_lr())] == [value]
        assert len(evaluated) <= 1


@pytest.mark.slow
def test_a_kill_at_a_random_step_changes_no_rate(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    rates, at = tmp_path / "rates.txt", random.randrange(20, 300)
    process = subprocess.Popen(command)
    deadline = time.monotonic() + 300
    while not rates.exists() or rates.read_text().count("\n") < at:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    killed = rates.read_text()
    rates.write_text(killed[: killed.rindex("\n") + 1])
    subprocess.run(command, check=True)
    lines = [line.split() for line in rates.read_text().splitlines()]
    before = killed.count("\n")
    resumed = int(lines[before][0])
    assert resumed % 7 == 0
    assert [int(step) for step, *_ in lines] == [*range(before), *range(resumed, 400)], at
    rate, decay = Linear(0.0, 1e-2, 100).then(Cosine(1e-2, 1e-4, 900)), Linear(0.0, 1.0, 1000)
    for step, *used in lines:
        assert [float32(float.fromhex(one)) for one in used] == [rate(int(step)).item(), decay(int(step)).item()] * 2, at


COUNTS: list[Any] = [7, torch.tensor(7), torch.tensor(7, dtype=torch.int32), torch.tensor([7])]


@pytest.mark.parametrize("count", COUNTS, ids=["int", "int64", "int32", "one element"])
@pytest.mark.parametrize("bound", [False, True], ids=["Scheduler", "lr_scheduler"])
def test_checkpoints_of_the_cerebras_family(count: Any, bound: bool) -> None:
    # last_epoch is an int, or a tensor on the device; the other keys are attributes of its classes
    state = {
        "base_lrs": [0.5],
        "last_epoch": count,
        "_step_count": 8,
        "_get_lr_called_within_step": False,
        "_last_lr": [0.25],
    }
    optimizer = AdamW([nn.Parameter(torch.ones(2))], lr=0.5)
    scheduler: Scheduler
    if bound:
        scheduler = lr_scheduler.PiecewiseConstant(optimizer, [0.1, 0.01], [5])
    else:
        scheduler = Scheduler(optimizer, lr=Linear(0.0, 1.0, 10))
    scheduler.load_state_dict(state)
    assert scheduler.last_epoch == 7
    assert type(scheduler.last_epoch) is int
    wanted = torch.tensor(0.01).item() if bound else Linear(0.0, 1.0, 10)(7).item()
    assert held(optimizer) == [wanted]


def test_a_part_of_a_cerebras_sequence() -> None:
    inner = {"last_epoch": torch.tensor(3), "base_lrs": [0.5]}
    scheduler = Scheduler(sgd(), lr=Linear(0.0, 1.0, 10))
    scheduler.load_state_dict({"last_epoch": torch.tensor(9), "_schedulers": [inner, inner], "milestones": [5]})
    assert [*map(float32, scheduler.get_last_lr())] == [Linear(0.0, 1.0, 10)(9).item()]


def stepped(schedule: Schedule, **more: Schedule) -> Scheduler:
    scheduler = Scheduler(AdamW([nn.Parameter(torch.ones(2))]), lr=schedule, **more)
    scheduler.last_epoch = 7
    return scheduler


@pytest.mark.parametrize("more", [{}, {"weight_decay": Linear(0.0, 1.0, 5)}], ids=["lr", "lr and weight decay"])
def test_a_changed_schedule_passes_through_a_distributed_checkpoint(tmp_path: Path, more: dict[str, Schedule]) -> None:
    # it splits mappings and lists, and would look for the fields of the new schedule in the file
    before = stepped(Linear(0.0, 1.0, 10).then(Cosine(1.0, 0.0, 100)))
    now = Scheduler(AdamW([nn.Parameter(torch.ones(2))]), lr=Linear(0.0, 2.0, 50), **more)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        alone = {"no_dist": True} if "no_dist" in signature(dcp.save).parameters else {}  # torch 2.6 sees it by itself
        dcp.save({"scheduler": before}, checkpoint_id=tmp_path, **alone)
        dcp.load({"scheduler": now}, checkpoint_id=tmp_path, **alone)
    assert any("the schedule has changed since the checkpoint: lr of group 0: Seq" in str(one.message) for one in caught)
    assert [*map(float32, now.get_last_lr())] == [Linear(0.0, 2.0, 50)(7).item()]
