"""AOTInductor: the graph compiled to machine code, in a file that Python and C++ load without a compiler."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import final

from torch import Tensor

from tracelr._torch import alone, aoti_compile_and_package, aoti_load_package
from tracelr.errors import LoweringError, Unquoted
from tracelr.lowering.graph import Graph
from tracelr.lowering.targets import _exported, _toolchain
from tracelr.lowering.targets._target import Artifact, Target

_COMMANDS = re.compile(r"^// Triton kernels are .*\n|^// Compile cmd\n(?://.*(?:\n|\Z))*|^#include \"/.*\n", re.M)


@final
class Compiled(Artifact):
    """A compiled package. Reading, saving or running it compiles, once; that takes seconds."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    @property
    def text(self) -> str:
        """Return the C++ of the kernel that Inductor compiled, without the commands that name folders of this machine."""
        with zipfile.ZipFile(io.BytesIO(self.bytes)) as archive:
            every = [name for name in sorted(archive.namelist()) if name.endswith(".cpp")]
            kept = [name for name in every if name.endswith(".kernel.cpp")] or every  # torch 2.6 has one file for all
            kernels = [archive.read(name).decode() for name in kept]
        return "\n".join(_COMMANDS.sub("", text).rstrip("\n") + "\n" for text in kernels)

    @cached_property
    def bytes(self) -> bytes:
        if (absent := TARGET.missing()) is not None:
            raise LoweringError("aoti", Unquoted("no C++ compiler"), "a C++20 compiler", f"install {absent}")
        file = io.BytesIO()
        with alone():
            aoti_compile_and_package(_exported.program(self._graph), file)
        return file.getvalue()

    @cached_property
    def _loaded(self) -> Callable[[Tensor], Tensor]:
        with TemporaryDirectory(prefix="tracelr-") as folder:
            path = Path(folder, "schedule.pt2")
            path.write_bytes(self.bytes)
            return aoti_load_package(str(path))

    def evaluate(self, steps: Tensor) -> Tensor:
        return _exported.run_over(self._graph, self._loaded, steps)


@final
class AOTI(Target):
    """A `.pt2` file of machine code for this kind of CPU, of one step or of a batch; a parameter is frozen in it."""

    def emit(self, graph: Graph, name: str) -> Compiled:
        return Compiled(graph)

    def missing(self) -> str | None:
        return _toolchain.missing_cxx()


TARGET = AOTI()
