"""What happens to a run: killed while it writes, a full disk, a folder that refuses, damaged bytes, two processes.

Each fault is followed by a look at the state before it, which has to be intact.
"""

from __future__ import annotations

import errno
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD

from tracelr import Constant, Greedy, Linear, Plateau, Scheduler, checkpoint, fuse
from tracelr.__main__ import main
from tracelr.errors import CheckpointError, OptimizerError, ScheduleTypeError
from tracelr.run_folder import alone

STATE = {"step": 1, "weights": torch.arange(50_000.0), "name": "before"}
AFTER = {"step": 2, "weights": -torch.arange(50_000.0), "name": "after"}
LARGEST = 2**63 - 1


def saved(folder: Path) -> Path:
    path = folder / "checkpoint.pt"
    checkpoint.save(path, STATE)
    return path


def kept(path: Path) -> int:
    """Return which of the two states is in the file: one of them, whole."""
    state = checkpoint.load(path, ("step", "weights", "name"))
    wanted = STATE if state["step"] == 1 else AFTER
    assert state["name"] == wanted["name"]
    assert torch.equal(state["weights"], wanted["weights"])
    return int(state["step"])


# -- killed while writing -------------------------------------------------------------------------------------------------


def forked(work: Callable[[], object]) -> int:
    """Return how a copy of this process ended that did `work`."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1]


def stop(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(("place", "step"), [("half", 1), ("fsync", 1), ("replace", 1), ("folder", 2)])
def test_killed_at_each_stage_of_writing_a_checkpoint(tmp_path: Path, place: str, step: int) -> None:
    path = saved(tmp_path)

    class Half(io.FileIO):
        def write(self, data: Any) -> int:
            super().write(bytes(data)[: len(data) // 2])
            stop()
            return 0

    def work() -> None:
        match place:
            case "half":
                Path.open = lambda self, mode: Half(self, "w")  # type: ignore[method-assign,assignment]
            case "fsync":
                os.fsync = stop
            case "replace":
                Path.replace = stop  # type: ignore[method-assign,assignment]
            case "folder":
                checkpoint._sync = stop
        checkpoint.save(path, AFTER)

    assert os.WTERMSIG(forked(work)) == signal.SIGKILL
    assert kept(path) == step
    with alone(tmp_path):
        assert [one.name for one in tmp_path.iterdir()] == ["checkpoint.pt"]  # what was half written is gone


@pytest.mark.slow
def test_killed_at_a_hundred_random_moments(tmp_path: Path) -> None:
    path = saved(tmp_path)

    def work() -> None:
        while True:
            checkpoint.save(path, AFTER)
            checkpoint.save(path, STATE)

    for k in range(100):
        child = os.fork()
        if child == 0:
            work()
        time.sleep(0.0013 * k)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert kept(path) in (1, 2)


# -- a full disk, and a folder that refuses -------------------------------------------------------------------------------


def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    path, said = saved(tmp_path), tmp_path / "said"

    def work() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        try:
            checkpoint.save(path, AFTER)
        except CheckpointError as error:
            said.write_text(str(error))

    assert forked(work) == 0
    assert said.read_text() == (
        f"{path}: given a path that cannot be written (File too large); allowed: one that can; what was there is as it was; "
        "to fix it: free it, or choose another folder."
    )
    assert kept(path) == 1
    assert sorted(tmp_path.iterdir()) == [path, said]


@pytest.mark.parametrize("place", ["open", "fsync", "replace"])
def test_a_system_that_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    path = saved(tmp_path)

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC if place != "open" else errno.EROFS, os.strerror(errno.ENOSPC))

    owner = os if place == "fsync" else Path
    with monkeypatch.context() as patch:
        patch.setattr(owner, place, refuse)
        with pytest.raises(CheckpointError, match="No space left on device"):
            checkpoint.save(path, AFTER)
    assert kept(path) == 1
    assert list(tmp_path.iterdir()) == [path]


def job(folder: Path) -> str:
    path = folder / "job.yaml"
    path.write_text("optimizer: {learning_rate: 0.1}\nrunconfig: {max_steps: 2}\nmodel: {hidden_size: 2}\n")
    return str(path)


def test_a_run_folder_that_cannot_be_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine")
    for out, why in (("file", "File exists"), ("file/inside", "Not a directory"), ("x" * 300, "File name too long")):
        assert main(["train", job(tmp_path), "--out", str(tmp_path / out)]) == 2
        said = capsys.readouterr().err
        assert f"given a path that cannot be written ({why})" in said
        assert "Traceback" not in said
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may write anywhere")
def test_a_read_only_run_folder(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "mine").write_text("mine")
    folder.chmod(0o555)
    command = [sys.executable, "-m", "tracelr", "train", job(tmp_path), "--out", str(folder)]
    if os.geteuid() == 0:
        mine = "-dac_override,-dac_read_search"
        command = ["setpriv", f"--bounding-set={mine}", f"--inh-caps={mine}", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    folder.chmod(0o755)
    assert done.returncode == 2, done.stderr
    assert done.stderr.strip().endswith(
        "given a path that cannot be written (Permission denied); allowed: one that can; what was there is as it was; "
        "to fix it: free it, or choose another folder."
    )
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [("mine", "mine")]


@pytest.mark.parametrize("place", ["/dev/full", "nowhere/x", "."])
@pytest.mark.parametrize("verb", ["dump", "lower"])
def test_output_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], verb: str, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([verb, job(tmp_path), "-o", place]) == 2
    said = capsys.readouterr().err
    assert said.startswith("tracelr: error: ")
    assert "; to fix it: " in said


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
        else:  # the mark of the checksum itself: then there is none to compare with
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
            assert checkpoint.load(path, ("step",)) == {"step": 1}  # a part of the mark was all that was missing
            assert 64 < missing < 80


def optimizer(groups: int = 1, lr: Any = 0.1) -> SGD:
    return SGD([{"params": [nn.Parameter(torch.ones(2))], "lr": lr} for _ in range(groups)], lr=0.1)


def stepped(groups: int = 1, steps: int = 3, **more: Any) -> Scheduler:
    scheduler = Scheduler(optimizer(groups), lr=Linear(0.0, 1.0, 10), **more)
    for _ in range(steps):
        scheduler.step()
    return scheduler


def held(scheduler: Scheduler) -> list[Any]:
    groups = [{key: value for key, value in group.items() if key != "params"} for group in scheduler.optimizer.param_groups]
    return [scheduler.last_epoch, scheduler._step_count, scheduler.get_last_lr(), groups, scheduler.state_dict()]


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


# -- two processes --------------------------------------------------------------------------------------------------------


def test_two_processes_on_one_run_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    out.mkdir()
    path = saved(out)
    ready, done = os.pipe()
    child = os.fork()
    if child == 0:
        with alone(out):
            os.write(done, b"held")
            time.sleep(600)
        os._exit(0)
    try:
        assert os.read(ready, 4) == b"held"
        for flags in ((), ("--resume",), ("--restart",)):
            assert main(["train", job(tmp_path), "--out", str(out), *flags]) == 2
            assert capsys.readouterr().err == (
                f"tracelr: error: run folder {out}: given a folder that another process writes to; "
                "allowed: a folder of its own for each process; "
                "to fix it: wait until that one has ended, or pass --out for another folder.\n"
            )
        assert kept(path) == 1
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(ready)
        os.close(done)
    with alone(out):  # the lock ended with the process
        assert [one.name for one in out.iterdir()] == ["checkpoint.pt"]


# -- what comes back is not what went in ----------------------------------------------------------------------------------


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


# -- a metric that is NaN -------------------------------------------------------------------------------------------------


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
