"""A graph as boxes in groups, for the formats that draw one. Constants stand inside the boxes that use them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, final

from torch import fx

from tracelr.lowering.printing.listing import Line, Listing, operands
from tracelr.lowering.spec import aten, shape_of


@final
class Box(NamedTuple):
    """One node: `head` is its name and type, `body` its op and operands. `inputs` are the names of other boxes, in order."""

    name: str
    head: str
    body: str
    source: str
    inputs: tuple[str, ...]
    is_input: bool
    is_result: bool
    is_marked: bool


@final
@dataclass
class Group:
    """The boxes of one owner, and inside it the groups of its children. `path` is "." for the outermost."""

    path: str
    kind: str
    boxes: list[Box] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    is_marked: bool = False

    @property
    def title(self) -> str:
        """Return what is written over the group: class and path."""
        return " ".join(part for part in (self.kind, self.path if self.path != "." else "") if part)

    def walk(self) -> Iterator[Group]:
        """Yield this group and all groups inside it, each before those inside it."""
        yield self
        for group in self.groups:
            yield from group.walk()


def picture(listing: Listing) -> Group:
    """Return the boxes of a graph, grouped by owner."""
    constants = {line.node: repr(line.node.args[1]) for line in listing.lines if _is_constant(line.node)}
    constants = {node: text for node, text in constants.items() if node not in listing.results}
    kinds: dict[str, str] = {".": listing.graph.title if listing.graph is not None else ""}
    for line in listing.lines:
        kinds[line.owner] = line.kind or kinds.get(line.owner, "")
    groups = {path: Group(path, kinds[path]) for path in sorted(kinds, key=_sort_key)}
    for line in listing.lines:
        if line.node not in constants:
            group = groups[line.owner]
            group.boxes.append(_box(listing, line, constants))
            group.is_marked = group.is_marked or line.marked
    for path, group in groups.items():
        if path != ".":
            groups[_parent(path, kinds)].groups.append(group)
    return groups["."]


def _is_constant(node: fx.Node) -> bool:
    return node.target == aten.full.default and shape_of(node) == ()


def _box(listing: Listing, line: Line, constants: dict[fx.Node, str]) -> Box:
    def spell(operand: fx.Node) -> str:
        return constants.get(operand, operand.name)

    body = operands(listing.graph, line.node, spell)
    body = line.op if line.op == "input" else f"{line.op}({body})"
    inputs = tuple(dict.fromkeys(node.name for node in line.node.all_input_nodes if node not in constants))
    is_input = line.node.op == "placeholder"
    return Box(
        line.name,
        f"{line.name}: {line.type}",
        body,
        line.source,
        inputs,
        is_input,
        line.node in listing.results,
        line.marked,
    )


def _parent(path: str, paths: dict[str, str]) -> str:
    while path != ".":
        path = path.rpartition(".")[0] or "."
        if path in paths:
            return path
    return "."


def _sort_key(path: str) -> list[tuple[bool, int, str]]:
    """Put schedules.10 after schedules.9, and "." first."""
    parts = [] if path == "." else path.split(".")
    return [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def cut(text: str, width: int) -> str:
    """Return `text`, or as much of it as `width` characters hold.

    >>> cut("a long line", 7)
    'a lo...'
    """
    return text if len(text) <= width else f"{text[: width - 3]}..."
