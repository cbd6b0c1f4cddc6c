"""dot, mermaid and svg: what they show, where the boxes stand, and that every name is escaped."""

from __future__ import annotations

import json
import re
from functools import cache
from itertools import combinations
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from support.graphs import traced
from support.table import ROWS
from torch import Tensor, nn

from tracelr import Cosine, Exponential, Linear
from tracelr.lowering import Graph, dump, passes, trace
from tracelr.lowering.printing import FORMATS
from tracelr.lowering.printing.formats import svg
from tracelr.lowering.printing.layout import Layout, layout
from tracelr.lowering.printing.listing import listing_of
from tracelr.lowering.printing.picture import Group, picture

EVERY = pytest.mark.parametrize("name", ROWS)
SVG = "{http://www.w3.org/2000/svg}"
THREE = Linear(0.0, 1.0, 100).then(Cosine(1.0, 0.1, 900)).then(Exponential(0.1, 0.5, 50))


def placed(graph: Graph) -> tuple[Group, dict[str, float], Layout]:
    root = picture(listing_of(graph))
    widths = {box.name: svg._width(box) for group in root.walk() for box in group.boxes}
    return root, widths, layout(root, widths, svg._PAD)


@EVERY
def test_the_layout_keeps_its_laws(name: str) -> None:
    root, widths, result = placed(passes.run(traced(name)))
    inputs = {box.name: box.inputs for group in root.walk() for box in group.boxes}
    assert set(result.boxes) == set(inputs)
    for box, sources in inputs.items():
        for source in sources:
            assert result.boxes[source][1] < result.boxes[box][1], "an operand stands over what reads it"
    for one, other in combinations(inputs, 2):
        (x, layer), (y, same) = result.boxes[one], result.boxes[other]
        assert layer != same or abs(x - y) >= (widths[one] + widths[other]) / 2, "boxes of a layer are apart"
    for frame in result.frames:
        inside = {box.name for group in frame.group.walk() for box in group.boxes}
        for box, (x, _) in result.boxes.items():
            assert (frame.left <= x - widths[box] / 2 and x + widths[box] / 2 <= frame.right) == (box in inside)
            assert box in inside or not frame.left < x < frame.right, "a frame holds the boxes of its group alone"
    for _, _, way in result.edges:
        assert [layer for _, layer in way] == list(range(way[0][1], way[-1][1] + 1))
    assert all(widths[box] / 2 <= x <= result.width - widths[box] / 2 for box, (x, _) in result.boxes.items())


def test_the_step_is_on_top_and_the_rate_at_the_bottom() -> None:
    _, _, result = placed(passes.run(trace(THREE)))
    layers = {box: layer for box, (_, layer) in result.boxes.items()}
    assert layers["step"] == 0
    assert max(layers, key=lambda box: layers[box]).startswith("to_copy")


def test_a_table_stands_over_what_reads_it() -> None:
    _, _, result = placed(passes.run(traced("piecewise_constant")))
    assert result.boxes["values_table"][1] == result.boxes["index_select"][1] - 1 > 0


def test_a_constant_stands_in_the_box_that_uses_it() -> None:
    root = picture(listing_of(passes.run(trace(THREE))))
    boxes = {box.name: box for group in root.walk() for box in group.boxes}
    assert not any(name.startswith("full") for name in boxes)
    assert boxes["clamp_1"].body == "clamp.Tensor(clamp, 0, 100)"
    assert boxes["clamp_1"].inputs == ("clamp",)


