"""DINOv2 and DINOv3: YAML with `optim: {base_lr, warmup_epochs, epochs}`, or `schedules: {lr: {start, peak, end, ...}}`.

The steps of an epoch are in the file. Source: dinov2/utils/utils.py, dinov2/train/train.py,
dinov3/train/cosine_lr_scheduler.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tracelr.interop._tools import lengths
from tracelr.interop._tools.pieces import then
from tracelr.interop._tools.section import Section
from tracelr.schedules.assignment import Assignment, Loaded
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Sequential
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.linear import Linear

EXAMPLE = """\
train: {batch_size_per_gpu: 32, OFFICIAL_EPOCH_LENGTH: 1250}
optim: {epochs: 500, base_lr: 2.0e-4, warmup_epochs: 80, weight_decay_end: 0.2}
"""
_SECOND = ("warmup_epochs", "weight_decay_end", "layerwise_decay", "scaling_rule")
_FACTORS = {"lr": "lr_multiplier", "weight_decay": "wd_multiplier"}


def matches(mapping: Mapping[Any, Any]) -> bool:
    schedules, optim = mapping.get("schedules"), mapping.get("optim")
    third = isinstance(schedules, Mapping) and isinstance(schedules.get("lr"), Mapping) and "peak" in schedules["lr"]
    return third or (isinstance(optim, Mapping) and "base_lr" in optim and any(key in optim for key in _SECOND))


def read(s: Section) -> Loaded:
    train = s.section("train", optional=True)
    train.ignore("OFFICIAL_EPOCH_LENGTH")
    epoch = train.count("OFFICIAL_EPOCH_LENGTH", default=1250)
    third = isinstance(s.given.get("schedules"), Mapping)
    optim = s.section("optim", optional=third)
    rule = optim.choice({"sqrt_wrt_1024": True, "none": False}, "scaling_rule", default="sqrt_wrt_1024")
    one, devices = train.count("batch_size_per_gpu", default=64), lengths.units_of(s).devices
    if rule and devices is None:
        raise lengths.ask(s, f"a rate for a batch of 1024, and a batch of {one} on one device", "--devices D")
    scale = math.sqrt(one * (devices or 1) / 1024) * (4 if third else 1) if rule else 1.0
    s.note(f"lr x {scale:g}, for a batch of {one} x {devices}")
    s.note("groups: layerwise_decay and others are factors under lr_multiplier and wd_multiplier")
    return (_third if third else _second)(s, optim, epoch, scale)


def _second(s: Section, optim: Section, epoch: int, scale: float) -> Loaded:
    optim.ignore(
        "layerwise_decay", "patch_embed_lr_mult", "lr", "freeze_last_layer_epochs", "weight_decay", "weight_decay_end"
    )
    total = optim.count("epochs", default=100) * epoch
    peak, low = scale * optim.number("base_lr"), optim.number("min_lr", default=1e-6)
    warm = optim.count("warmup_epochs", default=10) * epoch
    extra = s.section("schedules", optional=True).number("schedule_trunc_extra", default=0.0)
    if optim.has("schedule_trunc_extra") or extra:
        raise optim.refuse("schedule_trunc_extra", allowed="0", fix="remove it")
    main = optim.build(Cosine, peak, low, total - warm)
    # numpy.linspace(0, peak, warm) has the peak at its last step
    curve = then(Linear(0.0, peak, warm - 1) if warm > 1 else Constant(0.0), warm, main)
    frozen = optim.count("freeze_last_layer_epochs", default=1) * epoch
    decay = optim.number("weight_decay", default=0.04)
    decays = optim.build(Cosine, decay, optim.number("weight_decay_end", default=0.4), total)
    return _assigned(curve, frozen, decays)


def _assigned(curve: Schedule, frozen: int, decays: Schedule | None) -> list[Assignment]:
    late = Sequential([Constant(0.0), curve], [frozen], reset=False) if frozen else curve
    found = [Assignment("lr", (None,), curve, _FACTORS["lr"]), Assignment("lr", ("last_layer",), late, _FACTORS["lr"])]
    return found if decays is None else [*found, Assignment("weight_decay", None, decays, _FACTORS["weight_decay"])]


def _third(s: Section, optim: Section, epoch: int, scale: float) -> Loaded:
    optim.ignore(*optim.given)
    epochs = optim.count("epochs", default=100)
    schedules = s.section("schedules")
    lr = schedules.section("lr")
    schedules.ignore("teacher_temp", "momentum")
    curve = _shape(lr, epoch, epochs, scale)
    frozen = lr.count("freeze_last_layer_epochs", default=0) * epoch
    lr.ignore("freeze_last_layer_epochs")
    decays = _shape(schedules.section("weight_decay"), epoch, epochs, 1.0) if schedules.has("weight_decay") else None
    return _assigned(curve, frozen, decays)


def _shape(s: Section, epoch: int, epochs: int, scale: float) -> Schedule:
    start, peak, end = (scale * s.number(key, default=0.0) for key in ("start", "peak", "end"))
    warm = s.count("warmup_epochs", default=0) * epoch
    length = epochs * epoch - warm
    own = s.number("cosine_epochs", default=None)
    length = length if own is None else s.part("cosine", own, epoch, int)
    fall = Constant(peak) if peak == end else s.build(Cosine, peak, end, max(length - 1, 1))
    return then(Linear(start, peak, warm), warm, fall) if warm else fall
