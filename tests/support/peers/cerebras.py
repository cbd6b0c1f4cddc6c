"""Rows for cerebras_pytorch 2.10: its formulas in float64, compared with our schedules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from support.cerebras_formulas import CASES, polynomial, wave
from support.peers.peer import Peer
from support.row import Exact, exponential, sequence
from tracelr import Schedule, lr_scheduler

ROUNDED = "our rounding to float32; their formula in float64"


def convert(call: str) -> Callable[[], Schedule]:
    """Return a function that makes their call with the class of the same name in `tracelr.lr_scheduler`."""

    def build() -> Schedule:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        schedule = eval(call, vars(lr_scheduler) | {"optimizer": optimizer, "torch": torch}).schedule
        assert isinstance(schedule, Schedule)
        return schedule

    return build


def row(
    call: str,
    ours: str,
    exact: Exact,
    ends: tuple[int, ...],
    until: int | None = None,
    differs: str = "",
    same: bool = True,
) -> Peer:
    """Return the row of a call; `same` says whether our class of that name gives exactly `ours`."""

    def values(steps: list[int]) -> list[float]:
        return [float(exact(step)) for step in steps]

    return Peer("Cerebras", call, ours, values, ends, 1e-7, ROUNDED, convert(call) if same else None, until, differs)


def chain(t: int) -> Any:
    return wave(0.1, 0.01, 90, last=90)(t) * exponential(1.0, 0.5, 30, staircase=True)(t)


PEERS = [
    *(row(str(case), case.ours, case.exact, case.ends, case.until, case.differs) for case in CASES),
    row(
        "SequentialLR(optimizer, [LinearLR(optimizer, 0.0, 0.1, 10), CosineDecayLR(optimizer, 0.1, 0.01, 90)], [10])",
        "Sequential([Linear(0.0, 0.1, 10), Cosine(0.1, 0.01, 90)], [10])",
        sequence([polynomial(0.0, 0.1, 10), wave(0.1, 0.01, 90, last=90)], [10]),
        (10, 100),
    ),
    row(
        "ChainedScheduler([CosineDecayLR(optimizer, 0.1, 0.01, 90), StepLR(optimizer, 2.0, 30, 0.5)])",
        "Cosine(0.1, 0.01, 90) * Step(1.0, 0.5, 30)",
        chain,
        (30, 60, 90),
        same=False,
    ),
    row(
        "LambdaLR(optimizer, 0.1), with set_value_lambda: [t / 30, 0.95 ** t]",
        "0.1 * (Lambda(lambda t: t.double() / 30) * Lambda(lambda t: 0.95 ** t.double()))",
        lambda t: 0.1 * 0.1 * (t / 30) * 0.95**t,
        (30, 90),
        1,
        "ours multiplies by 0.1 once; theirs once for every function",
        same=False,
    ),
]
