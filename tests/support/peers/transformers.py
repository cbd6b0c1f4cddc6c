"""Rows for Hugging Face transformers: its schedules, run, and the settings of a run, converted."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import get_scheduler

from support.peers.peer import Peer
from tracelr import Schedule
from tracelr.interop.load import from_dict, single

PEAK = 0.1
HOLDS = "ours keeps its last value; theirs rises again"


def values(name: str, warmup: int | None, steps: int | None, **kwargs: Any) -> Callable[[list[int]], Sequence[float]]:
    """Return the values of the function of transformers at the steps."""

    def given(at: list[int]) -> list[float]:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=PEAK)
        scheduler = get_scheduler(name, optimizer, warmup, steps, kwargs)
        (factor,) = scheduler.lr_lambdas
        return [PEAK * factor(step) for step in at]

    return given


def row(
    name: str,
    ours: str,
    warmup: int | None = None,
    steps: int | None = None,
    ends: tuple[int, ...] = (),
    until: int | None = None,
    differs: str = "",
    **kwargs: Any,
) -> Peer:
    def convert() -> Schedule:
        settings = {"num_warmup_steps": warmup, "num_training_steps": steps, "lr_scheduler_kwargs": kwargs}
        return single(from_dict({"lr_scheduler_type": name, "learning_rate": PEAK, **settings}))

    arguments = {"num_warmup_steps": warmup, "num_training_steps": steps, "scheduler_specific_kwargs": kwargs or None}
    listed = "".join(f", {key}={json.dumps(value)}" for key, value in arguments.items() if value is not None)
    return Peer(
        "transformers",
        f'get_scheduler("{name}", optimizer{listed})',
        ours,
        values(name, warmup, steps, **kwargs),
        ends or tuple(end for end in (warmup, steps) if end),
        1e-7,
        "their float64",
        convert,
        until,
        differs,
    )


UP = "Linear(0.0, 0.1, 10)"
PEERS = [
    row("constant", "Constant(0.1)", ends=(10,)),
    row("constant_with_warmup", UP, 10),
    row("linear", f"{UP}.then(Linear(0.1, 0.0, 90))", 10, 100),
    row("linear", "Linear(0.1, 0.0, 100)", 0, 100),
    row("cosine", f"{UP}.then(Cosine(0.1, 0.0, 90))", 10, 100, until=101, differs=HOLDS),
    row("cosine", f"{UP}.then(Shorten(CosineWaves(0.1, 0.0, 90, 1.25), 90))", 10, 100, until=101, differs=HOLDS, num_cycles=1.25),
    row("cosine_with_restarts", f"{UP}.then(Cosine(0.1, 0.0, 90))", 10, 100),
    row("cosine_with_restarts", f"{UP}.then(CosineWaves(0.1, 0.0, 90, 4, True))", 10, 100, num_cycles=4),
    row("polynomial", f"{UP}.then(Polynomial(0.1, 1e-7, 90, 1.0))", 10, 100),
    row("polynomial", f"{UP}.then(Polynomial(0.1, 0.01, 90, 2.0))", 10, 100, lr_end=0.01, power=2.0),
    row("inverse_sqrt", f"{UP}.then(Shift(InverseSqrt(0.1, 10), -10))", 10, ends=(10, 1000)),
    row("inverse_sqrt", f"{UP}.then(Shift(InverseSqrt(0.1, 500), -500))", 10, ends=(10, 1000), timescale=500),
    row("inverse_sqrt", "Shift(InverseSqrt(0.1, 10000), -10000)", 0, ends=(1000,)),
    row("cosine_with_min_lr", f"{UP}.then(Cosine(0.1, 0.02, 90))", 10, 100, until=101, differs=HOLDS, min_lr=0.02),
    row("cosine_with_min_lr", f"{UP}.then(Cosine(0.1, 0.1 * 0.25, 90))", 10, 100, until=101, differs=HOLDS, min_lr_rate=0.25),
    row(
        "cosine_warmup_with_min_lr",
        "Linear(0.1 / 10, 0.1, 9).then(Cosine(0.1, 0.02, 90))",
        10,
        100,
        until=100,
        differs=HOLDS,
        min_lr=0.02,
    ),
    row(
        "cosine_warmup_with_min_lr",
        "Linear(0.1 * 0.5, 0.1, 9).then(Cosine(0.1, 0.02, 90))",
        10,
        100,
        until=100,
        differs=HOLDS,
        min_lr=0.02,
        warmup_lr_rate=0.5,
    ),
    row("cosine_warmup_with_min_lr", "Cosine(0.1, 0.02, 99)", 1, 100, until=100, differs=HOLDS, min_lr=0.02),
    row(
        "cosine_warmup_with_min_lr",
        "Sequential([Constant(0.1 * 0.5), Shift(Cosine(0.1, 0.02, 99), -1)], [1])",
        1,
        100,
        until=100,
        differs=HOLDS,
        min_lr=0.02,
        warmup_lr_rate=0.5,
    ),
    row("cosine_warmup_with_min_lr", "Shift(Cosine(0.1, 0.02, 100), -1)", 0, 100, until=100, differs=HOLDS, min_lr=0.02),
    *(
        row(
            "warmup_stable_decay",
            f"WSD(0.1, 10, 70, 20, 0.1 * 0.2, 0.1 * 0.2, {up!r}, {down!r})",
            10,
            100,
            (10, 80, 100),
            num_decay_steps=20,
            min_lr_ratio=0.2,
            warmup_type=up,
            decay_type=down,
        )
        for up, down in (("linear", "cosine"), ("cosine", "1-sqrt"), ("1-sqrt", "linear"))
    ),
    row("warmup_stable_decay", "WSD(0.1, 0, 5, 20, 0.0, 0.0, 'linear', 'cosine')", 0, None, (5, 25), num_decay_steps=20, num_stable_steps=5),
]  # fmt: skip
