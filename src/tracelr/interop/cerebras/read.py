"""Reads the older params files of the Cerebras Model Zoo: `optimizer: learning_rate:`, with names that follow TensorFlow.

The value is a number, one scheduler, or a list of schedulers that run one after another, in which every entry but the last
needs a length. The reading differs from the programs for which those files were written in three points:

- `decay_steps` is the length of a curve, and `steps` (`total_iters` in later files) is how long an entry runs in a list.
  Most entries have one of them for both. If an entry has both, later releases use `steps` as the length of the curve too.
- A polynomial with `cycle` cycles as in Keras; in those programs it never did.
- A key that the scheduler does not know is an error, except `alpha` in `Linear`, which a published file has without effect.

`adjust_learning_rate` beside `learning_rate` scales the rate of some groups; the result is then an assignment with that
factor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.errors import Unquoted
from tracelr.interop._tools import checks
from tracelr.interop._tools.checks import Place, choose
from tracelr.interop._tools.section import Section
from tracelr.interop.cerebras.combine import Member, read_chained, read_sequential
from tracelr.interop.cerebras.curves import FACTORS, parameters, run_length
from tracelr.interop.cerebras.entries import build, once, read_parameters, values
from tracelr.interop.cerebras.spellings import FUNCTION, OLDER_CURVES, SPELLINGS, UNUSED
from tracelr.schedules.assignment import Assignment, Loaded
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.constant import Constant

EXAMPLE = """\
optimizer:
  learning_rate:
  - {scheduler: Linear, initial_learning_rate: 0.0, end_learning_rate: 6.0e-4, steps: 2000}
  - {scheduler: CosineDecay, initial_learning_rate: 6.0e-4, end_learning_rate: 6.0e-5, steps: 98000}
"""
SCALED = FACTORS["lr"]
_SPELLING = SPELLINGS["older"]
_LENGTHS = _SPELLING["total_iters"]
_RESET = "disable_lr_steps_reset"
_MAIN = "main_scheduler"
_CHAINED = {"Sequential": False, "Chained": True, "ChainedScheduler": True}


def matches(mapping: Mapping[Any, Any]) -> bool:
    """Return whether `mapping` is an older params file; the newer ones have the key `trainer` or `schedulers`."""
    optimizer = mapping.get("optimizer")
    foreign = isinstance(optimizer, str) or (isinstance(optimizer, Mapping) and not FOREIGN.isdisjoint(optimizer))
    return "optimizer" in mapping and not foreign and OTHERS.isdisjoint(mapping)


FOREIGN = {
    "lr",
    "params",
    "class_path",
    "init_args",
    "_target_",
    "_component_",
    "groups",
    "class_name",
    "learning_rate_scheduler",
}
"""Keys under `optimizer` of other frameworks."""
OTHERS = {
    "trainer", "schedulers", "scheduler", "lr_scheduler", "lr_config", "optim_wrapper", "param_scheduler", "learning_rate",
    "train_iters", "train-iters", "tokens", "total_steps", "iters",
}  # fmt: skip
"""Keys beside `optimizer` of other frameworks, and of the newer files."""


def read(mapping: Mapping[Any, Any], where: Place) -> Loaded:
    """Return the schedule under `optimizer: learning_rate:`; the other keys of the file are ignored.

    Beside a rate that is a number, a key that speaks of a schedule is an error.
    """
    top, (where, optimizer) = where, (where / "optimizer", mapping["optimizer"])
    if not isinstance(optimizer, Mapping):
        raise where.refuse(optimizer, "a mapping with the key learning_rate", "write learning_rate: under it")
    if "learning_rate" not in optimizer:
        raise where.refuse(Unquoted("a mapping without the key learning_rate"), "a mapping with it", "add learning_rate")
    schedule = rate(where, optimizer)
    if isinstance(schedule, Constant):
        for each, seen in ((Section(optimizer, where), ("learning_rate", SCALED)), (Section(mapping, top), ())):
            each.ignore(*seen)
            each.finish()
        Section({key: value for key, value in mapping.items() if key != "optimizer"}, top).finish_below()
    return [Assignment("lr", None, schedule, SCALED)] if checks.is_given(optimizer.get(SCALED)) else schedule


def rate(where: Place, optimizer: Mapping[Any, Any]) -> Schedule:
    """Return the schedule under the key `learning_rate` of `optimizer`."""
    reset = not checks.flag(where / _RESET, optimizer.get(_RESET, False))
    where, spec = where / "learning_rate", optimizer["learning_rate"]
    if isinstance(spec, Mapping):
        return _member(where, spec, reset).schedule
    if not isinstance(spec, (list, tuple)):
        if spec is None:
            raise where.refuse(spec, "a number, a scheduler or a list of schedulers", "write one of these")
        return Constant(checks.number(where, spec))
    entries = checks.sequence(where, spec, "a list of schedulers")
    members = [_member(where / k, entry, reset) for k, entry in enumerate(entries)]
    chained = {entry[_MAIN]: _chained(where / k / _MAIN, entry[_MAIN]) for k, entry in enumerate(entries) if _MAIN in entry}
    if len(set(chained.values())) > 1:
        given, fix = Unquoted(f"{_MAIN} {' and '.join(map(str, chained))}"), "write the same one in every entry"
        raise where.refuse(given, "one of them for all entries", fix)
    if any(chained.values()):
        return read_chained(where, members).schedule
    return read_sequential(where, members, "one of " + ", ".join(_LENGTHS)).schedule


def _fold(name: str) -> str:
    return name.lower().removesuffix("lr")


def _chained(where: Place, name: object) -> bool:
    return choose(where, name, _CHAINED, _fold)


def _member(where: Place, entry: object, reset: bool) -> Member:
    if not isinstance(entry, Mapping):
        raise where.refuse(entry, "a mapping with the key scheduler", "write {scheduler: ..., ...}")
    if "scheduler" not in entry:
        raise where.refuse(Unquoted("a mapping without the key scheduler"), "a scheduler by name", "add scheduler: <name>")
    name = entry["scheduler"]
    if isinstance(name, str) and _fold(name) == FUNCTION.lower():
        raise (where / "scheduler").refuse(name, "a scheduler whose values a file can hold", "build the schedule in Python")
    stem, curve = choose(where / "scheduler", name, {stem: (stem, curve) for stem, curve in OLDER_CURVES.items()}, _fold)
    length = parameters(curve, {}).get("total_iters")
    # the length of the curve, which may be given beside that of the entry
    beside = "decay_steps" if length and length.required else ""
    others = ["scheduler", _RESET, _MAIN, *UNUSED.get(stem, ()), *_LENGTHS]
    found = read_parameters(where, name, curve, entry, _SPELLING, others, beside)
    lengths = once(where, _LENGTHS, entry, beside)
    lasts = checks.count(where / lengths[-1], entry[lengths[-1]]) if lengths else run_length(values(found))
    reset = not checks.flag(where / _RESET, entry.get(_RESET, not reset))
    return Member(str(where), build(where, curve, found), lasts, reset)
