"""Axolotl: YAML with `lr_scheduler`, `learning_rate`, `micro_batch_size` and `num_epochs`.

Source: axolotl src/axolotl/core/builders/base.py, core/trainers/mixins/scheduler.py, utils/schedulers.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tracelr.errors import Unquoted
from tracelr.interop._tools import lengths
from tracelr.interop._tools.pieces import then, warmed
from tracelr.interop._tools.section import Section
from tracelr.interop.huggingface.scheduler_types import Run, ends, schedule
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Product
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.curves.one_cycle import OneCycle

EXAMPLE = """\
lr_scheduler: cosine
learning_rate: 2.0e-4
micro_batch_size: 2
warmup_steps: 100
max_steps: 2000
"""


def matches(mapping: Mapping[Any, Any]) -> bool:
    return (
        "micro_batch_size" in mapping
        and any(key in mapping for key in ("num_epochs", "max_steps", "base_model"))
        and "lr_scheduler_type" not in mapping
        and isinstance(mapping.get("optimizer"), (str, type(None)))
        and not isinstance(mapping.get("lr_scheduler"), Mapping)
        and ("learning_rate" in mapping or "lr_scheduler" in mapping)
    )


def read(s: Section) -> Schedule:
    peak, name = s.number("learning_rate"), s.text("lr_scheduler", default="cosine")
    epochs, micro = s.number("num_epochs", default=1.0), s.count("micro_batch_size", default=1)
    accumulation = s.count("gradient_accumulation_steps", default=1)
    steps = s.count("max_steps", default=None) if s.given.get("max_steps") not in (-1, "-1") else None
    s.ignore("max_steps", "optimizer", "lr_groups", "embedding_lr", "embedding_lr_scale", "cosine_min_lr_ratio")
    for key in ("lr_groups", "embedding_lr", "embedding_lr_scale", "loraplus_lr_ratio"):
        if s.has(key):
            raise s.refuse(key, allowed="one rate for every group", fix=f"pass --set {key}=null for the rate of the others")
    if (
        s.flag("jagged_restart_steps")
        if isinstance(s.given.get("jagged_restart_steps"), bool)
        else s.has("jagged_restart_steps")
    ):
        raise s.refuse("jagged_restart_steps", allowed="a run without restarts", fix="pass --set jagged_restart_steps=null")
    given = _given(s)
    kinds = ("one_cycle", "rex")
    needs = name in kinds or ends(s, name) or ((given is None or 0 < given < 1) and name != "constant")
    if needs and steps is None:
        steps = lengths.total(s, epochs, lengths.epochs_of(micro, accumulation, epochs), micro, accumulation)
    warm = _warmup(s, given, steps or 0, name)
    values = dict(s.section("lr_scheduler_kwargs", optional=True).given)
    if name == "rex":
        raise s.refuse("lr_scheduler", allowed="a curve that tracelr has", fix="use cosine or linear")
    if name == "one_cycle" and not values and steps:
        return s.build(OneCycle, peak / 25, peak, peak / 25 / 1e4, steps - 1, warm - 1.0)
    ratio, constant = s.number("cosine_min_lr_ratio", default=None), s.number("cosine_constant_lr_ratio", default=None)
    quadratic = s.flag("lr_quadratic_warmup")
    if name != "cosine" or not (quadratic or ratio is not None):
        return schedule(s, name, Run(peak, warm, steps or 0), **values)
    assert steps is not None
    until = s.part("the constant rate begins at", constant, steps, int) if constant and ratio is not None else steps
    if until <= warm:
        raise s.where.refuse(Unquoted(f"a warm-up of {warm} in {until} steps"), "a shorter one", "shorten it")
    main = s.build(Cosine, peak, 0.0 if quadratic else peak * (ratio or 0.0), until - warm)
    if quadratic:
        return (
            then(s.build(lambda: Product([Linear(0.0, peak, warm), Linear(0.0, 1.0, warm)])), warm, main) if warm else main
        )
    return warmed(main, peak, warm)


def _given(s: Section) -> float | None:
    """Return `warmup_steps`: a number of steps or, below 1 as in transformers, a part of the run."""
    given: float | None = s.number("warmup_steps", default=None)
    if given is None or not 0 < given < 1:
        given = s.count("warmup_steps", default=None)
    return given


def _warmup(s: Section, given: float | None, steps: int, name: str) -> int:
    ratio = s.number("warmup_ratio", default=None)
    if given is not None and ratio is not None and given and ratio:
        raise s.where.refuse(Unquoted("warmup_steps and warmup_ratio"), "one of them", "remove one")
    if given:
        warm = int(given) if given >= 1 else s.part("warm-up", given, steps, math.ceil)
    elif ratio is not None:
        warm = s.part("warm-up", ratio, steps, int)
    elif given is None and name != "constant":
        warm = min(s.part("warm-up, the default of axolotl:", 0.03, steps, int), 100)
    else:
        warm = 0
    return 2 if warm == 1 else warm
