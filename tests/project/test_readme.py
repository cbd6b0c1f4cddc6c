"""Every Python block and command of the README runs as it is, and the links of every page lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.pages import do

from tracelr.interop.readers import READERS

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "lowering" / "README.md",
]


def test_the_readme_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "benchmarks").symlink_to(ROOT / "benchmarks")
    do(PAGES[0])
    written = {"curve.svg": "<svg", "report.html": "<!doctype html>"}
    assert {name: (tmp_path / name).read_text()[: len(start)] for name, start in written.items()} == written


def test_the_first_screen_names_torch_and_what_is_measured_names_its_command() -> None:
    first = PAGES[0].read_text().partition("\n## ")[0]
    assert "PyTorch" in first
    assert len(first.splitlines()) < 55
    assert f" {len(READERS)} formats " in first
    for script in re.findall(r"benchmarks/\w+\.py", first):
        assert (ROOT / script).is_file()


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"(?:\]\(|(?:src|srcset)=\")([^)\"#:]+)[)\"]", page.read_text()):
        assert (page.parent / link).exists(), link
