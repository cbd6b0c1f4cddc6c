"""The state of a scheduler is plain, and a load writes its rates exactly, into floats and tensors."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from support.optimizers import RATE, float32, held, sgd
from torch import Tensor

from tracelr import Scheduler


@pytest.mark.parametrize("lr", [0.1, torch.tensor(0.1)], ids=["float", "tensor"])
def test_resume_is_exact_and_immediate(lr: float | Tensor) -> None:
    first, second = sgd(lr), sgd(lr.clone() if isinstance(lr, Tensor) else lr)
    before, after = Scheduler(first, lr=RATE), Scheduler(second, lr=RATE)
    before.last_epoch = 300
    file = io.BytesIO()
    torch.save({"o": first.state_dict(), "s": before.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    tensor = second.param_groups[0]["lr"]
    second.load_state_dict(saved["o"])
    after.load_state_dict(saved["s"])
    assert held(second) == [RATE(300).item()]
    assert (second.param_groups[0]["lr"] is tensor) == isinstance(lr, Tensor)
    assert after.state_dict() == before.state_dict()
    for _ in range(3):
        before.step()
        after.step()
        assert float(second.param_groups[0]["lr"]) == float(first.param_groups[0]["lr"])


def test_a_loaded_optimizer_keeps_its_kind_of_rate_and_its_schedule() -> None:
    for mine, other in ((torch.tensor(0.1), 0.3), (0.1, torch.tensor(0.3))):
        optimizer, foreign = sgd(mine), sgd(other)
        scheduler = Scheduler(optimizer, lr=RATE)
        scheduler.last_epoch = 3
        optimizer.load_state_dict(foreign.state_dict())
        assert type(optimizer.param_groups[0]["lr"]) is type(mine)
        assert held(optimizer) == [RATE(3).item()]


def test_a_bare_step_is_a_checkpoint() -> None:
    scheduler = Scheduler(sgd(), lr=RATE)
    scheduler.load_state_dict({"last_epoch": torch.tensor(7)})
    assert [*map(float32, scheduler.get_last_lr())] == [RATE(7).item()]
    assert scheduler._step_count == 8


def test_the_state_is_plain_and_not_alive() -> None:
    optimizer = sgd(torch.tensor(0.1))
    scheduler = Scheduler(optimizer, lr=RATE)
    state = scheduler.state_dict()

    def plain(value: Any) -> bool:
        if isinstance(value, dict):
            return all(plain(v) for v in value.values())
        return all(map(plain, value)) if isinstance(value, list) else type(value) in (int, float, str, bool)

    assert plain(state)
    optimizer.step()
    scheduler.step()
    assert state["last_epoch"] == 0
    assert state["_last_lr"] == [0.0]
