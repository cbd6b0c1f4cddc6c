"""The params files of the Cerebras Model Zoo, whose names follow TensorFlow: `optimizer: learning_rate:`.

The value is a number, one scheduler, or a list of schedulers that run one after another; every one but the last then says
how long it runs. Where this differs from the programs those files were written for:

- `decay_steps` is the length of a curve, and `steps` (`total_iters` in later files) how long an entry runs in a list. Mostly
  there is one of them, for both; where there are two, later releases let `steps` be the curve as well.
- A polynomial with `cycle` cycles as in Keras; there it never did.
- A key that its scheduler does not know is an error, except `alpha` in `Linear`: a published file has it, without effect.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, final

from tracelr.compose import Sequential
from tracelr.dialects import _values
from tracelr.dialects._values import Place, choose, only
from tracelr.errors import ScheduleError, ScheduleTypeError, Words, explain
from tracelr.schedule import Schedule
from tracelr.schedules.constant import Constant
from tracelr.schedules.cosine import Cosine
from tracelr.schedules.exponential import Exponential
from tracelr.schedules.inverse_sqrt import InverseSqrt
from tracelr.schedules.inverse_time import InverseTime
from tracelr.schedules.linear import Linear
from tracelr.schedules.piecewise_constant import PiecewiseConstant
from tracelr.schedules.polynomial import Polynomial

EXAMPLE = """\
optimizer:
  learning_rate:
  - {scheduler: Linear, initial_learning_rate: 0.0, end_learning_rate: 6.0e-4, steps: 2000}
  - {scheduler: CosineDecay, initial_learning_rate: 6.0e-4, end_learning_rate: 6.0e-5, steps: 98000}
"""
_RESET = "disable_lr_steps_reset"


@final
class Key:
    """A value of an entry: how it is read, and the names it goes by. Without an optional one its default holds."""

    def __init__(self, read: Callable[[Place, object], Any], *names: str, optional: bool = False) -> None:
        self.read, self.names, self.optional = read, names, optional


START = Key(_values.number, "initial_learning_rate", "learning_rate")
START_OR_1 = Key(_values.number, *START.names, optional=True)
FIRST = Key(_values.number, "initial_learning_rate", optional=True)
END = Key(_values.number, "end_learning_rate")
LENGTH = Key(_values.count, "decay_steps", "steps", "total_iters")
WARMUP = Key(_values.count, "warmup_steps", optional=True)
RATE = Key(_values.number, "decay_rate")
EXPONENT = Key(_values.number, "step_exponent")
STAIRCASE = Key(_values.flag, "staircase", optional=True)
POWER = Key(_values.number, "power", optional=True)
CYCLE = Key(_values.flag, "cycle", optional=True)
ALPHA = Key(_values.number, "alpha", optional=True)
SCALE = Key(_values.number, "scale", optional=True)
VALUES = Key(_values.numbers, "values", "learning_rates")
MILESTONES = Key(_values.counts, "boundaries", "milestones")


def _cosine(start: float, steps: int, alpha: float = 0.0) -> Schedule:
    return Cosine(start, alpha * start, steps)


def _inverse_sqrt(start: float = 1.0, scale: float = 1.0, steps: int = 1) -> Schedule:
    return InverseSqrt(start * scale / math.sqrt(steps), steps)


def _piecewise(values: list[float], milestones: list[int], initial_learning_rate: float | None = None) -> Schedule:
    if initial_learning_rate not in (None, values[0]):
        where, allowed = "PiecewiseConstant.initial_learning_rate", f"the first of the values, {values[0]}"
        raise ScheduleError(explain(where, initial_learning_rate, allowed, "leave it out, or make them equal"))
    return PiecewiseConstant(values, milestones)


@final
class Row:
    """A scheduler: what builds it, which key gives each of the builder's parameters, and keys that say nothing."""

    def __init__(self, build: Callable[..., Schedule], *, unused: tuple[str, ...] = (), **keys: Key) -> None:
        self.build, self.unused, self.keys = build, unused, keys


ROWS = {
    "Constant": Row(Constant, value=Key(_values.number, "learning_rate", "initial_learning_rate")),
    "Linear": Row(Linear, start=START, end=END, steps=LENGTH, unused=("alpha",)),
    "Polynomial": Row(Polynomial, start=START, end=END, steps=LENGTH, power=POWER, cycle=CYCLE),
    "Exponential": Row(Exponential, start=START, rate=RATE, steps=LENGTH, staircase=STAIRCASE),
    "InverseExponentialTimeDecay": Row(
        InverseTime, start=START, rate=RATE, steps=LENGTH, exponent=EXPONENT, staircase=STAIRCASE
    ),
    "InverseSquareRootDecay": Row(_inverse_sqrt, start=START_OR_1, scale=SCALE, steps=WARMUP),
    "Cosine": Row(_cosine, start=START, steps=LENGTH, alpha=ALPHA),
    "CosineDecay": Row(Cosine, start=START, end=END, steps=LENGTH),
    "PiecewiseConstant": Row(_piecewise, values=VALUES, milestones=MILESTONES, initial_learning_rate=FIRST),
}


