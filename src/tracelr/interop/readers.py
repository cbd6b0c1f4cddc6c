"""Which reader a file is for: each room of a library has `read`, with `matches`, `read` and `EXAMPLE`."""

from collections.abc import Mapping
from typing import Any, Protocol

from tracelr.interop._tools.checks import Place
from tracelr.interop.cerebras import read as cerebras
from tracelr.interop.cerebras import read_trainer as cerebras_trainer
from tracelr.interop.huggingface import read as huggingface
from tracelr.interop.keras import read as keras
from tracelr.interop.native import read as native
from tracelr.schedules.assignment import Loaded


class Reader(Protocol):
    """What such a module defines. `EXAMPLE` is the format in a few lines, for the error of a file in none of them."""

    EXAMPLE: str

    def matches(self, mapping: Mapping[Any, Any]) -> bool:
        """Say from its keys alone whether `mapping` is written in this format."""

    def read(self, mapping: Mapping[Any, Any], where: Place) -> Loaded:
        """Return what `mapping` describes, schedule or assignments, or raise `ConfigError` naming the key below `where`."""


READERS: dict[str, Reader] = {
    "cerebras": cerebras,
    "cerebras_trainer": cerebras_trainer,
    "huggingface": huggingface,
    "keras": keras,
    "native": native,
}
"""Every reader, in the order in which `load` asks them."""
