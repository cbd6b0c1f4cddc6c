"""GPT-NeoX: YAML with `optimizer.params.lr`, `train_iters`, `lr_decay_style` and `warmup`, a part; keys with - or _.

Source: gpt-neox megatron/learning_rates.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from tracelr.interop._tools.pieces import fractional, then
from tracelr.interop._tools.section import Section
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Clamp, Sequential
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine_annealing import CosineAnnealing
from tracelr.schedules.curves.exponential import Exponential
from tracelr.schedules.curves.linear import Linear

EXAMPLE = """\
optimizer: {type: Adam, params: {lr: 2.0e-4}}
min_lr: 2.0e-5
train_iters: 143000
lr_decay_style: cosine
warmup: 0.01
"""


def _keys(mapping: Mapping[Any, Any]) -> dict[Any, Any]:
    return {key.replace("-", "_") if isinstance(key, str) else key: value for key, value in mapping.items()}


def matches(mapping: Mapping[Any, Any]) -> bool:
    given, optimizer = _keys(mapping), mapping.get("optimizer")
    return isinstance(optimizer, Mapping) and isinstance(optimizer.get("params"), Mapping) and "train_iters" in given


def read(top: Section) -> Schedule:
    s = Section(_keys(top.given), top.where, by=top.by)
    top.ignore(*(key for key in top.given if isinstance(key, str)))
    s.ignore("override_lr_scheduler", "use_checkpoint_lr_scheduler")
    peak, low = s.section("optimizer").section("params").number("lr"), s.number("min_lr", default=0.0)
    train, fraction = s.count("train_iters"), s.number("lr_decay_fraction", default=None)
    length = s.count("lr_decay_iters", default=None) or (train if fraction is None else fraction * train)
    part = s.number("warmup", default=0.01)
    warm = part * length
    s.note(f"warm-up {part:g} x {length:,g} = {warm:,g}")
    style = s.choice(
        {each: each for each in ("linear", "cosine", "exponential", "constant")}, "lr_decay_style", default="linear"
    )

    def make(warm: int, length: int, unit: int) -> Schedule:
        left = length - warm
        curves: dict[str, Callable[[], Schedule]] = {
            "linear": lambda: Linear(peak, 0.0, left),
            "cosine": lambda: CosineAnnealing(peak, low, left),
            "exponential": lambda: Exponential(peak, math.exp(-0.693), left),
            "constant": lambda: Constant(peak),
        }
        main = curves[style]()
        main = Clamp(main, low, None) if style != "constant" else main
        rise = Linear(0.0, peak, warm) if warm else main
        if warm > unit:  # updates 0 and 1 have the same rate
            rise = Sequential([Constant(peak * unit / warm), rise], [unit], reset=False)
        return then(rise, warm, main)

    return fractional(s, warm, length, 1, make=make)
