"""The forms of a dump, each found by its file: `svg.py` is the form "svg". It holds `write(view) -> str`."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from tracelr.errors import NotLowered
from tracelr.lowering.view import View

FORMS = tuple(sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_")))
"""The name of every form."""


def write(view: View, form: str) -> str:
    """Return a graph in the form called `form`; raises `NotLowered`, listing the forms, if there is none of that name."""
    if form not in FORMS:
        raise NotLowered("dump(form)", form, ", ".join(FORMS), "use one of these names")
    return str(import_module(f"{__name__}.{form}").write(view))
