"""Scenic: Python with `config.lr_configs`: `factors = 'constant*linear_warmup*cosine_decay'`. A product.

Source: scenic/train_lib/lr_schedules.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tracelr.errors import Unquoted
from tracelr.interop._tools.pieces import product
from tracelr.interop._tools.section import Section
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Shift
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.curves.power_law import PowerLaw

EXAMPLE = """\
lr_configs:
  learning_rate_schedule: compound
  factors: constant*linear_warmup*cosine_decay
  total_steps: 28080
  steps_per_cycle: 28080
  warmup_steps: 10000
  base_learning_rate: 3.0e-3
"""


def matches(mapping: Mapping[Any, Any]) -> bool:
    lr = mapping.get("lr_configs")
    return isinstance(lr, Mapping) and ("factors" in lr or "learning_rate_schedule" in lr)


def read(s: Section) -> Schedule:
    s.ignore(*s.given)  # names of a Python file, some of which only stand for a number
    lr = s.section("lr_configs")
    lr.choice({"compound": True}, "learning_rate_schedule", default="compound")
    names = [each.strip() for each in lr.text("factors").split("*")]
    lr.ignore("warmup_steps", "end_learning_rate", "total_steps", "steps_per_cycle", "timescale", "alpha", "warmup_alpha")
    for key in ("t_mul", "m_mul", "warmup_alpha"):
        if lr.has(key) and lr.number(key) != (0 if key == "warmup_alpha" else 1):
            raise lr.refuse(key, allowed="its default", fix="remove it")
    warm = lr.count("warmup_steps", default=0)
    factors: dict[str, Callable[[], Schedule]] = {
        "constant": lambda: Constant(lr.number("base_learning_rate")),
        "linear_warmup": lambda: Linear(0.0, 1.0, warm) if warm else Constant(1.0),
        "cosine_decay": lambda: _cosine(lr, warm),
        "rsqrt_decay": lambda: _rsqrt(lr, warm),
    }
    unknown = [name for name in names if name not in factors]
    if unknown:
        raise lr.where.refuse(Unquoted(f"the factor {unknown[0]}"), ", ".join(factors), "use these")
    return lr.build(lambda: product([factors[name]() for name in names]))


def _cosine(lr: Section, warm: int) -> Schedule:
    cycle = lr.count("steps_per_cycle")
    total = lr.count("total_steps", default=cycle)
    if cycle != total:
        raise lr.refuse("steps_per_cycle", allowed="total_steps, one cycle", fix="write it so")
    return Shift(Cosine(1.0, lr.number("alpha", default=0.0), cycle - int(warm / (total / cycle))), warm)


def _rsqrt(lr: Section, warm: int) -> Schedule:
    scale = lr.count("timescale", default=10_000)
    return Shift(PowerLaw(1.0, 0.5, scale, scale), warm)
