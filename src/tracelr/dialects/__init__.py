"""One foreign vocabulary per file. Every file of this folder is found here; adding a dialect needs no other edit.

A dialect is a module with three names: `recognises`, `read` and `EXAMPLE`. A file whose name starts with an underscore is a
tool of the dialects, not one of them.
"""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Protocol, cast

from tracelr.assignment import Loaded
from tracelr.dialects._values import Place


class Dialect(Protocol):
    """What a file of this folder defines. `EXAMPLE` is the form in three lines, for the error of a file in none of them."""

    EXAMPLE: str

    def recognises(self, mapping: Mapping[Any, Any]) -> bool:
        """Say from its keys alone whether `mapping` is written in this dialect."""

    def read(self, mapping: Mapping[Any, Any], where: Place) -> Loaded:
        """Return what `mapping` describes, schedule or assignments, or raise `ConfigError` naming the key below `where`."""


DIALECTS: tuple[Dialect, ...] = tuple(
    cast(Dialect, import_module(f"{__name__}.{module.name}"))
    for module in sorted(iter_modules(__path__), key=lambda module: module.name)
    if not module.name.startswith("_")
)
