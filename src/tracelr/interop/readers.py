"""The readers: each is a module with `matches`, `read` and `EXAMPLE`, in the package of its library or in `frameworks`."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Protocol, final

from tracelr.errors import ConfigError, ScheduleError, ScheduleTypeError, Unquoted, show, suggest
from tracelr.interop import frameworks
from tracelr.interop._tools import python, shell, yaml
from tracelr.interop._tools.checks import Place
from tracelr.interop._tools.section import Section
from tracelr.interop.cerebras import read as cerebras
from tracelr.interop.cerebras import read_trainer as cerebras_trainer
from tracelr.interop.huggingface import read as huggingface
from tracelr.interop.keras import read as keras
from tracelr.interop.native import read as native
from tracelr.schedules.assignment import Loaded


class Reader(Protocol):
    """What a reader defines. `EXAMPLE` shows the format in a few lines of YAML."""

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
        return bool(self.module.matches(plain(mapping, {})))

    def read(self, mapping: Mapping[Any, Any], where: Place) -> Loaded:
        """Return what the module reads, if it has read every key that speaks of the rate."""
        sections: list[Section] = []
        top = Section(plain(mapping, {}), where._replace(sections=sections), by=self.name)
        try:
            found: Loaded = self.module.read(top)
        except (ScheduleError, ScheduleTypeError) as error:
            raise where.blame(error) from None
        except ArithmeticError:  # a batch of 0, a length of 1e300 steps
            given = Unquoted("numbers from which no schedule can be computed")
            raise where.refuse(given, "lengths above 0 and below 2**53, and finite rates", "correct them") from None
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
_ANYWHERE = ("cerebras", "cerebras_trainer", "keras", "native")
"""The formats whose signature a section of another file may have by chance."""
_LONG = ("cerebras", "cerebras_trainer", "huggingface", "keras", "native")


@final
class _Foreign:
    """A value of a type that no file holds; a reader that needs it refuses it."""

    def __init__(self, given: object) -> None:
        self.given = given

    def __repr__(self) -> str:
        return show(self.given)


LONGEST = 10_000
"""The most entries of a list or a mapping that a reader of a framework looks at."""
_PLAIN = (str, int, float, bool, type(None), python.Unread, shell.Unset, yaml.Tagged, yaml.Twice)


def plain(value: Any, seen: dict[int, Any]) -> Any:
    """Return a copy of dicts and lists of plain values, because another type, such as an array, need not compare."""
    if isinstance(value, _PLAIN):
        return value
    if id(value) in seen:
        return seen[id(value)]
    if isinstance(value, (Mapping, list, tuple)) and len(value) > LONGEST:
        return _Foreign(Unquoted(f"a value of {len(value):,} entries"))
    if isinstance(value, Mapping):
        copy: Any = {}
        seen[id(value)] = copy
        copy.update((key, plain(each, seen)) for key, each in value.items())
        return copy
    if isinstance(value, (list, tuple)):
        seen[id(value)] = copy = []
        copy.extend(plain(each, seen) for each in value)
        return copy
    return _Foreign(value)


def pick(mapping: Mapping[Any, Any], where: Place, name: str | None = None) -> tuple[str, Reader]:
    """Return the reader called `name`, or the one whose signature `mapping` has, and its name.

    Raises `ConfigError` if several match, with their names, or if none does, with the formats.
    """
    if name is not None:
        if name not in READERS:
            raise ConfigError("load(format)", name, ", ".join(READERS), suggest(name, READERS))
        return name, READERS[name]
    copy = plain(mapping, {})
    found = [
        each
        for each, reader in READERS.items()
        if (reader.module.matches(copy) if isinstance(reader, Framework) else reader.matches(mapping))
    ]
    if len(found) == 1:
        return found[0], READERS[found[0]]
    if found:
        fix = "pass --as FORMAT, or format= in Python, with one of these"
        raise where.refuse(Unquoted(f"settings that may be {' or '.join(found)}"), "settings of one format", fix)
    inner = _within(copy)
    if inner is not None:
        key, name = inner
        fix = f"write what stands under {show(key)} into a file of its own"
        raise where.refuse(Unquoted(f"settings of {name} under {show(key)}"), "settings at the top of the file", fix)
    near = _nearest(copy)
    if near is not None:
        name, lacks = near
        given = Unquoted(f"settings that are nearly those of {name}, without {', '.join(lacks)}")
        raise where.refuse(
            given, "settings of one format", f"add {lacks[0]}, or pass --as FORMAT; tracelr list formats has them"
        )
    given = Unquoted("a mapping with " + (f"the keys {', '.join(map(show, mapping))}" if mapping else "no keys"))
    examples = "\n".join(READERS[each].EXAMPLE for each in _LONG)
    more = f"{examples}\n{len(READERS) - len(_LONG)} training frameworks too: tracelr list formats"
    raise ConfigError(str(where), given, "one of the formats below", "write one of them", more=more)


def _within(mapping: Mapping[Any, Any]) -> tuple[str, str] | None:
    """Return the first key of a mapping that has the signature of one format alone, and the format."""
    for key, value in mapping.items():
        if not isinstance(value, Mapping) or not isinstance(key, str):
            continue
        found = [name for name, reader in READERS.items() if name not in _ANYWHERE and reader.matches(value)]
        if len(found) == 1:
            return key, found[0]
    return None


def _nearest(mapping: Mapping[Any, Any]) -> tuple[str, list[str]] | None:
    """Return the format whose example shares half of its keys or more with `mapping`, and the others."""
    given = _paths(mapping)
    best: tuple[float, str, list[str]] | None = None
    for name in READERS:
        own = _own_paths(name)
        lacks = [each for each in own if each not in given]
        share = 1 - len(lacks) / len(own)
        if lacks and share >= 0.5 and (best is None or share > best[0]):
            best = share, name, lacks
    return None if best is None else best[1:]


@cache
def _own_paths(name: str) -> list[str]:
    """Return the paths of the keys in the example of a format."""
    return _paths(yaml.mapping(READERS[name].EXAMPLE.encode(), Place(name)))


def _paths(mapping: Mapping[Any, Any], above: str = "", depth: int = 3) -> list[str]:
    """Return the paths of the keys."""
    found = []
    for key, value in mapping.items():
        path = f"{above}{key[:80] if isinstance(key, str) else show(key)}"
        inner = _paths(value, f"{path}.", depth - 1) if isinstance(value, Mapping) and depth else []
        found.extend(inner or [path])
    return found
