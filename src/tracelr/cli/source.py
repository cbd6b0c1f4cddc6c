"""Reads a schedule from a file, standard input, a Python object, a line of text or a checkpoint."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple, final

from tracelr import checkpoint
from tracelr.arithmetic import LAST_STEP
from tracelr.cli.reading import CURRENT
from tracelr.cli.yaml_places import pointed
from tracelr.errors import CheckpointError, ConfigError, TracelrError, Unquoted, printable, show
from tracelr.interop import load as config
from tracelr.interop import pasted
from tracelr.interop._tools import kinds, shell
from tracelr.interop._tools.checks import Place
from tracelr.interop._tools.yaml import LARGEST_FILE, content
from tracelr.interop.native.expression import parse
from tracelr.optim.state import read_state
from tracelr.schedules.assignment import Assignment, Loaded
from tracelr.schedules.base import Schedule

_PYTHON = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_MOST = 256  # assignments that are shown, drawn or compared at once, because each takes up to a tenth of a second
_CHECKPOINTS = (".pt", ".pth", ".ckpt")


@final
class Chosen(NamedTuple):
    """A schedule and its name."""

    name: str
    schedule: Schedule
    assignment: Assignment | None = None

    @property
    def title(self) -> str:
        """The name that the schedule was given in Python, or else that of what it was read from."""
        return self.schedule.name or self.name

    @property
    def quantity(self) -> str:
        """What the schedule drives, in words."""
        return "learning rate" if self.key == "lr" else self.key.replace("_", " ")

    @property
    def key(self) -> str:
        """What the schedule drives; one without an assignment drives the learning rate."""
        return "lr" if self.assignment is None else self.assignment.key


def load(given: str) -> Loaded:
    """Return what FILE of the command line stands for. If it is a path to a file, that file is read.

    Raises `ConfigError` or `CheckpointError`, in one line; for a text, with a caret under the place.
    """
    return read(given).schedule


def read(given: str) -> config.Reading:
    """Return what `load` does, with the name of the format of a file and the notes of its reader."""
    path = Path(given)
    if given == "-":
        return _text("standard input", _standard_input())
    if is_checkpoint(given):
        return _checkpoint(path)
    if _is_file(path):
        return _text(given, content(path, Place(given)), path)
    if given.startswith("-") and shell.looks_like(given):
        return _mapped(lambda settings: shell.read(given, Place("command line"), settings), "command line")
    if pasted.matches(given):
        return config.Reading("code", pasted.read(given, CURRENT.get().settings), [])
    if "(" in given:
        return config.Reading("line", parse(given, units=CURRENT.get().units), [])
    if _PYTHON.fullmatch(given):
        return config.Reading("python", _python(given), [])
    return _mapped(lambda settings: kinds.read(given, settings), given)


def _standard_input() -> bytes:
    if sys.stdin is None:  # the shell closed it
        raise ConfigError("standard input", Unquoted("nothing, it is closed"), "a YAML text", "write it to the command")
    return sys.stdin.buffer.read(LARGEST_FILE + 1)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a long line is not a path
        return False


def _mapped(mapping: Callable[[Mapping[str, Any]], dict[Any, Any]], name: str) -> config.Reading:
    """Return what is read from a mapping, with what the command line says beside it."""
    given = CURRENT.get()
    return config.read(mapping(given.settings), name, given.units, given.format)


def _text(name: str, raw: bytes, path: Path | None = None) -> config.Reading:
    try:
        if path is not None:
            return _mapped(lambda settings: kinds.read(path, settings), name)
        return _mapped(lambda settings: kinds.mapping(raw, Place(name), settings), name)
    except ConfigError as error:
        raise pointed(error, raw.decode("utf-8", "replace")) from None


def _python(given: str) -> Loaded:
    """Return the object that `module:object` names. Modules in the current folder are found too."""
    name, _, attribute = given.partition(":")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    module = _attempt(given, "import", lambda: import_module(name))
    found: Any = _attempt(given, "find", lambda: attrgetter(attribute)(module))
    if callable(found) and not isinstance(found, Schedule):
        found = _attempt(given, "call", found)
    listed = isinstance(found, (list, tuple)) and found and all(isinstance(one, Assignment) for one in found)
    if not isinstance(found, Schedule) and not listed:
        allowed = "a Schedule, a list of Assignment, or a function without arguments that returns one"
        raise ConfigError(given, found, allowed, "name such an object")
    return list(found) if listed else found


def _attempt(given: str, what: str, act: Callable[[], Any]) -> Any:
    try:
        return act()
    except Exception as error:  # a user's module may raise anything; the message is one line
        text = " ".join(str(error).split())[:200]
        reason = Unquoted(f"a name that Python cannot {what} ({type(error).__name__}: {text})")
        raise ConfigError(given, reason, "module:object", "correct the name, or the module", 300) from None


def is_checkpoint(given: str) -> bool:
    """Say whether an argument names a checkpoint."""
    return "(" not in given and Path(given).suffix in _CHECKPOINTS


def step_of(path: Path) -> int:
    """Return the step at which a checkpoint was written."""
    return _held_by(path)[0]


def _checkpoint(path: Path) -> config.Reading:
    """Return the schedules that a scheduler's state in a checkpoint describes, and the step of its run."""
    count, found = _held_by(path)
    alone = len(found) == 1 and found[0].key == "lr" and found[0].tags is None
    return config.Reading("checkpoint", found[0].schedule if alone else found, [], min(max(count, 0), LAST_STEP))


