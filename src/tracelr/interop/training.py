"""Writes a schedule as the settings of a training framework, and reads them back and compares before it returns them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, NamedTuple, final

import torch

from tracelr.arithmetic import LAST_STEP
from tracelr.errors import ConfigError, Unquoted
from tracelr.interop._tools import kinds
from tracelr.interop._tools.checks import Place
from tracelr.interop._tools.simplify import only_schedule, refuse, require_numbers, simplified
from tracelr.interop._tools.units import Units
from tracelr.interop.readers import READERS
from tracelr.schedules.assignment import Loaded
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Sequential, Shift
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.curves.polynomial import Polynomial
from tracelr.schedules.curves.ramp import Ramp

TOLERANCE = 2e-6
"""How far the written settings may be from the schedule, in parts of the peak: the readers compute in another order."""
_MOST = 200_000


@final
class Shape(NamedTuple):
    """A warm-up in a line, a constant rate and a decay: what most frameworks can say. Lengths are in steps."""

    peak: float
    start: float
    warm: int
    stable: int
    kind: str
    end: float
    decay: int
    power: float

    @property
    def steps(self) -> int:
        """The length of the run."""
        return self.warm + self.stable + self.decay


def shape_of(schedule: Schedule, to: str) -> Shape:
    """Return the shape of a schedule, or raise `ConfigError` if it is another one."""
    schedule = simplified(schedule)
    require_numbers(to, schedule, LAST_STEP)
    parts, bounds = _flat(schedule)
    start, warm, stable = 0.0, 0, 0
    first = parts[0].inner if isinstance(parts[0], Shift) and len(parts) > 1 else parts[0]
    if len(parts) > 1 and isinstance(first, Linear) and first.steps in (bounds[0], bounds[0] + 1):
        start, warm, parts = _number(first.start), bounds[0], parts[1:]
    if len(parts) > 1 and isinstance(parts[0], Constant):
        stable, parts = bounds[-1] - warm, parts[1:]
    main = parts[0]
    if isinstance(main, Shift):  # torchtitan's has one more, virtual step
        stable, main = max(stable + main.by, 0), main.inner
    if len(parts) == 1 and isinstance(main, Constant):
        return Shape(_number(main.value), start, warm, stable, "constant", _number(main.value), 0, 1.0)
    if len(parts) == 1 and isinstance(main, (Linear, Cosine, Polynomial, Ramp)):
        if isinstance(main, Linear) and not warm and not stable and _number(main.end) > _number(main.start):
            return Shape(_number(main.end), _number(main.start), main.steps, 0, "constant", _number(main.end), 0, 1.0)
        kind = main.kind if isinstance(main, Ramp) else type(main).__name__.lower()
        power = main.power if isinstance(main, Polynomial) else 1.0
        return Shape(_number(main.start), start, warm, stable, kind, _number(main.end), main.steps, _number(power))
    raise refuse(to, schedule, "which is not a warm-up, a constant rate and one decay")


def _number(value: Any) -> float:
    return float(value)  # `require_numbers` has refused tensors and schedules


def _flat(schedule: Schedule) -> tuple[list[Schedule], list[int]]:
    """Return the schedules of nested sequences one after another, and the steps at which they begin."""
    if not isinstance(schedule, Sequential) or schedule.join != "jump" or schedule.reset is not True:
        return [schedule], []
    parts: list[Schedule] = []
    bounds: list[int] = []
    for begin, child in zip((0, *schedule.milestones), schedule.schedules, strict=True):
        inner, within = _flat(child)
        bounds.extend([begin] * (begin > 0) + [begin + each for each in within])
        parts.extend(inner)
    return parts, bounds


def _huggingface(s: Shape) -> str:
    settings: dict[str, Any] = {"learning_rate": s.peak, "warmup_steps": s.warm, "max_steps": max(s.steps, 1)}
    more: dict[str, Any] = {}
    if s.kind == "constant":
        name = "constant_with_warmup" if s.warm else "constant"
    elif s.stable or s.kind == "1-sqrt":
        name = "warmup_stable_decay"
        more = {
            "num_decay_steps": s.decay,
            "num_stable_steps": s.stable,
            "decay_type": s.kind,
            "min_lr_ratio": s.end / s.peak,
        }
    elif s.kind == "cosine":
        name = "cosine_with_min_lr" if s.end else "cosine"
        more = {"min_lr": s.end} if s.end else {}
    elif s.kind == "linear" and not s.end:
        name = "linear"
    elif s.kind in ("linear", "polynomial"):
        name, more = "polynomial", {"lr_end": s.end, "power": s.power}
    else:
        raise refuse("huggingface", Unquoted(f"a decay called {s.kind}"))
    settings |= {"lr_scheduler_type": name} | ({"lr_scheduler_kwargs": more} if more else {})
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in settings.items())


def _deepspeed(s: Shape) -> str:
    rate: dict[str, Any] = {
        "warmup_min_lr": s.start,
        "warmup_max_lr": s.peak,
        "warmup_num_steps": s.warm,
        "warmup_type": "linear",
    }
    name = "WarmupLR"
    if not s.warm and s.kind in ("cosine", "linear") and not s.stable:
        name, rate = "CosineAnnealingLR", {"T_max": s.decay, "eta_min": s.end}
        if s.kind == "linear":
            name, rate = "LinearLR", {"start_factor": 1.0, "end_factor": s.end / s.peak, "total_iters": s.decay}
    elif s.kind == "linear" and not s.stable:
        name, rate = "WarmupDecayLR", rate | {"total_num_steps": s.steps}
    elif s.kind == "cosine" and not s.stable:
        name = "WarmupCosineLR"
        rate = {"total_num_steps": s.steps, "warmup_min_ratio": s.start / s.peak, "warmup_num_steps": s.warm,
                "cos_min_ratio": s.end / s.peak, "warmup_type": "linear"}  # fmt: skip
    elif s.kind != "constant":
        raise refuse("deepspeed", Unquoted(f"a decay called {s.kind}" + " after a constant rate" * bool(s.stable)))
    settings = {"optimizer": {"type": "AdamW", "params": {"lr": s.peak}}, "scheduler": {"type": name, "params": rate}}
    return json.dumps(settings, indent=2) + "\n"


def _torchtitan(s: Shape) -> str:
    names = {"linear": "linear", "cosine": "cosine", "1-sqrt": "sqrt", "constant": "linear"}
    if s.kind not in names:
        raise refuse("torchtitan", Unquoted(f"a decay called {s.kind}"))
    steps, low = max(s.steps, 1), s.end / s.peak
    ratio = f"decay_ratio = {s.decay / steps!r}\n" if s.stable and s.kind != "constant" else ""
    return (
        f'[optimizer]\nname = "AdamW"\nlr = {s.peak!r}\n\n[lr_scheduler]\nwarmup_steps = {s.warm}\n{ratio}'
        f'decay_type = "{names[s.kind]}"\nmin_lr_factor = {low!r}\n\n[training]\nsteps = {steps}\n'
    )


def _megatron(s: Shape) -> str:
    names = {"linear": "linear", "cosine": "cosine", "constant": "constant", "1-sqrt": "WSD", "exponential": "WSD"}
    if s.kind not in names:
        raise refuse("megatron", Unquoted(f"a decay called {s.kind}"))
    wsd = (s.stable > 0 or names[s.kind] == "WSD") and s.kind != "constant"
    style = "WSD" if wsd else names[s.kind]
    steps = max(s.steps, 1)
    flags = {
        "lr": s.peak,
        "min-lr": s.end if s.kind != "constant" else 0.0,
        "lr-decay-style": style,
        "lr-warmup-iters": s.warm,
    }
    if s.start:
        flags["lr-warmup-init"] = s.start
    if wsd:
        flags |= {"lr-wsd-decay-style": {"1-sqrt": "minus_sqrt"}.get(s.kind, s.kind), "lr-wsd-decay-iters": s.decay}
    flags |= {"lr-decay-iters": steps, "train-iters": steps}
    return " \\\n".join(f"--{name} {value}" for name, value in flags.items()) + "\n"


def _mmengine(s: Shape) -> str:
    entries = []
    if s.warm:
        entries.append(
            f"    dict(type='LinearLR', start_factor={s.start / s.peak!r}, by_epoch=False, begin=0, end={s.warm + 1}),"
        )
    begin, end = s.warm + s.stable, s.steps
    if s.kind == "cosine":
        entries.append(
            f"    dict(type='CosineAnnealingLR', T_max={s.decay}, eta_min={s.end!r}, by_epoch=False, "
            f"begin={begin}, end={end + 1}),"
        )
    elif s.kind in ("linear", "polynomial"):
        entries.append(
            f"    dict(type='PolyLR', power={s.power!r}, eta_min={s.end!r}, by_epoch=False, begin={begin}, end={end + 1}),"
        )
    elif s.kind != "constant":
        raise refuse("mmengine", Unquoted(f"a decay called {s.kind}"))
    return (
        f"optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr={s.peak!r}))\n"
        + "\n".join(["param_scheduler = [", *entries, "]"])
        + f"\ntrain_cfg = dict(type='IterBasedTrainLoop', max_iters={max(s.steps, 1)})\n"
    )


def _timm(s: Shape, updates: int) -> str:
    """Return timm's flags. Its lengths are in epochs, of `updates` optimizer updates each."""
    if s.stable or s.kind not in ("cosine", "linear", "polynomial"):
        raise refuse("timm", Unquoted("a constant rate" if s.stable else f"a decay called {s.kind}"))
    if s.warm % updates or s.decay % updates:
        given = Unquoted(f"a warm-up of {s.warm:,} and a decay of {s.decay:,} steps")
        fix = "change the schedule, or --steps-per-epoch"
        raise ConfigError("convert to timm", given, f"multiples of an epoch of {updates:,} steps", fix, 200)
    settings: dict[str, Any] = {"sched": "cosine" if s.kind == "cosine" else "poly", "lr": s.peak, "min_lr": s.end}
    settings |= {} if s.kind == "cosine" else {"decay_rate": s.power}
    settings |= {"epochs": s.decay // updates, "warmup_epochs": s.warm // updates, "warmup_lr": s.start}
    settings |= {"warmup_prefix": True, "sched_on_updates": True}
    said = f"# An epoch has {updates:,} optimizer updates, and the warm-up comes before the epochs.\n"
    return said + "".join(f"{key}: {json.dumps(value)}\n" for key, value in settings.items())


WRITTEN: dict[str, tuple[Callable[..., str], str]] = {
    "huggingface": (_huggingface, "written.yaml"),
    "deepspeed": (_deepspeed, "written.json"),
    "torchtitan": (_torchtitan, "written.toml"),
    "megatron": (_megatron, "written.sh"),
    "mmengine": (_mmengine, "written.py"),
    "timm": (_timm, "written.yaml"),
}
"""What writes the settings of each framework, and a name whose suffix says of which kind the text is."""


def write(found: Loaded, units: Units | None = None, *, to: str) -> str:
    """Return a schedule as settings of the framework `to`. `units` say the steps of an epoch, where it counts in epochs.

    Without them an epoch is as long as the lengths of the schedule allow.

    Raises `ConfigError` that names the first step at which the framework would have another rate, and by how much.
    """
    schedule = only_schedule(found, to)
    inner = schedule.inner if to == "deepspeed" and isinstance(schedule, Shift) and schedule.by == 1 else schedule
    make, name = WRITTEN[to]
    shape = shape_of(inner, to)
    if to == "timm":
        updates = (units.steps_per_epoch if units is not None else None) or math.gcd(shape.warm, shape.decay) or 1
        text, units = make(shape, int(updates)), Units(steps_per_epoch=updates)
    else:
        text, units = make(shape), None
    where = Place(f"convert to {to}")._replace(units=units)
    read = READERS[to].read(kinds.mapping(text.encode(), Place(name)), where)
    assert isinstance(read, Schedule)
    _check(schedule, read, to)
    return text


def _check(schedule: Schedule, read: Schedule, to: str) -> None:
    last = schedule.length or 1000
    steps = torch.linspace(0, last, min(last + 1, _MOST), dtype=torch.float64).round().long()
    with torch.no_grad():
        ours, theirs = schedule(steps).double(), read(steps).double()
    far = ((ours - theirs).abs() > TOLERANCE * ours.abs().max()).nonzero().flatten()
    if len(far):
        k = int(far[0])
        given = Unquoted(
            f"a rate of {float(ours[k]):.9g} at step {int(steps[k]):,}, where {to} would have {float(theirs[k]):.9g}"
        )
        allowed = f"a schedule that {to} has at every step"
        raise ConfigError(f"convert to {to}", given, allowed, "change the schedule, or convert to another format", 200)
