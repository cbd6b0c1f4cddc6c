"""The kinds of files: each text becomes a mapping of plain values. Nothing in a file is run."""

from __future__ import annotations

import configparser
import json
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tracelr.errors import ConfigError, Unquoted
from tracelr.interop._tools import python, shell, yaml
from tracelr.interop._tools.checks import Place

_SHELL = (".sh", ".slurm", ".bash", ".sbatch", ".zsh", ".sub", ".batch", ".cmd")
_BASES = ("_base_", "_BASE_")
_DEEPEST = 10


def read(path: str | os.PathLike[str], given: Mapping[str, Any] | None = None) -> dict[Any, Any]:
    """Return the mapping in a file, merged with the files beside it that it names as its bases.

    `given` has settings by their dotted paths, and the values of the variables of a script; they replace those of the file.
    """
    return _based(path, given or {}, 0)


def _based(
    path: str | os.PathLike[str], given: Mapping[str, Any], depth: int, chosen: _Chosen | None = None
) -> dict[Any, Any]:
    raw = yaml.raw(path)
    place = Place(os.fspath(path))
    known = _imported(path, raw, place, depth) if Path(path).suffix.lower() == ".py" else None
    found = _composed(path, mapping(raw, place, given, known), place, depth, chosen or _Chosen({}, set()))
    key = next((key for key in _BASES if key in found), None)
    if key is None:
        return found
    named = found.pop(key)
    if named is None or named == []:
        return found
    merged: dict[Any, Any] = {}
    for each in named if isinstance(named, (list, tuple)) else [named]:
        file = None if not isinstance(each, str) else Path(path).parent / each
        if file is None or os.path.isabs(each) or not _is_file(file) or depth > _DEEPEST:
            fix = f"put that file there, or pass --set {key}=PATH, or --set {key}=null to read this file alone"
            raise (place / key).refuse(each, "the path of a file, from the folder of this one", fix)
        merged = _merged(merged, _based(file, {}, depth + 1))
    if Path(path).suffix.lower() == ".py" and b"_base_." in raw:
        found = mapping(raw, place, given, {"_base_": merged})
        found.pop(key, None)
    return _merged(merged, found)


def _imported(path: str | os.PathLike[str], raw: bytes, place: Place, depth: int) -> dict[str, Any]:
    """Return the names that a Python file imports from files beside it in `with read_base():`."""
    known: dict[str, Any] = {}
    for base in python.bases(yaml.text(raw, place), place):
        file = Path(path).parent / base.path
        if not _is_file(file) or depth > _DEEPEST:
            given, allowed = Unquoted(f"an import of {base.path}"), "a file that is there, from the folder of this one"
            raise place.line(base.line, 1).refuse(given, allowed, "put that file there")
        found = _based(file, {}, depth + 1)
        star = base.names[0][0] == "*"
        known |= found if star else {name: found[of] for of, name in base.names if of in found}
    return known


class _Chosen(NamedTuple):
    """The names that the files above choose for groups with `override`, and the groups for which one was used."""

    names: dict[str, str]
    used: set[str]


def _composed(
    path: str | os.PathLike[str], found: dict[Any, Any], place: Place, depth: int, above: _Chosen
) -> dict[Any, Any]:
    """Return a Hydra file composed with the files that its `defaults` list names, in the order of the list.

    The file itself stands at `_self_`, or last. A group whose file is not there is left out if its name is not about the
    optimizer or its schedule. `${group}` in a name is the choice of that group earlier in the list. `override group: name`
    replaces the name in the lists of the files before it.
    """
    listed = found.get("defaults")
    if not isinstance(listed, list) or not all(isinstance(each, (str, Mapping)) for each in listed):
        return found
    merged: dict[Any, Any] = {}
    pairs = [pair for each in listed if isinstance(each, Mapping) for pair in each.items()]
    own = {_group(group): name for group, name in pairs if _overrides(group) and isinstance(name, str)}
    chosen = _Chosen(own | above.names, above.used)
    choices: dict[str, str] = {}
    done = False
    for each in listed:
        if each == "_self_":
            merged, done = _merged(merged, found), True
            continue
        pairs = [("", each)] if isinstance(each, str) else list(each.items())
        for key, name in pairs:
            group = _group(key)
            if name is None or group.startswith("hydra/") or not isinstance(name, str):
                continue
            if _overrides(key) and group in chosen.used:
                continue
            if group in chosen.names:
                chosen.used.add(group)
                name = chosen.names[group]
            name = _CHOICE.sub(lambda match: choices.get(match[1], match[0]), name)
            group, _, package = group.partition("@")
            choices[group] = name
            file = Path(path).parent / group / f"{name.removesuffix('.yaml')}.yaml"
            if not os.path.isabs(name) and depth <= _DEEPEST and _is_file(file):
                merged = _merged(merged, _packed(_based(file, {}, depth + 1, chosen), _package(file, package or group)))
            elif not group or _ABOUT.search(group):
                fix = "put that file there, or pass --set defaults=null to read this file alone"
                raise (place / "defaults").refuse(each, "files beside this one", fix)
    return merged if done else _merged(merged, found)