def _held_by(path: Path) -> tuple[int, list[Assignment]]:
    """Return the step, and the schedules, of a scheduler's state in a checkpoint."""
    where, state = f"checkpoint {path}", _state(checkpoint.load(path, ()))
    if state is None:
        given = Unquoted("a checkpoint without a scheduler's state")
        allowed = 'a checkpoint with the state_dict() of a tracelr Scheduler, at its top or under a key such as "scheduler"'
        raise CheckpointError(where, given, allowed, "name another one")
    try:
        count, schedules = read_state(state, _groups_of(state))
    except TracelrError:
        raise
    except Exception as error:  # a count of any type; torch raises many classes for a tensor that it cannot read
        given = Unquoted(f"a state that cannot be read ({type(error).__name__}: {' '.join(str(error).split())[:200]})")
        raise CheckpointError(where, given, "the state_dict() of a tracelr Scheduler", "name another one", 300) from None
    found = [one for key, plains in schedules.items() for one in _groups(where, key, plains)]
    if not found:
        given = Unquoted("a scheduler's state without schedules")
        raise CheckpointError(where, given, "the state_dict() of a tracelr Scheduler", "name another one")
    return count, found


def _state(found: Any) -> dict[str, Any] | None:
    """Return the state of a scheduler in a checkpoint, at most three keys deep."""
    level: list[Any] = [found]
    seen = set[int]()
    for _ in range(4):
        mappings: list[dict[str, Any]] = [one for one in level if isinstance(one, dict) and id(one) not in seen]
        for one in mappings:
            if isinstance(one.get("schedules"), str) and "last_epoch" in one:
                return one
        seen.update(map(id, mappings))  # one mapping may be in many places
        level = list({id(value): value for one in mappings for value in one.values()}.values())
    return None


def _groups_of(state: dict[str, Any]) -> int:
    """Return the number of groups in the state, or 0 if it is not readable: `read_state` then refuses it."""
    with suppress(ValueError, TypeError, AttributeError, StopIteration, RecursionError):
        return len(next(iter(json.loads(state["schedules"]).values())))
    return 0


def _groups(where: str, key: str, plains: list[Any]) -> list[Assignment]:
    """Return an assignment for each group, or one for all groups if they have the same schedule."""

    def read(plain: dict[str, Any]) -> Schedule:
        schedule = config.single(config.from_dict(plain.get("of", plain), where), where)
        return schedule if "of" not in plain else schedule * plain.get("factor", 1.0)

    if plains and all(plain == plains[0] for plain in plains) and plains[0] is not None:
        return [Assignment(key, None, read(plains[0]))]
    return [Assignment(key, (f"group {k}",), read(plain)) for k, plain in enumerate(plains) if plain is not None]


def named(given: str) -> str:
    """Return the name of what FILE stands for."""
    return "standard input" if given == "-" else printable(" ".join(given.split()))


def picked(given: str, key: str | None, tag: str | None) -> Loaded:
    """Return what FILE stands for, or only its assignments for `key` and `tag`."""
    found = load(given)
    if key is None and tag is None:
        return found
    kept = choose(given, key, tag, found)
    return [one.assignment for one in kept if one.assignment is not None] or kept[0].schedule


def choose(given: str, key: str | None, tag: str | None, found: Loaded | None = None) -> list[Chosen]:
    """Return the schedules that FILE stands for; with `key` or `tag`, only those for them.

    Raises `ConfigError`, which lists the assignments, if none matches.
    """
    found = load(given) if found is None else found
    name = named(given)
    if isinstance(found, Schedule):
        if key not in (None, "lr") or tag is not None:
            allowed = "no --tag, and no --key but lr, because it is one schedule for every group"
            raise ConfigError(name, Unquoted(_options(key, tag)), allowed, "leave out --key and --tag")
        return [Chosen(name, found)]
    kept = [one for one in found if key in (None, one.key) and (tag is None or one.tags is None or tag in one.tags)]
    if not kept:
        listed = "; ".join(map(str, found))
        raise ConfigError(name, Unquoted(_options(key, tag)), listed, "pass the key and a tag of one of these")
    if len(kept) > _MOST:
        many = Unquoted(f"{len(kept):,} assignments")
        raise ConfigError(name, many, f"at most {_MOST} at once", "pass --key and --tag of one of them")
    return [Chosen(str(one), one.schedule, one) for one in kept]


def _options(key: str | None, tag: str | None) -> str:
    return " and ".join(f"--{name} {value}" for name, value in (("key", key), ("tag", tag)) if value is not None)


def one(given: str, key: str | None, tag: str | None) -> Schedule:
    """Return the one schedule that FILE stands for; `key` and `tag` pick it from several.

    Raises `ConfigError` if more than one is left.
    """
    found = load(given)
    if key is None and tag is None:
        return config.single(found, given)
    kept = choose(given, key, tag, found)
    if len(kept) > 1:
        listed = "; ".join(f"{each.name}: {show(each.schedule)}" for each in kept)
        fix = "pass --key and --tag of one of these"
        raise ConfigError(given, Unquoted(f"{len(kept)} assignments"), f"one of: {listed}", fix)
    return kept[0].schedule
