"""nanoGPT: a Python file that assigns `learning_rate`, `max_iters`, `warmup_iters`, `lr_decay_iters` and `min_lr`.

Source: nanoGPT train.py, since December 2024; before, its warm-up began at 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.interop._tools.pieces import warmed
from tracelr.interop._tools.section import Section
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine import Cosine

EXAMPLE = """\
learning_rate: 1.0e-3
max_iters: 5000
lr_decay_iters: 5000
min_lr: 1.0e-4
warmup_iters: 100
"""


def matches(mapping: Mapping[Any, Any]) -> bool:
    own = "max_iters" in mapping and ("lr_decay_iters" in mapping or "decay_lr" in mapping)
    others = ("optimizer", "lr_scheduler", "lr_config", "sched", "lr", "train_iters", "train-iters", "SOLVER")
    return own and not any(key in mapping for key in others)


def read(s: Section) -> Schedule:
    peak = s.number("learning_rate", default=6e-4)
    s.count("max_iters", default=None)
    s.ignore("warmup_iters", "lr_decay_iters", "min_lr")
    if not s.flag("decay_lr", default=True):
        return Constant(peak)
    warm, low = s.count("warmup_iters", default=2000), s.number("min_lr", default=6e-5)
    length = s.count("lr_decay_iters", default=600_000)
    s.note("the warm-up is (k + 1) / (n + 1) of the peak; before December 2024 it was k / n")
    return warmed(s.build(Cosine, peak, low, max(length - warm, 0)), peak, warm, origin="1/(n+1)")
