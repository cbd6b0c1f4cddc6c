"""Every error of tracelr. Each is also a `ValueError` or a `TypeError`.

A message has three parts: what was given, what is allowed, how to fix it. `explain` puts them together, so that every
message of the library reads the same way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import final


class TracelrError(Exception):
    """Abstract base: `except TracelrError` catches everything this library raises on purpose."""


@final
class ScheduleError(TracelrError, ValueError):
    """A schedule was built from a value that is not allowed."""


@final
class ScheduleTypeError(TracelrError, TypeError):
    """A schedule was built from, or called with, something of the wrong type."""


@final
class ConfigError(TracelrError, ValueError):
    """A configuration file or mapping does not describe a schedule."""


@final
class OptimizerError(TracelrError, TypeError):
    """A scheduler was bound to something it cannot drive."""


@final
class DeviceError(TracelrError, ValueError):
    """A device or a compiler gives other bits than the host."""


@final
class CheckpointError(TracelrError, ValueError):
    """A checkpoint does not belong here: foreign, truncated, or of another schedule."""


@final
class NotTraceable(TracelrError, TypeError):
    """A schedule cannot become one graph."""


@final
class NotLowered(TracelrError, ValueError):
    """A graph cannot be lowered to a target, or a target cannot run here."""


@final
class Words(str):
    """Text that a message shows without quotes, for what has no short repr."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def printable(text: str) -> str:
    """Return `text` with what does not print as an escape: a name out of a file breaks no line and moves no cursor.

    >>> printable("a\\x1b[2J")
    'a\\\\x1b[2J'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def show(given: object, limit: int = 80) -> str:
    """Return `repr(given)` on one line, shortened to `limit` characters, whatever the object does.

    >>> show("x" * 100, limit=12)
    "'xxxxxxxx..."
    """
    try:
        text = " ".join(_repr(given, limit).split())
    except Exception:  # a foreign object's own repr failed: its type still says what it was
        text = f"<{type(given).__name__}>"
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _repr(given: object, limit: int) -> str:
    """Return `repr(given)`, its beginning at least: lists that share their parts are endless when they are written out."""
    text = ""
    for piece in _pieces(given):
        text += piece
        if len(text) > limit:
            break
    return text


def _pieces(given: object) -> Iterator[str]:
    if type(given) not in (list, tuple, dict):
        yield repr(given)
        return
    around = "[]" if isinstance(given, list) else "()" if isinstance(given, tuple) else "{}"
    yield around[0]
    for k, part in enumerate(given):  # type: ignore[arg-type, var-annotated]
        yield ", " if k else ""
        yield from _pieces(part)
        if isinstance(given, dict):
            yield ": "
            yield from _pieces(given[part])
    yield ("," if isinstance(given, tuple) and len(given) == 1 else "") + around[1]


def explain(where: str, given: object, allowed: str, fix: str, limit: int = 80) -> str:
    """Return the one sentence form that every error of this library has; `limit` characters show what was given.

    >>> explain("Linear.steps", 0, "an int from 1 to 2**53", "pass the number of steps")
    'Linear.steps: given 0; allowed: an int from 1 to 2**53; to fix it: pass the number of steps.'
    """
    return printable(f"{where}: given {show(given, limit)}; allowed: {allowed}; to fix it: {fix}.")


def suggest(given: object, allowed: Collection[str], verb: str = "use", otherwise: str = "use one of these") -> str:
    """Return the fix for a wrong name: the nearest of the `allowed` ones, if one is near.

    >>> suggest("cosin", ["linear", "cosine"])
    "use 'cosine'"
    """
    lower = {name.lower(): name for name in allowed}
    near = get_close_matches(given.lower(), lower, n=1) if isinstance(given, str) else []
    return f"{verb} {lower[near[0]]!r}" if near else otherwise
