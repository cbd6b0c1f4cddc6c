"""The settings under one key of a file, read by name. What is not read and speaks of a schedule is an error."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from fractions import Fraction
from typing import Any, Final, TypeVar, final

from tracelr.errors import ConfigError, ScheduleError, ScheduleTypeError, Unquoted, show, suggest
from tracelr.interop._tools import checks
from tracelr.interop._tools.checks import Place
from tracelr.schedules.base import Schedule

T = TypeVar("T")


@final
class _Required:
    """Stands for a setting that has no default."""


REQUIRED: Final = _Required()
_SPEAKS = re.compile(
    r"(^|[_.-])(lr|lrs|lr\d|base_?lr|max_?lr|min_?lr|learning_?rates?)($|[_.-])|learning_?rate|sched|warm_?-?up|anneal|cool_?-?down"
    r"|(^|[_.-])(decay|decays|gamma|milestones)($|[_.-])|decay_?(rate|steps|epochs|style|type|ratio|factor|method|iters)",
    re.IGNORECASE,
)
"""The keys that may say something about a rate."""
_NAMES = re.compile(r"sched|warm_?-?up|(^|[_.-])(learning_?rate|lr)[_.-](decay|step|gamma|end|min)", re.IGNORECASE)
"""The keys that name a schedule of a rate."""
_HARMLESS = re.compile(
    r"weight_?-?decay|(^|[_-])wd($|[_-])|ema|decay_mult|beta|no_decay|momentum|loss|noise_sched|sampl|dropout|temperature|kl|mask"
    r"|log|monitor|verbose|last_epoch|profil|scheduler_state|optim_sched|save|beta_schedule|noise|batch_?size|lr_mult|prune"
    r"|task_sched|huber|async_sched|embedding|snr|norm|job|request|quant|teacher|flop|gpu|slurm|(^|_)xla_",
    re.IGNORECASE,
)
"""Words in a key that show that it is about something else."""


@final
class Section:
    """A mapping in a file. Each method reads one key; several names are names of the same thing.

    `defaults` names the framework, for a note about each default that is used.
    """

    def __init__(self, given: Mapping[Any, Any], where: Place, root: Mapping[Any, Any] | None = None, by: str = "") -> None:
        self.given, self.where, self.by = given, where, by
        self.root = given if root is None else root
        self.seen: set[Any] = set()
        if where.sections is not None:
            where.sections.append(self)

    # -- keys ------------------------------------------------------------------------------------------------------------

    def name(self, *names: str) -> str | None:
        """Return the one of `names` that has a value other than null; raise for two of different values."""
        self.seen.update(names)
        found = [each for each in names if self.given.get(each) is not None]
        if len(found) > 1 and any(self.given[each] != self.given[found[0]] for each in found):
            raise self.where.refuse(
                Unquoted(" and ".join(found)), "one of them", "remove one: they are names of the same thing"
            )
        return found[0] if found else None

    def has(self, *names: str) -> bool:
        """Return whether one of `names` has a value other than null, false, 0 and empty ones."""
        name = self.name(*names)
        return name is not None and checks.is_given(self.given[name])

    def raw(self, *names: str, default: Any = REQUIRED) -> Any:
        """Return the value as it is, with its references resolved."""
        return self._read(names, default, lambda _, given: given)

    def number(self, *names: str, default: Any = REQUIRED) -> Any:
        """Return a finite number, or `default`."""
        return self._read(names, default, checks.number)

    def count(self, *names: str, default: Any = REQUIRED, low: int = 0) -> Any:
        """Return a whole number of at least `low`, or `default`."""
        return self._read(names, default, lambda where, given: checks.count(where, given, low))

    def flag(self, *names: str, default: bool = False) -> bool:
        """Return a bool; the words true and false, in any case, are taken too."""
        return bool(self._read(names, default, _flag))

    def text(self, *names: str, default: Any = REQUIRED) -> Any:
        """Return a string, or `default`."""
        return self._read(names, default, _text)

    def choice(self, table: Mapping[str, T], *names: str, default: str | None = None, fold: Callable[[str], str] = str) -> T:
        """Return the row of `table` that the setting names."""
        given = self.raw(*names, default=REQUIRED if default is None else default)
        return checks.choose(self.place(*names), given, table, fold)

    def numbers(self, *names: str, default: Any = REQUIRED) -> Any:
        """Return a list of numbers; one number counts as a list."""
        return self._read(
            names, default, lambda w, given: checks.numbers(w, given if isinstance(given, (list, tuple)) else [given])
        )

    def counts(self, *names: str, default: Any = REQUIRED) -> Any:
        """Return a list of steps."""
        return self._read(
            names, default, lambda w, given: checks.counts(w, given if isinstance(given, (list, tuple)) else [given])
        )

    def section(self, *names: str, optional: bool = False) -> Section:
        """Return the mapping under a key; with `optional`, an empty one if there is none."""
        name = self.name(*names)
        given = None if name is None else self.raw(name)
        where = self.where / (name or names[0])
        if given is None and optional:
            given = {}
        if not isinstance(given, Mapping):
            raise where.refuse(given, "a mapping", f"write the settings under {name or names[0]}")
        return Section(given, where, self.root, self.by)

    def sections(self, *names: str) -> list[Section]:
        """Return the mappings in the list under a key; one mapping counts as a list."""
        where, given = self.place(*names), self.raw(*names)
        listed = [given] if isinstance(given, Mapping) else checks.sequence(where, given, "a list of mappings")
        for k, each in enumerate(listed):
            if not isinstance(each, Mapping):
                raise (where / k).refuse(each, "a mapping", "write the settings of one entry")
        return [Section(each, where / k, self.root, self.by) for k, each in enumerate(listed)]

    def ignore(self, *names: str) -> None:
        """Say that these keys have no effect on the rate."""
        self.seen.update(names)

    # -- errors and notes ------------------------------------------------------------------------------------------------

    def place(self, *names: str) -> Place:
        """Return the place of the key that is given, or of the first name."""
        return self.where / next((each for each in names if self.given.get(each) is not None), names[0])

    def refuse(self, *names: str, allowed: str, fix: str, given: object = None) -> ConfigError:
        """Return the error about a key; the caller raises it."""
        value = self.given.get(self.name(*names) or "") if given is None else given
        return self.place(*names).refuse(value, allowed, fix)

    def missing(self, name: str, what: str = "") -> ConfigError:
        """Return the error that a setting is missing; the caller raises it."""
        path = (self.where / name).path
        near = [key for key in self.given if isinstance(key, str) and key != name]
        close = suggest(name, near, "rename", "")
        fix = f"add {path}, or pass --set {path}=VALUE" if not close else f"add {path}, or {close} to {name!r}"
        return self.where.refuse(Unquoted(f"settings without {name}"), what or f"the key {name}", fix)

    def metric(self, *names: str, instead: str = "a schedule of the step") -> ConfigError:
        """Return the error that a scheduler follows a metric; the caller raises it."""
        return self.refuse(
            *names,
            allowed=f"{instead}, because this one follows a metric and not the step",
            fix="use tracelr.Plateau in the training program",
        )

    def note(self, text: str) -> None:
        """Keep a sentence for `tracelr show`."""
        self.where.note(text)

    def part(self, words: str, ratio: float, of: float, rounding: Callable[[float], int]) -> int:
        """Return a part of a length, rounded, and note it."""
        value = rounding(ratio * of)
        self.note(f"{words} {rounding.__name__}({ratio:g} x {of:,g}) = {value:,}")
        return value

    def build(self, make: Callable[..., Schedule], *values: Any, **more: Any) -> Schedule:
        """Return what `make` makes; an error of the schedule becomes one about this place."""
        try:
            return make(*values, **more)
        except (ScheduleError, ScheduleTypeError) as error:
            raise self.where.blame(error) from None

    def finish(self) -> None:
        """Raise for a key that was not read and may say something about the rate."""
        for key, value in self.given.items():
            if key in self.seen or not isinstance(key, str) or not checks.is_given(value):
                continue
            if _SPEAKS.search(key) and not _HARMLESS.search(key):
                raise self.where.refuse(
                    Unquoted(f"the key {show(key)}, which {self.by or 'the reader'} does not read, beside the rate"),
                    "keys of the rate that are understood",
                    "remove it if it has no effect, or pass --as FORMAT if the file is in another format",
                )

    def finish_below(self, depth: int = 4) -> None:
        """Raise for a key of the mappings below that names a schedule, for a format that has none there."""
        for key, value in self.given.items():
            if not isinstance(value, Mapping) or not isinstance(key, str):
                continue
            for inner, given in value.items():
                named = isinstance(inner, str) and _NAMES.search(inner) and not _HARMLESS.search(inner)
                if named and checks.is_given(given) and not _HARMLESS.search(key):
                    raise (self.where / key).refuse(
                        Unquoted(f"the key {show(inner)}, which is not read, beside a rate that is a number"),
                        "a rate with its schedule",
                        "remove it if it has no effect, or pass --as FORMAT if the file is in another format",
                    )
            if depth:
                Section(value, self.where / key).finish_below(depth - 1)

    # -- values ----------------------------------------------------------------------------------------------------------

    def _read(self, names: Collection[str], default: Any, read: Callable[[Place, Any], Any]) -> Any:
        name = self.name(*names)
        if name is None:
            if default is REQUIRED:
                raise self.missing(next(iter(names)))
            if self.by and default not in (None, False, 0, "", ()):
                self.note(f"{(self.where / next(iter(names))).path}: {default}, the default of {self.by}")
            return default
        value = resolve(self.given[name], self.root, self.where / name)
        if value == "auto":
            raise self._auto()
        return read(self.where / name, value)

    def _auto(self) -> ConfigError:
        names = [(self.where / key).path for key, value in self.given.items() if value == "auto" and isinstance(key, str)]
        fix = "pass " + " ".join(f"--set {name}=VALUE" for name in names) + ", with what the program puts there"
        return self.where.refuse(Unquoted(f"'auto' for {', '.join(names)}"), "values that the file says", fix)


_REFERENCE = re.compile(r"\$\{([^${}]*)\}")
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "times": lambda *v: math.prod(v),
    "multiply": lambda *v: math.prod(v),
    "mul": lambda *v: math.prod(v),
    "divide": lambda a, b: a / b,
    "div": lambda a, b: a / b,
    "add": lambda *v: sum(v),
    "sum": lambda *v: sum(v),
    "subtract": lambda a, b: a - b,
    "int": int,
    "ceil_int": math.ceil,
}


def resolve(value: Any, root: Mapping[Any, Any], where: Place, depth: int = 0) -> Any:
    """Return a value whose references such as `${trainer.max_epochs}` are replaced by what the file says there."""
    while isinstance(value, str) and "${" in value:
        depth += 1
        found = _REFERENCE.search(value)
        if found is None or depth > 20:
            break
        path = _absolute(found[1].strip(), where)
        inner = _referred(path, root, where)
        if found[0] == value and isinstance(inner, str):
            where = where._replace(path=path)  # what a relative reference in it is relative to
        value = inner if found[0] == value else value[: found.start()] + str(inner)[:100] + value[found.end() :]
    return value


def _absolute(text: str, where: Place) -> str:
    """Return the path of a reference; `.key` stands beside the place, and each further dot one level higher."""
    dots = len(text) - len(text.lstrip("."))
    above = where.path.split(".")
    return text if not dots or dots > len(above) else ".".join([*above[:-dots], text[dots:]])


def _referred(text: str, root: Mapping[Any, Any], where: Place) -> Any:
    name, colon, rest = text.partition(":")
    if colon and name in _FUNCTIONS:
        try:
            return _FUNCTIONS[name](*(checks.number(where, part.strip()) for part in rest.split(",")))
        except (TypeError, ArithmeticError):
            raise where.refuse(text, "numbers that can be computed", "write the number") from None
    path, comma, default = (rest if name == "oc.select" else text).partition(",")
    value: Any = root
    for key in path.strip().split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    if value is None and name == "oc.select" and comma:
        return default.strip()
    if value is None:
        fix = f"write the value, or pass --set {where.path if colon else text}=VALUE"
        raise where.refuse(Unquoted(f"the reference ${{{text}}}, whose value the file does not say"), "a value", fix)
    return value


def _flag(where: Place, given: object) -> bool:
    if isinstance(given, str) and given.lower() in ("true", "false", "yes", "no", "1", "0"):
        return given.lower() in ("true", "yes", "1")
    return checks.flag(where, given)


def _text(where: Place, given: object) -> str:
    if not isinstance(given, str):
        raise where.refuse(given, "a name", "write one")
    return given


def fraction(value: float) -> Fraction:
    """Return a number of steps as a fraction of small terms, which stands for the float exactly enough for any step."""
    return Fraction(value).limit_denominator(1 << 20)
