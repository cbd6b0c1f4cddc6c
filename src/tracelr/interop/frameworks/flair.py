"""Flair: the parameters that its training.log lists, with the plugin `LinearScheduler`.

Source: flair/trainers/plugins/functional/linear_scheduler.py and flair/optim.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.interop._tools import lengths
from tracelr.interop._tools.section import Section
from tracelr.interop.huggingface.scheduler_types import Run, schedule
from tracelr.schedules.base import Schedule

EXAMPLE = """\
learning_rate: "5e-05"
mini_batch_size: "4"
max_epochs: "10"
LinearScheduler: {warmup_fraction: "0.1"}
"""


def matches(mapping: Mapping[Any, Any]) -> bool:
    return "mini_batch_size" in mapping and "learning_rate" in mapping and "max_epochs" in mapping


def read(s: Section) -> Schedule:
    peak, epochs, batch = s.number("learning_rate"), s.number("max_epochs"), s.count("mini_batch_size")
    if not s.has("LinearScheduler"):
        raise s.missing("LinearScheduler", "the plugin LinearScheduler, because Flair otherwise anneals by a metric")
    part = s.section("LinearScheduler").number("warmup_fraction", default=0.1)
    total = lengths.total(s, epochs, lengths.epochs_of(batch, 1, epochs), batch, whole_batch=True)
    return schedule(s, "linear", Run(peak, s.part("warm-up", part, total, int), total))
