"""Every error of tracelr. Each is also a `ValueError` or a `TypeError`.

An error is data: the place, what was given, what is allowed, how to fix it and, for a text that was read, its line.
`str()` makes the message from these, so that every message of the library reads the same way.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import Any, NamedTuple, TypeVar, final

_Error = TypeVar("_Error", bound="TracelrError")


@final
class Location(NamedTuple):
    """Where in a text an error is."""

    path: str = ""
    """The path of the key, such as "trainer.init.schedulers[2]", or ""."""
    line: int = 0
    """The line, counted from 1; 0 if it is not known."""
    column: int = 0
    """The column, counted from 1; 0 if it is not known."""
    text: str = ""
    """The lines that the message shows: that line of the text, and a mark under the column."""

    @classmethod
    def within(cls, text: str, line: int, column: int, path: str = "") -> Location:
        """Return the location in `text`. It shows at most 100 characters of the line, those that do not print as spaces.

        >>> Location.within("first\\nsecond", 2, 4)
        Location(path='', line=2, column=4, text='  second\\n     ^')
        """
        lines = text.splitlines()
        shown = lines[line - 1] if line <= len(lines) else ""
        begin = max(column - 60, 0) if len(shown) > 100 else 0
        shown = "".join(c if c.isprintable() else " " for c in shown[begin : begin + 100])
        return cls(path, line, column, f"  {shown}\n  {' ' * (column - 1 - begin)}^")


class TracelrError(Exception):
    """Abstract base: `except TracelrError` catches everything this library raises on purpose.

    An error can be copied, and pickled for another process; `given` is then the text that the message shows.

    >>> error = ScheduleError("Linear.steps", 0, "an int from 1 to 2**53", "pass the number of steps")
    >>> print(error)
    Linear.steps: given 0; allowed: an int from 1 to 2**53; to fix it: pass the number of steps.
    >>> error.field
    'steps'
    """

    where: str
    """The place, such as "Linear.steps"."""
    given: object
    """What was given there. It is any object, and an `Unquoted` if a description says more than its repr."""
    allowed: str
    """What is allowed there."""
    fix: str
    """What to do about it."""
    limit: int
    """How many characters of the repr of `given` the message shows."""
    at: Location | None
    """The location in the text that was read; None if there is no text."""
    more: str
    """Lines that follow the sentence, such as a list of the names that exist."""

    def __init__(
        self,
        where: str,
        given: object,
        allowed: str,
        fix: str,
        limit: int = 80,
        *,
        at: Location | None = None,
        more: str = "",
    ) -> None:
        # Without super().__init__(), which Dynamo cannot trace here. BaseException.__new__ has set `args` already.
        self.where, self.given, self.allowed, self.fix, self.limit = where, given, allowed, fix, limit
        self.at, self.more = at, more

    def __str__(self) -> str:
        sentence = f"{self.where}: given {show(self.given, self.limit)}; allowed: {self.allowed}; to fix it: {self.fix}."
        below = [self.at.text] if self.at is not None and self.at.text else []
        return "\n".join([printable(sentence), *below, *(["", self.more] if self.more else [])])

    def __reduce__(self) -> tuple[Any, ...]:
        given = self.given if type(self.given) in _PLAIN else Unquoted(show(self.given, self.limit))
        return type(self), (self.where, given, self.allowed, self.fix, self.limit), vars(self) | {"given": given}

    @property
    def field(self) -> str:
        """The field or argument that `where` names, or "": "steps" in "Linear.steps[2]" and in "Linear.then(steps)"."""
        found = re.fullmatch(_FIELD, self.where)
        return found[1] if found else ""

    def inside(self: _Error, place: str) -> _Error:
        """Return this error with its place as a part of a larger `place`.

        >>> ScheduleError("Linear.steps", 0, "an int", "pass one").inside("trainer.schedulers[2]").where
        'trainer.schedulers[2]: Linear.steps'
        """
        return self.of(type(self), place)

    def of(self, kind: type[_Error], place: str = "", at: Location | None = None) -> _Error:
        """Return this error as one of the class `kind`, with its place as a part of a larger `place`."""
        where = f"{place}: {self.where}" if place else self.where
        return kind(where, self.given, self.allowed, self.fix, self.limit, at=at or self.at, more=self.more)


@final
class TracelrWarning(Warning):
    """Every warning of this library. It is not a `UserWarning`, because several frameworks drop those."""


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
    """A scheduler was bound to an optimizer or a hyper-parameter that it cannot drive."""


@final
class DeviceError(TracelrError, ValueError):
    """A device or a compiler computes other bits than the host."""


@final
class CheckpointError(TracelrError, ValueError):
    """A checkpoint is truncated, was not written by tracelr, or is of another schedule; or it cannot be written."""


@final
class TraceError(TracelrError, TypeError):
    """A schedule or a training step cannot become one graph."""


@final
class LoweringError(TracelrError, ValueError):
    """A graph cannot be lowered to a target, or a target cannot run here."""


@final
class MissingPackageError(TracelrError, ImportError):
    """An integration needs a package that is not installed."""


@final
class Unquoted(str):
    """A description that a message shows without quotes, in place of the repr of an object."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


