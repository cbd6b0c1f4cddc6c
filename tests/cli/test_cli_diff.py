"""tracelr diff: where two schedules differ and by how much, from files and from checkpoints."""

from __future__ import annotations

import pytest
import torch
from support.terminal import RUN, SPEC, Terminal

import tracelr
from tracelr import Assignment, Cosine, Linear, Scheduler

pytestmark = pytest.mark.usefixtures("only_ours", "command_line")


def test_diff_says_where_and_how_much(tracelr_: Terminal) -> None:
    longer = "linear(0, 3e-4, 2000) | cosine(3e-4, 3e-5, 198k)"
    (found,) = tracelr_.json("diff", SPEC, longer, code=1)
    other = tracelr.parse(longer)
    steps = torch.arange(300_000)
    apart = (RUN(steps).double() - other(steps).double()).abs()
    assert found["first"]["step"] == int(apart.nonzero()[0])
    assert found["most"]["absolute"] == float(apart.max())
    assert found["most"]["a"] == float(RUN(found["most"]["step"]))
    assert not found["first_is_exact"]  # not every step was looked at
    text = tracelr_("diff", SPEC, longer, code=1)
    assert "  fields: Sequential.schedules[1].steps 98000 -> 198000\n" in text
    assert tracelr_("diff", SPEC, longer, "--steps", "2k") == "the same values at all of 2,001 steps\n"


def test_the_first_difference_of_a_long_schedule_is_found_between_two_samples(tracelr_: Terminal) -> None:
    a, b = "piecewise_constant([1, 0.5], [123456789])", "piecewise_constant([1, 0.5], [123450000])"
    (found,) = tracelr_.json("diff", a, b, code=1)
    assert (found["first"]["step"], found["first_is_exact"]) == (123_450_000, False)


def test_an_old_config_against_a_resumed_checkpoint(tracelr_: Terminal) -> None:
    weights = [{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(2)]
    optimizer = torch.optim.SGD(weights, lr=0.1)
    torch.save({"scheduler": Scheduler(optimizer, lr=Cosine(1.0, 0.0, 2000)).state_dict()}, "run.pt")
    text = tracelr_("diff", "cosine(1, 0, 1000)", "run.pt", code=1)
    assert "  fields: Cosine.steps 1000 -> 2000\n" in text
    torch.save(Scheduler(optimizer, [Assignment("weight_decay", None, Cosine(1.0, 0.0, 8))]).state_dict(), "other.pt")
    assert tracelr_("diff", "cosine(1, 0, 8)", "other.pt", "--key", "lr", code=2).startswith(
        "tracelr: error: other.pt: given --key lr; "
    )
    optimizer = torch.optim.SGD(weights, lr=0.1)
    torch.save(Scheduler(optimizer, lr=[Cosine(1.0, 0.0, 8), Linear(1.0, 0.0, 8)]).state_dict(), "two.pt")
    rows = tracelr_.json("diff", "two.pt", "two.pt")
    assert [(row["of"], row["same"]) for row in rows] == [
        ("lr of groups with 'group 0'", True),
        ("lr of groups with 'group 1'", True),
    ]
    assert "lr of every group: only A has it" in tracelr_("diff", "cosine(1, 0, 8)", "two.pt", code=1)
    torch.save({"model": 1}, "none.pt")
    assert "given a checkpoint without a scheduler's state" in tracelr_("at", "none.pt", "0", code=2)
