"""Reads a pasted line of code, such as `optax.cosine_decay_schedule(6e-4, 100_000)`, by its name and literal arguments.

Nothing is imported or run. The schedulers of torch and transformers multiply the rate of their optimizer: it is read from a
call such as `torch.optim.AdamW(params, lr=1e-3)` in its place, or given as the setting `lr`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Annotated, Any

from torch.optim import lr_scheduler

from tracelr.errors import Unquoted
from tracelr.interop._tools import python, torch_names
from tracelr.interop._tools.calls import Builder, Count, Number, OptionalNumber, Switch, Whole, call
from tracelr.interop._tools.checks import Place, number
from tracelr.interop._tools.pieces import refuse_empty, then, warmed
from tracelr.interop._tools.section import Section
from tracelr.interop.huggingface.scheduler_types import Run
from tracelr.interop.huggingface.scheduler_types import schedule as transformers
from tracelr.interop.keras.read import CLASSES as KERAS
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Clamp, Sequential
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine_power import CosinePower
from tracelr.schedules.curves.exponential import Exponential
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.curves.piecewise_constant import PiecewiseConstant
from tracelr.schedules.curves.polynomial import Polynomial

_CODE = re.compile(
    r"\s*((?:optax|keras|tf|tensorflow|torch|transformers|optim|lr_scheduler|diffusers)\.[\w.]+|get_\w*schedul\w+)\s*\("
)
LARGEST = 20_000
"""The most characters of a line."""


def matches(text: str) -> bool:
    """Return whether a text is a call of optax, Keras, torch or transformers."""
    return _CODE.match(text) is not None


def read(text: str, settings: Mapping[str, Any], where: Place = Place("code")) -> Schedule:  # noqa: B008  # it is immutable
    """Return the schedule that a line of code makes; `settings` may have `lr`, the rate of the optimizer."""
    if len(text) > LARGEST:
        raise where.refuse(Unquoted("a longer line"), f"at most {LARGEST} characters", "paste the call only")
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = getattr(error, "msg", None) or error
        raise where.refuse(Unquoted(f"Python that cannot be parsed: {reason}"), "one call", "correct it") from None
    found = _schedule(where, python.evaluate(node, {}), settings)
    refuse_empty(where, found)
    return found


def _schedule(where: Place, given: Any, settings: Mapping[str, Any]) -> Schedule:
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        return Constant(number(where, given))
    if not isinstance(given, Mapping) or "()" not in given:
        raise where.refuse(given, "a call of optax, Keras, torch or transformers", "paste such a call")
    path, args = str(given["()"]), list(given["args"])
    keywords = {key: value for key, value in given.items() if key not in ("()", "args")}
    name = torch_names.class_name(path)
    where = where / name
    if name == "join_schedules":
        return _joined(where, _bound(where, ("schedules", "boundaries"), args, keywords), settings)
    for table in (OPTAX, KERAS):
        if name in table:
            build = table[name]
            bound = _bound(where, tuple(signature(build).parameters), args, keywords)
            return call(where, name, build, bound, beside=("name", "dtype") if table is KERAS else ())
    if name in _TRANSFORMERS:
        return _transformers(where, name, args, keywords, settings)
    if name in torch_names.NAMES:
        names = tuple(signature(getattr(lr_scheduler, name)).parameters)
        bound = _bound(where, names, args, keywords)
        return torch_names.build(Section(bound, where), name, _rate(where, bound, settings))
    known = [*OPTAX, "join_schedules", *KERAS, *_TRANSFORMERS, *torch_names.NAMES]
    raise where.refuse(name, ", ".join(known), "use one of these")


def _bound(where: Place, names: tuple[str, ...], args: list[Any], keywords: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return the arguments of a call by their names."""
    if len(args) > len(names):
        raise where.refuse(
            Unquoted(f"{len(args)} arguments"), f"at most {len(names)}: {', '.join(names)}", "remove the others"
        )
    found = dict(zip(names, args, strict=False))
    twice = [key for key in keywords if key in found]
    if twice:
        raise where.refuse(Unquoted(f"{twice[0]} twice"), "each argument once", "remove one")
    return {**found, **keywords}


def _joined(where: Place, given: Mapping[Any, Any], settings: Mapping[str, Any]) -> Schedule:
    listed = given.get("schedules")
    if not isinstance(listed, (list, tuple)) or not listed:
        raise (where / "schedules").refuse(listed, "a list of schedules", "write them in the list")
    s = Section(given, where)
    children = [_schedule(where / "schedules" / k, each, settings) for k, each in enumerate(listed)]
    return s.build(Sequential, children, s.counts("boundaries")) if len(children) > 1 else children[0]


def _rate(where: Place, given: dict[Any, Any], settings: Mapping[str, Any]) -> float:
    """Return the rate of the optimizer in the arguments of a scheduler, or the setting `lr`."""
    optimizer = given.pop("optimizer", None)
    if "lr" in settings:
        return number(where / "lr", settings["lr"])
    if isinstance(optimizer, Mapping) and "()" in optimizer:
        name = torch_names.class_name(str(optimizer["()"]))
        return torch_names.optimizer_rate(
            Section({key: value for key, value in optimizer.items() if key != "args"}, where), name
        )
    fix = "pass --set lr=VALUE, or write the optimizer as a call, such as torch.optim.AdamW(params, lr=1e-3)"
    raise where.refuse(Unquoted("a scheduler without the rate of its optimizer"), "the rate that it multiplies", fix)


