"""OpenRLHF: flags `--adam.lr --train.max_epochs --train.batch_size`, or the older `--train_batch_size`.

Source: OpenRLHF openrlhf/cli/train_sft.py and its siblings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tracelr.interop._tools import lengths
from tracelr.interop._tools.section import Section
from tracelr.interop.huggingface.scheduler_types import Run, ends, schedule
from tracelr.schedules.base import Schedule

EXAMPLE = """\
adam: {lr: 5.0e-6}
train: {batch_size: 256, micro_batch_size: 2, max_epochs: 1}
"""


def matches(mapping: Mapping[Any, Any]) -> bool:
    adam, train = mapping.get("adam"), mapping.get("train")
    new = isinstance(adam, Mapping) and "lr" in adam and isinstance(train, Mapping)
    rate = any(key in mapping for key in ("learning_rate", "actor_learning_rate"))
    return new or (rate and "micro_train_batch_size" in mapping)


def read(s: Section) -> Schedule:
    new = "adam" in s.given
    adam, train = (s.section("adam"), s.section("train")) if new else (s, s)
    prefix = "" if new else "train_"
    s.ignore("critic_learning_rate", "critic_lr_warmup_ratio")
    actor = s.has("actor_learning_rate")
    peak = s.number("actor_learning_rate") if actor else adam.number("lr", "learning_rate")
    schedules = s.section("lr", optional=True) if isinstance(s.given.get("lr"), Mapping) else s
    name = schedules.text("lr_scheduler", "scheduler", default="cosine_with_min_lr")
    part = adam.number("lr_warmup_ratio", "warmup_ratio", default=0.03)
    low = adam.number("min_lr_ratio", default=0.1) if name == "cosine_with_min_lr" else None
    epochs, batch = train.number("max_epochs", default=1.0), train.count(f"{prefix}batch_size")
    most = (s.section("data", optional=True) if new else s).count("max_samples", default=None)
    says = lengths.epochs_of(batch, 1, epochs) + (f" of at most {most:,} samples" if most else "")
    if actor:
        s.note("the rate of the actor")
        epochs, says = None, "a run of PPO, whose updates depend on the samples and the rollouts"
    steps = lengths.total(s, epochs, says, batch, whole_batch=True)
    warm = s.part("warm-up", part, steps, math.ceil) if ends(s, name) or name != "constant" else 0
    return schedule(s, name, Run(peak, warm, steps), min_lr_rate=low)
