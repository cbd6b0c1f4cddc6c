"""The examples of emitted code: each is built and run as its first comment says."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tracelr
from tracelr.__main__ import main
from tracelr.lowering.targets import find

EXAMPLES = Path(__file__).parents[2] / "examples"
CONFIG = EXAMPLES / "digits.yaml"


@pytest.mark.skipif(find("c").missing() is not None, reason="no C compiler")
def test_a_c_program_prints_the_curve(tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "c" / "curve.c", tmp_path)
    assert main(["lower", str(CONFIG), "--target", "c", "-o", str(tmp_path / "lr.h")]) == 0
    warnings = ["-pedantic", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["cc", "-std=c99", "-O2", *warnings, "curve.c", "-o", "curve", "-lm"], check=True, cwd=tmp_path)
    done = subprocess.run([tmp_path / "curve", "2000", "7"], check=True, capture_output=True, text=True)
    schedule = tracelr.load(CONFIG)
    printed = [line.split("\t") for line in done.stdout.splitlines()]
    assert [int(step) for step, _ in printed] == list(range(0, 2001, 7))
    assert all(schedule(int(step)) == float(rate) for step, rate in printed)
    assert subprocess.run([tmp_path / "curve", "-1"], check=False, capture_output=True).returncode == 2


@pytest.mark.skipif(find("onnx").missing() is not None, reason=f"needs {find('onnx').missing()}")
def test_an_onnx_model_holds_the_schedule(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "onnx_sgd.py"), str(CONFIG), str(tmp_path / "sgd.onnx")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    assert [line.split("  ")[0] for line in done.stdout.splitlines()] == [f"step {k}" for k in range(5)]
    assert done.stderr == ""
    assert (tmp_path / "sgd.onnx").stat().st_size < 20_000
