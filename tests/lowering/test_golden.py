"""Every format of a few rows, to the byte. A change of a formula, a pass or a format shows here as a diff to review.

`PYTHONPATH=tests python tests/lowering/test_golden.py` writes the files anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from support.graphs import traced
from support.table import ROWS

from tracelr.lowering import dump, trace
from tracelr.lowering.passes import run
from tracelr.lowering.printing import FORMATS

FOLDER = Path(__file__).parent / "golden"
NAMES = ("constant", "cosine", "piecewise_constant", "sequential")
FILES = [(name, format) for name in NAMES for format in FORMATS]


@pytest.mark.parametrize(("name", "format"), FILES)
def test_a_dump_is_its_golden_file(name: str, format: str) -> None:
    text = dump(run(traced(name)), format).rstrip("\n") + "\n"
    assert (FOLDER / f"{name}.{format}").read_text(encoding="utf-8") == text, (
        "if it is meant: PYTHONPATH=tests python tests/lowering/test_golden.py"
    )


def test_there_is_no_other_golden_file() -> None:
    assert {path.name for path in FOLDER.iterdir() if path.suffix[1:] in FORMATS} == {
        f"{name}.{format}" for name, format in FILES
    }


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in NAMES:
        graph = run(trace(ROWS[name].schedule))
        for format in FORMATS:
            (FOLDER / f"{name}.{format}").write_bytes((dump(graph, format).rstrip("\n") + "\n").encode())
