"""Lightning CLI: YAML with `lr_scheduler: {class_path, init_args}` and `optimizer`.

The CLI steps a scheduler once per epoch. Source: lightning/pytorch/cli.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.interop._tools import lengths, torch_names
from tracelr.interop._tools.pieces import per_epoch
from tracelr.interop._tools.section import Section
from tracelr.schedules.base import Schedule

EXAMPLE = """\
trainer: {max_epochs: 100}
optimizer: {class_path: torch.optim.AdamW, init_args: {lr: 1.0e-3}}
lr_scheduler: {class_path: torch.optim.lr_scheduler.CosineAnnealingLR, init_args: {T_max: 100}}
"""


_PLACES = ((), ("model",), ("init_args",), ("model", "init_args"))


def _inner(mapping: Mapping[Any, Any], path: tuple[str, ...]) -> Mapping[Any, Any]:
    for key in path:
        below = mapping.get(key)
        mapping = below if isinstance(below, Mapping) else {}
    return mapping


def _holder(mapping: Mapping[Any, Any]) -> tuple[str, ...]:
    """Return the keys under which the scheduler stands."""
    return next((path for path in _PLACES if "lr_scheduler" in _inner(mapping, path)), ())


def matches(mapping: Mapping[Any, Any]) -> bool:
    scheduler = _inner(mapping, _holder(mapping)).get("lr_scheduler")
    return isinstance(scheduler, Mapping) and "class_path" in scheduler


def read(s: Section) -> Schedule:
    holder = s
    for key in _holder(s.given):
        holder = holder.section(key)
    optimizer, scheduler = holder.section("optimizer"), holder.section("lr_scheduler")
    rate = torch_names.optimizer_rate(
        optimizer.section("init_args", optional=True), torch_names.class_name(optimizer.text("class_path"))
    )
    name = torch_names.class_name(scheduler.text("class_path"))
    curve = torch_names.build(scheduler.section("init_args", optional=True), name, rate, "class_path", "init_args")
    s.note("the CLI steps a scheduler once per epoch; a module's own configure_optimizers may say otherwise")
    trainer = s.section("trainer", optional=True)
    epochs = trainer.number("max_epochs", default=None)
    accumulation = trainer.count("accumulate_grad_batches", default=1, low=1)
    says = lengths.epochs_of(None, 1, epochs) if epochs and epochs > 0 else "a scheduler that is stepped once per epoch"
    updates = lengths.per_epoch(s, epochs, says, None, accumulation, ceil=True)
    return s.build(per_epoch, curve, updates)
