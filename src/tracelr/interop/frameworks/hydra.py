"""Hydra: YAML with `scheduler: {_target_: torch.optim.lr_scheduler.X}`, S4's `_name_`, or SAM 2's fvcore schedulers.

Source: torch.optim.lr_scheduler; state-spaces/s4 src/utils/registry.py; sam2 training/optimizer.py and fvcore.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.errors import Unquoted
from tracelr.interop._tools import lengths, torch_names
from tracelr.interop._tools.pieces import per_epoch
from tracelr.interop._tools.section import Section
from tracelr.schedules.assignment import Assignment, Loaded
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.fields import named

EXAMPLE = """\
optimizer: {_target_: torch.optim.AdamW, lr: 1.0e-3}
scheduler: {_target_: torch.optim.lr_scheduler.CosineAnnealingLR, T_max: 40000}
interval: step
"""
_KEYS = ("scheduler", "lr_scheduler")
_ABOVE = ("model", "module", "training", "train", "learner", "task")
_S4 = {
    "cosine": "CosineAnnealingLR",
    "step": "StepLR",
    "multistep": "MultiStepLR",
    "plateau": "ReduceLROnPlateau",
    "cosine_warmup": "",
    "linear_warmup": "",
    "constant": "",
    "constant_warmup": "",
}


def _found(mapping: Mapping[Any, Any]) -> tuple[str, str] | None:
    """Return the key above that holds the scheduler ("" for none), and the scheduler's own key."""
    for above in ("", *_ABOVE):
        holder = mapping.get(above) if above else mapping
        for key in _KEYS:
            scheduler = holder.get(key) if isinstance(holder, Mapping) else None
            if isinstance(scheduler, Mapping) and ("_target_" in scheduler or named(scheduler.get("_name_"), _S4)):
                return above, key
    return None


def _options(mapping: Mapping[Any, Any]) -> bool:
    trainer = mapping.get("trainer")
    optim = trainer.get("optim") if isinstance(trainer, Mapping) else None
    return isinstance(optim, Mapping) and isinstance(optim.get("options"), Mapping)


def matches(mapping: Mapping[Any, Any]) -> bool:
    return _found(mapping) is not None or _options(mapping)


def read(s: Section) -> Loaded:
    if _options(s.given):
        return _sam2(s)
    found = _found(s.given)
    if found is None:
        raise s.missing("scheduler", "a scheduler with _target_")
    above, key = found
    holder = s.section(above) if above else s
    scheduler = holder.section(key)
    name = (
        torch_names.class_name(scheduler.text("_target_")) if scheduler.has("_target_") else scheduler.choice(_S4, "_name_")
    )
    scheduler.ignore("_target_", "_name_", "_partial_", "_convert_", "optimizer")
    rate = _rate(s, holder)
    if not name:
        raise scheduler.refuse("_name_", allowed="cosine, step, multistep", fix="use one of these")
    curve = torch_names.build(scheduler, name, rate)
    return curve if _interval(s, holder) == "step" else s.build(per_epoch, curve, _updates(s))


def _rate(s: Section, holder: Section) -> float:
    for each in (holder, s):
        if isinstance(each.given.get("optimizer"), Mapping):
            optimizer = each.section("optimizer")
            name = torch_names.class_name(optimizer.text("_target_", default=""))
            return torch_names.optimizer_rate(optimizer, name)
    if s.has("lr"):
        return float(s.number("lr"))
    fix = "pass --set optimizer.lr=VALUE"
    raise s.where.refuse(Unquoted("a scheduler without an optimizer in the file"), "the rate of the optimizer", fix)


def _interval(s: Section, holder: Section) -> str:
    """Return whether the program steps the scheduler once per step or per epoch, if the file says."""
    names = {"step": "step", "epoch": "epoch"}
    for each in (s, holder, *(s.section(key) for key in ("train", "trainer") if isinstance(s.given.get(key), Mapping))):
        for key in ("interval", "scheduler_interval", "lr_scheduler_interval"):
            if each.has(key):
                return each.choice(names, key)
    given = Unquoted("a file that does not say how often the program steps the scheduler")
    raise s.where.refuse(given, "interval: step or interval: epoch", "pass --set interval=step or --set interval=epoch")


def _updates(s: Section) -> int:
    trainer = s.section("trainer", optional=True)
    epochs = trainer.number("max_epochs", default=None)
    says = lengths.epochs_of(None, 1, epochs) if epochs and epochs > 0 else "a scheduler that is stepped once per epoch"
    accumulation = trainer.count("accumulate_grad_batches", default=1, low=1)
    return lengths.per_epoch(s, epochs, says, None, accumulation, ceil=True)


def _sam2(s: Section) -> Loaded:
    trainer = s.section("trainer")
    options, epochs = trainer.section("optim").section("options"), trainer.number("max_epochs")
    total = lengths.total(s, epochs, lengths.epochs_of(None, 1, epochs))
    found = []
    for key in options.given:
        for entry in options.sections(key):
            names = entry.raw("param_names", default=None)
            if entry.has("module_cls_names"):
                raise entry.refuse("module_cls_names", allowed="param_names", fix="name the parameters")
            tags = tuple(names) if isinstance(names, list) else None if names is None else (names,)
            found.append((key, tags, _fvcore(entry.section("scheduler"), total)))
    several = {key for key, tags, _ in found if tags is not None}
    if len(found) == 1 and found[0][0] == "lr" and not several:
        return found[0][2]
    return [Assignment(key, (None,) if tags is None and key in several else tags, curve) for key, tags, curve in found]


def _fvcore(s: Section, total: int) -> Schedule:
    name = torch_names.class_name(s.text("_target_"))
    if name == "ConstantParamScheduler":
        return Constant(s.number("value"))
    if name in ("CosineParamScheduler", "LinearParamScheduler"):
        return s.build(Cosine if name[0] == "C" else Linear, s.number("start_value"), s.number("end_value"), total)
    if name == "CompositeParamScheduler":
        parts, shares = s.sections("schedulers"), s.numbers("lengths")
        scaled = s.raw("interval_scaling", default=None) or ["rescaled"] * len(parts)
        if len(parts) == 2 == len(shares) and all(each == "rescaled" for each in scaled):
            first = s.part("first part", shares[0], total, round)
            rise, main = _fvcore(parts[0], first), _fvcore(parts[1], total - first)
            return s.build(lambda: rise.then(main, at=first))
        raise s.where.refuse(Unquoted("this composite"), "two rescaled parts", "write it out")
    raise s.refuse(
        "_target_", allowed="CosineParamScheduler, LinearParamScheduler, ConstantParamScheduler", fix="use one of these"
    )
