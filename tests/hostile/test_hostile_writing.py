"""Files that are written where somebody else has put links, or writes too. Nothing of theirs changes, and no half file is seen."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.terminal import Terminal

from tracelr import checkpoint
from tracelr.cli.demo.run_folder import alone, run_folder
from tracelr.errors import CheckpointError, ConfigError
from tracelr.files import write_whole

pytestmark = pytest.mark.usefixtures("own_folder")

LINE = "linear(0, 1, 4)"
WRITERS: dict[str, Callable[[Terminal, str], object]] = {
    "plot": lambda tracelr_, path: tracelr_("plot", LINE, "-o", path),
    "lower": lambda tracelr_, path: tracelr_("lower", LINE, "-o", path),
    "dump": lambda tracelr_, path: tracelr_("dump", LINE, "-o", path),
    "convert": lambda tracelr_, path: tracelr_("convert", LINE, "--to", "native", "-o", path),
    "report": lambda tracelr_, path: tracelr_("report", LINE, "--target", "c", "--no-verify", "-o", path),
    "checkpoint": lambda _, path: checkpoint.save(path, {"a": 1}),
}
"""Everything that writes a file, to a path that ends in .svg."""


@pytest.mark.parametrize("writer", WRITERS)
def test_a_link_is_replaced_and_a_mode_is_kept(writer: str, tracelr_: Terminal) -> None:
    Path("victim").write_text("precious")
    os.symlink("victim", "link.svg")
    os.symlink("nothing", "dangling.svg")
    Path("private.svg").write_text("old")
    os.chmod("private.svg", 0o600)
    for path in ("link.svg", "dangling.svg", "private.svg", "new.svg"):
        WRITERS[writer](tracelr_, path)
        assert stat.S_ISREG(os.lstat(path).st_mode)
        assert Path(path).stat().st_size > 3
    assert Path("victim").read_text() == "precious"
    assert stat.S_IMODE(os.stat("private.svg").st_mode) == 0o600
    mask = os.umask(0o022)
    os.umask(mask)
    assert stat.S_IMODE(os.stat("new.svg").st_mode) == 0o666 & ~mask
    assert sorted(os.listdir()) == ["dangling.svg", "link.svg", "new.svg", "private.svg", "victim"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o444, 0o400, 0o755])
def test_each_mode_stays(mode: int) -> None:
    write_whole(Path("a"), b"1")
    os.chmod("a", mode)
    write_whole(Path("a"), b"2")
    assert (Path("a").read_bytes(), stat.S_IMODE(os.stat("a").st_mode)) == (b"2", mode)


def test_the_new_file_is_private_while_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a").write_text("old")
    os.chmod("a", 0o600)
    seen: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda opened: seen.append(stat.S_IMODE(os.fstat(opened).st_mode)))
    write_whole(Path("a"), b"new")
    assert seen[0] == 0o600


@pytest.mark.parametrize("name", ["x" * 255, "x" * 248 + ".svg", "é" * 127, "\udcff", "\n", "-", "{0}%s"])
def test_every_name_that_the_system_takes(name: str) -> None:
    for content in (b"1", b"2"):
        write_whole(Path(name), content)
        assert [os.fsencode(one) for one in os.listdir()] == [os.fsencode(name)]
        assert Path(name).read_bytes() == content


@pytest.mark.parametrize("name", ["x" * 256, "a\0b", "\ud800", "", ".", "..", "folder", "nowhere/x", "file/x", "loop/x"])
def test_a_path_that_cannot_be_written_is_one_error(name: str) -> None:
    os.mkdir("folder")
    Path("file").write_text("mine")
    os.symlink("loop", "loop")
    with pytest.raises(CheckpointError, match="a path that cannot be written"):
        write_whole(Path(name), b"1")
    assert sorted(os.listdir()) == ["file", "folder", "loop"]
    assert Path("file").read_text() == "mine"


def test_what_is_open_is_written_to_and_not_replaced() -> None:
    code = (
        "import sys; from pathlib import Path; from tracelr.files import write_whole; write_whole(Path(sys.argv[1]), b'2')"
    )
    for path in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
        with open("out", "wb") as out:
            subprocess.run([sys.executable, "-c", code, path], stdout=out, check=True)
        assert Path("out").read_bytes() == b"2"
        assert os.path.islink("/dev/stdout")
    os.mkfifo("pipe")
    reader = subprocess.Popen(["cat", "pipe"], stdout=subprocess.PIPE)
    write_whole(Path("pipe"), b"3")
    assert reader.communicate()[0] == b"3"
    assert stat.S_ISFIFO(os.lstat("pipe").st_mode)


def test_what_others_left_stays() -> None:
    planted = [".a.1.part", ".ubuntu.iso.part", f".a.{os.getpid()}.part", ".tracelr-0123456789abcdef-0.part"]
    for name in planted:
        Path(name).write_text("theirs")
    Path("checkpoint.pt").write_text("x")
    write_whole(Path("a"), b"1")
    with alone(Path(".")):
        pass
    assert {Path(name).read_text() for name in planted} == {"theirs"}


def test_a_planted_name_of_our_own_kind_is_not_followed() -> None:
    Path("victim").write_text("precious")
    write_whole(Path("a"), b"1")
    begin = next(name for name in _names_while_writing("a") if name.startswith(".tracelr-")).rpartition("-")[0]
    os.symlink("victim", f"{begin}-link.part")
    os.link("victim", f"{begin}-hard.part")
    os.mkfifo(f"{begin}-pipe.part")
    os.mkdir(f"{begin}-folder.part")
    write_whole(Path("a"), b"3")
    assert (Path("a").read_bytes(), Path("victim").read_text()) == (b"3", "precious")


def _names_while_writing(path: str) -> list[str]:
    seen: list[str] = []
    fsync = os.fsync
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda opened: (seen.extend(os.listdir()), fsync(opened)))
        write_whole(Path(path), b"2")
    return seen


def test_eight_threads_and_another_process_on_one_file() -> None:
    contents = [bytes([k]) * 5000 for k in range(8)]
    until, failed = time.monotonic() + 1.0, list[BaseException]()

    def write(content: bytes) -> None:
        try:
            while time.monotonic() < until:
                write_whole(Path("a"), content)
                assert Path("a").read_bytes() in contents
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    code = "from pathlib import Path; from tracelr.files import write_whole\nfor _ in range(99): write_whole(Path('a'), b'\\0' * 5000)"
    beside = subprocess.Popen([sys.executable, "-c", code])
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert beside.wait() == 0
    assert failed == []
    assert os.listdir() == ["a"]


@pytest.mark.parametrize("name", ["...yaml", "..yaml", "..", ".", "/", ""])
def test_a_run_folder_is_inside_its_parent(name: str) -> None:
    with pytest.raises(ConfigError, match="a folder in runs"):
        run_folder(Path(name))


def test_a_run_folder_is_not_a_link() -> None:
    os.mkdir("runs")
    os.mkdir("elsewhere")
    os.symlink("../elsewhere", "runs/a")
    with pytest.raises(ConfigError, match="a folder in runs"):
        run_folder(Path("a.yaml"))
    assert run_folder(Path("b.yaml")) == Path("runs/b")
    Path("victim").write_text("precious")
    os.symlink("../victim", "elsewhere/.lock")
    with pytest.raises(CheckpointError), alone(Path("elsewhere")):
        pass
    assert Path("victim").read_text() == "precious"
