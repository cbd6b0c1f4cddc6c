"""OLMo: YAML with `optimizer.learning_rate`, `scheduler: {name: cosine_with_warmup, t_warmup, alpha_f}` and `max_duration`.

Its schedulers are asked for the step after the update, and a warm-up starts at a tenth of the peak. Source: olmo/optim.py,
olmo/train.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tracelr.errors import Unquoted
from tracelr.interop._tools import lengths
from tracelr.interop._tools.pieces import decay, drop_first, in_units, warmed
from tracelr.interop._tools.section import Section
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.inverse_sqrt import InverseSqrt

EXAMPLE = """\
optimizer: {name: adamw, learning_rate: 4.0e-4}
scheduler: {name: cosine_with_warmup, t_warmup: 2000, alpha_f: 0.1}
max_duration: 739328
"""
_KINDS = {
    "cosine_with_warmup": "cosine",
    "linear_with_warmup": "linear",
    "inverse_sqrt_with_warmup": "rsqrt",
    "constant": "constant",
    "constant_with_warmup": "flat",
}
_REFUSED = ("max_scheduler", "bolt_on_warmup_scheduler")


def matches(mapping: Mapping[Any, Any]) -> bool:
    scheduler, optimizer = mapping.get("scheduler"), mapping.get("optimizer")
    if not isinstance(scheduler, Mapping) or not isinstance(optimizer, Mapping) or "learning_rate" not in optimizer:
        return False
    return scheduler.get("name") in (*_KINDS, *_REFUSED)


def read(s: Section) -> Schedule:
    scheduler, optimizer = s.section("scheduler"), s.section("optimizer")
    optimizer.ignore("decay_norm_and_bias", "decay_embeddings", "record_update_metrics")
    peak = optimizer.number("learning_rate")
    scheduler.ignore("grad_clip_warmup_steps", "grad_clip_warmup_factor")
    kind = scheduler.choice(_KINDS, "name")
    if kind == "constant":
        return Constant(peak)
    by_tokens = scheduler.choice({"steps": False, "tokens": True}, "units", default="steps")
    unit = _tokens(s, f"units: {scheduler.given.get('units')}") if by_tokens else 1
    warm = _length(scheduler, "t_warmup", default=100)
    start = scheduler.number("warmup_min_lr", default=None)
    if start is None:
        start = peak / 10
        if warm:
            s.note(f"the warm-up starts at a tenth of the peak, {start:g}, the default of OLMo")
    low = peak * scheduler.number("alpha_f", default=0.1)
    if kind == "rsqrt":
        curve: Schedule = warmed(InverseSqrt(peak, max(warm, 1)), peak, warm, start, same_clock=True)
    elif kind == "flat":
        curve = warmed(Constant(peak), peak, warm, start)
    else:
        length = _length(scheduler, "t_max", default=None) or _run(s, by_tokens)
        if not warm < length:
            raise s.where.refuse(Unquoted(f"a warm-up of {warm} in {length}"), "a shorter one", "shorten it")
        curve = warmed(scheduler.build(decay, kind, peak, low, length - warm), peak, warm, start)
    s.note("asked for the step after the update: update k has the rate of k + 1")
    return drop_first(curve) if unit == 1 else drop_first(s.build(in_units, curve, unit))


def _length(s: Section, key: str, default: int | None) -> Any:
    given = s.given.get(key)
    return int(float(given)) if isinstance(given, float) and given.is_integer() else s.count(key, default=default)


def _tokens(s: Section, says: str) -> int:
    """Return the tokens of an update."""
    units = lengths.units_of(s)
    if units.tokens_per_step is not None:
        return units.tokens_per_step
    batch, length = (
        s.count("global_train_batch_size", default=None),
        s.section("model", optional=True).count("max_sequence_length", default=None),
    )
    if batch is None or length is None:
        raise lengths.ask(s, says, "--tokens-per-step N")
    s.note(f"{batch * length:,} tokens an update: {batch:,} x {length:,}")
    return int(batch * length)


def _run(s: Section, in_tokens: bool) -> int:
    given = s.raw("max_duration")
    match = re.fullmatch(r"([0-9][0-9_]{0,30}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,2})?)(T|ep)?", str(given))
    if match is None:
        raise s.refuse(
            "max_duration", allowed="a number of steps, or of epochs or tokens such as 1ep or 3e12T", fix="write one"
        )
    value, unit = float(match[1].replace("_", "")), match[2]
    if unit == "T":
        if in_tokens:
            return int(value)
        each = _tokens(s, f"max_duration: {given}")
        steps = int(value) // each
        s.note(f"{steps:,} steps: {int(value):,} tokens of {each:,}, rounded down")
        return steps
    steps = int(value)
    if unit == "ep":
        batch = s.count("global_train_batch_size", default=None)
        steps = lengths.total(s, value, f"max_duration: {given}", batch, whole_batch=True)
    return steps * _tokens(s, f"max_duration: {given}") if in_tokens else steps
