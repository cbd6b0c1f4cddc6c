"""Every Python block of README and CONTRIBUTING runs as it stands, so do the README's commands, and links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import torch

from tracelr.__main__ import main
from tracelr.schedules.base import REGISTRY

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "lowering" / "README.md",
]
BLOCKS = [(page, code) for page in PAGES[:2] for code in re.findall(r"```python\n(.*?)```", page.read_text(), re.S)]


@pytest.mark.parametrize(("page", "code"), BLOCKS, ids=[f"{page.stem}{k}" for k, (page, _) in enumerate(BLOCKS)])
def test_the_block_runs(page: Path, code: str) -> None:
    names: dict[str, object] = {"__name__": "readme"}
    exec(compile(code, str(page), "exec", dont_inherit=True), names)
    if "class Half" in code:
        half = REGISTRY.pop("Half")
        assert half(start=1.0, end=0.0, steps=2)(torch.tensor(2)).item() == 0.5


def test_the_commands_run_on_the_file_beside_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = PAGES[0].read_text()
    (params,) = re.findall(r"```yaml\n(.*?)```", text, re.S)
    (tmp_path / "params.yaml").write_text(params)
    monkeypatch.chdir(tmp_path)
    commands = [shlex.split(line, comments=True) for line in re.findall(r"^tracelr (.*)$", text, re.M)]
    assert [words[0] for words in commands] == ["show", "plot", "verify", "lower", "report"]
    for words in commands[:-1]:  # tests/report/test_report.py makes a page of this file's kind: ten seconds
        assert main(words) == 0
    assert (tmp_path / "curve.svg").read_text().startswith("<svg")


def test_there_are_blocks() -> None:
    assert len(BLOCKS) >= 2


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / link).exists(), link
