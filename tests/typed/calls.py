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
    Sequential,
    Sum,
    Units,
    from_dict,
    load,
    load_schedule,
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
    Linear(0.0, None, 10)  # type: ignore[arg-type]
    WSD(1.0, linear, 2, 3)  # type: ignore[arg-type]
    WSD(1.0, 1, 2, 3, decay_kind="sine")  # type: ignore[arg-type]
    Sum([linear, 0.5])  # type: ignore[list-item]
    Clamp(0.5, high=0.5)  # type: ignore[arg-type]
    Halves(start="x")  # type: ignore[arg-type]
    linear.start = 1.0  # type: ignore[misc]
