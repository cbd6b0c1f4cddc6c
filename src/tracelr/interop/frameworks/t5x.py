"""T5X: gin with `utils.create_learning_rate_scheduler: factors = 'constant * rsqrt_decay'`. A product, never below 1e-8.

Source: t5x/utils.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tracelr.errors import Unquoted
from tracelr.interop._tools.pieces import product
from tracelr.interop._tools.section import Section
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Clamp, Loop, Shift
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.exponential import Exponential
from tracelr.schedules.curves.inverse_sqrt import InverseSqrt
from tracelr.schedules.curves.linear import Linear

EXAMPLE = """\
TRAIN_STEPS: 50000
utils.create_learning_rate_scheduler: {factors: constant * rsqrt_decay, base_learning_rate: 1.0, warmup_steps: 10000}
"""
_BLOCK = "create_learning_rate_scheduler"


def _key(mapping: Mapping[Any, Any]) -> str | None:
    return next((key for key in mapping if isinstance(key, str) and key.rpartition(".")[2] == _BLOCK), None)


def matches(mapping: Mapping[Any, Any]) -> bool:
    key = _key(mapping)
    return key is not None and isinstance(mapping[key], Mapping)


def read(s: Section) -> Schedule:
    lr = s.section(_key(s.given) or _BLOCK)
    base, warm = lr.number("base_learning_rate", default=0.5), lr.count("warmup_steps", default=1000)
    names = [each.strip() for each in lr.text("factors", default="constant * linear_warmup * rsqrt_decay").split("*")]
    lr.ignore("decay_factor", "steps_per_decay", "steps_per_cycle", "end_step")
    low = lr.number("min_learning_rate", default=1e-8)
    offset = lr.count("step_offset", default=0)
    factors: dict[str, Callable[[], Schedule]] = {
        "constant": lambda: Constant(base),
        "linear_warmup": lambda: Linear(0.0, 1.0, warm),
        "rsqrt_decay": lambda: InverseSqrt(max(warm, 1) ** -0.5, max(warm, 1)),
        "rsqrt_normalized_decay": lambda: InverseSqrt(1.0, max(warm, 1)),
        "decay_every": lambda: Exponential(
            1.0, lr.number("decay_factor", default=0.5), lr.count("steps_per_decay", default=20_000), True
        ),
        "cosine_decay": lambda: _cosine(lr, warm),
    }
    unknown = [name for name in names if name not in factors]
    if unknown:
        raise lr.where.refuse(Unquoted(f"the factor {unknown[0]}"), ", ".join(factors), "use these")
    curve = lr.build(lambda: Clamp(product([factors[name]() for name in names]), low, None))
    return Shift(curve, offset) if offset else curve


def _cosine(lr: Section, warm: int) -> Schedule:
    cycle = lr.count("steps_per_cycle", default=100_000)
    return Shift(Loop(Cosine(1.0, 0.0, cycle), cycle), warm)
