"""SpeechBrain: HyperPyYAML whose `lr_annealing` is `!new:speechbrain.nnet.schedulers.X`. It is called after an update.

Update 0 has the rate of the optimizer. Source: speechbrain/nnet/schedulers.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tracelr.errors import Unquoted
from tracelr.interop._tools.checks import Place, number
from tracelr.interop._tools.section import Section
from tracelr.interop._tools.yaml import Tagged
from tracelr.schedules.assignment import Assignment, Loaded
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Sequential
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cyclic import Cyclic
from tracelr.schedules.curves.inverse_sqrt import InverseSqrt
from tracelr.schedules.curves.linear import Linear

EXAMPLE = """\
number_of_epochs: 10
lr: 0.001
lr_annealing: !new:speechbrain.nnet.schedulers.CyclicLRScheduler
  base_lr: 1.0e-8
  max_lr: 0.001
  step_size: 65000
"""
_HOME = "speechbrain.nnet.schedulers."
_METRIC = ("NewBobScheduler", "ReduceLROnPlateau")
_REFERENCE = re.compile(r"<([\w.\[\]]+)>")


def _name(value: Any) -> str:
    """Return the class of a scheduler that the file makes, or an empty string."""
    made = isinstance(value, Tagged) and value.tag.startswith(f"!new:{_HOME}")
    return value.tag.rpartition(".")[2] if made else ""


def matches(mapping: Mapping[Any, Any]) -> bool:
    return any(_name(value) for value in mapping.values())


def read(s: Section) -> Loaded:
    s.ignore(*s.given)  # numbers that the schedulers refer to
    found = [(key, _schedule(s, key, value)) for key, value in s.given.items() if _name(value)]
    if len(found) == 1:
        return found[0][1]
    return [Assignment("lr", (str(key),), schedule) for key, schedule in found]


def _schedule(s: Section, key: str, value: Any) -> Schedule:
    where, name, inner = s.where / key, _name(value), value.value
    given = {k: _resolved(s, each, where / k) for k, each in inner.items()} if isinstance(inner, Mapping) else {}
    a = Section(given, where, s.root, s.by)
    if name in _METRIC:
        allowed = "a schedule of the step, because this one follows a metric"
        raise where.refuse(name, allowed, "use tracelr.Plateau in the training program")
    if name == "CyclicLRScheduler":
        a.choice({"triangular": "triangular"}, "mode", default="triangular")
        low, high = a.number("base_lr", default=0.001), a.number("max_lr", default=0.006)
        curve: Schedule = a.build(Cyclic, low, high, a.count("step_size", default=2000))
        first = _optimizer_rate(s, default=None)
    elif name == "NoamScheduler":
        peak, warm = a.number("lr_initial"), a.count("n_warmup_steps", low=1)
        if a.has("model_size"):
            peak = peak * a.number("model_size") ** -0.5 * warm**-0.5
        curve = Sequential([Linear(0.0, peak, warm), InverseSqrt(peak, warm)], [warm], reset=False)
        first = _optimizer_rate(s, default=a.number("lr_initial"))
    else:
        raise where.refuse(Unquoted(f"the scheduler {name}"), "CyclicLRScheduler, NoamScheduler", "use one of these")
    if first is None:
        fix = "pass --set lr=VALUE, the rate of the optimizer, which the first update has"
        raise s.where.refuse(Unquoted("a file without the rate of its optimizer"), "the key lr", fix)
    s.note("the scheduler is called after an update: update 0 has the rate of the optimizer")
    return Sequential([Constant(first), curve], [1], reset=False)


def _optimizer_rate(s: Section, default: float | None) -> float | None:
    for value in s.given.values():  # opt_class: !name:torch.optim.Adam {lr: !ref <lr>}
        if isinstance(value, Tagged) and "optim" in value.tag and isinstance(value.value, Mapping) and "lr" in value.value:
            return number(s.where, _resolved(s, value.value["lr"], s.where))
    for key in ("lr", "lr_adam"):
        if key in s.given:
            return number(s.where / key, _resolved(s, s.given[key], s.where / key))
    return default


def _resolved(s: Section, value: Any, where: Place, depth: int = 0) -> Any:
    """Return what `!ref <name>` refers to, or a product of such references and numbers."""
    if not isinstance(value, Tagged) or value.tag != "!ref" or not isinstance(value.value, str):
        return value
    if depth > 20:
        raise where.refuse(value, "a reference to a value", "write the value")
    result = None
    for part in value.value.split("*"):
        match = _REFERENCE.fullmatch(part.strip())
        one = _resolved(s, s.given.get(match[1]), where, depth + 1) if match else number(where, part.strip())
        if one is None:
            raise where.refuse(value, "a name that the file sets", "write the value")
        result = one if result is None else number(where, result) * number(where, one)
    return result
