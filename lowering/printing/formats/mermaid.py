"""mermaid: a flowchart that GitHub and most Markdown viewers draw."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tracelr.lowering.printing.listing import Listing
from tracelr.lowering.printing.picture import Box, Group, cut, picture

_WIDTH = 60


def write(listing: Listing) -> str:
    """Return the graph as a Mermaid flowchart: one box per node, one subgraph per child."""
    root = picture(listing)
    names = {box.name: f"n{k}" for k, box in enumerate(box for group in root.walk() for box in group.boxes)}
    numbers = {id(group): k for k, group in enumerate(root.walk())}
    boxes = [box for group in root.walk() for box in group.boxes]
    lines = ["flowchart TD", f"  %% {_escaped(listing.heading)}", *_group(root, names, numbers, "  ")]
    lines += [f"  {names[source]} --> {names[box.name]}" for box in boxes for source in box.inputs]
    lines += ["  classDef result stroke-width:3px", "  classDef schedule stroke:#b45309"]
    for style, chosen in (("result", [b for b in boxes if b.is_result]), ("schedule", [b for b in boxes if b.is_marked])):
        if chosen:
            lines.append(f"  class {','.join(names[box.name] for box in chosen)} {style}")
    return "\n".join(lines)


def _group(group: Group, names: dict[str, str], numbers: dict[int, int], indent: str) -> Iterator[str]:
    for box in group.boxes:
        opening, closing = ("([", "])") if box.is_input else ("[", "]")
        yield f"{indent}{names[box.name]}{opening}{_text(box)}{closing}"
    for inner in group.groups:
        yield f'{indent}subgraph g{numbers[id(inner)]} ["{_escaped(inner.title)}"]'
        yield from _group(inner, names, numbers, f"{indent}  ")
        yield f"{indent}end"


def _text(box: Box) -> str:
    lines = [box.head, cut(box.body, _WIDTH), cut(box.source, _WIDTH)]
    return '"' + "<br/>".join(_escaped(line) for line in lines if line) + '"'


def _escaped(text: str) -> str:
    # Mermaid's own entities, by number: letters, digits and a few harmless signs stay as they are.
    return re.sub(r"[^A-Za-z0-9 _.,:()=+/-]", lambda match: f"#{ord(match.group())};", text)
