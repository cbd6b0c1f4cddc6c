"""Compares the rates that a run logged with those of a schedule, and says which common mistake explains a difference."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, final

import torch

from tracelr.arithmetic import LAST_STEP
from tracelr.errors import TracelrError, Unquoted, show
from tracelr.interop._tools import checks, yaml
from tracelr.interop._tools.checks import Place
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Sequential

TOLERANCE = 1e-5
"""How far a logged rate may be from the schedule, in parts of the largest rate: a log may print six digits only."""
_STEP = re.compile(r"(^|[/_. ])(global_?step|step|iteration|iter|update|num_updates|_step)s?$", re.IGNORECASE)
_RATE = re.compile(r"(^|[/_. -])(lr|learning_?rate)([-/_. ].*)?$", re.IGNORECASE)
_FACTORS = range(2, 65)
_EVENTS, _MOST_EVENTS = "tfevents", 2**28  # a part of the name of every event file, and their bytes
_LATEST = 64


@final
class Logged(NamedTuple):
    """The rates of a log: the steps, in order, and the rate that it has at each.

    `starts` are the steps that may stand for the first update: the first rate that transformers logs, that of step 1, is
    the rate of the first update or of the second, as its release has it.
    """

    name: str
    steps: tuple[int, ...]
    rates: tuple[float, ...]
    starts: tuple[int, ...] = (0,)


@final
class Audit(NamedTuple):
    """What a comparison found. `cause` is empty if the rates are equal, or if no known mistake explains them."""

    logged: Logged
    largest: float
    at: int
    first: int | None
    expected: tuple[float, ...]
    cause: str

    @property
    def equal(self) -> bool:
        """Whether every logged rate is that of the schedule."""
        return self.first is None

    def __str__(self) -> str:
        log = self.logged
        span = f"{len(log.steps)} rates of {log.name}, steps {log.steps[0]:,} to {log.steps[-1]:,}"
        if self.first is None:
            return f"equal: {span}; the largest difference is {self.largest:.3g}"
        k, worst = log.steps.index(self.first), log.steps.index(self.at)
        lines = [
            f"different: {span}",
            f"  first at step {self.first:,}: the log has {log.rates[k]:.9g}, the configuration {self.expected[k]:.9g}",
            f"  most at step {self.at:,}: the log has {log.rates[worst]:.9g}, the configuration {self.expected[worst]:.9g}",
        ]
        return "\n".join([*lines, f"  likely cause: {self.cause}" if self.cause else "  no known mistake explains it"])


def read_log(path: str | os.PathLike[str], column: str | None = None) -> list[Logged]:
    """Return the rates in a log: a `trainer_state.json`, CSV (also that of W&B) or JSON lines with a step and a rate, or
    the event file of TensorBoard, or a folder with one, for which the package tensorboard is needed.

    `column` names the column, or the tag, of the rate; without it, every one whose name says lr or learning rate is read.

    Raises `ConfigError` if the file cannot be read, or has no steps and rates.
    """
    place = Place(os.fspath(path))
    if _EVENTS in os.path.basename(path) or os.path.isdir(path):
        return _events(os.fspath(path), column, place)
    text = yaml.text(yaml.raw(path), place)
    rows = list(_rows(text, place))
    starts = (0, 1) if '"log_history"' in text else (0,)
    names = dict.fromkeys(key for row in rows for key in row if isinstance(key, str))
    step = next((name for name in names if _STEP.search(name)), None)
    rates = [name for name in names if (_RATE.search(name) if column is None else name == column)]
    if step is None or not rates:
        given = Unquoted(f"the columns {', '.join(map(show, names)) or 'none'}")
        fix = "name the column of the rate with --column" if step is not None else "add a column with the step"
        raise place.refuse(given, "a column with the step, and one with the rate", fix)
    found = [_series(name, step, rows, place) for name in rates]
    found = [each._replace(starts=starts) for each in found if each.steps]
    if not found:
        raise place.refuse(Unquoted("a log without a rate"), "steps and rates", "log the learning rate")
    return found


def _events(path: str, column: str | None, place: Place) -> list[Logged]:
    """Return the rates in event files of TensorBoard."""
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        from tensorboard.util.tensor_util import make_ndarray
    except ImportError:
        given = Unquoted("a log of TensorBoard, without the package tensorboard")
        raise place.refuse(given, "the package that reads it", "pip install tensorboard") from None
    files = [os.path.join(path, name) for name in os.listdir(path)] if os.path.isdir(path) else [path]
    held = sum(os.path.getsize(file) for file in files if _EVENTS in os.path.basename(file))
    if not 0 < held <= _MOST_EVENTS:
        given = Unquoted(f"{held:,} bytes of event files")
        raise place.refuse(given, f"from 1 to {_MOST_EVENTS:,}", "name the folder, or the file, of one run")
    try:
        found = EventAccumulator(path, size_guidance={"scalars": 0, "tensors": 0}).Reload()
        tags = found.Tags()
        rows = {tag: [(one.step, one.value) for one in found.Scalars(tag)] for tag in tags["scalars"]}
        rows |= {tag: [(one.step, make_ndarray(one.tensor_proto)) for one in found.Tensors(tag)] for tag in tags["tensors"]}
        wanted = [tag for tag in rows if (_RATE.search(tag) if column is None else tag == column)]
        series = [_series(tag, "step", [{"step": at, tag: float(rate)} for at, rate in rows[tag]], place) for tag in wanted]
    except TracelrError:
        raise
    except Exception as error:  # of any class of protobuf
        given = Unquoted(f"event files that cannot be read ({type(error).__name__}: {str(error)[:100]})")
        raise place.refuse(given, "scalars of TensorBoard", "name another one") from None
    if not any(one.steps for one in series):
        fix = "name the tag of the rate with --column" if rows else "log the learning rate"
        raise place.refuse(Unquoted(f"the tags {', '.join(map(show, rows)) or 'none'}"), "one of a learning rate", fix)
    return [one._replace(starts=(0, 1) if one.name == "train/learning_rate" else (0,)) for one in series if one.steps]


def _rows(text: str, place: Place) -> Iterator[Mapping[Any, Any]]:
    stripped = text.lstrip()
    if stripped.startswith("{"):
        try:
            whole = json.loads(text)
            history = whole.get("log_history", [whole])
            rows = history if isinstance(history, list) else []
        except ValueError:
            rows = [_line(line, number, place) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        except RecursionError:
            raise place.refuse(Unquoted("JSON that is nested too deeply"), "rows", "nest it less") from None
        yield from (row for row in rows if isinstance(row, Mapping))
        return
    reader = csv.DictReader(io.StringIO(text))
    try:
        yield from reader
    except csv.Error as error:
        raise place.line(reader.line_num, 1).refuse(Unquoted(f"broken CSV: {error}"), "CSV", "correct it") from None


def _line(line: str, number: int, place: Place) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        raise place.line(number, 1).refuse(
            Unquoted("a line that is not JSON"), "one JSON object a line", "correct it"
        ) from None


def _series(name: str, step: str, rows: Sequence[Mapping[Any, Any]], place: Place) -> Logged:
    found: dict[int, float] = {}
    for row in rows:
        if row.get(name) in (None, "") or row.get(step) in (None, ""):
            continue
        at, rate = checks.number(place / step, row[step]), checks.number(place / name, row[name])
        if not at.is_integer() or not 0 <= at <= LAST_STEP:
            raise (place / step).refuse(row[step], "a whole number of steps from 0 to 2**53", "correct it")
        found[int(at)] = rate
    steps = sorted(found)
    return Logged(name, tuple(steps), tuple(found[each] for each in steps))


def audit(
    schedule: Schedule, logged: Logged, others: Mapping[str, Schedule] | None = None, tolerance: float = TOLERANCE
) -> Audit:
    """Compare logged rates with a schedule; the rate at step s is that of update s, the next one.

    `others` are the schedules of other groups, by name. `tolerance` is in parts of the largest rate.

    >>> from tracelr import Linear
    >>> log = Logged("lr", (0, 1, 2), (0.5, 1.0, 1.0))
    >>> audit(Linear(start=0.0, end=1.0, steps=2), log).cause
    'step s has the rate of s + 1: the scheduler was stepped once before the first update'
    """
    found = [_audit(schedule, logged, start, others or {}, tolerance) for start in logged.starts]
    best = next((one for one in found if one.equal), None) or next((one for one in found if one.cause), None)
    return best or found[0]


def _audit(schedule: Schedule, log: Logged, start: int, others: Mapping[str, Schedule], tolerance: float) -> Audit:
    """Compare, where step `start` of the log stands for the first update."""
    kept = [(step - start, rate) for step, rate in zip(log.steps, log.rates, strict=True) if step >= start]
    logged = Logged(log.name, tuple(step for step, _ in kept), tuple(rate for _, rate in kept))
    if not kept:
        logged = log
    expected = _values(schedule, logged.steps)
    limit = tolerance * max(map(abs, (*expected, *logged.rates)))
    gaps = [abs(a - b) for a, b in zip(expected, logged.rates, strict=True)]
    largest = max(gaps)
    at = logged.steps[gaps.index(largest)]
    first = next((step for step, gap in zip(logged.steps, gaps, strict=True) if gap > limit), None)
    cause = "" if first is None else _cause(schedule, logged, others, limit, first)
    return Audit(logged, largest, at, first, tuple(expected), cause)


def _values(schedule: Schedule, steps: Sequence[int]) -> list[float]:
    with torch.no_grad():
        return schedule(torch.tensor([min(max(step, 0), LAST_STEP) for step in steps])).tolist()


def _cause(  # one mistake after another
    schedule: Schedule, logged: Logged, others: Mapping[str, Schedule], limit: float, first: int
) -> str:
    """Return the mistake that explains every rate, or "". The simplest is tried first."""

    def fits(times: int, over: int = 1, by: int = 0, other: Schedule = schedule) -> bool:
        values = _values(other, [step * times // over + by for step in logged.steps])
        return all(abs(a - b) <= limit for a, b in zip(values, logged.rates, strict=True))

    for name, other in others.items():
        if fits(1, other=other):
            return f"it is the rate of another group: {name}"
    if len(set(logged.rates)) > 1:
        for by in (1, -1, *(sign * k for k in range(2, _LATEST + 1) for sign in (1, -1))):
            if fits(1, by=by):
                return _shifted(by)
        if paced := _paced(fits):
            return paced
    restarted = _restarted(schedule, logged, limit, first)
    return restarted or _other_lengths(schedule, logged, limit) or _other_peak(schedule, logged, limit)


def _shifted(by: int) -> str:
    if by == 1:
        return "step s has the rate of s + 1: the scheduler was stepped once before the first update"
    if by == -1:
        return "step s has the rate of s - 1: the scheduler is stepped one update late, or the log counts from 1"
    return f"step s has the rate of s {'+' if by > 0 else '-'} {abs(by)}"


def _paced(fits: Callable[..., bool]) -> str:
    for k in _FACTORS:
        if fits(k):
            return f"step s has the rate of {k} s: the scheduler is stepped {k} times per update"
        if fits(k, by=k - 1):
            why = f"the scheduler is stepped {k} times per update, after each batch that it accumulates"
            return f"step s has the rate of {k} s + {k - 1}: {why}"
        if fits(1, k):
            return f"step s has the rate of s / {k}: the scheduler is stepped once in {k} updates"
    return ""


def _restarted(schedule: Schedule, logged: Logged, limit: float, first: int) -> str:
    """Return where the schedule began again, between the last rate that agrees and the first that does not, or ""."""
    k = logged.steps.index(first)
    low = logged.steps[k - 1] if k else 0
    later, rates = logged.steps[k:], logged.rates[k:]
    if len(later) < 2 or first - low > 100_000:
        return ""
    for start in range(first, low, -1):
        values = _values(schedule, [step - start for step in later])
        if all(abs(a - b) <= limit for a, b in zip(values, rates, strict=True)):
            return f"the schedule began again at step {start:,}, as after a resumed run that did not load it"
    return ""


def _other_lengths(schedule: Schedule, logged: Logged, limit: float) -> str:
    """Return another warm-up, another length of the decay or both, with which a warm-up and a decay fit."""
    if not isinstance(schedule, Sequential) or len(schedule.schedules) != 2 or schedule.join != "jump":
        rise, main, warm = None, schedule, 0
    else:
        rise, main, warm = schedule.schedules[0], schedule.schedules[1], schedule.milestones[0]
    if not _has_steps(main) or (rise is not None and not _has_steps(rise)):
        return ""
    own = _steps_of(main)
    pairs = list(zip(logged.steps, logged.rates, strict=True))
    for width in dict.fromkeys([warm, *_warmups(rise, pairs)]):
        after = [(step, rate) for step, rate in pairs if step > width]
        for step, rate in after[len(after) // 2 :][:1] + after[-1:]:
            length = _length(main, step - width, rate)
            made = _with_lengths(rise, main, width, length)
            if all(abs(a - b) <= limit for a, b in zip(_values(made, logged.steps), logged.rates, strict=True)):
                words = [f"a warm-up of {width:,} steps in place of {warm:,}"] * (width != warm)
                total = f"a run of {width + length:,} steps in place of {warm + own:,}"
                return " and ".join([*words, *[total] * (width + length != warm + own)])
    return ""


def _has_steps(schedule: Schedule) -> bool:
    return isinstance(getattr(schedule, "steps", None), int)


def _steps_of(schedule: Schedule) -> int:
    return int(getattr(schedule, "steps"))  # noqa: B009  # a field of some classes only


def _resized(schedule: Schedule, steps: int) -> Schedule:
    return replace(schedule, steps=steps)  # type: ignore[type-var]  # every schedule is a dataclass


def _warmups(rise: Schedule | None, pairs: Sequence[tuple[int, float]]) -> list[int]:
    """Return the warm-ups that the rising rates of a log suggest, in a line from 0."""
    if rise is None:
        return []
    top = float(rise(_steps_of(rise)))
    rising = [round(top * step / rate) for step, rate in pairs if step and 0 < rate < top]
    return [*rising[-1:], *rising[:3], *rising[len(rising) // 2 :][:1], 0]


def _length(main: Schedule, step: int, rate: float) -> int:
    """Return the length with which a falling curve has a rate at a step, by bisection."""
    low, high = 1, max(2, min(LAST_STEP // 2, 1000 * _steps_of(main)))
    while low < high:
        middle = (low + high) // 2
        if float(_resized(main, middle)(step)) < rate:
            low = middle + 1
        else:
            high = middle
    near = [n for n in (low - 1, low) if n >= 1]
    return min(near, key=lambda n: abs(float(_resized(main, n)(step)) - rate))


def _with_lengths(rise: Schedule | None, main: Schedule, warm: int, length: int) -> Schedule:
    made = _resized(main, length)
    if rise is None or warm < 1:
        return made
    return Sequential([_resized(rise, warm), made], [warm])


def _other_peak(schedule: Schedule, logged: Logged, limit: float) -> str:
    """Return the factor between the log and the schedule, if it is the same everywhere."""
    values = _values(schedule, logged.steps)
    k = max(range(len(values)), key=lambda i: abs(values[i]))
    if not values[k]:
        return ""
    factor = logged.rates[k] / values[k]
    if not math.isfinite(factor) or factor <= 0:
        return ""
    same = all(abs(a * factor - b) <= limit * max(factor, 1) for a, b in zip(values, logged.rates, strict=True))
    return f"every rate is {factor:.6g} times that of the configuration: another peak, or a scaled rate" if same else ""
