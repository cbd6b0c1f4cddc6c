"""What a scheduler drives, as a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, final

from tracelr.arithmetic import LAST_STEP
from tracelr.errors import printable, show
from tracelr.optim.groups import HyperParameter, rate_of
from tracelr.schedules.describe.phases import short

if TYPE_CHECKING:
    from tracelr.optim.scheduler import Scheduler

_HEAD = ("group", "key", "tag", "schedule", "now", "next")
_WIDEST = 80  # letters of a schedule


@final
class Row(NamedTuple):
    """What one or more param groups in a row hold under a key: at the present step, and at the one after it."""

    group: str
    key: str
    tag: str
    schedule: str
    now: str
    next: str


def tag_of(one: HyperParameter) -> str:
    """Return the tags of the group of a number as one text, or ""."""
    tags = one.group.get("tags")
    listed = [tags] if isinstance(tags, str) else tags if isinstance(tags, (list, tuple)) else []
    return printable(", ".join(str(tag) for tag in listed if tag is not None))


def rows(scheduler: Scheduler) -> list[Row]:
    """Return a row for each key of each group; neighbours that hold the same share one."""
    count, driven = max(scheduler.last_epoch, 0), scheduler.driven()
    ahead = {key: scheduler.peek(min(count + 1, LAST_STEP), key) for key in dict.fromkeys(one.key for one in driven)}
    found: list[tuple[int, int, Row]] = []
    for one in sorted(driven, key=lambda one: (one.key != "lr", one.key, one.position)):
        factor = "" if one.factor == 1 else f"{short(one.factor)} * "
        shown = factor + show(one.schedule, _WIDEST)
        now, later = short(rate_of(one.group, one.key)), short(ahead[one.key][one.position])
        row = Row("", one.key, tag_of(one), shown, now, later)
        if found and found[-1][2] == row and found[-1][1] + 1 == one.position:
            found[-1] = (found[-1][0], one.position, row)
        else:
            found.append((one.position, one.position, row))
    return [row._replace(group=f"{a}" if a == b else f"{a} to {b}") for a, b, row in found]


def described(head: str, scheduler: Scheduler) -> str:
    """Return a line that names what is described, and the rows as a table."""
    table = [_HEAD, *rows(scheduler)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in table]
    return "\n".join([f"{head}, step {scheduler.last_epoch:,}", *(f"  {line}" for line in lines)])


def described_in_html(head: str, scheduler: Scheduler) -> str:
    """Return the same for a notebook. Every text is escaped."""
    from html import escape

    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f'<{tag} style="text-align:left">{escape(cell)}</{tag}>' for cell in cells) + "</tr>"

    lines = [line(_HEAD, "th"), *(line(row, "td") for row in rows(scheduler))]
    caption = f'<caption style="text-align:left">{escape(head)}, step {scheduler.last_epoch:,}</caption>'
    return f"<table>{caption}{''.join(lines)}</table>\n"