class Part(NamedTuple):
    """An entry of a list: its schedule, how many steps it runs if it says so, whether its own time starts at 0."""

    schedule: Schedule
    runs: int | None
    reset: bool


def recognises(mapping: Mapping[Any, Any]) -> bool:
    """Say whether `mapping` is a params file, of the older form or of the newer one."""
    return "optimizer" in mapping or "trainer" in mapping


def read(mapping: Mapping[Any, Any], where: Place) -> Schedule:
    """Return the schedule under `optimizer: learning_rate:`; every other key of the file is somebody else's."""
    if "optimizer" not in mapping:
        form, allowed = Words("the newer form, trainer.init.schedulers"), "the older form, optimizer.learning_rate"
        raise (where / "trainer").refuse(form, allowed, "write it so; the newer form is not read yet")
    where, optimizer = where / "optimizer", mapping["optimizer"]
    if not isinstance(optimizer, Mapping):
        raise where.refuse(optimizer, "a mapping with the key learning_rate", "write learning_rate: under it")
    if "learning_rate" not in optimizer:
        raise where.refuse(Words("a mapping without the key learning_rate"), "a mapping with it", "add learning_rate")
    reset = not _values.flag(where / _RESET, optimizer.get(_RESET, False))
    where, given = where / "learning_rate", optimizer["learning_rate"]
    if isinstance(given, Mapping):
        return _part(where, given, reset).schedule
    if isinstance(given, list | tuple):
        entries = _values.sequence(where, given, "a list of schedulers")
        return _sequence(where, [_part(where / k, entry, reset) for k, entry in enumerate(entries)])
    if given is None:
        raise where.refuse(given, "a number, a scheduler or a list of schedulers", "write one of these")
    return Constant(_values.number(where, given))


def _sequence(where: Place, parts: list[Part]) -> Schedule:
    milestones: list[int] = []
    for k, part in enumerate(parts[:-1]):
        if part.runs is None:
            given, fix = Words("an entry that does not say how long it runs"), "add one of " + ", ".join(LENGTH.names)
            raise (where / k).refuse(given, "a length in every entry but the last", fix)
        milestones.append(part.runs + sum(milestones[-1:]))
    if not milestones:
        return parts[0].schedule
    resets = [part.reset for part in parts]  # the first one says nothing: its own time is the global step
    reset = resets if len(set(resets[1:])) > 1 else resets[1]
    try:
        return Sequential([part.schedule for part in parts], milestones, reset)
    except ScheduleError as error:
        raise where.forward(error) from None


def _part(where: Place, entry: object, reset: bool) -> Part:
    if not isinstance(entry, Mapping):
        raise where.refuse(entry, "a mapping with the key scheduler", "write {scheduler: ..., ...}")
    if "scheduler" not in entry:
        raise where.refuse(Words("a mapping without the key scheduler"), "a scheduler by name", "add scheduler: <name>")
    row = choose(where / "scheduler", entry["scheduler"], ROWS, lambda known: known.lower().removesuffix("lr"))
    names = [known for key in row.keys.values() for known in key.names]
    only(where, entry, ["scheduler", _RESET, *row.unused, *dict.fromkeys([*names, *LENGTH.names])])
    lengths = _once(where, LENGTH, entry, "decay_steps" if LENGTH in row.keys.values() else "")
    runs = _values.count(where / lengths[-1], entry[lengths[-1]]) if lengths else None
    reset = not _values.flag(where / _RESET, entry.get(_RESET, not reset))
    values = {field: key.read(where / known, entry[known]) for field, key, known in _given(where, row, entry)}
    try:
        return Part(row.build(**values), runs, reset)
    except (ScheduleError, ScheduleTypeError) as error:
        blamed = re.match(r"\w+\.(\w+)", str(error))
        places = {field: where / known for field, _, known in _given(where, row, entry)}
        raise places.get(blamed[1] if blamed else "", where).forward(error) from None


def _given(where: Place, row: Row, entry: Mapping[Any, Any]) -> list[tuple[str, Key, str]]:
    """Return each parameter of the row's builder with its key and the name it goes by in `entry`."""
    found = []
    for field, key in row.keys.items():
        names = _once(where, key, entry, "decay_steps" if key is LENGTH else "")
        if not names and not key.optional:
            fix = ("add one of " if len(key.names) > 1 else "add ") + ", ".join(key.names)
            required = ", ".join(k.names[0] for k in row.keys.values() if not k.optional)
            raise where.refuse(Words(f"{entry['scheduler']} without {key.names[0]}"), f"the keys {required}", fix)
        found += [(field, key, known) for known in names[:1]]
    return found


def _once(where: Place, key: Key, entry: Mapping[Any, Any], beside: str) -> list[str]:
    """Return the names of `key` that `entry` has: one at most, not counting the one that may stand beside another."""
    names = [known for known in key.names if known in entry]
    if len([known for known in names if known != beside]) > 1:
        raise where.refuse(Words(" and ".join(names)), "one of them", "remove one: they are names of the same thing")
    return names
