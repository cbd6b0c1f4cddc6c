"""Resume after a kill: the run ends with the weights and the rates of one that was never killed, bit for bit.

A second process trains, writes a checkpoint every few updates and kills itself with SIGKILL; this one goes on from its file.

    python examples/resume.py --steps 60
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from tracelr import Cosine, Linear, Scheduler, checkpoint

EVERY = 5
KEYS = ("model", "optimizer", "scheduler")


class End(NamedTuple):
    """Where a run began, the rates it used since, and its weights at the end."""

    start: int
    rates: list[float]
    weights: Tensor


def batch(step: int) -> tuple[Tensor, Tensor]:
    """Return the data of an update; it depends on the update alone."""
    x = torch.randn(16, 8, generator=torch.Generator().manual_seed(step))
    return x, x.sum(1, keepdim=True).sin()


def train(steps: int, file: Path, kill_at: int | None = None) -> End:
    """Train up to `steps`, from the checkpoint in `file` if there is one; at the update `kill_at`, die."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.AdamW(model.parameters())
    warm = max(steps // 10, 1)
    rate = Linear(start=0.0, end=1e-2, steps=warm).then(Cosine(start=1e-2, end=0.0, steps=steps - warm))
    scheduler = Scheduler(optimizer, lr=rate, on_change="strict")  # a checkpoint of another schedule is an error
    parts: dict[str, Any] = dict(zip(KEYS, (model, optimizer, scheduler), strict=True))
    if file.exists():
        for key, state in checkpoint.load(file, KEYS).items():
            parts[key].load_state_dict(state)

    start, rates = scheduler.last_epoch, list[float]()
    for step in range(start, steps):
        if step == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        x, y = batch(step)
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()  # type: ignore[no-untyped-call]  # torch's is untyped
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
        if (step + 1) % EVERY == 0:
            checkpoint.save(file, {key: part.state_dict() for key, part in parts.items()})
    return End(start, rates, torch.cat([p.detach().flatten() for p in model.parameters()]))


def main(steps: int = 60) -> tuple[End, End]:
    """Return the end of a whole run, and of one that was killed in its middle and resumed."""
    kill_at = steps // 2 + 2
    with TemporaryDirectory() as folder:
        whole = train(steps, Path(folder, "whole.pt"))
        options = {"--steps": steps, "--kill-at": kill_at, "--file": Path(folder, "killed.pt")}
        given = [str(word) for option in options.items() for word in option]
        code = subprocess.run([sys.executable, __file__, *given], check=False).returncode
        assert code == -signal.SIGKILL, code
        resumed = train(steps, Path(folder, "killed.pt"))
    differ = int((whole.weights != resumed.weights).sum())
    print(f"killed at update {kill_at}, resumed from {resumed.start}: {differ} of {len(whole.weights)} weights differ")
    return whole, resumed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--kill-at", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.kill_at is None:
        main(options.steps)
    else:
        train(options.steps, options.file, options.kill_at)
