"""The demo training learns, resumes after a kill, and refuses bad input."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
import torch
from support.terminal import Terminal

from tracelr import checkpoint, load
from tracelr.__main__ import main
from tracelr.cli.demo.params import Params
from tracelr.errors import CheckpointError, ConfigError

PARAMS = """
optimizer:
  optimizer_type: AdamW
  weight_decay: 1e-2
  learning_rate:
    - {scheduler: Linear, initial_learning_rate: 0.0, end_learning_rate: 3e-3, steps: 50}
    - {scheduler: Polynomial, initial_learning_rate: 3e-3, end_learning_rate: 0, decay_steps: 500, power: 2}
    - {scheduler: Constant, learning_rate: 1e-5}
runconfig: {max_steps: 600, checkpoint_steps: 50}
"""


def finish(file: Path, out: Path, *flags: str) -> str:
    printed, said = StringIO(), StringIO()
    with redirect_stdout(printed), redirect_stderr(said):
        code = main(["train", str(file), "--out", str(out), *flags])
    assert (code, said.getvalue()) == (0, "")  # there is no bar without a terminal
    return printed.getvalue()


def history(out: Path) -> list[tuple[int, float, float]]:
    rows = csv.reader((out / "history.csv").read_text().splitlines()[1:])
    return [(int(step), float(rate), float(loss)) for step, rate, loss in rows]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo") / "params.yaml"
    path.write_text(PARAMS)
    return path


@pytest.fixture(scope="module")
def whole(file: Path) -> tuple[Path, str]:
    """A run that is never killed, and what it printed."""
    out = file.parent / "whole"
    return out, finish(file, out)


def test_it_learns_with_the_rates_of_the_schedule(file: Path, whole: tuple[Path, str]) -> None:
    out, printed = whole
    assert printed.startswith("step 600  loss ")
    assert float(printed.split("accuracy ")[1].split()[0]) >= 0.95
    steps, rates, _ = zip(*history(out), strict=True)
    assert steps == tuple(range(600))
    assert list(rates) == load(file)(torch.arange(600)).tolist()


def test_the_run_folder_holds_what_was_promised(whole: tuple[Path, str]) -> None:
    out, printed = whole
    files = ["checkpoint.pt", "curve.png", "curve.svg", "graph.txt", "history.csv", "lr.h", "report.html", "verify.txt"]
    assert sorted(path.name for path in out.iterdir()) == [".lock", *files]
    assert printed.endswith(f"wrote {', '.join(files)} to {out}\nopen {out / 'report.html'} in a browser\n")
    assert (out / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (out / "curve.svg").read_text()
    assert "where.self(" in (out / "graph.txt").read_text()
    assert "float lr(int64_t" in (out / "lr.h").read_text()
    for target in ("c", "inductor"):
        line = next(line for line in (out / "verify.txt").read_text().splitlines() if line.startswith(target))
        assert line.split()[2] == "0"


@pytest.mark.slow
def test_killed_half_way_and_resumed_it_ends_the_same(file: Path, whole: tuple[Path, str]) -> None:
    out = file.parent / "killed"
    command = [sys.executable, "-m", "tracelr", "train", str(file), "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not (out / "checkpoint.pt").exists() or checkpoint.load(out / "checkpoint.pt", ("step",))["step"] < 150:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    reached = checkpoint.load(out / "checkpoint.pt", ("step",))["step"]
    assert 150 <= reached < 600
    assert finish(file, out, "--resume").splitlines()[0] == whole[1].splitlines()[0]
    assert history(out) == history(whole[0])
    ours, theirs = (checkpoint.load(folder / "checkpoint.pt", ("step", "model")) for folder in (out, whole[0]))
    assert ours["step"] == theirs["step"] == 600
    assert ours["scheduler"] == theirs["scheduler"]
    for name, weight in theirs["model"].items():
        assert torch.equal(ours["model"][name], weight), name


def test_a_checkpoint_is_never_overwritten_by_accident(file: Path, whole: tuple[Path, str], tracelr_: Terminal) -> None:
    out, _ = whole
    before = (out / "checkpoint.pt").read_bytes()
    assert tracelr_("train", str(file), "--out", str(out), code=2) == (
        f"tracelr: error: run folder {out}: given a folder that holds a checkpoint; allowed: one without; "
        "to fix it: pass --resume to continue it, --restart to begin again, or --out for another folder.\n"
    )
    other = file.parent / "other.yaml"
    other.write_text(PARAMS.replace("power: 2", "power: 3"))
    assert tracelr_("train", str(other), "--out", str(out), "--resume", code=2) == (
        f"tracelr: error: checkpoint {out / 'checkpoint.pt'}: given a checkpoint of other parameters; "
        f"allowed: a checkpoint of {other}; "
        "to fix it: resume with the file that the run began with, or use --out for another folder.\n"
    )
    assert (out / "checkpoint.pt").read_bytes() == before


@pytest.mark.parametrize("kept", [0, 1, 100, 5000, -1])
def test_a_truncated_checkpoint(whole: tuple[Path, str], tmp_path: Path, kept: int) -> None:
    cut = tmp_path / "checkpoint.pt"
    cut.write_bytes((whole[0] / "checkpoint.pt").read_bytes()[:kept])
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(cut, ("step",))
    message = str(caught.value)
    assert message.startswith(f"checkpoint {cut}: given a file that is truncated, or not a checkpoint (")
    assert message.endswith("); allowed: a checkpoint; to fix it: use a checkpoint that tracelr wrote, or start without it.")


def test_a_foreign_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save({"weights": torch.ones(2), "epoch": 3}, path)
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(path, ("step", "model"))
    assert str(caught.value) == (
        f"checkpoint {path}: given ['epoch', 'weights']; allowed: a mapping with the keys step, model; "
        "to fix it: use a checkpoint that tracelr wrote, or start without it."
    )
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(tmp_path / "none.pt", ())
    assert str(caught.value) == (
        f"checkpoint {tmp_path / 'none.pt'}: given no such file; allowed: a checkpoint; to fix it: check the path, or start without it."
    )


def test_a_checkpoint_runs_no_code(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    torch.save({"step": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(CheckpointError, match="not a checkpoint"):
        checkpoint.load(tmp_path / "trap.pt", ("step",))
    assert not (tmp_path / "sprung").exists()


def test_saving_leaves_the_old_file_when_it_fails(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, {"step": 1})
    before = path.read_bytes()
    with pytest.raises((AttributeError, TypeError, RuntimeError)):
        checkpoint.save(path, {"step": lambda: None})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


WRONG = [
    (
        "runconfig: {max_step: 5}",
        "runconfig: given 'max_step'; allowed: max_steps, checkpoint_steps, seed; to fix it: remove the key, or correct its name.",
    ),
    (
        "runconfig: {max_steps: 0}",
        "runconfig.max_steps: given 0; allowed: a whole number of steps from 1 to 2**53; to fix it: write a number such as 2000 or 1e5.",
    ),
    (
        "runconfig: {}",
        "runconfig.max_steps: given None; allowed: a whole number of steps from 1 to 2**53; to fix it: write a number such as 2000 or 1e5.",
    ),
    ("model: 3", "model: given 3; allowed: a mapping; to fix it: write its keys below it."),
    (
        "models: {}",
        "given 'models'; allowed: optimizer, model, train_input, runconfig; to fix it: remove the key, or correct its name.",
    ),
]


@pytest.mark.parametrize(("text", "message"), WRONG, ids=[text for text, _ in WRONG])
def test_wrong_parameters(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(f"optimizer: {{learning_rate: 0.1}}\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        Params.read(path)
    assert str(caught.value) in (f"{path}: {message}", f"{path}{message}")


def test_an_unknown_optimizer(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("optimizer: {learning_rate: 0.1, optimizer_type: Adam2}\nrunconfig: {max_steps: 3}\n")
    with pytest.raises(ConfigError) as caught:
        Params.read(path)
    assert str(caught.value) == (
        f"{path}: optimizer.optimizer_type: given 'Adam2'; allowed: AdamW or SGD; to fix it: use one of these names."
    )


def test_the_version_and_the_other_verbs_take_the_file(
    file: Path, tmp_path: Path, tracelr_: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == "tracelr 0.1.0\n"
    assert "where.self" in tracelr_("dump", str(file), "--format", "text")
    header = tracelr_("lower", str(file), "--target", "c")
    assert "float lr(int64_t" in header
    assert tracelr_("lower", str(file), "-o", str(tmp_path / "lr.h")) == f"wrote {tmp_path / 'lr.h'}\n"
    assert (tmp_path / "lr.h").read_text() == header
    assert "allowed: aoti, c, cirh, cuda, hip, inductor," in tracelr_("lower", str(file), "--target", "fpga", code=2)
    assert tracelr_("dump", str(tmp_path / "none.yaml"), code=2).startswith(f"tracelr: error: {tmp_path / 'none.yaml'}: ")
