"""Curves as text for a terminal: each braille letter has eight dots."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tracelr.drawing.axes import Axis, Curve, step_axis, value_axis

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def terminal(curves: Sequence[Curve], width: int = 72, height: int = 12, log: bool = False) -> str:
    """Return `curves` as lines of text at most `width` wide, with `height` lines between the axes.

    >>> print(terminal([Curve("rate", (0, 100, 110), (0.0, 1.0, 1.0))], width=40, height=4))
      1 ┤                        ⢀⣀⡠⠤⠔⠒⠊⠉⠉⠉⠉
        │                ⣀⣀⠤⠤⠒⠒⠊⠉⠁
        │       ⢀⣀⡠⠤⠤⠒⠒⠉⠉
      0 ┤⣀⡠⠤⠔⠒⠊⠉⠁
        └┬──────────────────────────────┬───
         0                             100
    """
    x, y = step_axis(curves, max(width // 14, 1)), value_axis(curves, log, max(height // 3, 1))
    labels = {_line(y, tick, height): label for tick, label in y.ticks}
    margin = max(map(len, labels.values())) + 2
    columns = width - margin - 2
    cells = [[0] * columns for _ in range(height)]
    for curve in curves:
        _draw(cells, curve, x, y)
    lines = []
    for k, row in enumerate(cells):
        label = labels.get(k, "")
        dots = "".join(chr(0x2800 + cell) if cell else " " for cell in row)
        lines.append(f"{label:>{margin}} {'┤' if label else '│'}{dots}".rstrip())
    return "\n".join([*lines, *_bottom(x, margin, columns)])


def _line(axis: Axis, value: float, height: int) -> int:
    return height - 1 - min(max(round(axis.place(value) * (height * 4 - 1)) // 4, 0), height - 1)


def _draw(cells: list[list[int]], curve: Curve, x: Axis, y: Axis) -> None:
    wide, high = 2 * len(cells[0]) - 1, 4 * len(cells) - 1
    at = [
        (round(x.place(s) * wide), round((1 - y.place(v)) * high)) if math.isfinite(v) else None
        for s, v in zip(curve.steps, curve.values, strict=True)
    ]
    for begin, end in zip(at, at[1:] or at, strict=False):
        if begin is None or end is None:
            continue
        (a, b), (c, d) = begin, end
        count = max(abs(c - a), abs(d - b), 1)
        for k in range(count + 1):
            column, row = a + round((c - a) * k / count), b + round((d - b) * k / count)
            if 0 <= row <= high and 0 <= column <= wide:
                cells[row // 4][column // 2] |= _DOTS[row % 4][column % 2]


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
