"""OpenNMT-py: YAML with `decay_method`, `learning_rate`, `warmup_steps`, `hidden_size`. It counts updates from 1.

Source: onmt/utils/optimizers.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.errors import Unquoted
from tracelr.interop._tools.pieces import drop_first, then, warmed
from tracelr.interop._tools.section import Section
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.inverse_sqrt import InverseSqrt
from tracelr.schedules.curves.step import Step

EXAMPLE = """\
train_steps: 500000
warmup_steps: 8000
hidden_size: 512
decay_method: noam
learning_rate: 2.0
"""


def matches(mapping: Mapping[Any, Any]) -> bool:
    own = any(key in mapping for key in ("start_decay_steps", "save_checkpoint_steps", "valid_steps", "word_vec_size"))
    return "decay_method" in mapping or (own and "learning_rate" in mapping and "train_steps" in mapping)


def read(s: Section) -> Schedule:
    rate = s.number("learning_rate", default=1.0)
    method = s.choice({each: each for each in ("noam", "rsqrt", "none")}, "decay_method", default="none")
    s.ignore("warmup_steps", "start_decay_steps", "decay_steps", "learning_rate_decay")
    warm = s.count("warmup_steps", default=4000)
    if method == "none":
        steps = s.count("train_steps", default=100_000)
        first, every = s.count("start_decay_steps", default=50_000), s.count("decay_steps", default=10_000)
        if first > steps:
            return Constant(rate)
        factor = s.number("learning_rate_decay", default=0.5)
        return then(Constant(rate), first - 1, s.build(Step, rate * factor, factor, every))
    if warm < 1:
        raise s.where.refuse(Unquoted("a warm-up of 0"), "1 or more", "write warmup_steps")
    peak = rate * warm**-0.5
    if method == "rsqrt":
        return drop_first(InverseSqrt(peak, warm))
    peak *= s.count("hidden_size", "rnn_size", "dec_hid_size", low=1) ** -0.5
    return drop_first(warmed(InverseSqrt(peak, warm), peak, warm, same_clock=True))
