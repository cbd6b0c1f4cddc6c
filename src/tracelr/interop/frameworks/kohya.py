"""kohya's sd-scripts: TOML, JSON or flags with `lr_scheduler`, `unet_lr`, `text_encoder_lr`, `max_train_steps`.

Source: sd-scripts library/train_util.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tracelr.interop._tools import lengths
from tracelr.interop._tools.section import Section
from tracelr.interop.frameworks.diffusers import _KOHYA, dreams
from tracelr.interop.huggingface.scheduler_types import Run, ends, schedule
from tracelr.schedules.assignment import Assignment, Loaded
from tracelr.schedules.base import Schedule

EXAMPLE = """\
learning_rate: 1.0e-4
lr_scheduler: cosine
lr_scheduler_num_cycles: 1
max_train_steps: 1600
"""


def _flat(mapping: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return the settings of all sections: the scripts ignore the names of the sections. An empty string is no value."""
    inner = {k: v for value in mapping.values() if isinstance(value, Mapping) for k, v in value.items()}
    both = {**{k: v for k, v in mapping.items() if not isinstance(v, Mapping)}, **inner}
    return {key: value for key, value in both.items() if value != ""}


def matches(mapping: Mapping[Any, Any]) -> bool:
    given = _flat(mapping)
    own = any(key in given for key in _KOHYA[:6] if key != "text_encoder_lr" or not dreams(given))
    return (
        (isinstance(given.get("lr_scheduler"), str) or ("network_module" in given and "learning_rate" in given))
        and own
        and "micro_batch_size" not in given
        and "optim_wrapper" not in given
    )


def read(top: Section) -> Loaded:
    top.ignore(*(key for key in top.given if isinstance(key, str)))
    s = Section(_flat(top.given), top.where, by=top.by)
    name = s.text("lr_scheduler", default="constant")
    s.ignore(
        "lr_warmup_steps",
        "lr_warmup",
        "lr_scheduler_num_cycles",
        "lr_scheduler_power",
        "learning_rate",
        "unet_lr",
        "lr_decay_steps",
        "text_encoder_lr",
        "learning_rate_te",
        "max_train_epochs",
        "epoch",
    )
    for key in (
        "lr_scheduler_type",
        "lr_scheduler_args",
        "lr_decay_steps",
        "learning_rate_te1",
        "learning_rate_te2",
        "block_lr",
    ):
        if s.has(key):
            raise s.refuse(key, allowed="a schedule of transformers", fix=f"pass --set {key}=null to read the rest")
    _adafactor(s)
    needs = ends(s, name)
    part = s.number("lr_warmup", default=0.0) / 100
    warm = s.number("lr_warmup_steps", default=0.0) or part
    steps = _steps(s) if needs or 0 < warm < 1 else 0
    warm = s.part("warm-up", warm, steps, int) if warm < 1 else int(warm)
    cycles = s.number("lr_scheduler_num_cycles", default=1.0)
    values = {"num_cycles": cycles} if name == "cosine_with_restarts" else {}
    if name == "polynomial":
        values["power"] = s.number("lr_scheduler_power", default=1.0)
    rates = [s.number(key, default=None) for key in ("unet_lr", "text_encoder_lr")]
    base = s.number("learning_rate", default=None)
    rates = [base if rate is None else rate for rate in rates]
    if None in rates:
        raise s.missing("learning_rate")

    def curve(rate: float) -> Schedule:
        return schedule(s, name, Run(rate, warm, steps), **values)

    if rates[0] == rates[1]:
        return curve(rates[0])
    return [Assignment("lr", (tag,), curve(rate)) for tag, rate in zip(("unet", "text_encoder"), rates, strict=True)]


def _adafactor(s: Section) -> None:
    """Raise for Adafactor with relative steps, which kohya turns on unless the arguments say otherwise."""
    given = s.raw("optimizer_args", default=None)
    words = re.findall(r"[\w.=]+", str(given))
    if str(s.given.get("optimizer_type")).lower() == "adafactor" and "relative_step=False" not in words:
        allowed = "Adafactor with relative_step=False in optimizer_args, because it makes its own rate without that"
        raise s.refuse("optimizer_type", allowed=allowed, fix="pass --set optimizer_type=null to read the rest")


def _steps(s: Section) -> int:
    epochs = s.number("max_train_epochs", default=None)
    if epochs is None:
        epochs = s.number("epoch", default=None) if "max_train_steps" not in s.given else None
    batch, accumulation = s.count("train_batch_size", default=None), s.number("gradient_accumulation_steps", default=1)
    if epochs is None:
        return int(s.count("max_train_steps", default=1600))
    s.ignore("max_train_steps")
    return lengths.total(s, epochs, lengths.epochs_of(batch, accumulation, epochs), batch, int(accumulation), ceil=True)
