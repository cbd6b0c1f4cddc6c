"""The readers: each is a module with `matches`, `read` and `EXAMPLE`, in this folder or in the package of its library."""

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
    """What a reader defines. `EXAMPLE` shows the format in a few lines, in the error about a file of no known format."""

    EXAMPLE: str

    def matches(self, mapping: Mapping[Any, Any]) -> bool:
        """Return whether its keys show that `mapping` is written in this format; values are not looked at."""

    def read(self, mapping: Mapping[Any, Any], where: Place) -> Loaded:
        """Return the schedule or assignments of `mapping`, or raise `ConfigError` that names the key below `where`."""


READERS: dict[str, Reader] = {
    "cerebras": cerebras,
    "cerebras_trainer": cerebras_trainer,
    "huggingface": huggingface,
    "keras": keras,
    "native": native,
}
"""Every reader by the name of its format, in the order in which `load` asks them."""
