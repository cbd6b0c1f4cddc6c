"""Reads the mapping in a YAML file safely; every error has the line and column."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, final

from tracelr.errors import ConfigError, Unquoted, show
from tracelr.files import missing, open_regular
from tracelr.interop._tools.checks import Place

if TYPE_CHECKING:
    import yaml

LARGEST_FILE = 2**20
"""The most bytes a file may have."""

LARGEST_DOCUMENT = 100_000
"""The most keys and values a file may hold; an alias counts as everything that it stands for."""

_CORE = "tag:yaml.org,2002:"
_PYTHON = f"{_CORE}python/"
_TWICE = "!tracelr-twice"
_LESS = "keep the training parameters only"
_LONGEST_INT = 4300  # Python's limit of decimal digits; it does not hold for 1:59:59, whose cost is quadratic

# YAML 1.1 needs a dot and a sign, 1.0e+5; other formats, and many params files, write 1e5 and 1e-5.
_FLOAT = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+$")


@final
class Tagged:
    """A value with a tag of another program, such as `!new:`; a reader that does not know the tag refuses it."""

    def __init__(self, tag: str, value: Any) -> None:
        self.tag, self.value = tag, value

    def __repr__(self) -> str:
        return f"{self.tag} {show(self.value, 60)}"


@final
class Twice:
    """The value of a key that is written several times; a reader that needs it refuses it."""

    def __init__(self, key: str, lines: str) -> None:
        self.key, self.lines = key, lines

    def __repr__(self) -> str:
        return f"the key {self.key!r} twice, on lines {self.lines}"


def raw(path: str | os.PathLike[str]) -> bytes:
    """Return the bytes of a regular file, up to one more than the limit."""
    if not isinstance(path, (str, os.PathLike)):
        raise Place("load(path)").refuse(path, "a path", "pass the path of a file")
    return content(path, Place(os.fspath(path)))


def content(path: str | os.PathLike[str], place: Place) -> bytes:
    """Return the bytes of a file: as many as `mapping` accepts, and one more. Raises `ConfigError` if it cannot be read."""
    try:
        with open_regular(path) as file:
            found = None if file is None else file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise place.refuse(Unquoted("no such file"), "a file that is there", missing(path)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise place.refuse(Unquoted(f"a path that cannot be read ({reason})"), "a file", "correct the path") from None
    if found is None:
        raise place.refuse(Unquoted("a path that is not a regular file"), "a file", "copy its content into one")
    return found


def read(path: str | os.PathLike[str]) -> dict[Any, Any]:
    """Return the mapping in a YAML file."""
    return mapping(raw(path), Place(os.fspath(path)))


def mapping(raw: bytes, place: Place) -> dict[Any, Any]:
    """Return the mapping in the bytes of a YAML file; a line for `tracelr.parse` becomes one with the key schedule.

    Raises `ConfigError` if they hold anything else.
    """
    found = _parse(text(raw, place), place)
    if isinstance(found, str) and "(" in found:
        return {"schedule": found}
    if not isinstance(found, dict):
        given = Unquoted("an empty file" if found is None else show(found))
        raise place.refuse(given, "a YAML mapping", "write keys and values")
    return found


def text(raw: bytes, place: Place) -> str:
    """Return the text of a file."""
    if len(raw) > LARGEST_FILE:
        raise place.refuse(Unquoted("a larger file"), f"at most {LARGEST_FILE} bytes", _LESS)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise place.refuse(Unquoted(f"byte {error.start} is not UTF-8"), "UTF-8 text", "save the file as UTF-8") from None


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

    Loader.add_multi_constructor("!", _tagged)
    Loader.add_multi_constructor(_PYTHON, _tagged)
    Loader.add_constructor(f"{_PYTHON}tuple", _plain)
    Loader.add_constructor(_TWICE, lambda _, node: Twice(*node.value.rsplit("|", 1)))
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _measure(node, place, {})
        return _untagged(loader.construct_document(node), node, place)
    except yaml.YAMLError as error:
        raise _broken(error, text, place) from None
    except RecursionError:
        raise place.refuse(Unquoted("a document that is nested too deeply"), "a shallow one", "nest it less") from None


def _tagged(loader: yaml.SafeLoader, _: str, node: yaml.Node) -> Tagged:
    return Tagged(node.tag.replace(_CORE, "!!"), _plain(loader, node))


def _untagged(found: Any, node: yaml.Node, place: Place) -> Any:
    """Return a document without the tag of the whole, such as that of a Namespace, if it is a mapping."""
    if not isinstance(found, Tagged):
        return found
    if isinstance(found.value, dict):
        return found.value
    here = place.line(node.start_mark.line + 1, node.start_mark.column + 1)
    raise here.refuse(Unquoted(f"the tag {found.tag.lstrip('!')}"), "plain YAML", "remove the tag")


def _plain(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    """Return the value of a node, whatever its tag is."""
    import yaml

    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else None


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
        node.value = _distinct(node.value)
        inner = [each for pair in node.value for each in pair]
    size = 1
    for each in inner:
        size += _measure(each, place, sizes)
        if size > LARGEST_DOCUMENT:
            given = Unquoted("more values, the aliases written out")
            raise here.refuse(given, f"at most {LARGEST_DOCUMENT} of them", _LESS)
    sizes[node] = size
    return size


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


def _distinct(pairs: list[tuple[yaml.Node, yaml.Node]]) -> list[tuple[yaml.Node, yaml.Node]]:
    """Return the pairs of a mapping; in place of the values of a key that comes twice, one node that says so."""
    import yaml

    places: dict[tuple[str, str], list[int]] = {}
    for key, _ in pairs:
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            places.setdefault((key.tag, key.value), []).append(key.start_mark.line + 1)
    kept: list[tuple[yaml.Node, yaml.Node]] = []
    for key, value in pairs:
        lines = places.get((key.tag, key.value), []) if isinstance(key, yaml.ScalarNode) else []
        if len(lines) < 2:
            kept.append((key, value))
        elif key.start_mark.line + 1 == lines[0]:
            text = f"{key.value}|{', '.join(map(str, lines[:4]))}"
            kept.append((key, yaml.ScalarNode(_TWICE, text, key.start_mark, key.end_mark)))
            lines[0] = -1  # so that two keys on one line make one node
    return kept
