"""The abstract bases `Target`, which turns a graph into an artifact, and `Artifact`, which can be read, saved and run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from os import PathLike
from pathlib import Path

import torch
from torch import Tensor

from tracelr.errors import ScheduleTypeError, Unquoted
from tracelr.files import write_whole
from tracelr.lowering.graph import Graph


class Artifact(ABC):
    """Abstract base: a schedule as a target writes it. It can be read, saved and, where its toolchain is installed, run."""

    @property
    @abstractmethod
    def text(self) -> str:
        """Return the artifact as text."""

    @property
    def bytes(self) -> bytes:
        """Return the content of the file that `save` writes."""
        return self.text.encode()

    def save(self, path: str | PathLike[str]) -> None:
        """Write the artifact to the file `path`, completely or not at all."""
        write_whole(Path(path), self.bytes)

    def run(self, steps: int | Tensor) -> Tensor:
        """Return the float32 learning rates that the artifact gives for int64 or int32 `steps` of any shape, on the CPU.

        Raises `LoweringError`, saying what to install, if the target's toolchain is not here.
        """
        steps = torch.tensor(steps) if isinstance(steps, int) else steps
        if steps.dtype not in (torch.int64, torch.int32):
            given = Unquoted(f"a {str(steps.dtype).removeprefix('torch.')} tensor")
            raise ScheduleTypeError("artifact.run(steps)", given, "an int64 or int32 tensor", "use steps.long()")
        flat = steps.detach().to("cpu", torch.int64).reshape(-1).contiguous()
        return self.evaluate(flat).reshape(steps.shape)

    @abstractmethod
    def evaluate(self, steps: Tensor) -> Tensor:
        """Return float32 of shape [n] for contiguous int64 `steps` of shape [n]."""


class SourceText(Artifact):
    """Abstract base: an artifact that is text, the source of a function called `name`."""

    def __init__(self, text: str, name: str) -> None:
        self._text, self._name = text, name

    @property
    def text(self) -> str:
        return self._text


class Target(ABC):
    """Abstract base: turns a graph into an artifact. It imports its toolchain inside the method that needs it.

    `arithmetics` are the names of the arithmetics that it can compute in. A schedule is traced in the arithmetic in force if
    that is one of them, else in the first.
    """

    arithmetics: tuple[str, ...] = ("float64", "two_float", "float32")

    bits: bool = True
    """Whether the target can read the bits of a number. A schedule is traced without that for one that cannot."""

    @abstractmethod
    def emit(self, graph: Graph, name: str) -> Artifact:
        """Return `graph`, through all passes, as an artifact whose function is called `name`."""

    def runs(self) -> str:
        """Return what `Artifact.run` runs here, in a few words, if the target's name does not say it."""
        return ""

    @abstractmethod
    def missing(self) -> str | None:
        """Return what to install for `Artifact.run` to work here; None if it works."""
