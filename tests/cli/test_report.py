"""tracelr report on the command line: what it compares, what it marks, and the units of its axis."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from tracelr import Cosine, Scheduler
from tracelr.__main__ import main

LINE = "cosine(0.1, 0, 100)"


def reported(path: Path, *words: str) -> dict[str, Any]:
    assert main(["report", *words, "--target", "c", "--no-verify", "-o", str(path)]) == 0
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text())
    assert found
    content: dict[str, Any] = json.loads(found[1])
    return content


def test_other_files_and_a_log_are_beside_it(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("step,lr\n0,0.1\n50,0.05\n")
    content = reported(tmp_path / "a.html", LINE, "--beside", "linear(0.1, 0, 100)", "--log", str(log))
    assert [one["name"] for one in content["beside"]] == ["linear(0.1, 0, 100)", f"lr of {log}"]
    assert content["beside"][1]["apart"] == [0, 50]


def test_steps_and_checkpoints_are_marked(tmp_path: Path) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])
    scheduler = Scheduler(optimizer, lr=Cosine(0.1, 0.0, 100))
    scheduler.last_epoch = 42
    saved = tmp_path / "run.pt"
    torch.save({"scheduler": scheduler.state_dict()}, saved)
    content = reported(tmp_path / "a.html", LINE, "--mark", "best=1k", "--mark", str(saved), "--mark", "7")
    assert content["marks"] == [["best", 1000], ["run.pt", 42], ["marked", 7]]
    assert reported(tmp_path / "b.html", str(saved))["marks"] == [["checkpoint", 42]]


def test_the_axis_has_the_units_that_are_given(tmp_path: Path) -> None:
    content = reported(tmp_path / "a.html", LINE, "--steps-per-epoch", "20", "--tokens-per-step", "4096")
    assert content["units"] == [["step", 1], ["epoch", 0.05], ["tokens", 4096]]
    assert reported(tmp_path / "b.html", LINE)["units"] == [["step", 1]]


@pytest.mark.parametrize("mark", ["best=", "best=x", "-1"])
def test_a_mark_is_a_step(mark: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", LINE, f"--mark={mark}", "-o", str(tmp_path / "a.html")]) == 2
    assert "allowed: a whole number" in capsys.readouterr().err
