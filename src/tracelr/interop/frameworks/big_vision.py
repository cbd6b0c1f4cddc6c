"""big_vision: Python with `config.lr` and `config.schedule = dict(decay_type=..., warmup_steps=...)`. A product.

Source: big_vision/utils.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.errors import Unquoted
from tracelr.interop._tools import lengths
from tracelr.interop._tools.pieces import product
from tracelr.interop._tools.section import Section
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Shift
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.curves.power_law import PowerLaw

EXAMPLE = """\
total_steps: 100000
lr: 0.001
schedule: {decay_type: cosine, warmup_steps: 10000}
"""


def matches(mapping: Mapping[Any, Any]) -> bool:
    schedule = mapping.get("schedule")
    return "lr" in mapping and isinstance(schedule, (Mapping, list)) and not isinstance(mapping.get("optimizer"), Mapping)


def read(s: Section) -> Schedule:
    s.ignore(*s.given)
    peak = s.number("lr")
    if not isinstance(s.given.get("schedule"), Mapping):
        raise s.refuse("schedule", allowed="one schedule for every parameter", fix="pick one")
    lr = s.section("schedule")
    lr.ignore("decay_type", "base", "linear_end", "timescale", "timeshift")
    kind = lr.choice({each: each for each in ("cosine", "linear", "rsqrt")}, "decay_type")
    peak *= lr.number("base", default=1.0)
    total = _length(s, s, "total")
    if total is None and "num_epochs" in s.given:  # early releases
        batch = s.count("batch_size", default=None)
        total = lengths.total(s, None, lengths.epochs_of(batch, 1, s.number("num_epochs")))
    if total is None:
        raise s.missing("total_steps", "total_steps, total_epochs or total_examples")
    warm, cool = _length(s, lr, "warmup", total) or 0, _length(s, lr, "cooldown", total) or 0
    if kind == "rsqrt":
        scale, shift = lr.count("timescale", default=10_000), lr.count("timeshift", default=0)
        main: Schedule = PowerLaw(1.0, 0.5, scale, scale + shift)
    elif not warm < total:
        raise lr.where.refuse(Unquoted(f"a warm-up of {warm} in {total}"), "a shorter one", "shorten it")
    else:
        end = lr.number("linear_end", default=0.0) if kind == "linear" else 0.0
        main = (Cosine if kind == "cosine" else Linear)(1.0, end, total - warm)
    factors: list[Schedule] = [Constant(peak), Shift(main, warm)]
    if warm:
        factors.append(Linear(0.0, 1.0, warm))
    if cool:
        factors.append(Shift(Linear(1.0, 0.0, cool), total - cool))
    return lr.build(product, factors)


def _length(s: Section, part: Section, name: str, total: int | None = None) -> int | None:
    """Return a length in steps; it is given in steps, epochs, examples or, of the run, percent."""
    steps = part.count(f"{name}_steps", default=None)
    epochs, examples = part.number(f"{name}_epochs", default=None), part.number(f"{name}_examples", default=None)
    percent = part.number(f"{name}_percent", default=None)
    if steps is not None:
        return int(steps)
    if percent is not None and total is not None:
        return part.part(name, percent, total, int)
    if epochs is None and examples is None:
        return None
    units = lengths.units_of(s)
    batch = s.section("input", optional=True).count("batch_size", default=None) or s.count("batch_size", default=None)
    if examples is not None:
        if batch is None:
            raise lengths.ask(s, f"{name}_examples: {examples:g}", "--set batch_size=B")
        many: int = round(examples / batch)
        return many
    says = lengths.epochs_of(batch, 1, epochs)
    if units.samples_per_epoch is not None and batch is not None:
        value: int = round(epochs * units.samples_per_epoch / batch)
        s.note(f"{name}: round({epochs:g} x {units.samples_per_epoch:,} / {batch}) = {value:,}")
        return value
    return lengths.total(s, epochs, says, batch, whole_batch=True)
