"""The files of a run after a kill while they are written, on a full disk, in a read-only folder, and with two processes.

Each fault is followed by a look at the state before it, which has to be intact.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from support.damaged_runs import (
    AFTER,
    CLEAN,
    begin_without_privileges,
    ended,
    hold,
    job,
    kept,
    save_and_die,
    save_for_ever,
    save_on_a_full_disk,
    saved,
)

from tracelr import checkpoint
from tracelr.__main__ import main
from tracelr.cli.demo.run_folder import alone
from tracelr.errors import CheckpointError
from tracelr.files import write_whole

# -- killed while writing -------------------------------------------------------------------------------------------------


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(("place", "step"), [("half", 1), ("fsync", 1), ("replace", 1), ("folder", 2)])
def test_killed_at_each_stage_of_writing_a_checkpoint(tmp_path: Path, place: str, step: int) -> None:
    path = saved(tmp_path)
    assert ended(save_and_die, path, place) == -signal.SIGKILL
    assert kept(path) == step
    left = set(names(tmp_path)) - {"checkpoint.pt"}
    assert len(left) == (place != "folder")
    write_whole(tmp_path / "another", b"")
    with alone(tmp_path):  # neither a writer of another file nor a run that begins removes it
        assert set(names(tmp_path)) == {".lock", "another", "checkpoint.pt", *left}
    saved(tmp_path)
    assert names(tmp_path) == [".lock", "another", "checkpoint.pt"]


@pytest.mark.slow
def test_killed_at_a_hundred_random_moments(tmp_path: Path) -> None:
    path = saved(tmp_path)
    for k in range(100):
        hear, tell = CLEAN.Pipe()
        child = CLEAN.Process(target=save_for_ever, args=(path, tell))
        child.start()
        assert hear.recv() == "begun"
        time.sleep(0.0013 * k)
        child.kill()
        child.join()
        assert kept(path) in (1, 2)
    saved(tmp_path)
    assert names(tmp_path) == ["checkpoint.pt"]


# -- a full disk, and a folder that refuses -------------------------------------------------------------------------------


def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    path, said = saved(tmp_path), tmp_path / "said"
    assert ended(save_on_a_full_disk, path, said) == 0
    assert said.read_text() == (
        f"{path}: given a path that cannot be written (File too large); allowed: a path that can be written; what was there is unchanged; "
        "to fix it: free it, or choose another folder."
    )
    assert kept(path) == 1
    assert sorted(tmp_path.iterdir()) == [path, said]


@pytest.mark.parametrize("place", ["open", "fsync", "replace"])
def test_a_system_that_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    path = saved(tmp_path)

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC if place != "open" else errno.EROFS, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, place, refuse)
        with pytest.raises(CheckpointError, match="No space left on device"):
            checkpoint.save(path, AFTER)
    assert kept(path) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_run_folder_that_cannot_be_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine")
    for out, why in (("file", "File exists"), ("file/inside", "Not a directory"), ("x" * 300, "File name too long")):
        assert main(["train", job(tmp_path), "--out", str(tmp_path / out)]) == 2
        said = capsys.readouterr().err
        assert f"given a path that cannot be written ({why})" in said
        assert "Traceback" not in said
    assert (tmp_path / "file").read_text() == "mine"


def test_a_read_only_run_folder(tmp_path: Path) -> None:
    folder, said = tmp_path / "run", tmp_path / "said"
    folder.mkdir()
    (folder / "mine").write_text("mine")
    folder.chmod(0o555)
    code = ended(begin_without_privileges, folder, said)
    folder.chmod(0o755)
    assert code == 0
    assert said.read_text() == (
        f"{folder}: given a path that cannot be written (Permission denied); allowed: a path that can be written; "
        "what was there is unchanged; to fix it: free it, or choose another folder."
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


# -- two processes --------------------------------------------------------------------------------------------------------


def test_two_processes_on_one_run_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    out.mkdir()
    path = saved(out)
    hear, tell = CLEAN.Pipe()
    child = CLEAN.Process(target=hold, args=(out, tell))
    child.start()
    try:
        assert hear.recv() == "held"
        for flags in ((), ("--resume",), ("--restart",)):
            assert main(["train", job(tmp_path), "--out", str(out), *flags]) == 2
            assert capsys.readouterr().err == (
                f"tracelr: error: run folder {out}: given a folder that another process writes to; "
                "allowed: a folder of its own for each process; "
                "to fix it: wait until that process has ended, or pass --out for another folder.\n"
            )
        assert kept(path) == 1
    finally:
        child.kill()
        child.join()
    with alone(out):  # the lock ended with the process
        assert names(out) == [".lock", "checkpoint.pt"]
