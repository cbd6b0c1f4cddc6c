"""The main job, run as a user runs it: in a process of its own, killed half way, resumed, given bad input."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tracelr import checkpoint, load
from tracelr.errors import CheckpointError, ConfigError
from tracelr.job import Job

ROOT = Path(__file__).parent.parent
PARAMS = """
optimizer:
  optimizer_type: AdamW
  weight_decay: 1e-2
  learning_rate:
    - {scheduler: Linear, initial_learning_rate: 0.0, end_learning_rate: 3e-3, steps: 100}
    - {scheduler: Polynomial, initial_learning_rate: 3e-3, end_learning_rate: 0, decay_steps: 1400, power: 2}
    - {scheduler: Constant, learning_rate: 1e-5}
runconfig: {max_steps: 1600, checkpoint_steps: 50}
"""


def command(file: Path, out: Path, *flags: str) -> list[str]:
    return [sys.executable, "-m", "tracelr", "train", str(file), "--out", str(out), *flags]


def finish(file: Path, out: Path, *flags: str) -> str:
    done = subprocess.run(command(file, out, *flags), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no bar where there is no terminal
    return done.stdout


def history(out: Path) -> list[tuple[int, float, float]]:
    rows = csv.reader((out / "history.csv").read_text().splitlines()[1:])
    return [(int(step), float(rate), float(loss)) for step, rate, loss in rows]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("job") / "params.yaml"
    path.write_text(PARAMS)
    return path


@pytest.fixture(scope="module")
def whole(file: Path) -> tuple[Path, str]:
    """A run that is never killed, and what it printed."""
    out = file.parent / "whole"
    return out, finish(file, out)


def test_it_learns_with_the_rates_of_the_schedule(file: Path, whole: tuple[Path, str]) -> None:
    out, printed = whole
    assert printed.startswith("step 1600  loss ")
    assert float(printed.split("accuracy ")[1].split()[0]) >= 0.95
    steps, rates, _ = zip(*history(out), strict=True)
    assert steps == tuple(range(1600))
    assert list(rates) == load(file)(torch.arange(1600)).tolist()


def test_the_run_folder_holds_what_was_promised(whole: tuple[Path, str]) -> None:
    out, _ = whole
    assert sorted(path.name for path in out.iterdir()) == [
        "checkpoint.pt",
        "curve.png",
        "curve.svg",
        "graph.txt",
        "history.csv",
        "lr.h",
        "verify.txt",
    ]
    assert (out / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (out / "curve.svg").read_text()
    assert "where.self(" in (out / "graph.txt").read_text()
    assert "float lr(int64_t" in (out / "lr.h").read_text()
    for target in ("c", "inductor"):
        line = next(line for line in (out / "verify.txt").read_text().splitlines() if line.startswith(target))
        assert line.split()[2] == "0"


def test_killed_half_way_and_resumed_it_ends_the_same(file: Path, whole: tuple[Path, str]) -> None:
    out = file.parent / "killed"
    process = subprocess.Popen(command(file, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not (out / "checkpoint.pt").exists() or checkpoint.load(out / "checkpoint.pt", ("step",))["step"] < 700:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    reached = checkpoint.load(out / "checkpoint.pt", ("step",))["step"]
    assert 700 <= reached < 1600
    assert finish(file, out, "--resume").splitlines()[0] == whole[1].splitlines()[0]
    assert history(out) == history(whole[0])
    ours, theirs = (checkpoint.load(folder / "checkpoint.pt", ("step", "model")) for folder in (out, whole[0]))
    assert ours["step"] == theirs["step"] == 1600
    assert ours["scheduler"] == theirs["scheduler"]
    for name, weight in theirs["model"].items():
        assert torch.equal(ours["model"][name], weight), name


def refused(*args: str) -> str:
    done = subprocess.run([sys.executable, "-m", "tracelr", *args], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    return done.stderr.strip().removeprefix("tracelr: error: ")


def test_a_checkpoint_is_never_overwritten_by_accident(file: Path, whole: tuple[Path, str]) -> None:
    out, _ = whole
    before = (out / "checkpoint.pt").read_bytes()
    assert refused("train", str(file), "--out", str(out)) == (
        f"run folder {out}: it holds a checkpoint; "
        "to fix it: pass --resume to continue it, --restart to begin again, or --out for another folder."
    )
    other = file.parent / "other.yaml"
    other.write_text(PARAMS.replace("power: 2", "power: 3"))
    assert refused("train", str(other), "--out", str(out), "--resume") == (
        f"checkpoint {out / 'checkpoint.pt'}: it was written with other parameters than {other}; "
        "to fix it: resume with the file the run began with, or use --out for another folder."
    )
    assert (out / "checkpoint.pt").read_bytes() == before


@pytest.mark.parametrize("kept", [0, 1, 100, 5000, -1])
def test_a_truncated_checkpoint(whole: tuple[Path, str], tmp_path: Path, kept: int) -> None:
    cut = tmp_path / "checkpoint.pt"
    cut.write_bytes((whole[0] / "checkpoint.pt").read_bytes()[:kept])
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(cut, ("step",))
    message = str(caught.value)
    assert message.startswith(f"checkpoint {cut}: it cannot be read, it is truncated or no checkpoint (")
    assert message.endswith("); to fix it: use a checkpoint that tracelr wrote, or start without it.")


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
        f"checkpoint {tmp_path / 'none.pt'}: there is no such file; to fix it: check the path, or start without it."
    )


def test_a_checkpoint_runs_no_code(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    torch.save({"step": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(CheckpointError, match="it cannot be read"):
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


JOBS = [
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


@pytest.mark.parametrize(("text", "message"), JOBS, ids=[text for text, _ in JOBS])
def test_a_job_that_makes_no_sense(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(f"optimizer: {{learning_rate: 0.1}}\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        Job.read(path)
    assert str(caught.value) in (f"{path}: {message}", f"{path}{message}")


def test_an_unknown_optimizer(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("optimizer: {learning_rate: 0.1, optimizer_type: Adam2}\nrunconfig: {max_steps: 3}\n")
    with pytest.raises(ConfigError) as caught:
        Job.read(path)
    assert str(caught.value) == (
        f"{path}: optimizer.optimizer_type: given 'Adam2'; allowed: AdamW or SGD; to fix it: use one of these names."
    )


def test_the_command_line(file: Path, tmp_path: Path) -> None:
    def run(*args: str) -> str:
        done = subprocess.run([sys.executable, "-m", "tracelr", *args], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "where.self" in run("dump", str(file), "--form", "text")
    header = run("lower", str(file), "--target", "c")
    assert "float lr(int64_t" in header
    assert run("lower", str(file), "-o", str(tmp_path / "lr.h")) == ""
    assert (tmp_path / "lr.h").read_text().rstrip("\n") == header.rstrip("\n")
    assert run("verify", str(file), "--target", "c").splitlines()[-1].split()[:3][2] == "0"
    assert run("--version") == "tracelr 0.1.0\n"
    assert "allowed: aoti, c, cuda, hip, inductor," in refused("lower", str(file), "--target", "fpga")
    assert refused("dump", str(tmp_path / "none.yaml")).startswith(f"{tmp_path / 'none.yaml'}: ")
