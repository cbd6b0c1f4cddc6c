"""Runs tracelr diff: compare two schedules."""

from __future__ import annotations

import argparse
from typing import Any

from tracelr.cli.output import say
from tracelr.cli.reading import step_number
from tracelr.cli.saving import say_json
from tracelr.cli.source import Chosen, choose
from tracelr.optim.state import describe_changes
from tracelr.schedules.describe.compare import At, Difference, difference


def run(args: argparse.Namespace) -> int:
    """Run the verb, and return the exit code."""
    last = None if args.units_duration is None else step_number(args.units_duration)
    pairs = _pairs(choose(args.a, args.key, args.tag), choose(args.b, args.key, args.tag))
    rows = [_row(label, a, b, last) for label, a, b in pairs]
    say_json([_plain(*row) for row in rows]) if args.json else say("\n".join(_text(*row) for row in rows))
    return int(any(found is None or found.differing for _, _, found in rows))


_Row = tuple[str, str, Difference | None]


def _pairs(left: list[Chosen], right: list[Chosen]) -> list[tuple[str, Chosen | None, Chosen | None]]:
    """Return the pairs to compare: assignments of the same key and groups. A lone schedule is for the lr of every group."""
    if len(left) == len(right) == 1:
        return [("", left[0], right[0])]
    a, b = ({_label(one): one for one in side} for side in (left, right))
    return [(label, a.get(label), b.get(label)) for label in dict.fromkeys([*a, *b])]


def _label(one: Chosen) -> str:
    return "lr of every group" if one.assignment is None else str(one.assignment)


def _row(label: str, a: Chosen | None, b: Chosen | None, last: int | None) -> _Row:
    if a is None or b is None:
        return label, f"only {'A' if b is None else 'B'} has it", None
    plain = ({"lr": [one.schedule.to_dict()]} for one in (a, b))
    return label, describe_changes(*plain).replace("lr of group 0: ", ""), difference(a.schedule, b.schedule, last)


def _text(label: str, fields: str, found: Difference | None) -> str:
    head = f"{label}: " if label else ""
    if found is None:
        return head + fields
    if not found.differing:
        return f"{head}the same values at all of {found.steps:,} steps"
    assert found.first is not None
    assert found.most is not None
    assert found.most_relative is not None
    lines = [f"{head}differ at {found.differing:,} of {found.steps:,} steps"]
    lines += [f"  fields: {fields}"] if fields else []
    lines.append(f"  first{'' if found.exact else ' seen'}: {_at(found.first)}")
    lines += [f"  most:  {_at(found.most)}", f"  most, relative: {_at(found.most_relative)}"]
    return "\n".join(lines)


def _at(at: At) -> str:
    return f"step {at.step:,}: {at.a!r} and {at.b!r}, apart {at.absolute:.3g} ({at.relative:.3g} of the larger)"


def _plain(label: str, fields: str, found: Difference | None) -> dict[str, Any]:
    row: dict[str, Any] = {"of": label or None, "fields": fields, "same": found is not None and not found.differing}
    if found is None:
        return row
    for name in ("first", "most", "most_relative"):
        at: At | None = getattr(found, name)
        row[name] = None if at is None else at._asdict() | {"absolute": at.absolute, "relative": at.relative}
    return row | {"steps": found.steps, "differing": found.differing, "first_is_exact": found.exact}
