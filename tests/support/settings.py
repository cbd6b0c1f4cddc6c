"""Schedules by name, for programs that another process starts: rows of the table, and entries of published settings."""

from __future__ import annotations

from support.table import ROWS
from tracelr import Schedule


def schedule_of(name: str) -> Schedule:
    """Return the schedule of a row."""
    return ROWS[name].schedule
