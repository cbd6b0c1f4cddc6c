"""timm's train.py: flags, or its args.yaml, with `sched`, `warmup_lr`, `warmup_epochs`.

It has a rate for each epoch, unless sched_on_updates. Source: timm/scheduler/scheduler_factory.py and timm's train.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.errors import Unquoted
from tracelr.interop._tools import lengths
from tracelr.interop._tools.pieces import per_epoch, warmed
from tracelr.interop._tools.section import Section
from tracelr.schedules.assignment import Assignment, Loaded
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Sequential
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.k_decay import KDecay
from tracelr.schedules.curves.multi_step import MultiStep
from tracelr.schedules.curves.step import Step
from tracelr.schedules.curves.warm_restarts import WarmRestarts

EXAMPLE = """\
sched: cosine
lr: 0.4
epochs: 150
warmup_epochs: 5
warmup_lr: 1.0e-5
sched_on_updates: false
opt: sgd
"""
_OWN = ("warmup_lr", "warmup_epochs", "decay_epochs", "lr_base", "opt", "min_lr", "cooldown_epochs")


def keys(mapping: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return the settings with _ for - in their names, as argparse has them."""
    return {key.replace("-", "_") if isinstance(key, str) else key: value for key, value in mapping.items()}


def matches(mapping: Mapping[Any, Any]) -> bool:
    given = keys(mapping)
    return isinstance(given.get("sched"), str) and any(key in given for key in _OWN)


def read(top: Section) -> Loaded:
    s = Section(keys(top.given), top.where, by=top.by)
    top.ignore(*(key for key in top.given if isinstance(key, str)))
    s.ignore(
        "patience_epochs",
        "lr_noise_pct",
        "lr_noise_std",
        "eval_metric",
        "lr_cycle_limit",
        "lr_cycle_decay",
        "lr_cycle_mul",
        "decay_milestones",
        "decay_epochs",
        "decay_rate",
        "lr_base",
        "lr_base_size",
        "lr_base_scale",
        "opt_kwargs",
        "plateau_mode",
    )
    s.ignore("layer_decay_min_scale", "layer_decay_no_opt_scale", "model_ema_warmup")
    for key in ("lr_noise", "sched_kwargs"):
        if s.has(key):
            raise s.refuse(key, allowed="a rate without it", fix="remove it")
    name = s.text("sched", default="cosine").removesuffix("_lr")
    if name.startswith("plateau"):
        raise s.metric("sched", instead="cosine, step, multistep, poly")
    peak, epochs = _peak(s), s.count("epochs", default=300)
    warm, start = s.count("warmup_epochs", default=5), s.number("warmup_lr", default=1e-5)
    prefix, low = s.flag("warmup_prefix"), s.number("min_lr", default=0.0)
    s.count("cooldown_epochs", default=0)
    batch, accumulation = s.count("batch_size", "b", default=None), s.count("grad_accum_steps", default=1)
    says = lengths.epochs_of(batch, accumulation, epochs)
    updates = lengths.per_epoch(s, epochs, says, batch, accumulation, ceil=True)
    by_update = s.flag("sched_on_updates")
    unit = updates if by_update else 1
    curve = s.build(lambda: _curve(s, name, peak, low, epochs, unit))
    if warm:
        curve = s.build(warmed, curve, peak, warm * unit, start, same_clock=not prefix)
    curve = curve if by_update else s.build(per_epoch, curve, updates)
    layerwise = s.has("layer_decay")
    return [Assignment("lr", None, curve, "lr_scale")] if layerwise else curve


def _curve(s: Section, name: str, peak: float, low: float, epochs: int, unit: int) -> Schedule:
    if name in ("step", "multistep"):
        gamma = s.number("decay_rate", default=0.1)
        if name == "multistep":  # timm asks for the next step
            return MultiStep(
                peak, gamma, [max(each * unit - 1, 0) for each in s.counts("decay_milestones", default=[90, 180, 270])]
            )
        return Step(peak, gamma, s.count("decay_epochs", default=90) * unit)
    cycles, growth = s.count("lr_cycle_limit", default=1), s.number("lr_cycle_mul", default=1.0)
    k = s.number("lr_k_decay", default=1.0)
    if name not in ("cosine", "poly"):
        raise s.refuse("sched", allowed="cosine, step, multistep, poly", fix="use one of these")
    if cycles > 1:
        if name == "poly" or k != 1:
            raise s.where.refuse(Unquoted("several cycles of this curve"), "one cycle", "write lr_cycle_limit: 1")
        return WarmRestarts(peak, low, epochs * unit, growth, s.number("lr_cycle_decay", default=0.5), cycles)
    power = s.number("decay_rate", default=0.1) if name == "poly" else None
    curve = KDecay(peak, low, epochs * unit, k, power)
    return Sequential([curve, Constant(low)], [epochs * unit])


def _peak(s: Section) -> float:
    """Return `lr`, or `lr_base` times the batch over `lr_base_size` or, for Adam and LAMB, times the root of that."""
    given = s.number("lr", default=None)
    if given is not None:
        return float(given)
    batch = s.count("batch_size", "b", default=128) * s.count("grad_accum_steps", default=1)
    devices = lengths.units_of(s).devices
    if devices is None:
        raise lengths.ask(
            s, f"no lr, which depends on the batch of all devices ({batch} on one)", "--devices D", "--set lr=VALUE"
        )
    ratio = batch * devices / s.count("lr_base_size", default=256)
    optimizer = s.text("opt", default="sgd").lower()
    scale = s.text("lr_base_scale", default="") or ("sqrt" if any(o in optimizer for o in ("ada", "lamb")) else "linear")
    ratio = ratio**0.5 if scale == "sqrt" else ratio
    base = s.number("lr_base", default=0.1)
    s.note(f"lr {base:g} x {ratio:g} = {base * ratio:g} for a batch of {batch * devices:,}, scaled by {scale}")
    return float(base * ratio)
