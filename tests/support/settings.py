"""Schedules by name, for programs that another process starts: rows of the table, entries of published settings, and any."""

from __future__ import annotations

import json
from pathlib import Path

import tracelr
from support.table import ROWS
from tracelr import Schedule, from_dict

_PUBLISHED = Path(__file__).parents[1] / "interop" / "data" / "cerebras_schedulers.json"


def published(file: str) -> list[Schedule]:
    """Return the schedules of the assignments of a published file of settings."""
    (row,) = (row for row in json.loads(_PUBLISHED.read_text())["rows"] if row["from"].endswith(file))
    init = {"optimizer": {"AdamW": {"weight_decay": 0.1}}, "schedulers": row["spec"]}
    found = from_dict({"trainer": {"init": init, "fit": {}}})
    return [found] if isinstance(found, Schedule) else [one.schedule for one in found]


def schedule_of(name: str) -> Schedule:
    """Return the schedule of a row, of an assignment as FILE:NUMBER, or of an expression."""
    if "(" in name:
        found = eval(name, dict(vars(tracelr)))
        assert isinstance(found, Schedule)
        return found
    file, _, number = name.rpartition(":")
    return published(file)[int(number)] if file else ROWS[name].schedule
