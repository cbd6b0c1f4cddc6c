"""One row per schedule: an instance, its value in exact arithmetic, and a few values anyone can check by hand.

Rows are in `rows_*.py`, by family; `row.py` says what one is. Every test that runs over all schedules reads `ROWS`, and a
registered schedule without a row fails `test_every_schedule_has_a_row`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from row import Exact as Exact
from row import Row as Row

ROWS: dict[str, Row] = {}
for _file in sorted(Path(__file__).parent.glob("rows_*.py")):
    for _name, _row in import_module(_file.stem).ROWS.items():
        assert _name not in ROWS, f"{_file.name}: the row {_name} is there already"
        ROWS[_name] = _row
