"""The list of assignments on a page, and their schedules. A schedule of several assignments is shown once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, final

from tracelr.report.html import code, h, table, tabs
from tracelr.report.samples import Samples, number
from tracelr.report.source import config, python
from tracelr.schedules.assignment import Assignment, Loaded
from tracelr.schedules.base import Schedule

_LONGEST = 300  # characters of a schedule that is written at the top


@final
class Group(NamedTuple):
    """A schedule and its assignments: none for a page of one schedule."""

    schedule: Schedule
    assignments: tuple[Assignment, ...]

    @property
    def name(self) -> str:
        """Return the assignments in words."""
        return "; ".join(map(str, self.assignments))

    @property
    def key(self) -> str:
        """Return the hyper-parameter. Curves of the same hyper-parameter are drawn together."""
        return self.assignments[0].key if self.assignments else ""

    @property
    def quantity(self) -> str:
        """Return the hyper-parameter in words."""
        return {"lr": "learning rate"}.get(self.key, self.key.replace("_", " "))

    @property
    def heading(self) -> str:
        """Return the heading of the schedule, as HTML: its assignments, and what builds it if that is not long."""
        written = repr(self.schedule)
        built = f'<p class="expression"><code>{h(written)}</code></p>' if len(written) <= _LONGEST else ""
        return (f"<h2>{h(self.name)}</h2>" if self.assignments else "") + built


def driven(loaded: Loaded) -> list[Group]:
    """Return the schedules of `loaded`, each once, with their assignments."""
    if isinstance(loaded, Schedule):
        return [Group(loaded, ())]
    found: dict[tuple[str, Schedule], list[Assignment]] = {}
    for one in loaded:
        found.setdefault((one.key, one.schedule), []).append(one)
    return [Group(same[0].schedule, tuple(same)) for same in found.values()]


def chooser(loaded: Sequence[Assignment], groups: Sequence[Group], held: Sequence[Samples]) -> str:
    """Return the list of assignments, each with a link to its schedule, and the configuration of all of them."""
    rows = []
    for one in loaded:
        k = next(k for k, group in enumerate(groups) if one in group.assignments)
        at, largest = held[k].largest()
        link = f'<a href="#s{k}" data-choose="s{k}">{h(str(one))}</a>'
        length = "no end" if one.schedule.length is None else f"{one.schedule.length:,}"
        rows.append(
            [link, h(type(one.schedule).__name__), length, number(largest), f"{at:,}", number(float(held[k].values[-1]))]
        )
    head = ["assignment", "schedule", "steps", "largest", "at step", "last"]
    panels = [("YAML", code(config([*loaded]), "All assignments, for tracelr.load", "#")),
              ("Python", code(python([*loaded]), "The same, as code", "#"))]  # fmt: skip
    return (
        f'<section id="assignments"><h2>{len(loaded)} assignments</h2>\n'
        f"{table(head, rows, 'assignments', 'Assignments')}\n"
        f"<details><summary>Configuration of all</summary>{tabs('all', 'Configuration of all', panels)}</details></section>"
    )
