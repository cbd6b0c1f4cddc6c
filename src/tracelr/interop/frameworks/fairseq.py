"""fairseq: Hydra YAML with `optimization.lr`, `lr_scheduler: {_name: ...}`, or flags such as `--lr-scheduler`.

Source: fairseq/optim/lr_scheduler.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.errors import Unquoted
from tracelr.interop._tools.pieces import warmed
from tracelr.interop._tools.section import Section
from tracelr.interop.frameworks.timm import keys
from tracelr.schedules.assignment import Assignment, Loaded
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Sequential, Shorten
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.exponential import Exponential
from tracelr.schedules.curves.inverse_sqrt import InverseSqrt
from tracelr.schedules.curves.polynomial import Polynomial
from tracelr.schedules.curves.warm_restarts import WarmRestarts
from tracelr.schedules.fields import named

EXAMPLE = """\
optimization: {max_update: 80000, lr: [3.0e-5]}
lr_scheduler: {_name: polynomial_decay, warmup_updates: 8000}
"""


def matches(mapping: Mapping[Any, Any]) -> bool:
    scheduler, given = mapping.get("lr_scheduler"), keys(mapping)
    hydra = (isinstance(scheduler, Mapping) and "_name" in scheduler) or isinstance(scheduler, str)
    flags = (
        named(given.get("lr_scheduler"), _NAMES)
        and "lr" in given
        and ("max_update" in given or "warmup_updates" in given or "arch" in given)
    )
    return (hydra and isinstance(mapping.get("optimization"), Mapping)) or flags


def read(top: Section) -> Loaded:
    if "optimization" not in top.given:
        s = Section(keys(top.given), top.where, by=top.by)
        top.ignore(*(key for key in top.given if isinstance(key, str)))
        s.ignore("lr_scheduler", "max_epoch", "curriculum", "stop_min_lr")
        if s.given.get("lr_scheduler") != "cosine":
            s.ignore("min_lr")  # the older name of stop_min_lr
        return _build(s, s.text("lr_scheduler"), _rate(s), s.count("max_update", default=None))
    run = top.section("optimization")
    most = run.count("max_update", default=None)
    run.ignore("lr", "stop_min_lr")
    scheduler = top.given["lr_scheduler"]
    name = top.text("lr_scheduler") if isinstance(scheduler, str) else top.section("lr_scheduler").text("_name")
    if name != "pass_through":
        inner = top.section("lr_scheduler") if isinstance(scheduler, Mapping) else top
        inner.ignore("_name", "lr")
        return _build(inner, name, _rate(run), most)
    groups = top.section("optimizer").section("groups")
    found = []
    for key in groups.given:
        group = groups.section(key)
        rate = group.number("lr_float", default=None)
        group.ignore("lr")
        inner = group.section("lr_scheduler")
        inner.ignore("_name", "lr")
        found.append(
            (
                key,
                _build(inner, inner.text("_name"), _rate(group if group.has("lr") else run) if rate is None else rate, most),
            )
        )
    return found[0][1] if len(found) == 1 else [Assignment("lr", (key,), curve) for key, curve in found]


def _rate(s: Section) -> float:
    given = s.raw("lr")
    if isinstance(given, str) and given.strip().startswith("["):
        given = given.strip().strip("[]").split(",")
    values = Section({"lr": given}, s.where).numbers("lr")
    if len(values) != 1:
        raise s.refuse("lr", allowed="one rate", fix="write one rate; a rate for each epoch needs their lengths")
    return float(values[0])


def _total(s: Section, name: str, most: int | None) -> int:
    own = s.count(name, default=None) if name in s.given else None
    if own is None and most is None:
        raise s.missing("max_update", "the number of updates")
    return int(own or most or 0)


def _polynomial(s: Section, peak: float, most: int | None) -> Schedule:
    warm, end = s.count("warmup_updates", default=0), s.number("end_learning_rate", default=0.0)
    length = _total(s, "total_num_update", most)
    s.ignore("max_update")
    return warmed(Polynomial(peak, end, length - warm, s.number("power", default=1.0)), peak, warm)


def _inverse_sqrt(s: Section, peak: float, most: int | None) -> Schedule:
    warm, start = s.count("warmup_updates", default=4000), s.number("warmup_init_lr", default=-1.0)
    start = start if start >= 0 else 0.0 if warm > 0 else peak
    return warmed(InverseSqrt(peak, max(warm, 1)), peak, warm, start, same_clock=True)


def _cosine(s: Section, peak: float, most: int | None) -> Schedule:
    warm, low = s.count("warmup_updates", default=0), s.number("min_lr", default=0.0)
    start = s.number("warmup_init_lr", default=-1.0)
    peak = s.number("max_lr", default=peak)
    period, growth = s.number("lr_period_updates", default=-1.0), s.number("t_mult", default=1.0)
    shrink = s.number("lr_shrink", default=0.1)
    left = (most or 0) - warm if most is not None else None
    if period <= 0:
        left = _total(s, "max_update", most) - warm
        main: Schedule = (
            Sequential([Cosine(peak, low, left), Constant(low * shrink)], [left]) if low else Cosine(peak, low, left)
        )
    elif left is not None and left <= period:
        main = Cosine(peak, low, int(period))
    elif low == 0:
        main = WarmRestarts(peak, 0.0, int(period), growth, shrink)
    else:
        raise s.where.refuse(Unquoted("restarts whose lowest rate shrinks too"), "min_lr: 0", "write it")
    return warmed(main, peak, warm, start if start >= 0 else low)


def _tri_stage(s: Section, peak: float, most: int | None) -> Schedule:
    parts = s.numbers("phase_ratio", default=None)
    if parts is not None:
        if len(parts) != 3 or most is None:
            raise s.refuse("phase_ratio", allowed="three parts of max_update", fix="write three parts, and max_update")
        warm, hold, fall = (
            s.part(name, ratio, most, int) for name, ratio in zip(("warm-up", "hold", "decay"), parts, strict=True)
        )
        s.ignore("warmup_steps", "hold_steps", "decay_steps")
    else:
        warm, hold, fall = (s.count(f"{name}_steps", default=0) for name in ("warmup", "hold", "decay"))
    first, last = peak * s.number("init_lr_scale", default=0.01), s.number("final_lr_scale", default=0.01)
    s.ignore("max_update", "total_num_update")
    main: Schedule = Shorten(Exponential(peak, last, fall), fall) if fall else Constant(peak * last)
    main = Sequential([Constant(peak), main], [hold]) if hold else main
    return warmed(main, peak, warm, first)


def _fixed(s: Section, peak: float, most: int | None) -> Schedule:
    if s.has("force_anneal"):
        raise s.refuse("force_anneal", allowed="no annealing, whose epochs have no length here", fix="remove it")
    s.ignore("lr_shrink")
    return warmed(Constant(peak), peak, s.count("warmup_updates", default=0), origin="1/n")


_NAMES = {
    "polynomial_decay": _polynomial, "inverse_sqrt": _inverse_sqrt, "cosine": _cosine, "tri_stage": _tri_stage,
    "fixed": _fixed,
}  # fmt: skip


def _build(s: Section, name: str, peak: float, most: int | None) -> Schedule:
    if name == "reduce_lr_on_plateau":
        raise s.metric("_name", "lr_scheduler", instead=", ".join(_NAMES))
    if name not in _NAMES:
        raise s.where.refuse(name, ", ".join(_NAMES), "use one of these")
    return s.build(_NAMES[name], s, peak, most)
