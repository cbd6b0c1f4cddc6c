"""Rows for keras.optimizers.schedules: run on its torch backend, and converted from what `serialize` returns."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from support.peers.peer import Peer

os.environ.setdefault("KERAS_BACKEND", "torch")  # before keras is imported, because the other backends are not installed
from keras.optimizers import schedules

import tracelr

REASON = "their float32, which holds the step too"


def made(theirs: str) -> Any:
    return eval(theirs, dict(vars(schedules)))


def values(theirs: str) -> Callable[[list[int]], Sequence[float]]:
    def run(steps: list[int]) -> list[float]:
        schedule = made(theirs)
        return [float(schedule(step)) for step in steps]

    return run


def row(
    theirs: str,
    ours: str,
    ends: tuple[int, ...],
    tolerance: float = 1e-6,
    reason: str = REASON,
    until: int | None = None,
    differs: str = "",
) -> Peer:
    def convert() -> tracelr.Schedule:
        schedule: tracelr.Schedule = tracelr.from_dict(schedules.serialize(made(theirs)))
        return schedule

    return Peer("keras", theirs, ours, values(theirs), ends, tolerance, reason, convert, until, differs)


PEERS = [
    row("ExponentialDecay(0.1, 100, 0.5)", "Exponential(0.1, 0.5, 100)", (100, 1000)),
    row("ExponentialDecay(0.1, 100, 0.5, staircase=True)", "Exponential(0.1, 0.5, 100, True)", (100, 200, 300)),
    row(
        "PiecewiseConstantDecay([100, 250], [0.1, 0.05, 0.01])",
        "PiecewiseConstant([0.1, 0.05, 0.01], [101, 251])",
        (100, 101, 250, 251),
    ),
    row("PolynomialDecay(0.1, 500)", "Polynomial(0.1, 1e-4, 500)", (500,)),
    row("PolynomialDecay(0.1, 500, 0.01, power=0.5)", "Polynomial(0.1, 0.01, 500, 0.5)", (500,)),
    row(
        "PolynomialDecay(0.1, 100, 0.01, power=2.0, cycle=True)",
        "Polynomial(0.1, 0.01, 100, 2.0, True)",
        (100, 200, 300, 400),
    ),
    row("InverseTimeDecay(0.1, 100, 0.5)", "InverseTime(0.1, 0.5, 100)", (100, 1000)),
    row("InverseTimeDecay(0.1, 100, 0.5, staircase=True)", "InverseTime(0.1, 0.5, 100, staircase=True)", (100, 200, 300)),
    row("CosineDecay(0.1, 1000, alpha=0.1)", "Cosine(0.1, 0.1 * 0.1, 1000)", (1000,)),
    row(
        "CosineDecay(0.01, 900, alpha=0.1, warmup_target=0.1, warmup_steps=100)",
        "Sequential([Linear(0.01, 0.1, 100), Cosine(0.1, 0.1 * 0.1, 900)], [100])",
        (100, 1000),
    ),
    row("CosineDecay(0.01, 900, warmup_steps=100)", "Cosine(0.01, 0.0, 900)", (100, 900)),
    row("CosineDecay(0.01, 900, warmup_target=0.1)", "Cosine(0.1, 0.0, 900)", (900,)),
    row(
        "CosineDecayRestarts(0.1, 100, alpha=0.1)",
        "WarmRestarts(0.1, 0.1 * 0.1, 100, 2.0)",
        (100, 300, 700),
        2e-4,
        "their float32, in which the place in a cycle is a difference of two numbers near 1",
    ),
    row(
        "CosineDecayRestarts(0.1, 128, t_mul=1.0, m_mul=0.5)",
        "WarmRestarts(0.1, 0.0, 128, 1.0, 0.5)",
        (128, 256, 384),
    ),
    row(
        "CosineDecayRestarts(0.1, 128, t_mul=1.0, m_mul=0.5, alpha=0.1)",
        "WarmRestarts(0.1 - 0.1 * 0.1, 0.0, 128, 1.0, 0.5) + 0.1 * 0.1",
        (128, 256, 384),
    ),
    row(
        "CosineDecayRestarts(0.1, 16, t_mul=1.5)",
        "WarmRestarts(0.1, 0.0, 16, 1.5)",
        (16, 40, 76, 130),
        1e-5,
        REASON,
        until=40,
        differs="Keras finds the cycle by a logarithm in float32, which can be one step late, and where a cycle ends between two "
        "steps it restarts there; here the first step at or after the end has the peak",
    ),
]
