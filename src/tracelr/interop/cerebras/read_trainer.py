"""Reads the newer params files of the Cerebras Model Zoo (releases 2.3 and later): `trainer: init: schedulers:`.

The value is a list of schedulers, or one scheduler. A scheduler is a mapping whose only key is the class, `...LR` for the
learning rate and `...WD` for the weight decay, and whose value holds the parameters. Without a scheduler of the rate, the
rate is the `learning_rate` of the optimizer.

`param_group_tags` is a tag, a list of them, or `[null]` for the groups without tags; two schedulers that would set the same
key of the same group are an error. A chain divides by the value at step 0; the original divides by the parameter called
initial, which is another number for an inverse square root. `ScalePerParamLR` multiplies the scheduler in it by the
group's `adjust_learning_rate`, and `ScalePerParamWD` by its `adjust_val`; `adjust_learning_rate` under the optimizer
multiplies every rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tracelr.errors import Unquoted
from tracelr.interop._tools import checks
from tracelr.interop._tools.checks import Place, choose, disjoint, only_keys, tags
from tracelr.interop.cerebras import read as cerebras
from tracelr.interop.cerebras.combine import Member, Timed, read_chained, read_sequential
from tracelr.interop.cerebras.curves import FACTORS, Curve, run_length
from tracelr.interop.cerebras.entries import build, read_parameters, values
from tracelr.interop.cerebras.spellings import FUNCTION, NEWER_CURVES, SPELLINGS
from tracelr.schedules.assignment import Assignment, Loaded
from tracelr.schedules.curves.constant import Constant

EXAMPLE = """\
trainer:
  init:
    schedulers:
    - SequentialLR:
        schedulers:
        - LinearLR: {initial_learning_rate: 0.0, end_learning_rate: 6.0e-4, total_iters: 2000}
        - CosineDecayLR: {initial_learning_rate: 6.0e-4, end_learning_rate: 6.0e-5, total_iters: 98000}
