"""The keys and curves that Cerebras files use and `tracelr.cerebras` does not: other spellings, and older curves.

Three curves differ from the originals, which are wrong: a polynomial with `cycle` cycles (theirs never does), warm restarts
restart (theirs are a square wave), and one-cycle holds its last value (theirs goes below it).
"""

from __future__ import annotations

from tracelr.errors import ScheduleError
from tracelr.interop.cerebras.curves import CURVES, LR, Boundaries, Curve
from tracelr.interop.cerebras.entries import Spelling
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.fields import PythonFloat, Steps, Values

FUNCTION = "Lambda"
"""The curve whose values are a Python function, which no file can hold."""

NEWER_CURVES: dict[str, Curve] = {name: curve for name, curve in CURVES.items() if name != FUNCTION}
"""The curves that a file can name, by the names of their classes without `LR` or `WD`."""


def _piecewise_constant(vals: Values, milestones: Boundaries, initial_learning_rate: PythonFloat | None = None) -> Schedule:
    if initial_learning_rate not in (None, vals[0]):
        where, allowed = "PiecewiseConstant.initial_learning_rate", f"the first of the values, {vals[0]}"
        raise ScheduleError(where, initial_learning_rate, allowed, "leave it out, or make them equal")
    return CURVES["PiecewiseConstant"](vals, milestones)


def _cosine(initial_val: PythonFloat, total_iters: Steps, alpha: PythonFloat = 0.0) -> Schedule:
    return Cosine(initial_val, alpha * initial_val, total_iters)


OLDER_CURVES: dict[str, Curve] = NEWER_CURVES | {"PiecewiseConstant": _piecewise_constant, "Cosine": _cosine}
"""The same for the older files, in which a piecewise constant may repeat its first value, and a cosine ends at a fraction
of its start."""

UNUSED = {"Linear": ("alpha",)}
"""Keys of the older files that have no effect."""

_RATES: dict[str, tuple[str, ...]] = {own: (word,) for own, word in LR.items()}
SPELLINGS: dict[str, Spelling] = {
    "lr": _RATES,
    "weight_decay": {},
    "older": _RATES
    | {
        "val": ("learning_rate", "initial_learning_rate"),
        "vals": ("values", "learning_rates"),
        "initial_val": ("initial_learning_rate", "learning_rate"),
        "base_val": ("base_lr", "initial_learning_rate", "learning_rate"),
        "total_iters": ("decay_steps", "steps", "total_iters"),
        "milestones": ("boundaries", "milestones"),
        "T_max": ("t_max", "T_max"),
        "T_0": ("t_0", "T_0"),
        "T_mult": ("t_mult", "T_mult"),
    },
}
"""The keys of a curve's parameters in the learning-rate classes, the weight-decay classes, and the older files."""
