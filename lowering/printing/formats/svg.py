"""svg: a picture that needs no tool to make and follows the light or dark theme of the page it is on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from xml.sax.saxutils import escape

from tracelr.lowering.printing.layout import Frame, Layout, layout
from tracelr.lowering.printing.listing import Listing
from tracelr.lowering.printing.picture import Box, Group, cut, picture

_CHARACTER, _SMALL = 6.9, 5.6  # advance of a monospace letter at 11 and 9 pixels
_WIDEST, _NARROWEST = 300.0, 120.0
_FULL = 500  # characters of a line that is shown when pointed at
_HEIGHT, _ROW, _MARGIN, _PAD, _TOP = 60.0, 100.0, 16.0, 14.0, 36.0
_COLOURS = ("#3f7fbf", "#c9741f", "#3c9a5f", "#9155b8", "#c94a6a", "#2b98a3", "#a68a1d", "#6a6fd0")
_GREY = "#8c959f"

_STYLE = """
    text{font-family:ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace;font-size:11px;fill:#1f2328}
    .page{fill:#ffffff} .box{fill:#ffffff;stroke:#6e7781} .result{stroke-width:2.5} .edge{fill:none;stroke:#8c959f}
    .line{font-size:9px;fill:#59636e} .head{font-weight:bold} .title{font-size:13px;font-weight:bold}
    @media (prefers-color-scheme:dark){
    text{fill:#e6edf3} .page{fill:#0d1117} .box{fill:#161b22;stroke:#8b949e} .edge{stroke:#7d8590} .line{fill:#9198a1}}
"""


def write(listing: Listing) -> str:
    """Return the graph as an SVG image: inputs on top, each child in a frame, operands from left to right into a box."""
    return draw(listing, _STYLE)


def draw(listing: Listing, style: str) -> str:
    """Return the image with the style sheet `style`; with none if it is empty, for a page that has one already."""
    root = picture(listing)
    boxes = {box.name: (box, group) for group in root.walk() for box in group.boxes}
    widths = {name: _width(box) for name, (box, _) in boxes.items()}
    placed = layout(root, widths, _PAD)
    coloured = [group for group in root.walk() if group is not root and (listing.graph is not None or group.is_marked)]
    colours = {id(group): _COLOURS[k % len(_COLOURS)] for k, group in enumerate(coloured)}
    width = max(placed.width, len(listing.heading) * 8.0) + 2 * _MARGIN
    height = _TOP + placed.layers * _ROW + _MARGIN
    size = f'width="{_n(width)}" height="{_n(height)}"'
    heading = _escaped(listing.heading)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}" {size} role="img">',
            f"<title>{heading}</title>",
            *([f"<style>{style}</style>"] if style else []),
            f'<rect class="page" {size}/>',
            f'<text class="title" x="{_n(_MARGIN)}" y="24">{heading}</text>',
            *(part for frame in placed.frames for part in _frame(frame, colours.get(id(frame.group), _GREY))),
            *_edges(placed, {name: box for name, (box, _) in boxes.items()}, widths),
            *(
                part
                for name, (box, group) in boxes.items()
                for part in _box(box, *placed.boxes[name], widths[name], colours.get(id(group)))
            ),
            "</svg>",
            "",
        ]
    )


def _width(box: Box) -> float:
    letters = max(len(box.head), len(box.body)) * _CHARACTER
    return float(round(min(max(letters + 18, len(box.source) / 2 * _SMALL + 40, _NARROWEST), _WIDEST)))


def _y(layer: int) -> float:
    return _TOP + layer * _ROW + (_ROW - _HEIGHT) / 2


def _frame(frame: Frame, colour: str) -> Iterator[str]:
    inner = _levels(frame.group)
    left, right = frame.left + _MARGIN, frame.right + _MARGIN
    top, bottom = _y(frame.first) - 17 - 15 * inner, _y(frame.last) + _HEIGHT + 8 + 6 * inner
    yield (
        f'<rect class="frame" x="{_n(left)}" y="{_n(top)}" width="{_n(right - left)}" height="{_n(bottom - top)}" rx="6" '
        f'fill="{colour}" fill-opacity=".09" stroke="{colour}" stroke-opacity=".6"/>'
    )
    title = cut(frame.group.title, max(int((right - left - 12) / _CHARACTER), 4))
    yield f'<text class="head" x="{_n(left + 6)}" y="{_n(top + 12)}">{_escaped(title)}</text>'


def _levels(group: Group) -> int:
    return max((1 + _levels(inner) for inner in group.groups), default=0)


def _edges(placed: Layout, boxes: dict[str, Box], widths: dict[str, float]) -> Iterator[str]:
    for source, name, points in placed.edges:
        order = boxes[name].inputs
        spread = (order.index(source) + 1) / (len(order) + 1) - 0.5
        last, layer = points[-1]
        way = [*points[:-1], (last + spread * widths[name] * 0.8, layer)]
        x, y = way[0][0] + _MARGIN, _y(way[0][1]) + _HEIGHT
        path = f"M{_n(x)} {_n(y)}"
        for (x, above), (to, below) in pairwise([(x + _MARGIN, layer) for x, layer in way]):
            end, middle = _y(below), (_y(above) + _HEIGHT + _y(below)) / 2
            path += f"C{_n(x)} {_n(middle)} {_n(to)} {_n(middle)} {_n(to)} {_n(end)}"
            path += f"V{_n(end + _HEIGHT)}" if below != way[-1][1] else ""
        yield f'<path class="edge" d="{path}"/>'


def _box(box: Box, x: float, layer: int, width: float, colour: str | None) -> Iterator[str]:
    left, top = x - width / 2 + _MARGIN, _y(layer)
    stroke = "" if colour is None else f' style="stroke:{colour}"'
    style = "box result" if box.is_result else "box"
    corner = 16.0 if box.is_input else 4.0
    place = f'x="{_n(left)}" y="{_n(top)}" width="{_n(width)}" height="{_n(_HEIGHT)}" rx="{_n(corner)}"'
    room = int((width - 16) / _CHARACTER)
    lines = [("head", cut(box.head, room), 15), ("body", cut(box.body, room), 29)]
    lines += [
        ("line", text, down) for text, down in zip(_wrapped(box.source, int((width - 16) / _SMALL)), (41, 52), strict=True)
    ]
    full = "\n".join(cut(text, _FULL) for text in (box.head, box.body, box.source) if text)
    yield f'<g><title>{_escaped(full)}</title><rect class="{style}" {place}{stroke}/>'
    start = left + 8
    for kind, text, down in lines:
        if text:
            yield f'<text class="{kind}" x="{_n(start)}" y="{_n(top + down)}">{_escaped(text)}</text>'
    yield "</g>"


def _wrapped(text: str, width: int) -> tuple[str, str]:
    if len(text) <= width:
        return text, ""
    at = max(text.rfind(sign, 0, width) for sign in " ,.(") + 1 or width
    return text[:at], cut(text[at:].strip(), width)


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _escaped(text: str) -> str:
    return escape(text, {'"': "&quot;"})
