"""PaddleSeg: YAML with `lr_scheduler: {type: PolynomialDecay, learning_rate, warmup_iters}` and `iters`.

Source: paddleseg/cvlibs/builder.py and paddle.optimizer.lr.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.interop._tools.pieces import warmed
from tracelr.interop._tools.section import Section
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.polynomial import Polynomial

EXAMPLE = """\
iters: 160000
lr_scheduler: {type: PolynomialDecay, learning_rate: 0.005, end_lr: 0, power: 0.9, warmup_iters: 1000}
"""


def matches(mapping: Mapping[Any, Any]) -> bool:
    lr = mapping.get("lr_scheduler")
    return (
        isinstance(lr, Mapping) and "iters" in mapping and ("type" in lr or "learning_rate" in lr) and "class_path" not in lr
    )


def read(s: Section) -> Schedule:
    lr, iters = s.section("lr_scheduler"), s.count("iters")
    name = lr.choice({each: each for each in ("PolynomialDecay", "CosineAnnealingDecay")}, "type")
    peak, warm = lr.number("learning_rate"), lr.count("warmup_iters", default=0)
    start = lr.number("warmup_start_lr", default=0.0)
    lr.ignore("decay_steps", "T_max", "last_epoch")
    if name == "PolynomialDecay":
        low, power = lr.number("end_lr", default=1e-4), lr.number("power", default=1.0)
        main = lr.build(Polynomial, peak, low, iters - warm, power)
    else:
        main = lr.build(Cosine, peak, lr.number("eta_min", default=0.0), iters - warm)
    return warmed(main, peak, warm, start)
