"""torchvision's reference scripts of classification: flags with `lr_scheduler`, `lr_warmup_epochs`, `epochs`.

They have a rate for each epoch. Source: torchvision references/classification/train.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.interop._tools import lengths
from tracelr.interop._tools.pieces import per_epoch, then
from tracelr.interop._tools.section import Section
from tracelr.interop.frameworks.timm import keys
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine_annealing import CosineAnnealing
from tracelr.schedules.curves.exponential import Exponential
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.curves.step import Step
from tracelr.schedules.fields import named

EXAMPLE = """\
lr: 0.5
lr_scheduler: cosineannealinglr
lr_warmup_epochs: 5
lr_warmup_method: linear
epochs: 600
"""
_NAMES = ("steplr", "cosineannealinglr", "exponentiallr")


def matches(mapping: Mapping[Any, Any]) -> bool:
    given = keys(mapping)
    return "lr" in given and "epochs" in given and named(given.get("lr_scheduler"), _NAMES)


def read(top: Section) -> Schedule:
    s = Section(keys(top.given), top.where, by=top.by)
    top.ignore(*(key for key in top.given if isinstance(key, str)))
    peak, epochs, warm = s.number("lr", default=0.1), s.count("epochs", default=90), s.count("lr_warmup_epochs", default=0)
    s.ignore("lr_step_size", "lr_gamma", "lr_min", "lr_warmup_method", "lr_warmup_decay")
    batch = s.count("batch_size", "b", default=None)
    updates = lengths.per_epoch(s, epochs, lengths.epochs_of(batch, 1, epochs), batch)
    name = s.choice({each: each for each in _NAMES}, "lr_scheduler", default="steplr", fold=str.lower)
    if name == "steplr":
        main = s.build(Step, peak, s.number("lr_gamma", default=0.1), s.count("lr_step_size", default=30))
    elif name == "exponentiallr":
        main = s.build(Exponential, peak, s.number("lr_gamma", default=0.1), 1)
    else:
        main = s.build(CosineAnnealing, peak, s.number("lr_min", default=0.0), epochs - warm)
    if warm:
        method = s.choice({"linear": "linear", "constant": "constant"}, "lr_warmup_method", default="constant")
        first = peak * s.number("lr_warmup_decay", default=0.01)
        main = then(Constant(first) if method == "constant" else Linear(first, peak, warm), warm, main)
    return s.build(per_epoch, main, updates)
