"""Megatron-LM: the flags `--lr --min-lr --lr-decay-style --lr-warmup-iters --train-iters`, in a script or as keys.

The clock is samples: update k has s = k times the global batch. Source: megatron/core/optimizer_param_scheduler.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.errors import Unquoted
from tracelr.interop._tools import lengths
from tracelr.interop._tools.pieces import fractional, in_units, then, warmed
from tracelr.interop._tools.section import Section
from tracelr.schedules.assignment import Assignment, Loaded
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Clamp, Sequential, Shift
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.inverse_sqrt import InverseSqrt
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.curves.ramp import Ramp

EXAMPLE = """\
lr: 6.0e-4
min-lr: 6.0e-5
lr-decay-style: cosine
lr-warmup-iters: 2000
train-iters: 100000
"""


def _keys(mapping: Mapping[Any, Any]) -> dict[Any, Any]:
    return {key.replace("-", "_") if isinstance(key, str) else key: value for key, value in mapping.items()}


def matches(mapping: Mapping[Any, Any]) -> bool:
    given = _keys(mapping)
    own = (
        "lr_decay_style",
        "lr_decay_iters",
        "lr_decay_samples",
        "lr_warmup_iters",
        "lr_warmup_samples",
        "lr_warmup_fraction",
        "min_lr",
    )
    long = any(key in given for key in ("train_iters", "train_samples", "lr_decay_style"))
    return "lr" in given and long and any(key in given for key in own)


def read(top: Section) -> Loaded:
    s = Section(_keys(top.given), top.where, by=top.by)
    top.ignore(*(key for key in top.given if isinstance(key, str)))
    s.ignore(
        "override_opt_param_scheduler",
        "override_lr_scheduler",
        "use_checkpoint_opt_param_scheduler",
        "use_checkpoint_lr_scheduler",
        "no_load_lr_state",
    )
    for key in ("decoupled_lr", "decoupled_min_lr"):
        if s.has(key):
            raise s.refuse(
                key,
                allowed="one rate for every group",
                fix=f"pass --set {key.replace('_', '-')}=null for that of the others",
            )
    if s.has("rampup_batch_size"):
        fix = "pass --set rampup-batch-size=null for a constant batch"
        raise s.refuse("rampup_batch_size", allowed="a batch size that does not grow, because the clock is samples", fix=fix)
    by_samples = s.has("train_samples")
    unit, batch = ("samples", _whole(s, "global_batch_size")) if by_samples else ("iters", 1)
    style, fraction = s.text("lr_decay_style", default="linear"), s.number("lr_warmup_fraction", default=None)
    train = _whole(s, f"train_{unit}", default=lengths.units_of(s).duration)
    grows = s.text("weight_decay_incr_style", default="constant") != "constant"
    if train is None and (style != "constant" or fraction is not None or grows):
        raise lengths.ask(s, "no train_iters", "--steps N", "--set train-iters=N")
    train = train or 1  # a constant rate and a constant weight decay do not depend on it
    length = _whole(s, f"lr_decay_{unit}", default=train)
    peak, low = s.number("lr"), s.number("min_lr", default=0.0)
    start = s.number("lr_warmup_init", default=0.0)
    warm = _whole(s, f"lr_warmup_{unit}", default=0) if fraction is None else fraction * length
    if fraction is not None:
        warm = round(warm) if by_samples else warm
        s.note(f"warm-up {fraction:g} x {length:,} = {warm:,g} {unit}")
    s.name("lr_wsd_decay_style")
    tail = _whole(s, f"lr_wsd_decay_{unit}") if style == "WSD" else 0
    if style != "constant" and not warm < length:
        raise s.where.refuse(
            Unquoted(f"a warm-up of {warm:g} in {length}"), "a warm-up shorter than the decay", "shorten it"
        )

    def make(warm: int, length: int, tail: int) -> Schedule:
        return warmed(main(s, style, peak, low, warm, length, tail), peak, warm, start)

    curve = fractional(s, warm, length, tail, make=make, per_update=batch)
    decay = _weight_decay(s, train, batch)
    return curve if decay is None else [Assignment("lr", None, curve), Assignment("weight_decay", None, decay)]


def _whole(s: Section, name: str, **more: Any) -> int:
    value = s.given.get(name)
    if isinstance(value, str) and "_" in value:
        s.given = {**s.given, name: value.replace("_", "")}
    return s.count(name, **more)  # type: ignore[no-any-return]  # a default is a number here


def main(s: Section, style: str, peak: float, low: float, warm: int, length: int, tail: int) -> Schedule:
    """Return the curve after the warm-up, by the name of its style."""
    left = length - warm
    if style == "constant":
        return Constant(peak)
    if style == "linear":
        return Linear(peak, low, left)
    if style == "cosine":
        return Cosine(peak, low, left)
    if style == "inverse-square-root":
        scale = max(warm, 1)
        whole = Clamp(InverseSqrt(peak, scale), low, None)
        return Shift(Sequential([whole, Constant(low)], [length + 1]), -warm)
    if style == "WSD":
        kind = s.text("lr_wsd_decay_style", default="exponential")
        curves = {"exponential": "exponential", "linear": "linear", "cosine": "cosine", "minus_sqrt": "1-sqrt"}
        fall = Ramp(peak, low, tail, s.choice(curves, "lr_wsd_decay_style", default=kind))  # type: ignore[arg-type]
        return then(Constant(peak), left - tail, fall)
    raise s.refuse("lr_decay_style", allowed="constant, linear, cosine, inverse-square-root, WSD", fix="use one of these")


def _weight_decay(s: Section, train: int, batch: int) -> Schedule | None:
    style = s.text("weight_decay_incr_style", default="constant")
    if style == "constant":
        s.ignore("start_weight_decay", "end_weight_decay")
        return None
    first, last = s.number("start_weight_decay"), s.number("end_weight_decay")
    curve = s.choice({"linear": Linear, "cosine": Cosine}, "weight_decay_incr_style")
    return s.build(in_units, s.build(curve, first, last, train), batch)
