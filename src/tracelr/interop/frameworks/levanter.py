"""Levanter: YAML with `optimizer: {learning_rate, warmup, lr_schedule, min_lr_ratio}` and `trainer.num_train_steps`.

A length up to 1 is a part of the run, cut to whole. Source: levanter src/levanter/optim/config.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.interop._tools.pieces import decay, then, warmed
from tracelr.interop._tools.section import Section
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.constant import Constant

EXAMPLE = """\
trainer: {train_batch_size: 256, num_train_steps: 20000}
optimizer: {learning_rate: 1.0e-3, warmup: 0.01, lr_schedule: cosine, min_lr_ratio: 0.1}
"""


def matches(mapping: Mapping[Any, Any]) -> bool:
    optimizer, trainer = mapping.get("optimizer"), mapping.get("trainer")
    both = isinstance(optimizer, Mapping) and isinstance(trainer, Mapping)
    return both and "learning_rate" in optimizer and "num_train_steps" in trainer  # type: ignore[operator]  # as above


def read(s: Section) -> Schedule:
    optimizer, steps = s.section("optimizer"), s.section("trainer").count("num_train_steps")
    peak, ratio = optimizer.number("learning_rate"), optimizer.number("min_lr_ratio", default=0.1)
    for key in ("cycles", "cycle_length", "haps", "rewarmup", "cooldown"):
        if optimizer.has(key):
            raise optimizer.refuse(key, allowed="one cycle without a cool-down", fix=f"pass --set optimizer.{key}=null")

    def length(key: str, default: float | None) -> int | None:
        given = optimizer.number(key, default=default)
        if given is None:
            return None
        return optimizer.part(key, given, steps, int) if given <= 1 else int(given)

    warm, fall = length("warmup", 0.01) or 0, length("decay", None)
    kind = optimizer.choice({each: each for each in ("cosine", "linear", "constant")}, "lr_schedule", default="cosine")
    fall = steps - warm if fall is None else fall
    main = then(Constant(peak), steps - warm - fall, optimizer.build(decay, kind, peak, peak * ratio, fall))
    return warmed(main, peak, warm)
