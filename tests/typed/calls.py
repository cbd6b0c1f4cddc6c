"""What a type checker says of calls: `make check` reads this file, and nothing runs it.

A wrong call is marked. Where a checker lets it pass, the mark is unused, and that is an error of its own.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import torch
from torch import Tensor, nn

from tracelr import (
    WSD,
    Assignment,
    Clamp,
    Constant,
    Cosine,
    Linear,
    PiecewiseConstant,
    Schedule,
    Scheduler,
    Sequential,
    Sum,
    Units,
    from_dict,
    inverse_sqrt,
    load,
    load_schedule,
    log,
    warmup_cosine,
    wsd,
)
from tracelr.arithmetic import Arithmetic, Real
from tracelr.schedules.fields import Scalar, Steps


class Halves(Schedule):
    """A schedule of an author: his fields have defaults, and his formula reads them."""

    start: Scalar = 1.0
    steps: Steps = 10

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        return ops.mul(ops.add(ops.full(step, self.start), self.start), ops.ratio(step, self.steps))


def right() -> None:
    cosine = Cosine(start=1.0, end=0.0, steps=10)
    Linear(0.0, 1.0, 10)
    Linear(start=cosine, end=torch.tensor(0.5), steps=10)
    Linear(start=nn.Parameter(torch.tensor(1.0)), end=1, steps=10)
    WSD(cosine, 1, 2, 3, decay_kind="1-sqrt")
    Sum([cosine, Sequential((cosine, Constant(1.0)), (4,))])
    PiecewiseConstant([1, 0.5], range(1, 2))
    Clamp(cosine, high=0.5)
    Halves(cosine)
    assert_type(warmup_cosine(3e-4, 1000, warmup=0.03, end=0.1), Schedule)
    assert_type(wsd(torch.tensor(0.1), 1000, decay=0.2, decay_kind="1-sqrt"), Schedule)
    assert_type(cosine.warmup(0.03).cooldown(0.1).over(500), Schedule)
    assert_type(cosine.named("main"), Cosine)
    assert_type(cosine(range(10)), Tensor)
    assert_type((-cosine / 2 | Linear(0.0, 1.0, 10)).clamp(high=0.5), Clamp)
    assert_type(log(Scheduler(torch.optim.SGD([nn.Parameter(torch.zeros(1))]), cosine)), dict[str, float])
    assert_type(cosine.start, float | Tensor | Schedule)
    assert_type(cosine.steps, int)
    assert_type(Linear(0.0, 1.0, 10) == cosine, bool)
    assert_type({cosine: 1}[cosine], int)


def read() -> None:
    assert_type(load_schedule("params.yaml"), Schedule)
    assert_type(load_schedule(Path("params.yaml"), Units(steps_per_epoch=2)), Schedule)
    assert_type(load("params.yaml"), Schedule | list[Assignment])
    assert_type(from_dict({"schedule": "Constant", "value": 1.0}), Schedule | list[Assignment])
    Linear(start=load_schedule("params.yaml"), end=0.0, steps=10)
    Linear(start=load("params.yaml"), end=0.0, steps=10)  # type: ignore[arg-type]
    load_schedule({"schedule": "Constant"})  # type: ignore[arg-type]
    from_dict("params.yaml")  # type: ignore[arg-type]


def wrong() -> None:
    linear = Linear(0.0, 1.0, 10)
    Linear(start="x", end=1.0, steps=10)  # type: ignore[arg-type]
    Linear(0.0, 1.0, 1.5)  # type: ignore[arg-type]
    Linear(0.0, 1.0)  # type: ignore[call-arg]
    Linear(0.0, 1.0, 10, start=1.0)  # type: ignore[misc]
    inverse_sqrt(1.0, 100)  # type: ignore[call-arg]
    linear.warmup("0.1")  # type: ignore[arg-type]
    linear | 0.5  # type: ignore[operator]
    Linear(0.0, None, 10)  # type: ignore[arg-type]
    WSD(1.0, linear, 2, 3)  # type: ignore[arg-type]
    WSD(1.0, 1, 2, 3, decay_kind="sine")  # type: ignore[arg-type]
    Sum([linear, 0.5])  # type: ignore[list-item]
    Clamp(0.5, high=0.5)  # type: ignore[arg-type]
    Halves(start="x")  # type: ignore[arg-type]
    linear.start = 1.0  # type: ignore[misc]
