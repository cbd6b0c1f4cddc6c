"""Swin Transformer: YAML with `TRAIN: {BASE_LR, WARMUP_LR, MIN_LR, EPOCHS}`. Its scheduler is one update late.

Each rate is multiplied by the batch of all devices over 512. Source: Swin-Transformer lr_scheduler.py, main.py, config.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.interop._tools import lengths
from tracelr.interop._tools.pieces import late, warmed
from tracelr.interop._tools.section import Section
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.cosine import Cosine

EXAMPLE = """\
TRAIN: {EPOCHS: 90, WARMUP_EPOCHS: 5, BASE_LR: 1.25e-4, WARMUP_LR: 1.25e-7, MIN_LR: 1.25e-6}
DATA: {BATCH_SIZE: 128}
"""


def matches(mapping: Mapping[Any, Any]) -> bool:
    train = mapping.get("TRAIN")
    return isinstance(train, Mapping) and any(key in train for key in ("BASE_LR", "WARMUP_LR", "WARMUP_EPOCHS"))


def read(s: Section) -> Schedule:
    train, units = s.section("TRAIN"), lengths.units_of(s)
    scheduler = train.section("LR_SCHEDULER", optional=True)
    scheduler.ignore("DECAY_EPOCHS", "DECAY_RATE", "GAMMA", "MULTISTEPS")
    scheduler.choice({"cosine": "cosine"}, "NAME", default="cosine")
    if train.has("LAYER_DECAY") and train.number("LAYER_DECAY") != 1:
        raise train.refuse("LAYER_DECAY", allowed="1", fix="pass --set TRAIN.LAYER_DECAY=1 for the rate of the last layer")
    epochs, warm_epochs = train.count("EPOCHS", default=300), train.count("WARMUP_EPOCHS", default=20)
    one, accumulation = (
        s.section("DATA", optional=True).count("BATCH_SIZE", default=None),
        train.count("ACCUMULATION_STEPS", default=1),
    )
    says = lengths.epochs_of(one, accumulation, epochs)
    devices = units.devices
    batch = units.batch_size or ((one or 128) * max(accumulation, 1) * devices if devices else None)
    if batch is None:
        raise lengths.ask(
            s, f"rates for a batch of 512, and {says}", "--batch-size B, of all devices together", "--devices D"
        )
    scale = batch / 512
    s.note(f"each rate x {batch:,} / 512 = {scale:g}")
    updates = lengths.per_epoch(s, epochs, says, one or 128, max(accumulation, 1))
    peak, low = scale * train.number("BASE_LR", default=5e-4), scale * train.number("MIN_LR", default=5e-6)
    start = scale * train.number("WARMUP_LR", default=5e-7)
    prefix = scheduler.flag("WARMUP_PREFIX", default=True)
    warm = warm_epochs * updates
    main = train.build(Cosine, peak, low, epochs * updates - (warm if prefix else 0))
    return late(warmed(main, peak, warm, start, same_clock=not prefix))
