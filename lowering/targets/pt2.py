"""PT2: the graph as a file that torch.export.load reads where tracelr is not installed."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cached_property
from typing import final
from zipfile import ZipFile, ZipInfo

import torch
from torch import Tensor

from tracelr._torch import alone
from tracelr.lowering.graph import Graph
from tracelr.lowering.targets import _exported
from tracelr.lowering.targets._target import Artifact, Target


@final
class Package(Artifact):
    """An exported program. The bytes of its file depend only on the graph and on torch's version."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._program = _exported.program(graph)

    @property
    def text(self) -> str:
        return str(self._program)

    @cached_property
    def bytes(self) -> bytes:
        from torch.export import save

        file = io.BytesIO()
        with alone():
            save(self._program, file)
        return _without_times(file)

    @cached_property
    def _loaded(self) -> Callable[[Tensor], Tensor]:
        from torch.export import load

        content = io.BytesIO(self.bytes)
        with alone():
            return load(content).module()

    def evaluate(self, steps: Tensor) -> Tensor:
        # A program of one step is mapped over many: called for each, it would run every op for each.
        function = self._loaded if self._graph.batch else torch.vmap(self._loaded)
        with torch.no_grad():
            return function(steps) if len(steps) else torch.empty(0)


def _without_times(file: io.BytesIO) -> bytes:
    """Return the archive `file` without the time at which torch 2.6 wrote each part of it; later ones write none."""
    with ZipFile(file) as archive:
        if all(part.date_time < (1981,) for part in archive.infolist()):
            return file.getvalue()
        again = io.BytesIO()
        with ZipFile(again, "w") as same:
            for part in archive.infolist():
                same.writestr(ZipInfo(part.filename), archive.read(part))
    return again.getvalue()


@final
class PT2(Target):
    """A `.pt2` file of core ATen ops, of one step or of a batch. A parameter stays one, with the value that it has."""

    def emit(self, graph: Graph, name: str) -> Package:
        return Package(graph)

    def missing(self) -> None:
        return None


TARGET = PT2()
