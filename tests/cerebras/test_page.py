"""The program of docs/cerebras.md."""

from __future__ import annotations

import gc
import re
import warnings
from pathlib import Path

import pytest

pytest.importorskip("cerebras.pytorch")
pytestmark = pytest.mark.cerebras
PAGE = Path(__file__).parents[2] / "docs" / "cerebras.md"


def test_its_program_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(program, str(PAGE), "exec"), {"__name__": "page"})
        gc.collect()
