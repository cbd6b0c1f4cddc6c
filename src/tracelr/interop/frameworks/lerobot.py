"""LeRobot: train_config.json with `scheduler: {type: cosine_decay_with_warmup, ...}`, `optimizer.lr` and `steps`.

Source: lerobot src/lerobot/optim/schedulers.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.interop._tools.pieces import warmed
from tracelr.interop._tools.section import Section
from tracelr.interop.huggingface.scheduler_types import Run, schedule
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine import Cosine

EXAMPLE = """\
optimizer: {type: adamw, lr: 1.0e-4}
scheduler: {type: cosine_decay_with_warmup, num_warmup_steps: 1000, num_decay_steps: 30000, peak_lr: 1.e-4, decay_lr: 2.5e-6}
steps: 200000
"""
_TYPES = ("cosine_decay_with_warmup", "diffuser", "vqbet")


def matches(mapping: Mapping[Any, Any]) -> bool:
    scheduler, optimizer = mapping.get("scheduler"), mapping.get("optimizer")
    if isinstance(scheduler, Mapping):
        return scheduler.get("type") in _TYPES
    own = "use_policy_training_preset" in mapping and isinstance(optimizer, Mapping) and "lr" in optimizer
    return own and scheduler is None


def read(s: Section) -> Schedule:
    peak = s.section("optimizer").number("lr")
    if s.given.get("scheduler") is None:
        s.note("scheduler: null, so the rate is constant")
        return Constant(peak)
    lr, steps = s.section("scheduler"), s.count("steps")
    kind, warm = lr.text("type"), lr.count("num_warmup_steps", default=0)
    if kind == "diffuser":
        return schedule(lr, lr.text("name", default="cosine"), Run(peak, warm, steps))
    if kind != "cosine_decay_with_warmup":
        raise lr.refuse("type", allowed="cosine_decay_with_warmup, diffuser", fix="use one of these")
    length, ratio = lr.count("num_decay_steps"), lr.number("decay_lr") / lr.number("peak_lr")
    if steps < length:
        warm = lr.part("warm-up", warm, steps / length, int)
        length = steps
    if lr.number("peak_lr") != peak:
        s.note(f"the schedule is a factor of optimizer.lr: the peak is {peak:g}, not peak_lr")
    main = lr.build(Cosine, peak, peak * ratio, length)
    return warmed(main, peak, warm, peak / (warm + 1), same_clock=True)
