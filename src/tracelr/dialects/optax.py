"""The schedules of optax, as mappings: the name of the function under `optax`, and its arguments beside it.

`join_schedules` has its `schedules` as mappings of the same form. `boundaries_and_scales` maps steps to factors,
`cosine_kwargs` a list of mappings. What optax does with odd arguments is done here too: a length of 0 or less is a constant,
a begin below 0 is 0, a `decay_rate` of 0 is a constant. Where optax would silently compute something else (lists of unequal
lengths, boundaries that do not increase, a negative warm-up), it is an error here.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Annotated, Any

from tracelr.compose import Sequential
from tracelr.dialects import _values
from tracelr.dialects._calls import Builder, Steps, call
from tracelr.dialects._optax import CURVES
from tracelr.dialects._values import Place, choose
from tracelr.schedule import Schedule

SGDR = "warmup_cosine_decay_schedule"
EXAMPLE = """\
optax: warmup_cosine_decay_schedule
init_value: 0.0
peak_value: 6.0e-4
warmup_steps: 2000
decay_steps: 100000
end_value: 6.0e-5
"""


def recognises(mapping: Mapping[Any, Any]) -> bool:
    """Say whether `mapping` names a function of optax."""
    return "optax" in mapping


def read(mapping: Mapping[Any, Any], where: Place) -> Schedule:
    """Return the schedule of the call that `mapping` describes, and of the calls inside it."""
    if not isinstance(mapping, Mapping) or "optax" not in mapping:
        raise where.refuse(mapping, "a mapping with the key optax", "write {optax: constant_schedule, value: ...}")
    build = choose(where / "optax", mapping["optax"], FUNCTIONS)
    return call(where, mapping["optax"], build, mapping, beside=("optax",))


def _schedules(where: Place, given: object) -> list[Schedule]:
    listed = _values.sequence(where, given, "a list of schedules")
    return [read(entry, where / k) for k, entry in enumerate(listed)]


def _cosines(where: Place, given: object) -> list[tuple[Schedule, int]]:
    """Return the schedule of each cycle, and how long it is."""
    cycles = []
    for k, entry in enumerate(_values.sequence(where, given, f"a list of arguments of {SGDR}")):
        if not isinstance(entry, Mapping):
            raise (where / k).refuse(entry, "a mapping", f"write the arguments of {SGDR}")
        curve = call(where / k, SGDR, CURVES[SGDR], entry)
        cycles.append((curve, _values.count(where / k / "decay_steps", entry["decay_steps"])))
    return cycles


def _join(schedules: Annotated[list[Schedule], _schedules], boundaries: Steps) -> Schedule:
    return Sequential(schedules, boundaries)


def _sgdr(cosine_kwargs: Annotated[list[tuple[Schedule, int]], _cosines]) -> Schedule:
    curves, lengths = zip(*cosine_kwargs, strict=True)
    return Sequential(curves, list(accumulate(lengths))[:-1])


FUNCTIONS: dict[str, Builder] = {**CURVES, "join_schedules": _join, "sgdr_schedule": _sgdr}
"""Every function of `optax.schedules` that makes a schedule."""