"""
_TAGS = "param_group_tags"


class Kind(NamedTuple):
    """A class of scheduler: the key of the param group that it sets, and its curve, or the name of a combining class."""

    key: str
    curve: Curve | str


_CURVES: dict[str, Curve | str] = {
    **NEWER_CURVES,
    **{name: name for name in ("Sequential", "Chained", "ScalePerParam", FUNCTION)},
}
KINDS = {
    **{f"{stem}LR": Kind("lr", curve) for stem, curve in _CURVES.items()},
    **{f"{stem}WD": Kind("weight_decay", curve) for stem, curve in _CURVES.items()},
    "CosineAnnealingWarmRestarts": Kind("lr", NEWER_CURVES["CosineAnnealingWarmRestarts"]),
    "ChainedScheduler": Kind("lr", "Chained"),
}
"""Every class that a file may name."""


def matches(mapping: Mapping[Any, Any]) -> bool:
    """Return whether `mapping` is a newer params file, or the content of its `trainer: init:`."""
    trainer = mapping.get("trainer", ())
    foreign = isinstance(trainer, Mapping) and trainer and "init" not in trainer
    return ("trainer" in mapping or "schedulers" in mapping) and not foreign


def read(mapping: Mapping[Any, Any], where: Place) -> Loaded:
    """Return the schedule, or the assignments, of the schedulers; the other keys of the file are ignored."""
    where, init = _init(mapping, where)
    place, optimizer = _settings(where / "optimizer", init.get("optimizer"))
    listed = init.get("schedulers") if checks.is_given(init.get("schedulers")) else []
    listed = [listed] if isinstance(listed, Mapping) else listed
    if not isinstance(listed, (list, tuple)):
        raise (where / "schedulers").refuse(listed, "a list of schedulers", "write one, such as - LinearLR: {...}")
    found = [_assignment(where / "schedulers" / k, entry) for k, entry in enumerate(listed)]
    disjoint(where / "schedulers", found)
    if not any(one.key == "lr" for one in found):
        found = [*_own(place, optimizer), *found]
    elif isinstance(optimizer.get("learning_rate"), (list, tuple, Mapping)):
        given, fix = Unquoted("schedulers here and under schedulers"), "remove the ones here"
        raise (place / "learning_rate").refuse(given, "one of them", fix)
    if not found:
        given, fix = Unquoted("neither schedulers nor a rate in its optimizer"), "add schedulers"
        raise where.refuse(given, "a mapping with the key schedulers", fix)
    if _scaled(optimizer):
        found = [one._replace(factor=cerebras.SCALED) if one.key == "lr" else one for one in found]
    alone = len(found) == 1 and found[0] == Assignment("lr", None, found[0].schedule)
    return found[0].schedule if alone else found


def _init(mapping: Mapping[Any, Any], where: Place) -> tuple[Place, Mapping[Any, Any]]:
    """Return the parameters of the trainer, and their place."""
    if "trainer" not in mapping:
        return where, mapping
    where, trainer = where / "trainer", mapping["trainer"]
    if isinstance(trainer, (list, tuple)):
        if len(trainer) != 1:
            fix = "pass one of them to from_dict, as {'trainer': ...}"
            raise where.refuse(Unquoted(f"a list of {len(trainer)} trainers"), "one trainer", fix)
        if isinstance(trainer[0], Mapping) and "trainer" in trainer[0]:
            return _init(trainer[0], where / 0)
        where, trainer = where / 0, trainer[0]
    if not isinstance(trainer, Mapping) or not isinstance(trainer.get("init"), Mapping):
        raise where.refuse(trainer, "a mapping with the mapping init", "write init: under it, and schedulers: under that")
    return where / "init", trainer["init"]


def _settings(where: Place, given: object) -> tuple[Place, Mapping[Any, Any]]:
    """Return the parameters of the optimizer, which stand under its class, or beside `optimizer_type` as in older files."""
    if given is None:
        return where, {}
    if not isinstance(given, Mapping):
        raise where.refuse(given, "a mapping with the optimizer's class", "write it as AdamW: {...}")
    if len(given) == 1:
        ((name, inner),) = given.items()
        if inner is None or isinstance(inner, Mapping):
            return where / str(name), inner or {}
    return where, given


def _scaled(optimizer: Mapping[Any, Any]) -> bool:
    groups = optimizer.get("params")
    own = [group for group in groups if isinstance(group, Mapping)] if isinstance(groups, (list, tuple)) else []
    return any(checks.is_given(one.get(cerebras.SCALED)) for one in (optimizer, *own))


def _own(where: Place, optimizer: Mapping[Any, Any]) -> list[Assignment]:
    """Return the learning rate under the optimizer itself, if there is one."""
    if "learning_rate" in optimizer:
        return [Assignment("lr", None, cerebras.rate(where, optimizer))]
    if "lr" in optimizer:
        return [Assignment("lr", None, Constant(checks.number(where / "lr", optimizer["lr"])))]
    return []


def _assignment(where: Place, entry: object) -> Assignment:
    name, kind, inner = _named(where, entry)
    where /= name
    chosen = tags(where / _TAGS, inner.get(_TAGS))
    inner = {key: value for key, value in inner.items() if key != _TAGS}
    if kind.curve == "ScalePerParam":
        only_keys(where, inner, ["scheduler", _TAGS])
        if "scheduler" not in inner:
            raise where.refuse(Unquoted(f"{name} without scheduler"), "the key scheduler", "add scheduler: <what it scales>")
        return Assignment(
            kind.key, chosen, _member(where / "scheduler", inner["scheduler"], kind.key).schedule, FACTORS[kind.key]
        )
    return Assignment(kind.key, chosen, _curve(where, name, kind, inner).schedule)


def _named(where: Place, entry: object) -> tuple[str, Kind, Mapping[Any, Any]]:
    """Return the name of the class in `entry`, its kind, and its parameters."""
    if not isinstance(entry, Mapping) or len(entry) != 1:
        given = Unquoted(f"the keys {', '.join(map(str, entry))}") if isinstance(entry, Mapping) and entry else entry
        fix = "write its class, and the parameters below that: LinearLR: {...}"
        raise where.refuse(given, "a mapping with one key, the class of a scheduler", fix)
    ((name, inner),) = entry.items()
    kind = choose(where, name, KINDS)
    if kind.curve == FUNCTION:
        raise where.refuse(name, "a scheduler whose values a file can hold", "build the schedule in Python")
    if inner is not None and not isinstance(inner, Mapping):
        raise (where / name).refuse(inner, "a mapping of its parameters", "write {name: value, ...}")
    return name, kind, inner or {}


def _member(where: Place, entry: object, key: str) -> Member:
    """Return a scheduler inside another one, which gives it its tags and must set the same key."""
    name, kind, inner = _named(where, entry)
    if kind.key != key:
        raise where.refuse(name, f"a scheduler of the {key}, as the outer one is", "move it out of the outer one")
    where /= name
    if kind.curve == "ScalePerParam":
        raise where.refuse(
            Unquoted(f"{name} inside another scheduler"), "it as the outermost one", "put the other one into it"
        )
    if _TAGS in inner:
        fix = "move it to the scheduler around this one"
        raise (where / _TAGS).refuse(Unquoted("tags of an inner scheduler"), "tags of the outermost one", fix)
    return Member(str(where), *_curve(where, name, kind, inner))


def _curve(where: Place, name: str, kind: Kind, inner: Mapping[Any, Any]) -> Timed:
    if not isinstance(kind.curve, str):
        found = read_parameters(where, name, kind.curve, inner, SPELLINGS[kind.key], [_TAGS])
        return Timed(build(where, kind.curve, found), run_length(values(found)))
    several = kind.curve == "Sequential"
    only_keys(where, inner, ["schedulers", _TAGS, *(("milestones", "last_epoch") if several else ())])
    last = inner.get("last_epoch", -1)
    if not isinstance(last, (int, float)) or last != -1:
        fix = "leave it out: a Scheduler is resumed from its own state"
        raise (where / "last_epoch").refuse(last, "-1, the beginning", fix)
    place = where / "schedulers"
    listed = checks.sequence(place, inner.get("schedulers"), "a list of schedulers")
    members = [_member(place / k, entry, kind.key) for k, entry in enumerate(listed)]
    if not several:
        return read_chained(place, members)
    at = inner.get("milestones")
    return read_sequential(place, members, "total_iters", None if at is None else checks.counts(where / "milestones", at))
