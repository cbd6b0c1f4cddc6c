"""Curves as text for a terminal: each braille letter has eight dots."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tracelr.drawing.axes import Axis, Curve, panels, short_name, step_axis, value_axis

_DASHES = ((1, 0), (6, 4), (2, 3), (10, 6))  # dots that are drawn, and dots that are not
_LETTERS = "*+ox#@"
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def terminal(curves: Sequence[Curve], width: int = 72, height: int = 12, log: bool = False, ascii: bool = False) -> str:
    """Return `curves` as lines of text at most `width` wide, with `height` lines between the axes.

    Each quantity has its own axes, one above the other, and its name above them. Of several curves of a quantity each has
    its own dashes, or with `ascii`, for a terminal without braille letters, its own letter; a legend is below.

    >>> print(terminal([Curve("rate", (0, 100, 110), (0.0, 1.0, 1.0))], width=40, height=4))
      1 ┤                        ⢀⣀⡠⠤⠔⠒⠊⠉⠉⠉⠉
        │                ⣀⣀⠤⠤⠒⠒⠊⠉⠁
        │       ⢀⣀⡠⠤⠤⠒⠒⠉⠉
      0 ┤⣀⡠⠤⠔⠒⠊⠉⠁
        └┬──────────────────────────────┬───
         0                             100
    """
    x, found = step_axis(curves, max(width // 14, 1)), panels(curves)
    texts = []
    for quantity, group in found:
        y = value_axis(group, log, max(height // 3, 1))
        lines = [*_panel(group, x, y, width, height, ascii), *(_legend(group, ascii) if len(curves) > 1 else [])]
        texts.append("\n".join([*([short_name(quantity, 60)] if quantity and len(found) > 1 else []), *lines]))
    return "\n\n".join(texts)


def _panel(curves: Sequence[Curve], x: Axis, y: Axis, width: int, height: int, ascii: bool) -> list[str]:
    labels = {_line(y, tick, height): label for tick, label in y.ticks}
    margin = max(map(len, labels.values())) + 2
    columns = max(width - margin - 2, 8)
    cells = [[0] * columns for _ in range(height)]
    owners = [[0] * columns for _ in range(height)]
    for k, curve in enumerate(curves):
        _draw(cells, owners, k, curve, x, y)
    lines = []
    for k, row in enumerate(cells):
        label = labels.get(k, "")
        dots = "".join(_letter(cell, owner, ascii) for cell, owner in zip(row, owners[k], strict=True))
        lines.append(f"{label:>{margin}} {'┤' if label else '│'}{dots}".rstrip())
    return [*lines, *_bottom(x, margin, columns)]


def _legend(curves: Sequence[Curve], ascii: bool) -> list[str]:
    return [f"  {_sample(k, ascii)}  {short_name(one.name, 60)}" for k, one in enumerate(curves) if one.name]


def _letter(cell: int, owner: int, ascii: bool) -> str:
    return " " if not cell else _LETTERS[owner % len(_LETTERS)] if ascii else chr(0x2800 + cell)


def _sample(k: int, ascii: bool) -> str:
    """Return a short line as curve k is drawn."""
    if ascii:
        return 6 * _LETTERS[k % len(_LETTERS)]
    dots = [_stroke(k, at) for at in range(12)]
    return "".join(chr(0x2800 + 0x02 * a + 0x10 * b) for a, b in zip(dots[::2], dots[1::2], strict=True))


def _stroke(k: int, at: int) -> bool:
    """Return whether dot `at` of curve k is drawn."""
    stroke, gap = _DASHES[k % len(_DASHES)]
    return at % (stroke + gap) < stroke


def _line(axis: Axis, value: float, height: int) -> int:
    return height - 1 - min(max(round(axis.place(value) * (height * 4 - 1)) // 4, 0), height - 1)


def _draw(cells: list[list[int]], owners: list[list[int]], own: int, curve: Curve, x: Axis, y: Axis) -> None:
    wide, high = 2 * len(cells[0]) - 1, 4 * len(cells) - 1
    at = [
        (round(x.place(s) * wide), round((1 - y.place(v)) * high)) if math.isfinite(v) else None
        for s, v in zip(curve.steps, curve.values, strict=True)
    ]
    drawn = 0
    for begin, end in zip(at, at[1:] or at, strict=False):
        if begin is None or end is None:
            continue
        (a, b), (c, d) = begin, end
        count = max(abs(c - a), abs(d - b), 1)
        for k in range(count + 1):
            column, row = a + round((c - a) * k / count), b + round((d - b) * k / count)
            if 0 <= row <= high and 0 <= column <= wide and _stroke(own, drawn + k):
                cells[row // 4][column // 2] |= _DOTS[row % 4][column % 2]
                owners[row // 4][column // 2] = own
        drawn += max(abs(c - a), abs(d - b))


def _bottom(x: Axis, margin: int, columns: int) -> list[str]:
    """Return the axis of the steps, with a label under each tick that has room for one."""
    rule, text = ["─"] * columns, [" "] * (columns + 8)
    free = 0
    for tick, label in x.ticks:
        at = round(x.place(tick) * (columns - 1))
        begin = max(at - len(label) // 2, 0)
        if begin >= free:
            rule[at] = "┬"
            text[begin : begin + len(label)] = label
            free = begin + len(label) + 1
    indent = " " * (margin + 1)
    return [f"{indent}└{''.join(rule)}", f"{indent} {''.join(text)}".rstrip()]
