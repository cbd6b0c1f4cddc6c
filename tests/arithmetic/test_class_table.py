"""The table of classes in docs/numerics.md is what the constructors enforce and what is measured."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.class_table import ARITHMETICS, PAGE, ROWS, VALUES, errors, stated, written
from torch import nn

from tracelr import Schedule
from tracelr.errors import TracelrError
from tracelr.schedules.base import REGISTRY


def test_every_class_has_a_row_with_every_number_in_its_fields() -> None:
    ours = {name for name, cls in REGISTRY.items() if cls.__module__.startswith("tracelr.")}
    assert set(ROWS) == ours - {"Lambda"}
    for name, row in ROWS.items():
        values = {field: getattr(row.made, field) for field in row.made._rules}
        others = {f for f, x in values.items() if isinstance(x, (bool, str, Schedule, nn.ModuleList))}
        assert set(values) - others <= set(row.fields) <= set(values), name


def test_the_page_has_these_rows() -> None:
    page, found = PAGE.read_text(), stated()
    assert set(found) == set(ROWS)
    for name in ROWS:
        assert written(name, found[name]) in page, written(name, found[name])


@pytest.mark.parametrize("name", ROWS)
def test_a_field_accepts_its_bounds_and_nothing_beyond(name: str) -> None:
    for field, accepted in ROWS[name].fields.items():
        for value in accepted.accepted:
            made = replace(ROWS[name].made, **{field: accepted.given(value)})
            assert made(0).isfinite(), (field, value)
        for value in accepted.refused:
            with pytest.raises(TracelrError):
                print(replace(ROWS[name].made, **{field: accepted.given(value)}), field, value)


@pytest.mark.parametrize("name", ROWS)
def test_no_error_is_above_what_the_page_states(name: str) -> None:
    worst, most = errors(name, 90), stated()[name]
    for one in ARITHMETICS:  # the last bits of float32 differ from one processor to another
        assert worst[one] <= float(most[one]) * (1.1 if one == "float32" else 1.0), one


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_the_page_states_the_largest_error_measured(name: str) -> None:
    worst, most = errors(name, VALUES), stated()[name]
    for one in ARITHMETICS:
        assert 0.8 * float(most[one]) - 0.01 <= worst[one] <= float(most[one]) * (1.1 if one == "float32" else 1.0), one
