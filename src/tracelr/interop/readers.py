"""The readers: each is a module with `matches`, `read` and `EXAMPLE`, in the package of its library or in `frameworks`."""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Protocol, final

from tracelr.errors import ConfigError, Unquoted, show
from tracelr.interop import frameworks
from tracelr.interop._tools.checks import Place
from tracelr.interop._tools.section import Section
from tracelr.interop.cerebras import read as cerebras
from tracelr.interop.cerebras import read_trainer as cerebras_trainer
from tracelr.interop.huggingface import read as huggingface
from tracelr.interop.keras import read as keras
from tracelr.interop.native import read as native
from tracelr.schedules.assignment import Loaded


class Reader(Protocol):
    """What a reader defines. `EXAMPLE` shows the format in a few lines of YAML, in the error about a file of no READERS format."""

    EXAMPLE: str

    def matches(self, mapping: Mapping[Any, Any]) -> bool:
        """Return whether `mapping` has the signature of this format."""

    def read(self, mapping: Mapping[Any, Any], where: Place) -> Loaded:
        """Return the schedule or assignments of `mapping`, or raise `ConfigError` that names the key below `where`."""


@final
class Framework:
    """A module of `frameworks` as a `Reader`: it reads a `Section`, and every section is checked for keys that it left."""

    def __init__(self, name: str) -> None:
        self.name, self.module = name, import_module(f"{frameworks.__name__}.{name}")
        self.EXAMPLE: str = self.module.EXAMPLE
        self.__doc__ = self.module.__doc__

    def matches(self, mapping: Mapping[Any, Any]) -> bool:
        """Return whether `mapping` has the signature of this format."""
        return bool(self.module.matches(mapping))

    def read(self, mapping: Mapping[Any, Any], where: Place) -> Loaded:
        """Return what the module reads, if it has read every key that speaks of the rate."""
        sections: list[Section] = []
        found: Loaded = self.module.read(Section(mapping, where._replace(sections=sections), by=self.name))
        seen: dict[int, set[Any]] = {}
        for each in sections:  # a mapping may have been opened several times
            seen.setdefault(id(each.given), set()).update(each.seen)
        for each in sections:
            each.seen = seen[id(each.given)]
            each.finish()
        return found


READERS: dict[str, Reader] = {
    "cerebras": cerebras,
    "cerebras_trainer": cerebras_trainer,
    "huggingface": huggingface,
    "keras": keras,
    "native": native,
    **{
        module.name: Framework(module.name)
        for module in iter_modules(frameworks.__path__)
        if not module.name.startswith("_")
    },
}
"""Every reader by the name of its format."""
_LONG = ("native", "cerebras", "cerebras_trainer", "huggingface", "keras")


def pick(mapping: Mapping[Any, Any], where: Place, name: str | None = None) -> tuple[str, Reader]:
    """Return the reader called `name`, or the one whose signature `mapping` has, and its name.

    Raises `ConfigError` if several match, with their names, or if none does, with the formats.
    """
    if name is not None:
        if name not in READERS:
            raise ConfigError("load(format)", name, ", ".join(READERS), "use one of these names")
        return name, READERS[name]
    found = [each for each, reader in READERS.items() if reader.matches(mapping)]
    if len(found) == 1:
        return found[0], READERS[found[0]]
    if found:
        fix = "pass --as FORMAT, or format= in Python, with one of these"
        raise where.refuse(Unquoted(f"settings that may be {' or '.join(found)}"), "settings of one format", fix)
    given = Unquoted("a mapping with " + (f"the keys {', '.join(map(show, mapping))}" if mapping else "no keys"))
    examples = "\n".join(READERS[each].EXAMPLE for each in _LONG)
    more = f"{examples}\nOther formats, for --as FORMAT: {', '.join(READERS)}"
    raise ConfigError(str(where), given, "one of the formats below", "write one of them", more=more)
