"""DeepSpeed: JSON with `scheduler: {type: WarmupDecayLR, params: {...}}`.

Its engine makes each update with the rate of the one before. Source: DeepSpeed deepspeed/runtime/lr_schedules.py and
runtime/engine.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.errors import Unquoted
from tracelr.interop._tools import torch_names
from tracelr.interop._tools.pieces import drop_first, late, then
from tracelr.interop._tools.section import Section
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.curves.ramp import Ramp

EXAMPLE = """\
scheduler:
  type: WarmupDecayLR
  params: {warmup_min_lr: 0, warmup_max_lr: 6.0e-4, warmup_num_steps: 2000, total_num_steps: 100000}
"""
_ENGINE = ("train_batch_size", "train_micro_batch_size_per_gpu", "gradient_accumulation_steps", "zero_optimization")
_OWN = ("WarmupLR", "WarmupDecayLR", "WarmupCosineLR")
_OTHERS = ("OneCycle", "LRRangeTest")


def matches(mapping: Mapping[Any, Any]) -> bool:
    scheduler = mapping.get("scheduler")
    if scheduler is None:
        return _bare(mapping)
    if not isinstance(scheduler, Mapping) or not isinstance(scheduler.get("params", {}), Mapping):
        return False
    engine = any(key in mapping for key in _ENGINE)
    return scheduler.get("type") in (*_OWN, *_OTHERS, *(torch_names.NAMES if engine else ()))


def _bare(mapping: Mapping[Any, Any]) -> bool:
    """Return whether a mapping is for the engine alone, without a scheduler."""
    optimizer = mapping.get("optimizer")
    own = isinstance(optimizer, Mapping) and isinstance(optimizer.get("params"), Mapping) and "train_batch_size" in mapping
    own = own or any(key in mapping for key in ("zero_optimization", "train_micro_batch_size_per_gpu"))
    return own and not any(key in mapping for key in ("train_iters", "train-iters", "learning_rate"))


def read(s: Section) -> Schedule:
    if s.given.get("scheduler") is None:
        given, allowed = Unquoted("settings of DeepSpeed without a scheduler"), "scheduler: {type, params}"
        fix = "read the settings of the program that is run, because it sets the rate; or write the key scheduler"
        raise s.where.refuse(given, allowed, fix)
    scheduler = s.section("scheduler")
    name, params = scheduler.text("type"), scheduler.section("params", optional=True)
    s.ignore("optimizer")
    if name in _OTHERS:
        raise scheduler.refuse("type", allowed=", ".join([*_OWN, *torch_names.NAMES]), fix="use one of these")

    def rate() -> float:
        return float(s.section("optimizer").section("params").number("lr"))

    if name not in _OWN:
        return torch_names.build(params, name, rate())
    params.ignore("last_batch_iteration")
    warm = max(2, params.count("warmup_num_steps", default=1000))
    kind = params.choice({each: each for each in ("log", "linear")}, "warmup_type", default="log")
    if name == "WarmupCosineLR":
        peak = rate()
        start, total = peak * params.number("warmup_min_ratio", default=0.0), params.count("total_num_steps")
        end = peak * params.number("cos_min_ratio", default=1e-4)
        after = drop_first(params.build(Cosine, peak, end, total - warm))
    else:
        start = params.number("warmup_min_lr", default=0.0)
        peak = (
            params.number("warmup_max_lr", default=0.001)
            if name == "WarmupDecayLR" or "warmup_max_lr" in params.given
            else rate()
        )
        after = Constant(peak)
        if name == "WarmupDecayLR":
            total = params.count("total_num_steps")
            after = params.build(Linear, peak, start, max(1, total - warm))
    rise = Ramp(start, peak, warm - 1, "log", rising=True) if kind == "log" else Linear(start, peak, warm)
    s.note("the engine of DeepSpeed is one update late: update k has the rate of count k - 1")
    return late(then(rise, warm, after))
