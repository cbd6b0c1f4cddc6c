"""dot: the language of Graphviz."""

from __future__ import annotations

from collections.abc import Iterator

from tracelr.lowering.printing.listing import Listing
from tracelr.lowering.printing.picture import Box, Group, cut, picture

_WIDTH = 60


def write(listing: Listing) -> str:
    """Return the graph for `dot -Tsvg`: one box per node, one cluster per child."""
    root = picture(listing)
    names = {box.name: f"n{k}" for k, box in enumerate(box for group in root.walk() for box in group.boxes)}
    numbers = {id(group): k for k, group in enumerate(root.walk())}
    edges = (f"  {names[source]} -> {names[box.name]};" for g in root.walk() for box in g.boxes for source in box.inputs)
    return "\n".join(
        [
            f"digraph {_quoted(listing.heading)} {{",
            f"  graph [label={_quoted(listing.heading)} labelloc=t fontname=Courier];",
            "  node [shape=box style=filled fillcolor=white fontname=Courier fontsize=10];",
            *_group(root, names, numbers, "  "),
            *edges,
            "}",
        ]
    )


def _group(group: Group, names: dict[str, str], numbers: dict[int, int], indent: str) -> Iterator[str]:
    for box in group.boxes:
        yield f"{indent}{names[box.name]} [{_attributes(box)}];"
    for inner in group.groups:
        k = numbers[id(inner)]
        fill = f"/pastel19/{(k - 1) % 9 + 1}"
        yield f"{indent}subgraph cluster_{k} {{"
        yield f"{indent}  graph [label={_quoted(inner.title)} style=filled fillcolor={_quoted(fill)}];"
        yield from _group(inner, names, numbers, f"{indent}  ")
        yield f"{indent}}}"


def _attributes(box: Box) -> str:
    lines = [box.head, cut(box.body, _WIDTH), cut(box.source, _WIDTH)]
    label = "\\n".join(_escaped(line) for line in lines if line)
    style = ' style="rounded,filled"' if box.is_input else " penwidth=2" if box.is_result else ""
    return f'label="{label}"{style}' + (' color="#b45309"' if box.is_marked else "")


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    # In a label Graphviz reads \N and &lt; as well.
    return text.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
