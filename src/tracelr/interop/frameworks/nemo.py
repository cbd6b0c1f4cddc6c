"""NeMo: YAML with `model.optim.lr`, `model.optim.sched: {name: CosineAnnealing, ...}` and `trainer.max_steps`.

Source: NeMo nemo/core/optim/lr_scheduler.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.interop._tools import lengths, nemo_names
from tracelr.interop._tools.section import Section
from tracelr.schedules.base import Schedule

EXAMPLE = """\
model: {optim: {name: adamw, lr: 1.0e-3, sched: {name: CosineAnnealing, warmup_steps: 1500, min_lr: 1.0e-4}}}
trainer: {max_steps: 100000}
"""


def _optim(mapping: Mapping[Any, Any]) -> Any:
    model = mapping.get("model")
    inner = model.get("optim") if isinstance(model, Mapping) else None
    return inner if inner is not None else mapping.get("optim")


def matches(mapping: Mapping[Any, Any]) -> bool:
    optim = _optim(mapping)
    return isinstance(optim, Mapping) and isinstance(optim.get("sched"), Mapping) and "name" in optim["sched"]


def read(s: Section) -> Schedule:
    model = s.given.get("model")
    optim = (s.section("model") if isinstance(model, Mapping) and "optim" in model else s).section("optim")
    sched = optim.section("sched")
    lasts: list[int] = []

    def total() -> int:
        if not lasts:
            lasts.append(_total(s, sched))
        return lasts[0]

    return nemo_names.build(sched, sched.text("name"), optim.number("lr"), total)


def _total(s: Section, sched: Section) -> int:
    own, trainer = sched.count("max_steps", default=None), s.section("trainer", optional=True)
    if own:
        return int(own)
    if trainer.given.get("max_steps") not in (None, -1):
        return int(trainer.count("max_steps"))
    epochs = trainer.given.get("max_epochs")
    if epochs in (None, -1):
        raise lengths.ask(s, "neither trainer.max_steps nor max_epochs", "--steps N")
    accumulation = trainer.count("accumulate_grad_batches", default=1)
    return lengths.total(
        s,
        trainer.number("max_epochs"),
        lengths.epochs_of(None, 1, trainer.number("max_epochs")),
        None,
        accumulation,
        ceil=True,
    )