_FIELD = r"\w+[.(](\w+)(?:[.()\[].*)?"  # compiled when it is first used
_PLAIN = (type(None), bool, int, float, str, Unquoted)  # the types of `given` that a pickle keeps as they are


def printable(text: str) -> str:
    """Return `text` with an escape for each character that does not print, so that a name from a file moves no cursor.

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
    """Return `repr(given)`, or the first `limit` characters of it and a few more.

    A list that contains itself, or the same list many times, would have an endless repr.
    """
    text = ""
    for piece in _pieces(given):
        text += piece
        if len(text) > limit:
            break
    return text


def _pieces(given: Any) -> Iterator[str]:
    """Yield the repr piece by piece, so that the caller can stop early."""
    if type(given).__module__ == "numpy" and getattr(given, "ndim", 1) == 0:
        given = given.item()
    if type(given) is float:
        yield shortest(given)
        return
    if type(given) not in (list, tuple, dict):
        yield repr(given)
        return
    around = "[]" if isinstance(given, list) else "()" if isinstance(given, tuple) else "{}"
    yield around[0]
    for k, entry in enumerate(given):
        yield ", " if k else ""
        yield from _pieces(entry)
        if isinstance(given, dict):
            yield ": "
            yield from _pieces(given[entry])
    yield ("," if isinstance(given, tuple) and len(given) == 1 else "") + around[1]


def shortest(number: float, most: int | None = None) -> str:
    """Return a float as a person writes it: the digits of its repr, and an exponent without zeros before it.

    With `most` it has at most so many digits, and a whole number is written as one.

    >>> [shortest(number) for number in (1e-06, 0.0003, 1e16, 10.0)], [shortest(number, 6) for number in (2e-07 / 3, 10.0)]
    (['1e-6', '0.0003', '1e16', '10.0'], ['6.66667e-8', '10'])
    """
    digits, mark, power = (repr(number) if most is None else f"{number:.{most}g}").partition("e")
    return f"{digits}{mark}{int(power)}" if mark else digits


def suggest(given: object, allowed: Collection[str], verb: str = "use", otherwise: str = "use one of these") -> str:
    """Return the fix for a wrong name: the `allowed` name that means the same or is similar, or `otherwise` without one.

    A name that is known to mean something else, as "max_lr" does beside "min_lr", is not suggested.

    >>> suggest("cosin", ["linear", "cosine"])
    "use 'cosine'"
    >>> suggest("end_lr", ["initial_learning_rate", "end_learning_rate"]), suggest("total", ["start", "end", "steps"])
    ("use 'end_learning_rate'", "use 'steps'")
    >>> suggest("min_lr", ["max_lr", "steps"])
    'use one of these'
    """
    if not isinstance(given, str):
        return otherwise
    meaning = _meaning(given)
    lower = {name.lower(): name for name in allowed}
    same = [name for name in lower if meaning and _meaning(name) == meaning]
    among = same or [name for name in lower if not (meaning and _meaning(name))]
    near = get_close_matches(given.lower(), among, n=1) or same[:1]
    return f"{verb} {lower[near[0]]!r}" if near else otherwise


_MEANINGS = {
    "start": "start begin initial init start_lr initial_lr init_lr lr_init start_value init_value initial_value initial_val",
    "peak": "peak peak_lr max_lr lr_max peak_value max_value max_val",
    "end": "end final end_lr final_lr lr_end min_lr lr_min eta_min end_value final_value min_value end_val",
    "steps": "steps total total_steps total_iters max_steps num_steps train_steps training_steps num_training_steps "
    "decay_steps max_iters train_iters iters iterations n_steps t_max",
    "warmup": "warm warmup warmup_steps num_warmup_steps warm_steps warmup_iters",
    "rate": "rate gamma decay_rate",
    "period": "period every step_size t_0",
}
"""What the names of settings in different libraries mean. A name that is not here may mean anything."""


def _meaning(name: str) -> str:
    """Return what the name of a setting means, or ""."""
    short = name.lower().replace("-", "_").replace("learning_rate", "lr").strip("_")
    return next((meaning for meaning, names in _MEANINGS.items() if short in names.split()), "")
