"""Reads the mapping in a YAML file safely; every error has the line and column."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from tracelr.errors import ConfigError, Unquoted, show
from tracelr.files import open_regular
from tracelr.interop._tools.checks import Place

if TYPE_CHECKING:
    import yaml

LARGEST_FILE = 2**20
"""The most bytes a file may have."""

LARGEST_DOCUMENT = 100_000
"""The most keys and values a file may hold; an alias counts as everything that it stands for."""

_LESS = "keep the training parameters only"
_LONGEST_INT = 4300  # Python's limit of decimal digits; it does not hold for 1:59:59, whose cost is quadratic

# YAML 1.1 needs a dot and a sign, 1.0e+5; other formats, and many params files, write 1e5 and 1e-5.
_FLOAT = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+$")


def read(path: str | os.PathLike[str]) -> dict[Any, Any]:
    """Return the mapping in a YAML file: plain types, each key once, aliases within the limit.

    Raises `ConfigError` if the file cannot be read or holds anything else.
    """
    if not isinstance(path, str | os.PathLike):
        raise Place("load(path)").refuse(path, "a path", "pass the path of a YAML file")
    place = Place(os.fspath(path))
    return mapping(content(path, place), place)


def content(path: str | os.PathLike[str], place: Place) -> bytes:
    """Return the bytes of a file: as many as `mapping` accepts, and one more. Raises `ConfigError` if it cannot be read."""
    try:
        with open_regular(path) as file:
            raw = None if file is None else file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise place.refuse(Unquoted(f"a path that cannot be read ({reason})"), "a YAML file", "correct the path") from None
    if raw is None:
        raise place.refuse(Unquoted("a path that is not a regular file"), "a YAML file", "copy its content into a file")
    return raw


def mapping(raw: bytes, place: Place) -> dict[Any, Any]:
    """Return the mapping in the bytes of a YAML file; a line for `tracelr.parse` becomes one with the key schedule.

    Raises `ConfigError` if they hold anything else.
    """
    if len(raw) > LARGEST_FILE:
        raise place.refuse(Unquoted("a larger file"), f"at most {LARGEST_FILE} bytes", _LESS)
    try:
        found = _parse(raw.decode("utf-8-sig"), place)
    except UnicodeDecodeError as error:
        raise place.refuse(Unquoted(f"byte {error.start} is not UTF-8"), "UTF-8 text", "save the file as UTF-8") from None
    if isinstance(found, str) and "(" in found:
        return {"schedule": found}
    if not isinstance(found, dict):
        given = Unquoted("an empty file" if found is None else show(found))
        raise place.refuse(given, "a YAML mapping", "write keys and values")
    return found


def _parse(text: str, place: Place) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """PyYAML's safe loader, which also reads 1e-5 as a number and gives the place of a value of the wrong type."""

        nodes = 0

        def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
            self.nodes += 1
            if self.nodes > LARGEST_DOCUMENT:  # `_measure` counts again, with aliases; this stops before everything is read
                raise place.refuse(Unquoted("more values"), f"at most {LARGEST_DOCUMENT} of them", _LESS)
            return super().compose_node(parent, index)

        def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
            try:
                if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":int") and len(node.value) > _LONGEST_INT:
                    raise ValueError
                return super().construct_object(node, deep)
            except (ValueError, LookupError, AttributeError, TypeError, ArithmeticError):  # !!int x, 2001-99-99
                problem = f"cannot read {show(node.value, 20)} as {node.tag.rpartition(':')[2]}"
                raise yaml.constructor.ConstructorError(problem=problem, problem_mark=node.start_mark) from None

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            keys = [
                key for key, _ in node.value if not key.tag.endswith((":merge", ":value"))
            ]  # << and =, which PyYAML reads
            _unequal([(key, self.construct_object(key, deep=True)) for key in keys], place)
            return super().construct_mapping(node, deep)

    Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _measure(node, place, {})
        return loader.construct_document(node)
    except yaml.YAMLError as error:
        raise _broken(error, text, place) from None
    except RecursionError:
        raise place.refuse(Unquoted("a document that is nested too deeply"), "a shallow one", "nest it less") from None


def _broken(error: yaml.YAMLError, text: str, place: Place) -> ConfigError:
    problem: object = getattr(error, "problem", None) or getattr(error, "reason", None) or error
    mark, position = getattr(error, "problem_mark", None), getattr(error, "position", None)
    if mark is not None:
        place = place.line(mark.line + 1, mark.column + 1)
    elif position is not None:
        place = place.line(text.count(chr(10), 0, position) + 1, position - text.rfind(chr(10), 0, position))
    tag = re.search(r"the tag '(?:tag:yaml.org,2002:)?(.*)'", str(problem))
    if tag:
        return place.refuse(Unquoted(f"the tag {tag[1]}"), "plain YAML", "remove the tag")
    return place.refuse(Unquoted(f"broken YAML: {problem}"), "plain YAML", "correct it there")


def _measure(node: yaml.Node, place: Place, sizes: dict[yaml.Node, int]) -> int:
    """Return how many values `node` stands for, aliases written out; raise if they are too many or a key comes twice.

    Nodes are measured before anything is built from them, because walking the built value follows every alias.
    """
    import yaml

    here = place.line(node.start_mark.line + 1, node.start_mark.column + 1)
    if node in sizes:
        if not sizes[node]:
            raise here.refuse(Unquoted("an anchor that contains itself"), "an alias of a complete value", "write it out")
        return sizes[node]
    sizes[node] = 0
    inner = node.value if isinstance(node, yaml.SequenceNode) else []
    if isinstance(node, yaml.MappingNode):
        inner = [each for pair in node.value for each in pair]
        _distinct([key for key, _ in node.value if isinstance(key, yaml.ScalarNode)], place)
    size = 1
    for each in inner:
        size += _measure(each, place, sizes)
        if size > LARGEST_DOCUMENT:
            given = Unquoted("more values, the aliases written out")
            raise here.refuse(given, f"at most {LARGEST_DOCUMENT} of them", _LESS)
    sizes[node] = size
    return size


def _distinct(keys: list[yaml.ScalarNode], place: Place) -> None:
    seen = set()
    for key in keys:
        if (key.tag, key.value) in seen:
            here = place.line(key.start_mark.line + 1, key.start_mark.column + 1)
            raise here.refuse(Unquoted(f"the key {show(key.value)} twice"), "each key once", "remove one of them")
        seen.add((key.tag, key.value))


def _unequal(keys: list[tuple[yaml.Node, Any]], place: Place) -> None:
    """Raise if two keys are one key of a dict, as 1000, 1_000 and 1000.0 are, or 1 and true."""
    seen = set()
    for key, value in keys:
        if not isinstance(value, Hashable):
            continue  # PyYAML refuses it
        if value in seen:
            here = place.line(key.start_mark.line + 1, key.start_mark.column + 1)
            given = Unquoted(f"the key {show(key.value)}, which equals another one")
            raise here.refuse(given, "each key once", "remove one of them")
        seen.add(value)
