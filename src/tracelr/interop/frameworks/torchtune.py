"""torchtune: YAML whose `lr_scheduler` and `optimizer` have a `_component_`.

Source: torchtune/training/lr_schedulers.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.interop._tools import lengths, torch_names
from tracelr.interop._tools.section import Section
from tracelr.interop.huggingface.scheduler_types import Run, schedule
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.constant import Constant

EXAMPLE = """\
optimizer: {_component_: torch.optim.AdamW, lr: 3.0e-4}
lr_scheduler: {_component_: torchtune.training.lr_schedulers.get_cosine_schedule_with_warmup, num_warmup_steps: 100}
epochs: 1
max_steps_per_epoch: 1000
"""


def matches(mapping: Mapping[Any, Any]) -> bool:
    return any(
        isinstance(mapping.get(key), Mapping) and "_component_" in mapping[key] for key in ("lr_scheduler", "optimizer")
    )


def read(s: Section) -> Schedule:
    if "lmbda" in s.given:  # PPO, whose gamma discounts rewards
        s.ignore("gamma")
    optimizer = s.section("optimizer")
    peak = torch_names.optimizer_rate(optimizer, torch_names.class_name(optimizer.text("_component_")))
    if not s.has("lr_scheduler"):
        return Constant(peak)
    lr = s.section("lr_scheduler")
    name = torch_names.class_name(lr.text("_component_"))
    lr.ignore("_component_")
    if name != "get_cosine_schedule_with_warmup":
        if name in torch_names.NAMES or name == "ReduceLROnPlateau":
            return torch_names.build(lr, name, peak, "_component_")
        raise lr.refuse(
            "_component_", allowed="get_cosine_schedule_with_warmup, or a class of torch", fix="use one of these"
        )
    warm, cycles = lr.count("num_warmup_steps"), lr.number("num_cycles", default=None)
    return schedule(s, "cosine", Run(peak, warm, _steps(s, lr)), num_cycles=cycles)


def _steps(s: Section, lr: Section) -> int:
    given = lr.count("num_training_steps", default=None)
    if given is not None:
        return int(given)
    epochs, most = s.count("epochs"), s.count("max_steps_per_epoch", default=None)
    batch, accumulation = s.count("batch_size", default=None), s.count("gradient_accumulation_steps", default=1)
    units = lengths.units_of(s)
    if most and units.steps_per_epoch is None and units.samples_per_epoch is None and units.duration is None:
        s.note(f"{epochs * most:,} steps: {epochs} epochs of max_steps_per_epoch, if the data has as many")
        return int(epochs * most)
    says = lengths.epochs_of(batch, accumulation, epochs)
    if units.duration is not None:
        return lengths.total(s, epochs, says)
    each = lengths.updates_per_epoch(s, says, batch, accumulation)
    return int(epochs * min(each, most or each))
