"""spaCy: config.cfg with `[training.optimizer.learn_rate] @schedules = "warmup_linear.v1"`.

Source: thinc/schedules.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.errors import Unquoted
from tracelr.interop._tools.pieces import warmed
from tracelr.interop._tools.section import Section
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Clamp
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.exponential import Exponential
from tracelr.schedules.curves.inverse_time import InverseTime
from tracelr.schedules.curves.linear import Linear

EXAMPLE = """\
training:
  max_steps: 20000
  optimizer:
    "@optimizers": Adam.v1
    learn_rate: {"@schedules": warmup_linear.v1, initial_rate: 5.0e-5, warmup_steps: 250, total_steps: 20000}
"""


def matches(mapping: Mapping[Any, Any]) -> bool:
    training = mapping.get("training")
    optimizer = training.get("optimizer") if isinstance(training, Mapping) else None
    return isinstance(optimizer, Mapping) and "@optimizers" in optimizer


def read(s: Section) -> Schedule:
    optimizer = s.section("training").section("optimizer")
    if not isinstance(optimizer.given.get("learn_rate"), Mapping):
        return Constant(optimizer.number("learn_rate", default=0.001))
    lr = optimizer.section("learn_rate")
    name = lr.text("@schedules").partition(".v")[0]
    if name == "warmup_linear":
        peak, warm, total = lr.number("initial_rate"), lr.count("warmup_steps"), lr.count("total_steps")
        if not warm < total:
            raise lr.where.refuse(Unquoted(f"a warm-up of {warm} in {total}"), "a shorter one", "shorten it")
        return warmed(Linear(peak, 0.0, total - warm), peak, warm)
    if name == "constant":
        return Constant(lr.number("rate"))
    if name == "decaying":
        return lr.build(InverseTime, lr.number("base_rate"), lr.number("decay"), 1)
    if name == "compounding":
        start, stop, rate = lr.number("start"), lr.number("stop"), lr.number("compound")
        return lr.build(lambda: Clamp(Exponential(start, rate, 1), *((None, stop) if start < stop else (stop, None))))
    if name == "plateau":
        raise lr.metric("@schedules", instead="warmup_linear.v1")
    raise lr.refuse(
        "@schedules", allowed="warmup_linear.v1, constant.v1, decaying.v1, compounding.v1", fix="use one of these"
    )
