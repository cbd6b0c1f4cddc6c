"""PaddleClas: YAML with `Optimizer.lr: {name, learning_rate, warmup_epoch}` and `Global.epochs`.

Source: ppcls/optimizer/learning_rate.py and paddle.optimizer.lr.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tracelr.interop._tools import lengths
from tracelr.interop._tools.pieces import warmed
from tracelr.interop._tools.section import Section
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.piecewise_constant import PiecewiseConstant
from tracelr.schedules.curves.polynomial import Polynomial

EXAMPLE = """\
Global: {epochs: 360}
Optimizer: {name: Momentum, lr: {name: Cosine, learning_rate: 0.65, warmup_epoch: 5}}
"""
_NAMES = ("Cosine", "Linear", "Piecewise", "Constant", "Const")


def matches(mapping: Mapping[Any, Any]) -> bool:
    optimizer = mapping.get("Optimizer")
    return isinstance(optimizer, Mapping) and isinstance(optimizer.get("lr"), Mapping) and "name" in optimizer["lr"]


def read(s: Section) -> Schedule:
    lr, run = s.section("Optimizer").section("lr"), s.section("Global", optional=True)
    name = lr.choice({each: each for each in _NAMES}, "name")
    if lr.flag("by_epoch"):
        raise lr.refuse("by_epoch", allowed="false", fix="remove it")
    warm_epochs, start = lr.number("warmup_epoch", default=0.0), lr.number("warmup_start_lr", default=0.0)
    lr.ignore("last_epoch", "eta_min", "end_lr", "power", "decay_epochs", "values", "cycle")
    if name in ("Constant", "Const"):
        return Constant(lr.number("learning_rate"))
    epochs = run.number("epochs", default=None)
    says = lengths.epochs_of(None, 1, epochs) if epochs else "no Global.epochs"
    updates = lengths.per_epoch(s, epochs, says, None, run.count("update_freq", default=1, low=1))
    warm = lr.part("warm-up", warm_epochs, updates, round) if warm_epochs else 0
    if name == "Piecewise":
        tenths = [lr.number("learning_rate", default=0.0) * 0.1**k for k in range(len(lr.numbers("values")))]
        every = list(range(30, int(epochs or 0), 30))  # what PaddleClas puts in their place
        same = lr.counts("decay_epochs") == every and all(map(math.isclose, lr.numbers("values"), tenths))
        if lr.has("learning_rate") and not same:
            raise lr.refuse(
                "learning_rate", allowed="values alone, because PaddleClas replaces them beside it", fix="remove one"
            )
        values = lr.numbers("values")
        bounds = [each * updates for each in lr.counts("decay_epochs")]
        return warmed(lr.build(PiecewiseConstant, values, bounds), values[0], warm, start)
    if epochs is None:
        raise run.missing("epochs")
    peak, left = lr.number("learning_rate"), round((epochs - warm_epochs) * updates)
    if name == "Cosine":
        main = lr.build(Cosine, peak, lr.number("eta_min", default=0.0), left)
    else:
        main = lr.build(Polynomial, peak, lr.number("end_lr", default=0.0), left, lr.number("power", default=1.0))
    return warmed(main, peak, warm, start)
