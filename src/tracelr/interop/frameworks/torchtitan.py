"""torchtitan: TOML with `[optimizer] lr`, `[lr_scheduler]` and `[training] steps`. Its decay has one more, virtual step.

Source: torchtitan/components/optimizer/lr_scheduler.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.interop._tools.pieces import decay, drop_first, then, warmed
from tracelr.interop._tools.section import Section
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.constant import Constant

EXAMPLE = """\
optimizer: {name: AdamW, lr: 3.0e-4}
lr_scheduler: {warmup_steps: 200, decay_ratio: 0.8, decay_type: cosine, min_lr_factor: 0.1}
training: {steps: 1000}
"""
_SECTIONS = ("job", "metrics", "profiling", "activation_checkpoint", "parallelism", "float8", "comm", "checkpoint")


def matches(mapping: Mapping[Any, Any]) -> bool:
    optimizer, training = mapping.get("optimizer"), mapping.get("training")
    if not isinstance(optimizer, Mapping) or not isinstance(training, Mapping):
        return False
    own = "lr_scheduler" in mapping or "warmup_steps" in training or any(key in mapping for key in _SECTIONS)
    return "lr" in optimizer and "steps" in training and own


def read(s: Section) -> Schedule:
    peak, training = s.section("optimizer").number("lr"), s.section("training")
    lr = s.section("lr_scheduler", optional=True)
    steps = lr.count("total_steps", default=None) or training.count("steps")
    warm = min((training if "warmup_steps" in training.given else lr).count("warmup_steps", default=200), steps)
    ratio = lr.number("decay_ratio", default=None)
    kind = lr.choice({"linear": "linear", "cosine": "cosine", "sqrt": "1-sqrt"}, "decay_type", default="linear")
    low = peak * lr.number("min_lr_factor", "lr_min", default=0.0)
    length = steps - warm if ratio is None else lr.part("decay", ratio, steps, round)
    length = min(length, steps - warm)
    stable = steps + 1 - warm - length
    fall = drop_first(lr.build(decay, kind, peak, low, length))
    return warmed(then(Constant(peak), stable, fall), peak, warm, origin="1/n")