def _linear(init_value: Number, end_value: Number, transition_steps: Count, transition_begin: Whole = 0) -> Schedule:
    return then(Constant(init_value), transition_begin, Linear(init_value, end_value, transition_steps))


def _polynomial(
    init_value: Number, end_value: Number, power: Number, transition_steps: Count, transition_begin: Whole = 0
) -> Schedule:
    return then(Constant(init_value), transition_begin, Polynomial(init_value, end_value, transition_steps, power))


def _cosine(init_value: Number, decay_steps: Count, alpha: Number = 0.0, exponent: Number = 1.0) -> Schedule:
    return CosinePower(init_value, alpha * init_value, decay_steps, exponent)


def _exponential(
    init_value: Number,
    transition_steps: Count,
    decay_rate: Number,
    transition_begin: Whole = 0,
    staircase: Switch = False,
    end_value: OptionalNumber = None,
) -> Schedule:
    curve: Schedule = Exponential(init_value, decay_rate, transition_steps, staircase)
    if end_value is not None:
        curve = Clamp(curve, *((end_value, None) if decay_rate < 1 else (None, end_value)))
    return then(Constant(init_value), transition_begin, curve)


def _warmup_constant(init_value: Number, peak_value: Number, warmup_steps: Count) -> Schedule:
    return Linear(init_value, peak_value, warmup_steps)


def _warmup_cosine(
    init_value: Number,
    peak_value: Number,
    warmup_steps: Whole,
    decay_steps: Count,
    end_value: Number = 0.0,
    exponent: Number = 1.0,
) -> Schedule:
    return warmed(
        CosinePower(peak_value, end_value, decay_steps - warmup_steps, exponent), peak_value, warmup_steps, init_value
    )


def _warmup_exponential(
    init_value: Number,
    peak_value: Number,
    warmup_steps: Whole,
    transition_steps: Count,
    decay_rate: Number,
    transition_begin: Whole = 0,
    staircase: Switch = False,
    end_value: OptionalNumber = None,
) -> Schedule:
    main = _exponential(peak_value, transition_steps, decay_rate, transition_begin, staircase, end_value)
    return warmed(main, peak_value, warmup_steps, init_value)


def _constant(value: Number) -> Schedule:
    return Constant(value)


def _pairs(where: Place, given: object) -> list[tuple[int, float]]:
    if not isinstance(given, Mapping):
        raise where.refuse(given, "a dict of steps and factors", "write {10: 0.1, ...}")
    s = Section({"steps": list(given), "factors": list(given.values())}, where)
    return sorted(zip(s.counts("steps", default=[]), s.numbers("factors", default=[]), strict=True))


Pairs = Annotated[Sequence[tuple[int, float]], _pairs]


def _piecewise(init_value: Number, boundaries_and_scales: Pairs = ()) -> Schedule:
    values = [init_value]
    for _, scale in boundaries_and_scales:
        values.append(values[-1] * scale)
    return PiecewiseConstant(values, [step for step, _ in boundaries_and_scales])


OPTAX: dict[str, Builder] = {
    "constant_schedule": _constant,
    "linear_schedule": _linear,
    "polynomial_schedule": _polynomial,
    "cosine_decay_schedule": _cosine,
    "exponential_decay": _exponential,
    "piecewise_constant_schedule": _piecewise,
    "warmup_constant_schedule": _warmup_constant,
    "warmup_cosine_decay_schedule": _warmup_cosine,
    "warmup_exponential_decay_schedule": _warmup_exponential,
}
"""The functions of optax, each with the builder of its own signature."""
_TRANSFORMERS = {
    "get_constant_schedule": ("constant", ()),
    "get_constant_schedule_with_warmup": ("constant_with_warmup", ("num_warmup_steps",)),
    "get_linear_schedule_with_warmup": ("linear", ("num_warmup_steps", "num_training_steps")),
    "get_cosine_schedule_with_warmup": ("cosine", ("num_warmup_steps", "num_training_steps", "num_cycles")),
    "get_cosine_with_hard_restarts_schedule_with_warmup": (
        "cosine_with_restarts",
        ("num_warmup_steps", "num_training_steps", "num_cycles"),
    ),
    "get_polynomial_decay_schedule_with_warmup": (
        "polynomial",
        ("num_warmup_steps", "num_training_steps", "lr_end", "power"),
    ),
    "get_inverse_sqrt_schedule": ("inverse_sqrt", ("num_warmup_steps", "timescale")),
}
"""The functions of transformers: the type of each, and its arguments after the optimizer."""


def _transformers(
    where: Place, name: str, args: list[Any], keywords: Mapping[Any, Any], settings: Mapping[str, Any]
) -> Schedule:
    kind, names = _TRANSFORMERS[name]
    given = _bound(where, ("optimizer", *names), args, keywords)
    rate = _rate(where, given, settings)
    s = Section({key: value for key, value in given.items() if key != "last_epoch"}, where)
    unknown = [key for key in s.given if key not in names]
    if unknown:
        raise where.refuse(Unquoted(f"the argument {unknown[0]}"), ", ".join(names), "remove it")
    warm = s.count("num_warmup_steps") if "num_warmup_steps" in names else 0
    steps = s.count("num_training_steps") if "num_training_steps" in names else 0
    values = {key: s.given[key] for key in names if key in s.given and not key.endswith(("warmup_steps", "training_steps"))}
    return transformers(s, kind, Run(rate, warm, steps), **values)
