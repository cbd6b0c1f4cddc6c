"""Every Python block of README and CONTRIBUTING runs as it stands, and links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from tracelr.schedule import REGISTRY

ROOT = Path(__file__).parent.parent
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


def test_there_are_blocks() -> None:
    assert len(BLOCKS) >= 2


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / link).exists(), link
