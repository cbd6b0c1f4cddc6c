"""What a scheduler says about itself: to people, to notebooks and to loggers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import tracelr
from tracelr import Assignment, Constant, Cosine, Linear, Scheduler, fuse
from tracelr.errors import OptimizerError


def bound(**more: object) -> Scheduler:
    groups = [
        {"params": [nn.Parameter(torch.zeros(3))], "tags": "<b>"},
        {"params": [nn.Parameter(torch.zeros(3))], "tags": ["norm", "bias"]},
        {"params": [nn.Parameter(torch.zeros(3))], "tags": ["norm", "bias"]},
    ]
    optimizer = torch.optim.AdamW(groups, lr=0.1, weight_decay=0.01)
    decays = [
        Assignment("weight_decay", ("<b>",), Constant(0.5)),
        Assignment("weight_decay", ("norm",), Linear(0.0, 1.0, 4)),
    ]
    scheduler = Scheduler(optimizer, [Assignment("lr", None, Linear(0.0, 1.0, 4) | Cosine(1.0, 0.0, 4)), *decays], **more)  # type: ignore[arg-type]
    for _ in range(3):
        optimizer.step()
        scheduler.step()
    return scheduler


def test_a_scheduler_is_shown_as_a_table() -> None:
    line = repr(Linear(0.0, 1.0, 4) | Cosine(1.0, 0.0, 4))
    assert repr(bound()).split("\n") == [
        "Scheduler of AdamW, step 3",
        f"  group   key           tag         {'schedule':<{len(line)}}  now   next",
        f"  0       lr            <b>         {line}  0.75  1",
        f"  1 to 2  lr            norm, bias  {line}  0.75  1",
        f"  0       weight_decay  <b>         {'Constant(value=0.5)':<{len(line)}}  0.5   0.5",
        f"  1 to 2  weight_decay  norm, bias  {'Linear(start=0.0, end=1.0, steps=4)':<{len(line)}}  0.75  1",
    ]


def test_a_notebook_shows_the_same_escaped() -> None:
    page = bound()._repr_html_()
    assert "Scheduler of AdamW, step 3" in page
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert page.count("<tr>") == 5


def test_a_factor_a_long_schedule_and_a_fused_step() -> None:
    weight = nn.Parameter(torch.zeros(3))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    scheduler = Scheduler(optimizer, lr_factor=Cosine(1.0, 0.0, 4).warmup(4).then(Constant(0.0)).then(Constant(1.0), at=10))
    assert "  0.1 * (Linear" in repr(scheduler) or "  0.1 * " in repr(scheduler)
    assert max(map(len, repr(scheduler).split("\n"))) < 120
    step = fuse(optimizer, scheduler, backend="eager")
    assert repr(step).startswith("FusedStep of SGD, step 0\n")
    assert step._repr_html_().startswith("<table><caption")


def test_a_scheduler_that_is_not_bound_has_no_table() -> None:
    unbound = tracelr.lr_scheduler.ConstantLR(learning_rate=0.1)
    assert repr(unbound) == "ConstantLR(Constant(value=0.1), not bound)"
    assert unbound._repr_html_() is None


def test_a_logger_gets_floats() -> None:
    scheduler = bound()
    seen = []
    for _ in range(7):
        seen.append(tracelr.log(scheduler))
        scheduler.step()
    assert {tuple(one) for one in seen} == {
        ("lr", "weight_decay/<b>", "weight_decay/1", "weight_decay/2", "step", "progress", "phase")
    }
    assert all(type(value) is float for one in seen for value in one.values())
    assert seen[0] == {
        "lr": 0.75, "weight_decay/<b>": 0.5, "weight_decay/1": 0.75, "weight_decay/2": 0.75, "step": 3.0, "progress": 0.375, "phase": 0.0
    }  # fmt: skip
    assert [one["phase"] for one in seen] == [0, 1, 1, 1, 1, 2, 2]
    assert [one["progress"] for one in seen] == [0.375, 0.5, 0.625, 0.75, 0.875, 1.0, 1.0]


def test_a_logger_gets_what_the_optimizer_holds() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(3))], lr=torch.tensor(0.1))
    scheduler = Scheduler(optimizer, lr=Constant(0.3))
    assert tracelr.log(scheduler) == {"lr": torch.tensor(0.3).item(), "step": 0.0, "phase": 0.0}
    with pytest.raises(OptimizerError, match=r"log\(scheduler\)"):
        tracelr.log(torch.optim.lr_scheduler.StepLR(torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1), 3))  # type: ignore[arg-type]
