"""Every Python block and command of the README runs as it is, and the links of every page lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tracelr.__main__ import main

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "lowering" / "README.md",
]


def test_the_python_of_the_readme_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGES[0].read_text(), re.S)
    assert blocks
    for code in blocks:
        exec(compile(code, "README.md", "exec", dont_inherit=True), {"__name__": "readme"})


def test_the_commands_run_on_the_file_beside_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = PAGES[0].read_text()
    (params,) = re.findall(r"```yaml\n(.*?)```", text, re.S)
    (tmp_path / "params.yaml").write_text(params)
    monkeypatch.chdir(tmp_path)
    commands = [shlex.split(line, comments=True) for line in re.findall(r"^tracelr (.*)$", text, re.M)]
    assert [words[0] for words in commands] == ["show", "plot", "verify", "lower", "report"]
    for words in commands[:-1]:  # tests/report/test_report.py makes such a page, which takes ten seconds
        assert main(words) == 0
    assert (tmp_path / "curve.svg").read_text().startswith("<svg")


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / link).exists(), link
