"""Nanotron: YAML with `optimizer.learning_rate_scheduler` and `tokens.train_steps`.

Source: nanotron src/nanotron/helpers.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.interop._tools.pieces import decay, then, warmed
from tracelr.interop._tools.section import Section
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.constant import Constant

EXAMPLE = """\
optimizer:
  learning_rate_scheduler: {learning_rate: 3.0e-4, lr_warmup_steps: 100, lr_decay_style: cosine, min_decay_lr: 1.0e-5}
tokens: {train_steps: 32000}
"""


def matches(mapping: Mapping[Any, Any]) -> bool:
    optimizer = mapping.get("optimizer")
    return isinstance(optimizer, Mapping) and "learning_rate_scheduler" in optimizer


def read(s: Section) -> Schedule:
    lr = s.section("optimizer").section("learning_rate_scheduler")
    peak = lr.number("learning_rate")
    warm = lr.count("lr_warmup_steps", default=0)
    flat_warmup = lr.choice({"linear": False, "constant": True}, "lr_warmup_style", default="linear")
    begin, length = lr.count("lr_decay_starting_step", default=None), lr.count("lr_decay_steps", default=None)
    kind = lr.choice({"linear": "linear", "cosine": "cosine", "1-sqrt": "1-sqrt"}, "lr_decay_style", default="linear")
    low = lr.number("min_decay_lr", default=peak)
    if length is None:
        length = s.section("tokens").count("train_steps") - warm - (begin or 0)
        lr.note(f"decay: {length:,} steps, the run less the warm-up and less lr_decay_starting_step")
    stable = max((warm if begin is None else begin) - warm, 0)
    main = then(Constant(peak), stable, lr.build(decay, kind, peak, low, max(length, 0)))
    return then(Constant(peak), warm, main) if flat_warmup else warmed(main, peak, warm)
