"""table: the nodes in aligned columns."""

from __future__ import annotations

from tracelr.lowering.view import View


def write(view: View) -> str:
    """Return the nodes as a table with aligned columns; of a whole training step, one column says which schedule."""
    rows: list[tuple[str, ...]] = [("node", "type", "op", "operands", "owner", "source")]
    rows += [(*line[1:6], line.source) for line in view.lines if view.graph is None or line.op != "input"]
    if view.graph is None:
        marks = ["schedule", *(line.kind if line.marked else "" for line in view.lines)]
        rows = [(*row[:4], mark, *row[4:]) for row, mark in zip(rows, marks, strict=True)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, tuple("-" * width for width in widths))
    body = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join([view.heading, "", *body, "", f"return {', '.join(node.name for node in view.results)}"])
