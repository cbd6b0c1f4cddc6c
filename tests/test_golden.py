"""Every form of a few rows, to the byte. A change of a formula, a pass or a form shows here as a diff to review.

`python tests/test_golden.py` writes the files anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from table import ROWS

from tracelr.lowering import dump, trace
from tracelr.lowering.dump import FORMS
from tracelr.lowering.passes import run

FOLDER = Path(__file__).parent / "golden"
NAMES = ("constant", "cosine", "piecewise_constant", "sequential")
FILES = [(name, form) for name in NAMES for form in FORMS]


@pytest.mark.parametrize(("name", "form"), FILES)
def test_a_dump_is_its_golden_file(name: str, form: str) -> None:
    text = dump(ROWS[name].schedule, form).rstrip("\n") + "\n"
    assert (FOLDER / f"{name}.{form}").read_text(encoding="utf-8") == text, "if it is meant: python tests/test_golden.py"


def test_there_is_no_other_golden_file() -> None:
    assert {path.name for path in FOLDER.iterdir() if path.suffix[1:] in FORMS} == {f"{name}.{form}" for name, form in FILES}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in NAMES:
        graph = run(trace(ROWS[name].schedule))
        for form in FORMS:
            (FOLDER / f"{name}.{form}").write_bytes((dump(graph, form).rstrip("\n") + "\n").encode())
