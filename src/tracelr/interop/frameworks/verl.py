"""verl: YAML, or overrides on the command line, with `optim: {lr, lr_warmup_steps_ratio}`.

Source: verl/utils/torch_functional.py, verl/trainer/fsdp_sft_trainer.py and verl/workers/fsdp_workers.py; for
Megatron (`lr_decay_style`) verl/utils/megatron/optimizer.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.errors import Unquoted
from tracelr.interop._tools import lengths
from tracelr.interop._tools.pieces import drop_first, then, warmed
from tracelr.interop._tools.section import Section
from tracelr.interop.frameworks import megatron
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.cosine_waves import CosineWaves

EXAMPLE = """\
optim: {lr: 1.0e-5, lr_warmup_steps_ratio: 0.1, lr_scheduler: cosine}
trainer: {total_training_steps: 4000}
"""
_ENGINES = ("FSDPOptimizerConfig", "McoreOptimizerConfig")
_CHECKPOINT = ("use_checkpoint_opt_param_scheduler", "override_opt_param_scheduler")
_OWN = ("lr_warmup_steps_ratio", "warmup_style", "lr_scheduler", "total_training_steps", "lr_scheduler_type")


def _path(mapping: Mapping[Any, Any]) -> tuple[str, ...]:
    for path in (("actor_rollout_ref", "actor", "optim"), ("actor", "optim"), ("optim",)):
        inner: Any = mapping
        for key in path:
            inner = inner.get(key) if isinstance(inner, Mapping) else None
        if isinstance(inner, Mapping) and "lr" in inner and (len(path) > 1 or any(key in inner for key in _OWN)):
            return path
    return ()


def matches(mapping: Mapping[Any, Any]) -> bool:
    return bool(_path(mapping)) and "sched" not in mapping.get("optim", {})


def read(s: Section) -> Schedule:
    optim = s
    for key in _path(s.given):
        optim = optim.section(key)
    peak = optim.number("lr")
    optim.ignore("lr_warmup_steps_ratio", "lr_warmup_steps", "min_lr_ratio", "num_cycles", "total_training_steps")
    sft = len(_path(s.given)) == 1
    if not sft:
        s.note("the rate of the actor; a step is one of the trainer, which may make several updates")
    engine = str(optim.given.get("_target_", "")).rpartition(".")[2]
    if engine not in ("", *_ENGINES):
        fix = "write the schedule of that engine with tracelr"
        raise optim.refuse("_target_", allowed=f"the schedules of {' or '.join(_ENGINES)}", fix=fix)
    if engine == _ENGINES[1] or "lr_decay_style" in optim.given:
        return _megatron(s, optim, peak)
    kinds = {each: each for each in ("constant", "cosine", "wsd")}
    kind = optim.choice(kinds, "lr_scheduler_type", "lr_scheduler", "warmup_style", default="cosine" if sft else "constant")
    warm, ratio = _warmup(optim)
    shifted = not optim.flag("zero_indexed_step", default=True)
    if kind == "constant" and (warm is not None or ratio == 0):
        return warmed(Constant(peak), peak, warm or 0)
    total = _total(s, optim)
    warm = optim.part("warm-up", ratio, total, int) if warm is None else warm
    if kind == "constant":
        return warmed(Constant(peak), peak, warm)
    low, cycles = peak * optim.number("min_lr_ratio", default=0.0), optim.number("num_cycles", default=0.5)
    if kind == "cosine":
        left = total - warm
        main = optim.build(Cosine, peak, low, left) if cycles == 0.5 else optim.build(CosineWaves, peak, low, left, cycles)
        return drop_first(warmed(main, peak, warm)) if shifted else warmed(main, peak, warm)
    stable = optim.part("stable", optim.number("stable_ratio", default=0.9), total - warm, int)
    return warmed(then(Constant(peak), stable, optim.build(Cosine, peak, low, total - warm - stable)), peak, warm)


def _warmup(optim: Section) -> tuple[int | None, float]:
    """Return the steps of the warm-up, or None, and its part of the run, which counts if there are no steps."""
    own, ratio = optim.given.get("lr_warmup_steps"), optim.number("lr_warmup_steps_ratio", default=0.0)
    if own == 0 and ratio:
        allowed = "-1, or a number of steps, because releases differ in what 0 means beside lr_warmup_steps_ratio"
        raise optim.refuse("lr_warmup_steps", allowed=allowed, fix="write -1 for the ratio")
    return None if own in (None, -1) else optim.count("lr_warmup_steps"), ratio


def _megatron(s: Section, optim: Section, peak: float) -> Schedule:
    """Return the schedule of Megatron's scheduler, which verl steps by one."""
    style = optim.text("lr_decay_style", default="linear").replace("_", "-")
    low, start = optim.number("min_lr", default=0.0), optim.number("lr_warmup_init", default=0.0)
    warm, ratio = _warmup(optim)
    optim.ignore("lr_decay_steps", "lr_wsd_decay_style", "lr_wsd_decay_steps", *_CHECKPOINT)
    if style == "constant" and (warm is not None or ratio == 0):
        return warmed(Constant(peak), peak, warm or 0, start)
    length = optim.count("lr_decay_steps", default=None) or _total(s, optim)
    warm = optim.part("warm-up", ratio, length, int) if warm is None else warm
    if style != "constant" and not warm < length:
        given = Unquoted(f"a warm-up of {warm} in {length} steps")
        raise optim.where.refuse(given, "a warm-up shorter than the decay", "shorten it")
    tail = optim.count("lr_wsd_decay_steps") if style == "WSD" else 0
    main = optim.build(lambda: megatron.main(optim, style, peak, low, warm, length, tail))
    return warmed(main, peak, warm, start)


def _total(s: Section, optim: Section) -> int:
    trainer = s.section("trainer", optional=True)
    if trainer.count("critic_warmup", default=0):
        s.note("critic_warmup: the schedule of the actor begins when the trainer's warm-up of the critic is over")
    for each in (optim, trainer):
        if each.given.get("total_training_steps") not in (None, -1):
            return int(each.count("total_training_steps"))
    epochs = trainer.number("total_epochs", default=None)
    batch = s.section("data", optional=True).count("train_batch_size", default=None)
    says = lengths.epochs_of(batch, 1, epochs) if epochs else "neither total_training_steps nor total_epochs"
    return lengths.total(s, epochs, says, batch, whole_batch=True)
