"""diffusers' training scripts: flags `--lr_scheduler --lr_warmup_steps --max_train_steps --learning_rate`.

Source: diffusers src/diffusers/optimization.py and its examples.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.errors import Unquoted
from tracelr.interop._tools import lengths
from tracelr.interop._tools.section import Section
from tracelr.interop.huggingface.scheduler_types import Run, ends, schedule
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.piecewise_constant import PiecewiseConstant

EXAMPLE = """\
learning_rate: 1.0e-4
lr_scheduler: cosine
lr_warmup_steps: 500
max_train_steps: 30000
train_batch_size: 1
"""
_OWN = ("max_train_steps", "lr_warmup_steps", "lr_num_cycles", "lr_power", "train_batch_size")
_KOHYA = (
    "unet_lr",
    "text_encoder_lr",
    "network_module",
    "lr_scheduler_num_cycles",
    "optimizer_type",
    "max_train_epochs",
    "lr_scheduler_type",
    "network_dim",
    "micro_train_batch_size",
    "micro_batch_size",
)


def dreams(mapping: Mapping[Any, Any]) -> bool:
    """Return whether settings have a flag of diffusers' DreamBooth scripts, which may have `text_encoder_lr` too."""
    return any(key in mapping for key in ("instance_prompt", "instance_data_dir", "train_text_encoder"))


def matches(mapping: Mapping[Any, Any]) -> bool:
    named = isinstance(mapping.get("lr_scheduler"), str) and any(key in mapping for key in _OWN)
    own = named or ("max_train_steps" in mapping and "train_batch_size" in mapping)
    return (
        "learning_rate" in mapping
        and own
        and not any(key in mapping for key in _KOHYA if key != "text_encoder_lr" or not dreams(mapping))
        and not isinstance(mapping.get("lr_scheduler"), Mapping)
    )


def read(s: Section) -> Schedule:
    peak, name = s.number("learning_rate"), s.text("lr_scheduler", default="constant")
    s.ignore("lr_warmup_steps", "lr_num_cycles", "lr_power", "max_train_steps")
    if s.flag("scale_lr"):
        raise s.refuse(
            "scale_lr", allowed="a rate that is not multiplied", fix="multiply learning_rate by batch x accumulation x GPUs"
        )
    for key in ("text_encoder_lr", "learning_rate_2", "lr_step_rules"):
        if s.has(key) and key != "lr_step_rules":
            raise s.refuse(key, allowed="one rate for every group", fix=f"pass --set {key}=null for that of the others")
    if name == "piecewise_constant":
        return _piecewise(s, peak)
    if name == "constant":
        return Constant(peak)
    steps = s.count("max_train_steps", default=None)
    if steps is None and ends(s, name):
        epochs, batch = s.number("num_train_epochs"), s.count("train_batch_size", default=None)
        accumulation = s.count("gradient_accumulation_steps", default=1)
        steps = lengths.total(s, epochs, lengths.epochs_of(batch, accumulation, epochs), batch, accumulation, ceil=True)
    warm = s.count("lr_warmup_steps", default=500)
    cycles = s.number("lr_num_cycles", default=1.0) if name == "cosine_with_restarts" else None
    power = s.number("lr_power", default=1.0) if name == "polynomial" else None
    return schedule(s, name, Run(peak, warm, steps or 0), num_cycles=cycles, power=power)


def _piecewise(s: Section, peak: float) -> Schedule:
    """Return the schedule of rules such as 1:10,0.1:20,0.01:30,0.005: a factor up to each step, and the last one."""
    parts = [each.split(":") for each in s.text("lr_step_rules", "step_rules").split(",")]
    try:
        values = [peak * float(each[0]) for each in parts]
        return s.build(PiecewiseConstant, values, [int(each[1]) for each in parts[:-1]])
    except (ValueError, IndexError):
        raise s.where.refuse(Unquoted("step rules"), "rules such as 1:10,0.1:20,0.01", "correct them") from None
