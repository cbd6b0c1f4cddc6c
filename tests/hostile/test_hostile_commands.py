"""Command lines that nobody should type, and jobs that no machine can do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.bad_values import profile

from tracelr.__main__ import main

pytestmark = pytest.mark.usefixtures("own_folder")

WORDS = [
    "dump",
    "lower",
    "verify",
    "train",
    "good.yaml",
    "bad.yaml",
    "nothing.yaml",
    ".",
    "",
    "\0",
    "\ud800",
    "--format",
    "text",
    "../x",
    "svg",
]
WORDS += [
    "--target",
    "c",
    "_source",
    "-o",
    "out",
    "nowhere/out",
    "/dev/full",
    "--after",
    "--stages",
    "--batch",
    "--resume",
    "--out",
    "bad.yaml/x",
    "%s",
    "{0}",
]


@profile(40)
@given(words=st.lists(st.sampled_from(WORDS), max_size=6), verb=st.sampled_from(["dump", "lower", "train"]))
def test_command_lines(words: list[str], verb: str) -> None:
    Path("good.yaml").write_text("optimizer: {learning_rate: 0.1}\n")
    Path("bad.yaml").write_text("optimizer: {learning_rate: x}\n")
    if "train" in [verb, *words] or "verify" in words:  # a good file would be trained with
        words = [word.replace("good", "bad") for word in words]
    try:
        assert main([verb, *words]) in (0, 2)
    except SystemExit as left:  # argparse
        assert left.code == 2  # noqa: PT017


def test_command_lines_as_processes() -> None:
    Path("bad.yaml").write_bytes(b'schedule: "\\ud800\\e[2J"')
    for argv in (["dump", "bad.yaml"], ["train", "bad.yaml"]):
        done = subprocess.run([sys.executable, "-m", "tracelr", *argv], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr.startswith("tracelr: error: bad.yaml: ")
        assert "Traceback" not in done.stderr
        assert "\x1b" not in done.stderr


JOBS = [
    "model: {hidden_size: 9007199254740992}",
    "runconfig: {max_steps: 2, seed: 4294967296}",
    "train_input: {batch_size: 0}",
]


@pytest.mark.parametrize("text", JOBS)
def test_jobs_that_no_machine_can_do(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("job.yaml").write_text(f"optimizer: {{learning_rate: 0.1}}\n{text}\n")
    assert main(["train", "job.yaml"]) == 2
    assert "; allowed: " in capsys.readouterr().err
