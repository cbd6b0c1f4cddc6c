"""Composer and llm-foundry: YAML with `scheduler: {name: cosine_with_warmup, t_warmup: 100ba}` and `max_duration`.

A time has the unit ba, ep, sp, tok or dur, and is cut to whole. Source: composer/optim/scheduler.py, composer/core/time.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from tracelr.interop._tools import lengths
from tracelr.interop._tools.pieces import decay, fractional, warmed
from tracelr.interop._tools.section import Section
from tracelr.schedules.base import Schedule

EXAMPLE = """\
scheduler: {name: cosine_with_warmup, t_warmup: 100ba, alpha_f: 0.1}
optimizer: {name: decoupled_adamw, lr: 6.0e-4}
max_duration: 4800ba
"""
_TIME = re.compile(r"([0-9]{1,30}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,2})?)(ep|ba|sp|tok|dur)")
_KINDS = {"cosine_with_warmup": "cosine", "linear_decay_with_warmup": "linear", "constant_with_warmup": "constant"}


def matches(mapping: Mapping[Any, Any]) -> bool:
    scheduler, optimizer = mapping.get("scheduler"), mapping.get("optimizer")
    if not isinstance(scheduler, Mapping) or not isinstance(optimizer, Mapping) or "lr" not in optimizer:
        return False
    return scheduler.get("name") in (*_KINDS, "inv_sqrt_with_warmup") and (
        "max_duration" in mapping or "t_warmup" in scheduler
    )


def read(s: Section) -> Schedule:
    scheduler, peak = s.section("scheduler"), s.section("optimizer").number("lr")
    if scheduler.text("name") == "inv_sqrt_with_warmup":
        raise scheduler.refuse("name", allowed=", ".join(_KINDS), fix="use one of these")
    kind = scheduler.choice(_KINDS, "name")
    low = peak * scheduler.number("alpha_f", default=1.0 if kind == "constant" else 0.0)
    s.ignore("scale_schedule_ratio")
    ratio = s.number("scale_schedule_ratio", default=1.0)
    if ratio != 1:
        raise s.refuse("scale_schedule_ratio", allowed="1", fix="scale the times in the file")
    warm = _time(s, scheduler, "t_warmup", "0ba")
    if kind == "constant":
        scheduler.ignore("t_max")
        return fractional(s, float(warm), 1, make=lambda w, _: warmed(decay(kind, peak, peak, 1), peak, w))
    length = _time(s, scheduler, "t_max", "1dur")
    if not warm < length:
        raise scheduler.refuse("t_warmup", allowed=f"a time shorter than the run, {float(length):g} steps", fix="shorten it")
    return fractional(s, float(warm), float(length), make=lambda w, n: warmed(decay(kind, peak, low, n - w), peak, w))


def _time(s: Section, part: Section, key: str, default: str) -> Fraction:
    """Return a time in updates; that of a run of epochs counts in batches."""
    given = part.raw(key, default=default)
    match = _TIME.fullmatch(given) if isinstance(given, str) else None
    if match is None:
        raise part.refuse(
            key, given=given, allowed="a time such as 100ba, 2ep, 1000sp, 1e9tok or 0.1dur", fix="write its unit"
        )
    value, unit = Fraction(match[1]), match[2]
    if unit == "dur":
        return Fraction(int(value * _run(s)))
    return Fraction(int(value)) * _size(s, unit, f"{key}: {given}")


def _run(s: Section) -> Fraction:
    given = s.raw("max_duration")
    if isinstance(given, int) and not isinstance(given, bool):
        given = f"{given}ep"
    match = _TIME.fullmatch(given) if isinstance(given, str) else None
    if match is None or match[2] == "dur":
        raise s.refuse("max_duration", allowed="a time such as 4800ba, 2ep or 1e9tok", fix="write its unit")
    units = lengths.units_of(s)
    if match[2] != "ba" and units.duration is not None:
        return Fraction(units.duration)
    return Fraction(int(Fraction(match[1]))) * _size(s, match[2], f"max_duration: {given}")


def _size(s: Section, unit: str, says: str) -> Fraction:
    """Return how many updates a unit is."""
    units, batch = lengths.units_of(s), s.count("global_train_batch_size", default=None)
    if unit == "ba":
        return Fraction(1)
    if unit == "ep":
        return Fraction(lengths.updates_per_epoch(s, says, batch, whole_batch=True))
    if unit == "sp":
        if batch is None and units.batch_size is None:
            raise lengths.ask(s, says, "--batch-size B")
        return Fraction(1, batch or units.batch_size)
    tokens = units.tokens_per_step
    if tokens is None and batch is not None and s.count("max_seq_len", default=None):
        tokens = batch * s.count("max_seq_len")
        s.note(f"{tokens:,} tokens an update: {batch} x {s.count('max_seq_len')}")
    if tokens is None:
        raise lengths.ask(s, says, "--tokens-per-step N", "--steps N")
    return Fraction(1, tokens)
