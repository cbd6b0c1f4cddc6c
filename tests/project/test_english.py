"""The English of the project: phrases that a reader has to read twice are in no text file of the repository."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
PHRASES = {
    r"[Hh]angs? on": "depends on",
    r"[Ii]t is none": "it is not one",
    r"[Ss]o many of": "this many of",
    r"of the seed": "of the first release; for random numbers, of its seed",
}
"""Each phrase, as a pattern of whole words, and what to write in its place. `None` is a word of Python."""
DATA = (".json", ".png")
SKIPPED = {"LICENSE", "tests/project/test_english.py"}


def texts() -> dict[str, str]:
    """Return every text file that git tracks, but for the licence and the data of tests."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    read = [name for name in listed if name not in SKIPPED and not name.endswith(DATA) and (ROOT / name).is_file()]
    return {name: (ROOT / name).read_text() for name in read}


def found(text: str) -> list[tuple[int, str]]:
    """Return the line and the words of every phrase in a text."""
    hits = [hit for phrase in PHRASES for hit in re.finditer(rf"\b{phrase}\b", text)]
    return sorted((text.count("\n", 0, hit.start()) + 1, hit[0]) for hit in hits)


def test_no_text_has_a_phrase_that_is_read_twice() -> None:
    every = texts()
    assert len(every) > 400
    assert {name: hits for name, text in every.items() if (hits := found(text))} == {}


def test_the_search_finds_them_and_leaves_code_alone() -> None:
    for wrong in ("hang on", "Hangs on", "it is none", "so many of", "of the seed"):
        assert found(f"A first line.\nThen: {wrong} others.") == [(2, wrong)]
    assert found("where it is None; if limit is None: so many_of") == []
