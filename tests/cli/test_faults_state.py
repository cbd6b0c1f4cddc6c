"""Damaged bytes, a checkpoint of something else, and the largest count are found, and the state before them stays intact."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from support.damaged_runs import LARGEST, STATE, held, kept, optimizer, saved, stepped
from torch import nn
from torch.optim import SGD

from tracelr import Constant, Linear, Scheduler, checkpoint, fuse
from tracelr.errors import CheckpointError, OptimizerError, ScheduleTypeError

# -- damaged bytes --------------------------------------------------------------------------------------------------------


def test_every_flipped_bit_is_found_or_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, {"step": 1, "weights": torch.arange(8.0)})
    raw = path.read_bytes()
    found = 0
    for place in range(0, len(raw), 7):
        path.write_bytes(raw[:place] + bytes([raw[place] ^ (1 << place % 8)]) + raw[place + 1 :])
        try:
            state = checkpoint.load(path, ("step", "weights"))
        except CheckpointError:
            found += 1
        else:  # the mark of the checksum is damaged, so no checksum is compared
            assert state["step"] == 1
            assert torch.equal(state["weights"], torch.arange(8.0))
    assert found >= len(raw) // 7 - 4


def test_a_checkpoint_is_still_a_file_of_torch(tmp_path: Path) -> None:
    state = torch.load(saved(tmp_path), weights_only=True)
    assert torch.equal(state["weights"], STATE["weights"])  # type: ignore[arg-type]
    plain = io.BytesIO()
    torch.save(STATE, plain)
    (tmp_path / "older.pt").write_bytes(plain.getvalue())
    assert kept(tmp_path / "older.pt") == 1


def test_every_truncation_is_found(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, {"step": 1})
    raw = path.read_bytes()
    for missing in range(1, len(raw), 13):
        path.write_bytes(raw[:-missing])
        with suppress(CheckpointError):
            assert checkpoint.load(path, ("step",)) == {"step": 1}  # only the mark was cut
            assert 64 < missing < 80


def test_a_flipped_bit_in_the_schedules_of_a_scheduler() -> None:
    scheduler = stepped(on_change="checkpoint")
    state, before = stepped(steps=5).state_dict(), held(scheduler)
    for place in range(len(state["schedules"])):
        text = state["schedules"]
        damaged = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]
        with pytest.raises(CheckpointError, match="given a text that is not the one written; allowed: one of checksum"):
            scheduler.load_state_dict(state | {"schedules": damaged})
    assert held(scheduler) == before
    scheduler.load_state_dict(state)
    assert scheduler.last_epoch == 5


# -- a state of something else ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("policy", ["new", "checkpoint", "strict"])
def test_an_optimizer_whose_groups_have_changed(groups: int, policy: Any) -> None:
    state = stepped(groups=2).state_dict()
    scheduler = stepped(groups=groups, steps=1, on_change=policy)
    before = held(scheduler)
    with pytest.raises(CheckpointError) as caught:
        scheduler.load_state_dict(state)
    assert str(caught.value) == (
        f'Scheduler.load_state_dict["schedules"]["lr"]: given 2 schedules; allowed: one for each of the optimizer\'s {groups} '
        "param groups; to fix it: load it into the optimizer it was written with."
    )
    assert held(scheduler) == before


def test_an_optimizer_that_has_lost_a_key() -> None:
    state = Scheduler(
        SGD([nn.Parameter(torch.ones(2))], lr=0.1), lr=Linear(0.0, 1.0, 10), momentum=Linear(0.0, 1.0, 10)
    ).state_dict()
    scheduler = Scheduler(
        torch.optim.Adagrad([nn.Parameter(torch.ones(2))]), lr=Linear(0.0, 1.0, 10), on_change="checkpoint"
    )
    before = held(scheduler)
    with pytest.raises(OptimizerError, match="momentum of group 0"):
        scheduler.load_state_dict(state)
    assert held(scheduler) == before


DAMAGED: list[tuple[str, dict[str, Any]]] = [
    ("_step_count", {"_step_count": "x"}),
    ("_step_count", {"_step_count": 10**5000}),
    ("last_epoch", {"last_epoch": float("nan")}),
    ("last_epoch", {"last_epoch": torch.tensor([1, 2])}),
    ("last_epoch", {"last_epoch": 2**63}),
    ("schedules", {"schedules": "[" * 100_000}),
    ("schedules", {"schedules": b"{}"}),
    ("schedules", {"schedules": '{"lr": [3]}'}),
    ("schedules", {"schedules": json.dumps({"lr": [{"of": Constant(1.0).to_dict(), "factor": 10**400}]})}),
]


@pytest.mark.parametrize(("key", "more"), DAMAGED, ids=[f"{key}-{k}" for k, (key, _) in enumerate(DAMAGED)])
def test_a_damaged_state_changes_nothing(key: str, more: dict[str, Any]) -> None:
    scheduler = stepped(on_change="checkpoint")
    before = held(scheduler)
    state = {"last_epoch": 7, "_step_count": 8} | more
    with pytest.raises(CheckpointError) as caught:
        scheduler.load_state_dict(state)
    assert str(caught.value).startswith(f'Scheduler.load_state_dict["{key}"]')
    assert held(scheduler) == before


# -- the largest count ----------------------------------------------------------------------------------------------------


def test_the_count_does_not_wrap() -> None:
    scheduler = stepped()
    scheduler.load_state_dict({"last_epoch": LARGEST})
    assert scheduler.get_last_lr() == [1.0]
    for by in (1, 5, LARGEST, torch.tensor(7)):
        scheduler.step(increment=by)
        assert scheduler.last_epoch == LARGEST
        assert scheduler.get_last_lr() == [1.0]
    state = scheduler.state_dict()
    again = stepped()
    again.load_state_dict(state)
    assert again.last_epoch == LARGEST
    scheduler.step(increment=-LARGEST)
    assert scheduler.last_epoch == 0
    with pytest.raises(ScheduleTypeError, match="given 9223372036854775808"):
        scheduler.step(2**63)
    assert scheduler.last_epoch == 0


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_the_compiled_count_does_not_wrap(backend: str) -> None:
    bound = optimizer()
    scheduler = Scheduler(bound, lr=Linear(0.0, 1.0, 10))
    update = fuse(bound, scheduler, backend=backend)
    bound.param_groups[0]["params"][0].grad = torch.zeros(2)
    for count, after in ((-1, 0), (0, 1), (LARGEST - 1, LARGEST), (LARGEST, LARGEST)):
        scheduler.last_epoch = count
        update()
        assert scheduler.last_epoch == after
        assert float(bound.param_groups[0]["lr"]) == min(after / 10, 1.0) or after == 1
