"""Curves as SVG, for browsers, notebooks and pages. No library is needed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, final

from tracelr.drawing.axes import Axis, Curve, panels, short_name, step_axis, value_axis
from tracelr.errors import printable

_WIDTH, _HEIGHT = 640, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 20, 30, 40
COLOURS = ("#3b82f6", "#e07b00", "#16a34a", "#db2777", "#8b5cf6", "#0d9488")
"""The colours of the lines, in this order. Each can be seen on white and on black."""
DASHES = ("", "8 4", "2 3", "10 3 2 3", "14 5", "5 2 5 6")
"""The dashes of the lines, in the same order: the lengths of strokes and gaps in turn."""
_PANEL = _HEIGHT - _TOP - 6
"""From the top of the curves of one quantity to that of the next."""

_ALONE = (
    "<style>.tracelr{color:#24292f;background:#fff}"
    "@media (prefers-color-scheme:dark){.tracelr{color:#d0d7de;background:#0d1117}}</style>"
)


def svg(curves: Sequence[Curve], title: str = "", log: bool = False, alone: bool = True) -> str:
    """Return `curves` as an SVG with axes, one axis of values for each quantity; the same curves give the same bytes.

    With `alone`, for a file that holds nothing else, the picture has colours for light and for dark screens. Without it,
    its text and lines have the colour of the text around it.

    Raises `ScheduleError` if no value can be drawn.

    >>> svg([Curve("rate", (0, 10), (0.0, 1.0))]).startswith("<svg")
    True
    """
    x, shown = step_axis(curves), panels(curves)
    height = _HEIGHT + _PANEL * (len(shown) - 1)
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="tracelr" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
        f'height="{height}" role="img" font-family="system-ui,sans-serif" font-size="11" fill="currentColor">',
        f"<title>{_text(printable(title or 'schedule'))}</title>",
        _ALONE if alone else "",
        f'<text x="{_LEFT}" y="18" font-size="13">{_text(short_name(title, 90))}</text>',
    ]
    for k, (quantity, group) in enumerate(shown):
        frame = _Frame(_TOP + _PANEL * k, _HEIGHT - _BOTTOM + _PANEL * k)
        drawn += _panel(frame, x, value_axis(group, log), group, quantity, len(curves) > 1)
    drawn.append(f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2:g}" y="{height - 8}" text-anchor="middle">step</text>')
    return "\n".join(line for line in [*drawn, "</svg>"] if line) + "\n"


@final
class _Frame(NamedTuple):
    """The top and the bottom of the curves of one quantity."""

    top: int
    bottom: int


def _panel(frame: _Frame, x: Axis, y: Axis, curves: Sequence[Curve], quantity: str, legend: bool) -> list[str]:
    """Return the curves of one quantity, on their own axis of values."""
    drawn = _grid(frame, x, y)
    if quantity:
        middle = (frame.top + frame.bottom) / 2
        turned = f'transform="rotate(-90 12 {middle:g})" text-anchor="middle"'
        drawn.append(f'<text x="12" y="{middle:g}" {turned}>{_text(short_name(quantity, 40))}</text>')
    for k, curve in enumerate(curves):
        drawn.append(f'<path d="{_path(frame, curve, x, y)}" fill="none" {_stroke(k)} stroke-width="1.8"/>')
    if legend:
        drawn += [_entry(frame, curve.name, k) for k, curve in enumerate(curves) if curve.name]
    return drawn


def _stroke(k: int) -> str:
    """Return the colour and the dashes of curve k: it can be told from its neighbours without the colour."""
    dashes = DASHES[k % len(DASHES)]
    return f'stroke="{COLOURS[k % len(COLOURS)]}"' + (f' stroke-dasharray="{dashes}"' if dashes else "")


def _grid(frame: _Frame, x: Axis, y: Axis) -> list[str]:
    right = _WIDTH - _RIGHT
    lines = []
    for tick, label in y.ticks:
        at = _y(frame, y, tick)
        lines.append(f'<path d="M{_LEFT} {at}H{right}" stroke="currentColor" stroke-opacity=".15"/>')
        lines.append(f'<text x="{_LEFT - 6}" y="{at}" dy=".35em" text-anchor="end">{label}</text>')
    for tick, label in x.ticks:
        at = _x(x, tick)
        lines.append(f'<path d="M{at} {frame.top}V{frame.bottom}" stroke="currentColor" stroke-opacity=".15"/>')
        lines.append(f'<text x="{at}" y="{frame.bottom + 15}" text-anchor="middle">{label}</text>')
    return lines


def _entry(frame: _Frame, name: str, k: int) -> str:
    top = frame.top + 14 * k + 8
    shown = _text(short_name(name, 60))
    line = f'<path d="M{_WIDTH - _RIGHT - 8} {top}h-26" {_stroke(k)} stroke-width="3"/>'
    return f'{line}<text x="{_WIDTH - _RIGHT - 40}" y="{top}" dy=".35em" text-anchor="end">{shown}</text>'


def _x(axis: Axis, step: float) -> str:
    return f"{_LEFT + axis.place(step) * (_WIDTH - _LEFT - _RIGHT):.2f}"


def _y(frame: _Frame, axis: Axis, value: float) -> str:
    return f"{frame.bottom - axis.place(value) * (frame.bottom - frame.top):.2f}"


def _path(frame: _Frame, curve: Curve, x: Axis, y: Axis) -> str:
    """Return the line through the points, without those between two neighbours of the same height.

    It is interrupted where a value is not finite.
    """
    runs: list[list[tuple[str, str]]] = [[]]
    for step, value in zip(curve.steps, curve.values, strict=True):
        if math.isfinite(value):
            runs[-1].append((_x(x, step), _y(frame, y, value)))
        elif runs[-1]:
            runs.append([])
    return "".join("M" + "L".join(f"{a} {b}" for a, b in _thinned(points)) for points in runs if points)


def _thinned(points: list[tuple[str, str]]) -> list[tuple[str, str]]:
    last = len(points) - 1
    return [p for k, p in enumerate(points) if not (0 < k < last and points[k - 1][1] == p[1] == points[k + 1][1])]


def _text(text: str) -> str:
    from html import escape

    return escape(text)
