"""Curves as SVG, for browsers, notebooks and pages. No library is needed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tracelr.drawing.axes import Axis, Curve, short_name, step_axis, value_axis
from tracelr.errors import printable

_WIDTH, _HEIGHT = 640, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 20, 30, 40
COLOURS = ("#3b82f6", "#e07b00", "#16a34a", "#db2777", "#8b5cf6", "#0d9488")
"""The colours of the lines, in this order. Each can be seen on white and on black."""

_ALONE = (
    "<style>.tracelr{color:#24292f;background:#fff}"
    "@media (prefers-color-scheme:dark){.tracelr{color:#d0d7de;background:#0d1117}}</style>"
)


def svg(curves: Sequence[Curve], title: str = "", log: bool = False, alone: bool = True) -> str:
    """Return `curves` as an SVG with axes; the same curves give the same bytes.

    With `alone`, for a file that holds nothing else, the picture has colours for light and for dark screens. Without it,
    its text and lines have the colour of the text around it.

    Raises `ScheduleError` if no value can be drawn.

    >>> svg([Curve("rate", (0, 10), (0.0, 1.0))]).startswith("<svg")
    True
    """
    x, y = step_axis(curves), value_axis(curves, log)
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="tracelr" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" role="img" font-family="system-ui,sans-serif" font-size="11" fill="currentColor">',
        f"<title>{_text(printable(title or 'schedule'))}</title>",
        _ALONE if alone else "",
        f'<text x="{_LEFT}" y="18" font-size="13">{_text(short_name(title, 90))}</text>',
        *_grid(x, y),
    ]
    for k, curve in enumerate(curves):
        colour = COLOURS[k % len(COLOURS)]
        drawn.append(f'<path d="{_path(curve, x, y)}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
    if len(curves) > 1:
        drawn += [_entry(curve.name, k) for k, curve in enumerate(curves) if curve.name]
    return "\n".join(line for line in [*drawn, "</svg>"] if line) + "\n"


def _grid(x: Axis, y: Axis) -> list[str]:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    lines = []
    for tick, label in y.ticks:
        at = _y(y, tick)
        lines.append(f'<path d="M{_LEFT} {at}H{right}" stroke="currentColor" stroke-opacity=".15"/>')
        lines.append(f'<text x="{_LEFT - 6}" y="{at}" dy=".35em" text-anchor="end">{label}</text>')
    for tick, label in x.ticks:
        at = _x(x, tick)
        lines.append(f'<path d="M{at} {_TOP}V{bottom}" stroke="currentColor" stroke-opacity=".15"/>')
        lines.append(f'<text x="{at}" y="{bottom + 15}" text-anchor="middle">{label}</text>')
    lines.append(f'<text x="{(_LEFT + right) / 2:g}" y="{_HEIGHT - 8}" text-anchor="middle">step</text>')
    return lines


def _entry(name: str, k: int) -> str:
    top = _TOP + 14 * k + 8
    colour = COLOURS[k % len(COLOURS)]
    shown = _text(short_name(name, 60))
    line = f'<path d="M{_WIDTH - _RIGHT - 8} {top}h-18" stroke="{colour}" stroke-width="3"/>'
    return f'{line}<text x="{_WIDTH - _RIGHT - 32}" y="{top}" dy=".35em" text-anchor="end">{shown}</text>'


def _x(axis: Axis, step: float) -> str:
    return f"{_LEFT + axis.place(step) * (_WIDTH - _LEFT - _RIGHT):.2f}"


def _y(axis: Axis, value: float) -> str:
    return f"{_HEIGHT - _BOTTOM - axis.place(value) * (_HEIGHT - _TOP - _BOTTOM):.2f}"


def _path(curve: Curve, x: Axis, y: Axis) -> str:
    """Return the line through the points, without those between two neighbours of the same height.

    It is interrupted where a value is not finite.
    """
    runs: list[list[tuple[str, str]]] = [[]]
    for step, value in zip(curve.steps, curve.values, strict=True):
        if math.isfinite(value):
            runs[-1].append((_x(x, step), _y(y, value)))
        elif runs[-1]:
            runs.append([])
    return "".join("M" + "L".join(f"{a} {b}" for a, b in _thinned(points)) for points in runs if points)


def _thinned(points: list[tuple[str, str]]) -> list[tuple[str, str]]:
    last = len(points) - 1
    return [p for k, p in enumerate(points) if not (0 < k < last and points[k - 1][1] == p[1] == points[k + 1][1])]


def _text(text: str) -> str:
    from html import escape

    return escape(text)
