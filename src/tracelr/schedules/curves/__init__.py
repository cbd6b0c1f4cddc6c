"""One curve per file. Every file of this folder is found here; adding a curve needs no other edit."""

from importlib import import_module
from pkgutil import iter_modules

for _module in sorted(module.name for module in iter_modules(__path__)):
    import_module(f"{__name__}.{_module}")
