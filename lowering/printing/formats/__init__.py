"""The formats of a dump, each found by its file: `svg.py` is the format "svg". It holds `write(listing) -> str`."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from tracelr.errors import LoweringError, suggest
from tracelr.lowering.printing.listing import Listing

FORMATS = tuple(sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_")))
"""The name of every format."""


def write(listing: Listing, format: str) -> str:
    """Return a graph in `format`; raises `LoweringError`, listing the formats, if there is none of that name."""
    if format not in FORMATS:
        raise LoweringError("dump(format)", format, ", ".join(FORMATS), suggest(format, FORMATS))
    return str(import_module(f"{__name__}.{format}").write(listing))
