"""A number that something else sets is put back before the next update, and this is said once."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from support.optimizers import train, weights
from torch import Tensor, nn
from torch.optim import SGD
from torch.optim.lr_scheduler import ReduceLROnPlateau

from tracelr import Linear, Scheduler, fuse
from tracelr.errors import TracelrWarning

FALL = Linear(1.0, 0.0, 8)


def replaced(group: dict[str, Any]) -> None:
    group["lr"] = 3.0


def a_tensor(group: dict[str, Any]) -> None:
    group["lr"] = torch.tensor(3.0)


def multiplied(group: dict[str, Any]) -> None:
    group["lr"] = group["lr"] * 0.1


def in_place(group: dict[str, Any]) -> None:
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(3.0)
    else:
        group["lr"] *= 0.5


def another(group: dict[str, Any]) -> None:
    group.update(copy.deepcopy({key: value for key, value in group.items() if key != "params"}), lr=3.0)


SETS: list[Callable[[dict[str, Any]], None]] = [replaced, a_tensor, multiplied, in_place, another]


@pytest.mark.parametrize("set_", SETS)
@pytest.mark.parametrize("kind", ["float", "tensor", "fused"])
def test_the_update_uses_the_schedule(kind: str, set_: Callable[[dict[str, Any]], None]) -> None:
    weight = nn.Parameter(torch.zeros(1))
    optimizer = SGD([weight], lr=torch.tensor(1.0) if kind == "tensor" else 1.0)
    scheduler = Scheduler(optimizer, lr=FALL)
    fused = fuse(optimizer, scheduler, backend="aot_eager") if kind == "fused" else None
    before, used = optimizer.param_groups[0]["lr"], []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", TracelrWarning)
        for _ in range(4):
            weight.data.zero_()
            weight.grad = torch.ones(1)
            set_(optimizer.param_groups[0])
            if fused is None:
                optimizer.step()
                scheduler.step()
            else:
                fused()
            used.append(-weight.item())
    assert used == [1.0, 0.875, 0.75, 0.625]
    (text,) = [str(one.message) for one in caught if one.category is TracelrWarning]
    assert "something else has set lr of group 0 to" in text
    assert "where its schedule says 1" in text
    assert "detach this scheduler" in text
    assert type(optimizer.param_groups[0]["lr"]) is type(before)
    assert not isinstance(before, Tensor) or optimizer.param_groups[0]["lr"] is before


def reduce(optimizer: Any, scheduler: Scheduler, plateau: ReduceLROnPlateau) -> None:
    for _ in range(4):
        train(optimizer, scheduler)
        plateau.step(1.0)
    optimizer.step()


def test_torchs_plateau_beside_ours_is_undone_and_said() -> None:
    optimizer = SGD(weights(), lr=1.0)
    scheduler = Scheduler(optimizer, lr=FALL)
    plateau = ReduceLROnPlateau(optimizer, factor=0.1, patience=0)
    with pytest.warns(TracelrWarning, match=r"something else has set lr of group 0 to 0\.075, .* says 0\.75") as caught:
        reduce(optimizer, scheduler, plateau)
    assert len(caught) == 1
    assert scheduler.get_last_lr() == [0.5]


def test_the_number_that_the_schedule_has_is_no_other_number() -> None:
    optimizer = SGD(weights(), lr=1.0)
    scheduler = Scheduler(optimizer, lr=FALL)
    for _ in range(3):
        optimizer.param_groups[0]["lr"] = scheduler.get_last_lr()[0]
        optimizer.step()
        scheduler.step()
    assert scheduler.get_last_lr() == [0.625]


@pytest.mark.parametrize("key", ["weight_decay", "betas"])
def test_every_scheduled_key_is_put_back_and_no_other(key: str) -> None:
    optimizer = torch.optim.AdamW(weights(), lr=0.1)
    given: dict[str, Any] = {"betas": (FALL * 0.5, None)} if key == "betas" else {key: FALL}
    scheduler = Scheduler(optimizer, **given)
    (group,) = optimizer.param_groups
    group["lr"], group["eps"] = 3.0, 0.5
    group[key] = (0.3, 0.25) if key == "betas" else 3.0
    with pytest.warns(TracelrWarning, match="something else has set"):
        optimizer.step()
    assert scheduler.last_epoch == 0
    assert (group["lr"], group["eps"]) == (3.0, 0.5)
    assert group[key] == ((0.5, 0.25) if key == "betas" else 1.0)


def test_after_detach_the_others_number_holds() -> None:
    optimizer = SGD(weights(), lr=1.0)
    Scheduler(optimizer, lr=FALL).detach()
    replaced(optimizer.param_groups[0])
    optimizer.step()
    assert optimizer.param_groups[0]["lr"] == 3.0
