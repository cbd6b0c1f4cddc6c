"""The program of docs/cerebras.md."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("cerebras.pytorch")
pytestmark = pytest.mark.cerebras
PAGE = Path(__file__).parents[2] / "docs" / "cerebras.md"


def test_its_program_runs(tmp_path: Path) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    script = tmp_path / "page.py"
    script.write_text(program)
    # In a process of its own, because their framework has one backend in each.
    run = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
