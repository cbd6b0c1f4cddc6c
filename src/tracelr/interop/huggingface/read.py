"""Reads the settings of a Hugging Face training run: `lr_scheduler_type` and the settings that it needs.

The keys are those of `TrainingArguments` (`learning_rate`, `max_steps`, `warmup_steps`, `warmup_ratio`) or of
`get_scheduler` (`num_training_steps`, `num_warmup_steps`). The parameters of a type stand under `lr_scheduler_kwargs`, or
beside the other keys. A warm-up of 0 and `max_steps: -1` count as not given, and a `warmup_steps` below 1 is a ratio, as in
transformers. Other keys are ignored, but one that looks like a misspelt key is an error.

`constant` ignores a warm-up, as in transformers. Past the last step the rate is constant; in transformers a cosine rises.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from tracelr.errors import ScheduleError, ScheduleTypeError, Unquoted, show, suggest
from tracelr.interop._tools import checks, lengths
from tracelr.interop._tools.checks import Place, choose
from tracelr.interop._tools.section import Section
from tracelr.interop.huggingface.scheduler_types import MEASURED, TYPES, Run, SchedulerType
from tracelr.schedules.base import Schedule
from tracelr.schedules.fields import named

EXAMPLE = """\
lr_scheduler_type: cosine
learning_rate: 6.0e-4
warmup_steps: 2000
max_steps: 100000
"""
_TYPE, _KWARGS = "lr_scheduler_type", "lr_scheduler_kwargs"
_STEPS, _WARMUP = ("num_training_steps", "max_steps"), ("num_warmup_steps", "warmup_steps", "warmup_ratio")
_RATE = re.compile(r"(^|_)lr_|_lr($|_)|learning_rate|warmup|scheduler")
_OWN = ("per_device_train_batch_size",)
_NOT = ("micro_batch_size", "unet_lr", "text_encoder_lr", "network_module", "warmup_steps_fraction", "optimizer_type")
_PARAMETERS = list(dict.fromkeys(name for kind in TYPES.values() for name in kind.keys))
_KNOWN = (_TYPE, "learning_rate", *_STEPS, *_WARMUP, _KWARGS, *_PARAMETERS)


def matches(mapping: Mapping[Any, Any]) -> bool:
    """Return whether `mapping` holds the settings of a Hugging Face run, or its `trainer_state.json`."""
    by_default = "learning_rate" in mapping and any(key in mapping for key in _OWN) and "lr_scheduler" not in mapping
    state = "log_history" in mapping and "global_step" in mapping
    return (_TYPE in mapping and not any(key in mapping for key in _NOT)) or by_default or state


def read(mapping: Mapping[Any, Any], where: Place) -> Schedule:
    """Return the schedule that the settings describe."""
    _check_keys(mapping, where)
    if "log_history" in mapping and _TYPE not in mapping:
        given, fix = Unquoted("the log of a run"), "pass it to tracelr audit, or read the arguments of the run"
        raise where.refuse(given, "the arguments of a run", fix)
    if _TYPE not in mapping:
        where.note(f"{_TYPE}: linear, the default of transformers")
    name = "linear" if mapping.get(_TYPE) is None else mapping[_TYPE]
    if named(name, MEASURED):
        raise (where / _TYPE).refuse(
            name, ", ".join(TYPES), "use one of these, because this one follows a metric and not the step"
        )
    kind = choose(where / _TYPE, name, TYPES)
    if "learning_rate" not in mapping:
        raise where.refuse(Unquoted("settings without learning_rate"), "the peak rate", "add learning_rate")
    peak = checks.number(where / "learning_rate", mapping["learning_rate"])
    ratio = next((key for key in ("warmup_ratio", "warmup_steps") if _below_1(mapping.get(key)) and mapping[key]), None)
    steps = _steps(where, mapping, kind.ends or (ratio is not None and name != "constant"))
    warmup = _warmup(where, mapping, steps)
    values = _parameters(where, mapping, str(name), kind)
    if steps is None and kind.ends and "num_stable_steps" not in values:
        fix = f"add {_STEPS[1]}, because the curve of {name} depends on it"
        raise where.refuse(Unquoted(f"{name} without {' or '.join(_STEPS)}"), "the number of steps", fix)
    if steps is not None and warmup >= steps and kind.ends:
        raise where.refuse(Unquoted(f"a warm-up of {warmup} in {steps} steps"), "a shorter one", "shorten it")
    try:
        return kind.build(Run(peak, warmup, steps or 0), **values)
    except (ScheduleError, ScheduleTypeError) as error:
        raise where.blame(error) from None


def _check_keys(mapping: Mapping[Any, Any], where: Place) -> None:
    """Raise for a key that looks misspelt, or that speaks of another rate."""
    for key, value in mapping.items():
        if not isinstance(key, str) or key in _KNOWN:
            continue
        near = get_close_matches(key, _KNOWN, n=1, cutoff=0.9)
        if near:
            raise where.refuse(Unquoted(f"the key {show(key)}"), ", ".join(_KNOWN), f"rename it to {near[0]!r}")
        if _RATE.search(key) and checks.is_given(value):
            given = Unquoted(f"the key {show(key)}, which is not read, beside the rate")
            fix = f"remove it, or pass --set {key}=null for the rate of the other groups"
            raise where.refuse(given, "one rate for every group", fix)


def _one(where: Place, mapping: Mapping[Any, Any], names: tuple[str, ...], nothing: tuple[object, ...]) -> str | None:
    """Return the key among `names` that is given, or None; raise if there are several."""
    given = [name for name in names if not _counts_as_absent(mapping.get(name), nothing)]
    if len(given) > 1:
        raise where.refuse(Unquoted(" and ".join(given)), "one of them", "remove one")
    return given[0] if given else None


def _counts_as_absent(given: object, nothing: tuple[object, ...]) -> bool:
    return given is None or (isinstance(given, (int, float, str)) and given in nothing)


def _steps(where: Place, mapping: Mapping[Any, Any], needed: bool) -> int | None:
    name = _one(where, mapping, _STEPS, (None, -1, "-1"))
    if name is not None:
        return checks.count(where / name, mapping[name])
    if not needed or any(key in mapping for key in ("num_warmup_steps", "num_training_steps")):
        return None
    s = Section(mapping, where, by="transformers")
    epochs, batch = s.number("num_train_epochs", default=3.0), s.count("per_device_train_batch_size", default=8)
    accumulation = s.count("gradient_accumulation_steps", default=1)
    return lengths.total(s, epochs, lengths.epochs_of(batch, accumulation, epochs), batch, accumulation, ceil=True)


def _warmup(where: Place, mapping: Mapping[Any, Any], steps: int | None) -> int:
    name = _one(where, mapping, _WARMUP, (None, 0))
    if name is None:
        return 0
    where, given = where / name, mapping[name]
    if name == "num_warmup_steps" or (name == "warmup_steps" and not _below_1(given)):
        return checks.count(where, given)
    ratio = checks.number(where, given)
    if not 0 <= ratio <= 1:
        raise where.refuse(given, "a number from 0 to 1", "write the fraction of all steps that the warm-up takes")
    if steps is None:
        raise where.refuse(given, f"a ratio together with {' or '.join(_STEPS)}", "add one, or write warmup_steps")
    warm = math.ceil(steps * ratio)
    where.note(f"warm-up ceil({ratio:g} x {steps:,}) = {warm:,}")
    return warm  # in floats as in transformers, where 0.1 of 30 is 4


def _below_1(given: object) -> bool:
    try:
        return isinstance(given, (int, float, str)) and float(given) < 1
    except (ValueError, OverflowError):
        return False


def _arguments(mapping: Mapping[Any, Any], where: Place) -> Any:
    """Return what stands under `lr_scheduler_kwargs`; a flag has it in JSON."""
    inner = {} if mapping.get(_KWARGS) is None else mapping[_KWARGS]
    if not isinstance(inner, str):
        return inner
    try:
        return json.loads(inner)
    except (ValueError, RecursionError):
        raise (where / _KWARGS).refuse(inner, "a mapping", 'write {"name": value, ...}') from None


def _parameters(where: Place, mapping: Mapping[Any, Any], name: str, kind: SchedulerType) -> dict[str, Any]:
    """Return the parameters of the type, which stand under `lr_scheduler_kwargs` or beside it."""
    inner = _arguments(mapping, where)
    if not isinstance(inner, Mapping):
        raise (where / _KWARGS).refuse(inner, "a mapping", "write {name: value, ...}")
    beside = {key: mapping[key] for key in _PARAMETERS if key in mapping}
    found = {}
    for place, entries in ((where / _KWARGS, inner), (where, beside)):
        for key in entries:
            if key not in kind.keys:
                fix = suggest(key, kind.keys, "rename it to", "remove it")
                raise place.refuse(
                    Unquoted(f"the key {show(key)}"), f"those of {name}: {', '.join(kind.keys) or 'none'}", fix
                )
            if key in found:
                raise place.refuse(Unquoted(f"the key {show(key)} twice"), "each key once", f"keep the one under {_KWARGS}")
            if entries[key] is not None:
                found[key] = kind.keys[key](place / key, entries[key])
    for key in kind.needs:
        if key not in found:
            raise where.refuse(Unquoted(f"{name} without {key}"), f"the key {key}", f"add {key}")
    return found
