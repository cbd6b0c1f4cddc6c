"""Ultralytics (YOLO): args.yaml with `lr0`, `lrf`, `epochs`, `warmup_epochs`. A rate per epoch; the warm-up is per batch.

Steps are batches here: an update is made every nbs / batch of them. Source: ultralytics/engine/trainer.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.interop._tools import lengths
from tracelr.interop._tools.pieces import per_epoch
from tracelr.interop._tools.section import Section
from tracelr.schedules.assignment import Assignment, Loaded
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Product, Sum
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.linear import Linear

EXAMPLE = """\
lr0: 0.01
lrf: 0.01
epochs: 100
warmup_epochs: 3.0
optimizer: SGD
"""


def matches(mapping: Mapping[Any, Any]) -> bool:
    return "lr0" in mapping and "lrf" in mapping


def read(s: Section) -> Loaded:
    optimizer = s.given.get("optimizer", "auto")
    if not isinstance(optimizer, str) or optimizer.lower() == "auto":
        fix = "pass --set optimizer=NAME with the one that the log of the run names, and --set lr0=VALUE with its rate"
        raise s.refuse(
            "optimizer", allowed="an optimizer by name, because auto replaces lr0 and the momentum", fix=fix, given=optimizer
        )
    peak, epochs = s.number("lr0"), s.count("epochs", default=100)
    s.ignore("optimizer")
    low, warm_epochs = peak * s.number("lrf"), s.number("warmup_epochs", default=3.0)
    s.ignore("warmup_bias_lr", "warmup_momentum", "momentum", "cos_lr")
    says = lengths.epochs_of(s.count("batch", default=None) if s.given.get("batch") != -1 else None, 1, epochs)
    batches = lengths.per_epoch(s, epochs, says)
    curve = Cosine if s.flag("cos_lr") else Linear
    main = s.build(per_epoch, s.build(curve, peak, low, epochs), batches)
    s.note("a step is a batch: the optimizer makes an update every nbs / batch of them")
    warm = s.part("warm-up", warm_epochs, batches, round)
    if not warm:
        return main

    def risen(start: float) -> Schedule:
        rise = Product([Linear(0.0, 1.0, warm), main])
        return Sum([Linear(start, 0.0, warm), rise]) if start else rise

    momentum, key = s.number("momentum", default=0.937), "betas[0]" if "adam" in optimizer.lower() else "momentum"
    return [
        Assignment("lr", (None,), s.build(risen, 0.0)),
        Assignment("lr", ("bias",), s.build(risen, s.number("warmup_bias_lr", default=0.1))),
        Assignment(key, None, s.build(Linear, s.number("warmup_momentum", default=0.8), momentum, warm)),
    ]
