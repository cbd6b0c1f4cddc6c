"""The mapping in a YAML file, read safely and with the line and column in every error."""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING, Any

from tracelr.errors import ConfigError, Unquoted, show
from tracelr.interop._tools.checks import Place

if TYPE_CHECKING:
    import yaml

LARGEST_FILE = 2**20
"""The most bytes a file may have."""

LARGEST_DOCUMENT = 100_000
"""The most keys and values a file may hold, an alias counting as all that it stands for."""

_LESS = "keep the training parameters only"
_LONGEST_INT = 4300  # Python's own limit of decimal digits; 1:59:59 and its like have none, and cost its square

# YAML 1.1 wants a dot and a sign, 1.0e+5; everybody else, and many a params file, writes 1e5 and 1e-5.
_FLOAT = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+$")


def read(path: str | os.PathLike[str]) -> dict[Any, Any]:
    """Return the mapping in a YAML file: plain types only, each key once, no alias that runs away.

    Raises `ConfigError` if the file cannot be read or holds anything else.
    """
    if not isinstance(path, str | os.PathLike):
        raise Place("load(path)").refuse(path, "a path", "pass the path of a YAML file")
    place = Place(os.fspath(path))
    try:
        raw = _regular(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise place.refuse(Unquoted(f"a path that cannot be read ({reason})"), "a YAML file", "correct the path") from None
    if raw is None:
        raise place.refuse(Unquoted("a path of no regular file"), "a YAML file", "copy what is to be read into a file")
    return mapping(raw, place)


def mapping(raw: bytes, place: Place) -> dict[Any, Any]:
    """Return the mapping that the bytes of a YAML file hold; a line that `tracelr.parse` reads is one too.

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


def _regular(path: str | os.PathLike[str]) -> bytes | None:
    """Return the beginning of a file, or None for a pipe or a device, which may never say anything, or never stop."""

    def at_once(name: str, flags: int) -> int:
        return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))  # a pipe would wait for its other end

    with open(path, "rb", opener=at_once) as file:
        return file.read(LARGEST_FILE + 1) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None


def _parse(text: str, place: Place) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """PyYAML's safe loader, which also reads 1e-5 as a number and says where a value does not fit its type."""

        nodes = 0

        def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
            self.nodes += 1
            if self.nodes > LARGEST_DOCUMENT:  # measured again below, aliases written out; here before all of it is read
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
    """Return how many values `node` stands for, aliases written out; raise if they run away or a key comes twice.

    Nodes are measured before anything is built from them: an alias costs nothing to keep and everything to walk.
    """
    import yaml

    here = place.line(node.start_mark.line + 1, node.start_mark.column + 1)
    if node in sizes:
        if not sizes[node]:
            raise here.refuse(Unquoted("an anchor that contains itself"), "an alias of what is complete", "write it out")
        return sizes[node]
    sizes[node] = 0
    parts = node.value if isinstance(node, yaml.SequenceNode) else []
    if isinstance(node, yaml.MappingNode):
        parts = [part for pair in node.value for part in pair]
        _distinct([key for key, _ in node.value if isinstance(key, yaml.ScalarNode)], place)
    size = 1
    for part in parts:
        size += _measure(part, place, sizes)
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