def _group(key: object) -> str:
    return str(key).removeprefix("override ").lstrip("/")


def _overrides(key: object) -> bool:
    return str(key).startswith("override ")


def _package(file: Path, given: str) -> list[str]:
    """Return the keys under which the content of a file stands: those that its first lines name, or `given`."""
    named = _PACKAGE.search(yaml.raw(file)[:2000])
    name = named[1].decode() if named and named[1] != b"_group_" else given
    return [key for key in name.replace("/", ".").split(".") if key not in ("", "_global_", "_here_")]


def _packed(inner: dict[Any, Any], keys: list[str]) -> dict[Any, Any]:
    for key in reversed(keys):
        inner = {key: inner}
    return inner


_CHOICE = re.compile(r"\$\{(\w+)\}")
_PACKAGE = re.compile(rb"^#[ \t]*@package[ \t]+(_global_|[\w.]{1,200}?)[ \t\r]*$", re.MULTILINE)
_ABOUT = re.compile(r"optim|sched|(^|/)lr|learning_rate|trainer|actor|base", re.IGNORECASE)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _merged(base: Mapping[Any, Any], over: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return `over` on top of `base`, mapping by mapping. A mapping with `_delete_` or without `_inherited_` replaces."""
    if over.get("_delete_") is True or over.get("_inherited_") is False:
        return {key: value for key, value in over.items() if key not in ("_delete_", "_inherited_")}
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def mapping(
    raw: bytes, place: Place, given: Mapping[str, Any] | None = None, known: Mapping[str, Any] | None = None
) -> dict[Any, Any]:
    """Return the mapping in the bytes of a file; the suffix of its name says of which kind it is.

    `known` has the names that a Python file takes from other files.
    """
    suffix, given = Path(place.source).suffix.lower(), given or {}
    if suffix == ".py":
        return _set(python.read(yaml.text(raw, place), place, known), given, place)
    found = _by_kind(raw, suffix, place, given)
    text = yaml.text(raw, place)
    if _is_script(text, suffix):
        used = shell.variables(text)
        given = {name: value for name, value in given.items() if name in found or name not in used}
    return _set(found, given, place)


def _by_kind(raw: bytes, suffix: str, place: Place, given: Mapping[str, Any]) -> dict[Any, Any]:
    if suffix in (".yaml", ".yml", ".json"):
        return yaml.mapping(raw, place)
    text = yaml.text(raw, place)
    if suffix in _KINDS:
        return _KINDS[suffix](text, place)
    listed = _listed(text) if suffix in (".txt", ".log") else {}
    if listed:
        return listed
    return shell.read(text, place, given) if _is_script(text, suffix) else yaml.mapping(raw, place)


def _is_script(text: str, suffix: str) -> bool:
    if suffix in _KINDS or suffix in (".yaml", ".yml", ".json"):
        return False
    return suffix in _SHELL or text.startswith("#!") or (suffix in (".txt", ".log") and shell.looks_like(text))


def _set(found: dict[Any, Any], given: Mapping[str, Any], place: Place) -> dict[Any, Any]:
    """Put settings at their dotted paths."""
    for path, value in given.items():
        if path in found:
            found[path] = value
            continue
        inner: Any = found
        *above, last = path.split(".")
        for key in above:
            if not isinstance(inner.get(key), dict):
                inner[key] = {}
            inner = inner[key]
        inner[last] = value
    return found


def _toml(text: str, place: Place) -> dict[Any, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        line = re.search(r"line (\d+), column (\d+)", str(error))
        place = place.line(int(line[1]), int(line[2])) if line else place
        raise place.refuse(Unquoted(f"broken TOML: {str(error).partition(' (at')[0]}"), "TOML", "correct it there") from None


def _ini(text: str, place: Place) -> dict[Any, Any]:
    """Return the sections of an INI file by the parts of their names; each value is JSON, or a string."""
    parser = configparser.ConfigParser(interpolation=None, strict=True, delimiters=("=",), comment_prefixes=("#", ";"))
    parser.optionxform = str  # type: ignore[method-assign,assignment]  # keys keep their case
    try:
        parser.read_string(text)
    except configparser.Error as error:
        line = getattr(error, "lineno", None)
        place = place.line(line, 1) if line else place
        raise place.refuse(Unquoted(f"broken INI: {' '.join(str(error).split())[:120]}"), "INI", "correct it") from None
    found: dict[Any, Any] = {}
    for name in parser.sections():
        inner = found
        for key in name.split("."):
            inner = inner.setdefault(key, {})
            if not isinstance(inner, dict):
                raise place.refuse(Unquoted(f"the section {name} below a value"), "INI", "correct it")
        for key, value in parser[name].items():
            inner[key] = _json(value)
    return found


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _gin(text: str, place: Place) -> dict[Any, Any]:
    """Return the bindings of a gin file: `NAME = value`, `module.function.parameter = value`, and blocks of them."""
    found: dict[Any, Any] = {}
    block: str | None = None
    joined = re.sub(r"\\\n", " ", re.sub(r"#[^\n]*", "", text))
    for line in joined.splitlines():
        if not line.strip():
            continue
        if not line[0].isspace():
            block = None
        header = re.fullmatch(r"([\w./@]+)\s*:\s*", line)
        binding = re.fullmatch(r"\s*([\w./@]+)\s*=\s*(.+?)\s*", line)
        if header:
            block = header[1]
            found.setdefault(block, {})
        elif binding and block is not None:
            found[block][binding[1]] = _gin_value(binding[2], found)
        elif binding:
            scope, dot, key = binding[1].rpartition(".")
            (found.setdefault(scope, {}) if dot else found)[key] = _gin_value(binding[2], found)
    return found


def _gin_value(text: str, found: Mapping[Any, Any]) -> Any:
    if text.startswith("%"):
        return found.get(text[1:], python.Unread(f"the macro {text}, which the file does not set"))
    try:
        value = python.read(f"value = {text}", Place("gin")).get("value")
    except ConfigError:
        value = python.Unread(f"the gin value {text[:60]}")
    return value


def _jsonnet(text: str) -> str:
    """Return a jsonnet file of literals as a YAML flow mapping: comments, locals, `::` and `$.name` are replaced."""
    kept = re.compile(r"""("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|//[^\n]*|\#[^\n]*|/\*.*?\*/""", re.DOTALL)
    text = kept.sub(lambda match: match[1] or "", text)
    locals_ = dict(re.findall(r"\blocal\s+(\w+)\s*=\s*([^;]{0,200});", text))
    text = re.sub(r"\blocal\s+\w+\s*=\s*[^;]*;", "", text)
    hidden = dict(re.findall(r"""["']?\b(\w+)["']?[ \t]{0,9}::[ \t]{0,9}("[^"\n]*"|[\w.+-]+)""", text))
    text = re.sub(r"(['\"]?)\b(\w+)\1[ \t]{0,9}\+?::?:?(?=\s)", r'"\2": ', text)
    text = re.sub(r"(['\"])(\w[\w. ]{0,80})\1[ \t]{0,9}:(?=\S)", r'"\2": ', text)
    text = re.sub(r"\$\.(\w+)", lambda match: hidden.get(match[1], f'"$.{match[1]}"'), text)
    return re.sub(
        r"(:\s*)([A-Za-z_]\w*)(\s*[,}\n])", lambda m: str(m[1]) + locals_.get(str(m[2]), str(m[2])).strip() + str(m[3]), text
    )


_KINDS: dict[str, Callable[[str, Place], dict[Any, Any]]] = {
    ".toml": _toml,
    ".cfg": _ini,
    ".ini": _ini,
    ".gin": _gin,
    ".jsonnet": lambda text, place: yaml.mapping(_jsonnet(text).encode(), place),
}
"""What reads the text of a file with each suffix."""


def _listed(text: str) -> dict[Any, Any]:
    """Return what a log of Flair lists: ` - key: "value"` under headings."""
    found: dict[Any, Any] = {}
    for line in text.splitlines():
        line = re.sub(r"^\d{4}-\d\d-\d\d[ T][\d:,.]+\s*", "", line)
        match = re.fullmatch(r"\s*-\s+(\w+)(?::\s*|\s*\|\s*)(.*)", line)
        if match and ("Scheduler" in match[1] or match[1] in ("learning_rate", "mini_batch_size", "max_epochs")):
            pairs = re.findall(r"(\w+): '([^']*)'", match[2])
            found[match[1]] = dict(pairs) if match[1].endswith(("Scheduler", "Plugin")) else match[2].strip().strip('"')
    return found if "learning_rate" in found and "mini_batch_size" in found else {}
