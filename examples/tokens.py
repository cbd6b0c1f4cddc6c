"""Tokens as the unit, and a batch that grows: the schedule does not notice.

The rate and the batch are functions of the tokens seen. `scheduler.step(increment=...)` counts them, so a run with another
batch follows the same curve.

    python examples/tokens.py --tokens 40000
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

import torch
from torch import nn

from tracelr import Cosine, Linear, PiecewiseConstant, Schedule, Scheduler, Units

CONTEXT, LETTERS, PEAK = 16, 64, 2e-2
TOKENS = Units(tokens_per_step=1)
"""Where a step is a token: "4e3tok" is 4000 of the schedule's steps."""


class Run(NamedTuple):
    """The rate's curve, and for each update: tokens seen before it, sequences in it, its rate, its loss."""

    rate: Schedule
    seen: list[int]
    batches: list[int]
    rates: list[float]
    losses: list[float]


def main(tokens: int = 40_000) -> Run:
    warm, whole = TOKENS.steps(f"{tokens // 10}tok"), TOKENS.steps(f"{tokens}tok")
    rate = Linear(start=0.0, end=PEAK, steps=warm).then(Cosine(start=PEAK, end=0.0, steps=whole - warm))
    batch = PiecewiseConstant([4, 8, 16], [whole // 4, whole // 2])  # a schedule too

    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(LETTERS, 32), nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, LETTERS))
    optimizer = torch.optim.AdamW(model.parameters())
    scheduler = Scheduler(optimizer, lr=rate)
    run = Run(rate, [], [], [], [])
    while (seen := scheduler.last_epoch) < whole:
        size = int(batch(seen))
        letters = torch.randint(LETTERS, (size, CONTEXT))
        following = (27 * letters + 5) % LETTERS
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(letters).flatten(0, 1), following.flatten())
        loss.backward()  # type: ignore[no-untyped-call]  # torch's is untyped
        run.seen.append(seen)
        run.batches.append(size)
        run.rates.append(scheduler.get_last_lr()[0])
        run.losses.append(float(loss.detach()))
        optimizer.step()
        scheduler.step(increment=size * CONTEXT)
    for k in range(0, len(run.seen), max(len(run.seen) // 8, 1)):
        print(f"{run.seen[k]:7} tokens  batch {run.batches[k]:3}  rate {run.rates[k]:.2e}  loss {run.losses[k]:.3f}")
    print(f"{scheduler.last_epoch:7} tokens in {len(run.seen)} updates, loss {run.losses[-1]:.3f}")
    return run


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=40_000)
    main(parser.parse_args().tokens)
