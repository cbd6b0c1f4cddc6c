"""One foreign vocabulary per file: a module with `matches`, `read` and `EXAMPLE`, and a row of `READERS`."""

from collections.abc import Mapping
from typing import Any, Protocol

from tracelr.assignment import Loaded
from tracelr.dialects import cerebras, cerebras_trainer, huggingface, keras, ours
from tracelr.dialects._values import Place


class Dialect(Protocol):
    """What such a module defines. `EXAMPLE` is the form in a few lines, for the error of a file in none of them."""

    EXAMPLE: str

    def matches(self, mapping: Mapping[Any, Any]) -> bool:
        """Say from its keys alone whether `mapping` is written in this dialect."""

    def read(self, mapping: Mapping[Any, Any], where: Place) -> Loaded:
        """Return what `mapping` describes, schedule or assignments, or raise `ConfigError` naming the key below `where`."""


READERS: dict[str, Dialect] = {
    "cerebras": cerebras,
    "cerebras_trainer": cerebras_trainer,
    "huggingface": huggingface,
    "keras": keras,
    "ours": ours,
}
"""Every dialect, in the order in which `load` asks them."""