def test_the_svg_shows_op_dtype_line_and_groups() -> None:
    picture = ElementTree.fromstring(dump(THREE, "svg"))
    texts = {text.text for text in picture.iter(f"{SVG}text")}
    assert {"lr(step: i64[]) -> f32[]: Sequential", "clamp_1: i64[]", "clamp.Tensor(clamp, 0, 100)"} <= texts
    assert {"Linear schedules.0", "Cosine schedules.1", "Exponential schedules.2"} <= texts
    titles = [title.text or "" for title in picture.iter(f"{SVG}title")]
    assert "sin: f64[]\nsin(mul_1)\nreturn ops.ramp(step, self.steps, self.start, self.end, easing=ops.haversine)" in titles
    assert "@media (prefers-color-scheme:dark)" in dump(THREE, "svg")
    frames = [rect for rect in picture.iter(f"{SVG}rect") if rect.get("class") == "frame"]
    assert len({rect.get("fill") for rect in frames}) == 3


def test_dot_and_mermaid_show_the_same_boxes_and_edges() -> None:
    graph = passes.run(trace(THREE))
    root = picture(listing_of(graph))
    boxes = [box for group in root.walk() for box in group.boxes]
    arrows = sum(len(box.inputs) for box in boxes)
    dot, mermaid = dump(graph, "dot"), dump(graph, "mermaid")
    assert len(re.findall(r"^ *n\d+ \[", dot, re.M)) == len(re.findall(r"^ *n\d+[(\[]", mermaid, re.M)) == len(boxes)
    assert dot.count(" -> n") == mermaid.count(" --> ") == arrows
    assert (
        len(re.findall(r"^ *subgraph cluster_\d+ {$", dot, re.M))
        == len(re.findall(r"^ *subgraph g\d+ ", mermaid, re.M))
        == 3
    )
    assert dot.count("{") == dot.count("}")
    assert '"Cosine schedules.1"' in dot
    assert '["Cosine schedules.1"]' in mermaid


def test_an_unused_step_is_shown_alone() -> None:
    class Still(nn.Module):
        def forward(self, step: Tensor) -> Tensor:
            return torch.zeros_like(step, dtype=torch.float32)

    assert "step: i64[]" in dump(Still(), "svg")
    assert "full: f32#91;#93;" in dump(Still(), "mermaid")


ODD = 'Odd"]; x --> y\n%%{init}%%</title><script>alert(1)</script>\\"}-->&lt;`*/"""\x1b'


def odd(name: str) -> nn.Module:
    """Return a module whose class, child and source line have odd names."""

    def forward(self: Any, step: Tensor) -> Tensor:
        return step.double().float() * {'"]</text><script>&\\N`#;': 2.0}['"]</text><script>&\\N`#;']

    child = type(name, (nn.Module,), {"forward": forward})()
    outer = type(name, (nn.Module,), {"forward": lambda self, step: self._modules[ODD_CHILD](step) + 1.0})()
    outer.add_module(ODD_CHILD, child)
    return outer


ODD_CHILD = ODD.replace(".", "")


@cache
def graph_of_odd(name: str) -> Graph:
    return passes.run(trace(odd(name)))


@pytest.mark.parametrize("format", FORMATS)
def test_odd_names_are_escaped(format: str) -> None:
    text, plain = (dump(graph_of_odd(name), format) for name in (ODD, "Plain"))
    assert text.count("\n") == plain.count("\n")
    assert "\x1b" not in text
    if format == "json":
        assert json.loads(text)["title"].startswith('Odd"]; x --> y %%{init}%%</title>')
    if format == "svg":
        root = ElementTree.fromstring(text)
        assert not list(root.iter(f"{SVG}script"))
        assert [e.tag for e in root.iter()] == [e.tag for e in ElementTree.fromstring(plain).iter()]
    if format == "code":
        compile(text, "dumped.py", "exec")
    if format in ("dot", "mermaid"):
        assert _outside_of_quotes(text, format) == _outside_of_quotes(plain, format)


def _outside_of_quotes(text: str, format: str) -> str:
    lines = [line for line in text.splitlines() if not line.startswith("  %%")]
    string = r'"(?:[^"\\]|\\.)*"' if format == "dot" else r'"[A-Za-z0-9 _.,:()=+/#;<>-]*"'
    return re.sub(string, '""', "\n".join(lines))
