"""A metric that is NaN or not a number, and a damaged state of a `Plateau`."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tracelr import Greedy, Plateau
from tracelr.errors import CheckpointError, ScheduleTypeError


def test_a_metric_that_is_nan_is_a_bad_one_and_is_forgotten() -> None:
    plateau, bad = Plateau(factor=0.5, patience=2), Plateau(factor=0.5, patience=2)
    for metric in (float("nan"), 1.0, float("nan"), float("nan"), 0.5, 0.4):
        plateau.update(metric)
        bad.update(1e9 if metric != metric else metric)
    assert plateau.best == bad.best == 0.4
    assert plateau.scale == bad.scale == 1.0
    for _ in range(3):
        plateau.update(torch.tensor(float("nan")))
    assert plateau.scale == 0.5
    assert plateau.best == 0.4


def test_a_nan_leaves_the_window() -> None:
    greedy = Greedy(window=3, patience=100)
    for metric in (3.0, float("nan"), 2.0, 1.0, 1.0, 1.0):
        greedy.update(metric)
    assert greedy.total == 3.0
    assert greedy.best == 1.0


@pytest.mark.parametrize("metric", ["x", None, 10**400, 1j, [], torch.ones(3), torch.tensor(1j)], ids=lambda m: str(m)[:9])
def test_a_metric_that_is_none(metric: Any) -> None:
    plateau = Plateau()
    plateau.update(1.0)
    before = {key: value.clone() for key, value in plateau.state_dict().items()}
    with pytest.raises(ScheduleTypeError) as caught:
        plateau.update(metric)
    assert "Plateau.update(metric): given " in str(caught.value)
    assert plateau.state_dict() == before


@pytest.mark.parametrize(
    "damage",
    [
        3,
        {},
        {"scale": 3},
        {"scale": torch.ones(3)},
        {"bad": torch.tensor(1.5)},
        {"more": torch.tensor(1)},
        {"best": torch.tensor(1j)},
    ],
)
def test_a_damaged_state_of_a_plateau_changes_nothing(damage: Any) -> None:
    plateau = Plateau()
    plateau.update(1.0)
    before = {key: value.clone() for key, value in plateau.state_dict().items()}
    state = {**plateau.state_dict(), "best": torch.tensor(0.5), **damage} if damage and isinstance(damage, dict) else damage
    with pytest.raises(CheckpointError):
        plateau.load_state_dict(state)
    assert plateau.state_dict() == before
