"""Inductor: the kernel that torch.compile generates from a graph, which is what a compiled training step runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from typing import final

import torch
from torch import Tensor

from tracelr._torch import generated_code
from tracelr.errors import LoweringError, Unquoted
from tracelr.lowering.graph import Graph
from tracelr.lowering.targets import _exported, _toolchain
from tracelr.lowering.targets._target import Artifact, Target


@final
class Kernel(Artifact):
    """Source text that Inductor generates. Reading or running it compiles, once."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    @cached_property
    def _compiled(self) -> tuple[Callable[[Tensor], Tensor], str]:
        if (absent := TARGET.missing()) is not None:
            raise LoweringError("inductor", Unquoted("no C++ compiler"), "a C++17 compiler", f"install {absent}")
        # Each GraphModule has a new `forward`, so that its code object is new to Dynamo and shares no recompile limit.
        function = torch.compile(self._graph.module.forward, fullgraph=True, dynamic=self._graph.batch)
        with torch.no_grad():
            sources = generated_code(lambda: function(_exported.example(self._graph)))
        # The first line counts what this process has compiled: without it, the same graph gives the same text.
        return function, "\n".join(dict.fromkeys(re.sub(r"\A# AOT ID: .*\n", "", source) for source in sources))

    @property
    def text(self) -> str:
        return self._compiled[1]

    def evaluate(self, steps: Tensor) -> Tensor:
        return _exported.run_over(self._graph, self._compiled[0], steps)


@final
class Inductor(Target):
    """The kernel that `torch.compile(fullgraph=True)` generates from a graph, of one step or of a batch."""

    def emit(self, graph: Graph, name: str) -> Kernel:
        _toolchain.need_compiling_torch("inductor")
        return Kernel(graph)

    def missing(self) -> str | None:
        return _toolchain.missing_cxx()


TARGET = Inductor()
