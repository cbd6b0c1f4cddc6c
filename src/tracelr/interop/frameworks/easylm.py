"""EasyLM: flags `--optimizer.adamw_optimizer.lr --optimizer.adamw_optimizer.lr_warmup_steps --total_steps`.

Source: EasyLM/optimizers.py, which calls optax.warmup_cosine_decay_schedule; its decay_steps include the warm-up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.errors import Unquoted
from tracelr.interop._tools.pieces import warmed
from tracelr.interop._tools.section import Section
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.cosine import Cosine

EXAMPLE = """\
total_steps: 250000
optimizer: {type: adamw, adamw_optimizer: {lr: 3.0e-4, end_lr: 3.0e-5, lr_warmup_steps: 2000, lr_decay_steps: 250000}}
"""


def matches(mapping: Mapping[Any, Any]) -> bool:
    optimizer = mapping.get("optimizer")
    return isinstance(optimizer, Mapping) and any(key in optimizer for key in ("adamw_optimizer", "palm_optimizer"))


def read(s: Section) -> Schedule:
    optimizer = s.section("optimizer")
    optimizer.choice({"adamw": True}, "type", default="adamw")
    adamw = optimizer.section("adamw_optimizer")
    peak, warm = adamw.number("lr", default=0.01), adamw.count("lr_warmup_steps", default=2000)
    length, low = adamw.count("lr_decay_steps", default=500_000), adamw.number("end_lr", default=0.001)
    if not warm < length:
        raise adamw.where.refuse(Unquoted(f"a warm-up of {warm} in {length}"), "a shorter one", "shorten it")
    return warmed(adamw.build(Cosine, peak, low, length - warm), peak, warm, adamw.number("init_lr", default=0.0))
