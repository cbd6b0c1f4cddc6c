"""OpenCLIP: flags `--lr --warmup --epochs --batch-size --train-num-samples --lr-scheduler`.

Source: open_clip src/open_clip_train/scheduler.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.interop._tools import lengths
from tracelr.interop._tools.pieces import then, warmed
from tracelr.interop._tools.section import Section
from tracelr.interop.frameworks.timm import keys
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.polynomial import Polynomial

EXAMPLE = """\
lr: 1.0e-3
warmup: 2000
epochs: 97
batch-size: 375
train-num-samples: 135646078
lr-scheduler: const
"""


def matches(mapping: Mapping[Any, Any]) -> bool:
    given = keys(mapping)
    own = any(
        key in given
        for key in ("train_num_samples", "train_data", "accum_freq", "epochs_cooldown", "lr_scheduler", "lr_cooldown_end")
    )
    return "warmup" in given and "lr" in given and own and "epochs" in given


def read(top: Section) -> Schedule:
    s = Section(keys(top.given), top.where, by=top.by)
    top.ignore(*(key for key in top.given if isinstance(key, str)))
    s.ignore("skip_scheduler", "lr_cooldown_end", "lr_cooldown_power", "epochs_cooldown")
    peak, warm = s.number("lr"), s.count("warmup", default=10_000)
    kind = s.choice({each: each for each in ("cosine", "const", "const-cooldown")}, "lr_scheduler", default="cosine")
    if kind == "const":
        return warmed(Constant(peak), peak, warm, origin="1/n")
    epochs, each = s.count("epochs", default=32), 0
    samples, batch = s.count("train_num_samples", default=None), s.count("batch_size", default=64)
    accumulation, units = s.count("accum_freq", default=1), lengths.units_of(s)
    says = lengths.epochs_of(batch, accumulation, epochs) + (f" of {samples:,} samples" if samples else "")
    if samples and units.devices is not None and units.steps_per_epoch is None:
        each = samples // (batch * units.devices) // accumulation
        s.note(f"an epoch: {samples:,} // ({batch} x {units.devices}) // {accumulation} = {each:,} updates")
        total = units.duration or each * epochs
    elif samples and units.steps_per_epoch is None and units.duration is None:
        raise lengths.ask(s, says, "--devices D", "--steps-per-epoch N", "--steps N")
    else:
        total = lengths.total(s, epochs, says, batch, accumulation)
        each = total // epochs
    if kind == "cosine":
        return warmed(s.build(Cosine, peak, 0.0, total - warm), peak, warm, origin="1/n")
    cool, end, power = (
        s.count("epochs_cooldown") * each,
        s.number("lr_cooldown_end", default=0.0),
        s.number("lr_cooldown_power", default=1.0),
    )
    fall = s.build(Polynomial, peak, end, cool, power)
    return warmed(then(Constant(peak), total - cool - warm, fall), peak, warm, origin="1/n")
