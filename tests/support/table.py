"""One row per schedule: an instance, its value in exact arithmetic, and a few values anyone can check by hand.

Rows are in `rows/`, by family; `row.py` says what one is. Every test that runs over all schedules reads `ROWS`, and a
registered schedule without a row fails `test_every_schedule_has_a_row`.
"""

from __future__ import annotations

from support.row import Exact as Exact
from support.row import Row as Row
from support.rows import algebra, basic, cycles, phases, shapes

ROWS: dict[str, Row] = {}
for _module in (algebra, basic, cycles, phases, shapes):
    for _name, _row in _module.ROWS.items():
        assert _name not in ROWS, f"{_module.__name__}: the row {_name} is there already"
        ROWS[_name] = _row

OF_EACH_KIND = {"linear_down", "exponential_stairs", "piecewise_constant", "sequential_nested"}
SOME = [name for k, name in enumerate(ROWS) if k % 4 == 0 or name in OF_EACH_KIND]
"""The rows that the quick tests take where each costs a trace of its own or a compilation; the slow tests take the others."""
