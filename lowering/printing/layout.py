"""A layered layout: inputs on top, each group in its strip, so that the frames of groups never overlap.

A box is one layer below the lowest box that it reads. An edge over more than one layer has a point in each layer between.
Then sweeps down and up sort each layer by the mean position of what its boxes are joined to, and put each box as near to
this mean as its neighbours allow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias, final

from tracelr.lowering.printing.picture import Box, Group

_SWEEPS = 16
_GAP, _POINT = 16.0, 10.0

Key: TypeAlias = "tuple[str, int]"  # a box, at layer -1; or a point of the edge into it


@final
@dataclass(frozen=True)
class Frame:
    """Where a group's strip lies, and which layers its boxes span; `depth` is how many frames are around it."""

    group: Group
    left: float
    right: float
    first: int
    last: int
    depth: int


@final
@dataclass(frozen=True)
class Layout:
    """Centre and layer of every box, the route of every edge as (x, layer) points, and the frames, the outer ones first."""

    boxes: dict[str, tuple[float, int]]
    edges: list[tuple[str, str, list[tuple[float, int]]]]
    frames: list[Frame]
    width: float
    layers: int


def layout(root: Group, widths: dict[str, float], pad: float) -> Layout:
    """Place the boxes of `root`, which are as wide as `widths` says; `pad` is the room inside a frame."""
    strips = {box.name: k for k, group in enumerate(root.walk()) for box in group.boxes}
    layers = _layers([box for group in root.walk() for box in group.boxes])
    items: dict[Key, tuple[int, int, float]] = {(n, -1): (strips[n], layers[n], widths[n]) for n in layers}
    chains: dict[tuple[str, str], list[Key]] = {}
    for group in root.walk():
        for box in group.boxes:
            for k, source in enumerate(box.inputs):
                between = range(layers[source] + 1, layers[box.name])
                strip = min(strips[source], strips[box.name])
                points = [(f"{box.name} {k}", layer) for layer in between]
                items |= {point: (strip, point[1], _POINT) for point in points}
                chains[source, box.name] = [(source, -1), *points, (box.name, -1)]
    local = _places(items, list(chains.values()))
    frames: list[Frame] = []
    shifts: dict[int, float] = {}
    extents = _extents(items, local)
    width = _arrange(root, list(root.walk()), extents, layers, pad, frames, shifts)
    at = {key: (x + shifts[items[key][0]], items[key][1]) for key, x in local.items()}
    edges = [(source, name, [at[key] for key in chain]) for (source, name), chain in chains.items()]
    boxes = {name: at[name, -1] for name in layers}
    return Layout(boxes, edges, sorted(frames, key=lambda frame: frame.depth), width, 1 + max(layers.values(), default=0))


def _layers(boxes: Sequence[Box]) -> dict[str, int]:
    inputs = {box.name: box.inputs for box in boxes}
    layers: dict[str, int] = {}
    pending = [box.name for box in boxes]
    while pending:  # the boxes are listed by group, so this takes a few rounds
        ready = [name for name in pending if all(source in layers for source in inputs[name])]
        layers |= {name: 1 + max((layers[source] for source in inputs[name]), default=-1) for name in ready}
        pending = [name for name in pending if name not in layers]
    below: dict[str, int] = {}
    for name, sources in inputs.items():
        below |= {source: min(layers[name], below.get(source, layers[name])) for source in sources}
    for box in boxes:
        if not box.inputs and not box.is_input:  # a table stands over what reads it
            layers[box.name] = max(below.get(box.name, 1) - 1, 0)
    return layers


def _places(items: dict[Key, tuple[int, int, float]], chains: list[list[Key]]) -> dict[Key, float]:
    """Return the x of every item, measured in its own strip."""
    above: dict[Key, list[Key]] = defaultdict(list)
    below: dict[Key, list[Key]] = defaultdict(list)
    for chain in chains:
        for one, other in pairwise(chain):
            if items[one][0] == items[other][0]:
                above[other].append(one)
                below[one].append(other)
    rows: dict[tuple[int, int], list[Key]] = defaultdict(list)
    for key, (strip, layer, _) in items.items():
        rows[layer, strip].append(key)
    x = dict.fromkeys(items, 0.0)
    for row in rows.values():
        _settle(row, [0.0] * len(row), items, x)
    for sweep in range(_SWEEPS):
        joined = above if sweep % 2 == 0 else below
        for place in sorted(rows, reverse=sweep % 2 == 1):
            row = rows[place]
            wanted = {key: _mean([x[other] for other in joined[key]], x[key]) for key in row}
            if sweep < _SWEEPS - 4:
                row.sort(key=lambda key: wanted[key])
            _settle(row, [wanted[key] for key in row], items, x)
    return x


def _mean(values: list[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _settle(row: list[Key], wanted: list[float], items: dict[Key, tuple[int, int, float]], x: dict[Key, float]) -> None:
    """Put a row as near to its wanted positions as widths allow, in least squares, by pooling neighbours that overlap."""
    offset, before = 0.0, 0.0
    pools: list[tuple[float, int]] = []  # the mean of wanted minus offset, and the number of boxes in it
    offsets: list[float] = []
    for key, want in zip(row, wanted, strict=True):
        half = items[key][2] / 2
        offset += before + half + (_GAP if offsets else 0.0)
        before = half
        offsets.append(offset)
        pool = (want - offset, 1)
        while pools and pools[-1][0] > pool[0]:
            mean, count = pools.pop()
            pool = ((mean * count + pool[0] * pool[1]) / (count + pool[1]), count + pool[1])
        pools.append(pool)
    means = [mean for mean, count in pools for _ in range(count)]
    for key, mean, shift in zip(row, means, offsets, strict=True):
        x[key] = mean + shift


def _extents(items: dict[Key, tuple[int, int, float]], x: dict[Key, float]) -> dict[int, tuple[float, float]]:
    found: dict[int, tuple[float, float]] = {}
    for key, (strip, _, width) in items.items():
        low, high = found.get(strip, (x[key], x[key]))
        found[strip] = min(low, x[key] - width / 2), max(high, x[key] + width / 2)
    return found


def _arrange(
    root: Group,
    order: list[Group],
    extents: dict[int, tuple[float, float]],
    layers: dict[str, int],
    pad: float,
    frames: list[Frame],
    shifts: dict[int, float],
) -> float:
    """Put the strips side by side and return their total width."""
    strips = {id(group): k for k, group in enumerate(order)}

    def enter(group: Group, left: float, depth: int) -> float:
        right = left + pad
        for part in _own_in_the_middle(group):
            strip = strips[id(part)]
            if part is not group:
                right = enter(part, right, depth + 1) + pad
            elif strip in extents:
                low, high = extents[strip]
                shifts[strip] = right - low
                right += high - low + pad
        spanned = [layers[box.name] for one in group.walk() for box in one.boxes]
        if group is not root and spanned:
            frames.append(Frame(group, left, right, min(spanned), max(spanned), depth))
        return right

    return enter(root, 0.0, 0)


def _own_in_the_middle(group: Group) -> list[Group]:
    half = len(group.groups) // 2  # a group's own boxes are joined to those of all its children
    return [*group.groups[:half], group, *group.groups[half:]]
