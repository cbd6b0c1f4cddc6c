"""The fuzzers of `make fuzz` run, and find nothing in a few seconds; `make prove` gives each a minute."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tracelr

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("own_folder")  # what it finds is written there


@pytest.mark.parametrize("target", ["fuzz_load.py", "fuzz_commands.py"])
@pytest.mark.parametrize("seconds", [3, 60])
@pytest.mark.slow
def test_fuzzing_finds_nothing(target: str, seconds: int) -> None:
    pytest.importorskip("atheris")
    command = [sys.executable, str(ROOT / "tests" / "hostile" / "fuzz" / target), str(seconds), "-seed=1"]
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    env = os.environ | {"PYTHONHASHSEED": "0", "PYTHONPATH": paths}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env, timeout=300, errors="replace")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done " in done.stderr
    assert tracelr.__version__
