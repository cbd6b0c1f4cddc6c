"""The schedules of factories of transformers and diffusers, whose functions take branches on the step.

A factory such as `get_cosine_schedule_with_warmup` gives LambdaLR a `functools.partial` of a known function, or a function
that closes over the arguments. Its name and these arguments say which schedule it is. The schedule is compared with the
function before it is used, so that a function of the same name that does something else is not taken for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import FunctionType
from typing import Any

from tracelr.errors import TracelrError
from tracelr.interop.huggingface.scheduler_types import TYPES, Run
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Sequential, Shift
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.cosine_waves import CosineWaves
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.curves.piecewise_constant import PiecewiseConstant
from tracelr.schedules.curves.polynomial import Polynomial
from tracelr.schedules.describe.sampling import values_at

_SUFFIXES = ("_lr_lambda", "_lr_rate_lambda", "_lambda")
_NEAR = 1e-9  # of the largest value: both are computed in float64, in another order
_SAMPLES = 200


def from_factory(function: Callable[[Any], Any], base: float) -> Schedule | None:
    """Return the schedule of a function that a known factory has made, times `base`; None for any other function."""
    name, given = _called(function)
    build = _BUILDERS.get(name)
    if build is None:
        return None
    try:
        found = build(base, **given)
        return found if _agrees(found, function, base, given) else None
    except (TracelrError, TypeError, ValueError, ArithmeticError, KeyError):  # other arguments than those of the factory
        return None


def _called(function: Callable[[Any], Any]) -> tuple[str, dict[str, Any]]:
    """Return the name of the factory that made a function, and the arguments that the function got from it."""
    if isinstance(function, partial):
        name = getattr(function.func, "__name__", "").lstrip("_")
        suffix = next((suffix for suffix in _SUFFIXES if name.endswith(suffix)), "")
        return name.removesuffix(suffix), {} if function.args else dict(function.keywords)
    if not isinstance(function, FunctionType) or "<locals>" not in function.__qualname__:
        return "", {}
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    return function.__qualname__.split(".<locals>")[0], dict(zip(function.__code__.co_freevars, cells, strict=True))


def _agrees(found: Schedule, function: Callable[[Any], Any], base: float, given: Mapping[str, Any]) -> bool:
    """Return whether a schedule has the values of the function, at its ends and at steps between and after them."""
    ends = {int(value) for value in given.values() if isinstance(value, (int, float)) and 0 <= value < 2**40}
    ends |= {int(step) for rules in given.values() if isinstance(rules, Mapping) for step in rules}
    ends |= {sum(ends), 2 * max(ends, default=0)}
    steps = {max(end + d, 0) for end in ends for d in (-2, -1, 0, 1, 2)} | set(range(8))
    last = max(steps)
    steps |= {k * last // _SAMPLES for k in range(_SAMPLES)}
    theirs = [base * float(function(step)) for step in sorted(steps)]
    ours = values_at(found, sorted(steps))
    near = _NEAR * max(map(abs, theirs))
    return all(abs(one - other) <= near for one, other in zip(ours, theirs, strict=True))


def _warmed(base: float, warm: int, main: Schedule, start: float = 0.0) -> Schedule:
    return Sequential([Linear(start, base, warm), main], [warm]) if warm else main


def _waves(start: float, end: float, steps: int, cycles: float) -> Schedule:
    """Return cosine waves, which rise again after the last step, as those of transformers do."""
    return CosineWaves(start, end, steps, cycles)


def _linear(base: float, num_warmup_steps: int, num_training_steps: int, f_min: float = 0.0, f_max: float = 1.0) -> Schedule:
    main = Linear(base * f_max, base * f_min, num_training_steps - num_warmup_steps)
    return _warmed(base * f_max, num_warmup_steps, main)


def _cosine(
    base: float, num_warmup_steps: int, num_training_steps: int, num_cycles: float = 0.5, min_lr_rate: float = 0.0
) -> Schedule:
    left = num_training_steps - num_warmup_steps
    return _warmed(base, num_warmup_steps, _waves(base, base * min_lr_rate, left, num_cycles))


def _restarts(base: float, num_warmup_steps: int, num_training_steps: int, num_cycles: float = 1) -> Schedule:
    left = num_training_steps - num_warmup_steps
    one = num_cycles == 1
    main = Cosine(base, 0.0, left) if one else CosineWaves(base, 0.0, left, float(num_cycles), restart=True)
    return _warmed(base, num_warmup_steps, main)


def _polynomial(
    base: float, num_warmup_steps: int, num_training_steps: int, lr_end: float, power: float, lr_init: float
) -> Schedule:
    main = Polynomial(base, base * lr_end / lr_init, num_training_steps - num_warmup_steps, float(power))
    return _warmed(base, num_warmup_steps, main)


def _min_with_early_warmup(
    base: float,
    num_warmup_steps: int,
    num_training_steps: int,
    num_cycles: float = 0.5,
    min_lr_rate: float = 0.0,
    warmup_lr_rate: float | None = None,
) -> Schedule:
    # Here transformers is one step ahead: its waves begin one step before the end of the warm-up.
    warm = num_warmup_steps
    decay = Shift(_waves(base, base * min_lr_rate, num_training_steps - warm, num_cycles), -1)
    first = base / max(warm, 1) if warmup_lr_rate is None else base * warmup_lr_rate
    if warm < 2:
        return decay if not warm else Sequential([Constant(first), decay], [1])
    return Sequential([Linear(first, base, warm - 1), decay], [warm])


def _piecewise(base: float, rules_dict: Mapping[int, float], last_lr_multiple: float) -> Schedule:
    steps = sorted(rules_dict)
    return PiecewiseConstant([*(base * rules_dict[step] for step in steps), base * last_lr_multiple], steps)


def _of_type(name: str) -> Callable[..., Schedule]:
    def build(base: float, num_warmup_steps: int, **given: Any) -> Schedule:
        return TYPES[name].build(Run(base, num_warmup_steps, 0), **given)

    return build


_BUILDERS: dict[str, Callable[..., Schedule]] = {
    "get_constant_schedule_with_warmup": _of_type("constant_with_warmup"),
    "get_linear_schedule_with_warmup": _linear,
    "get_cosine_schedule_with_warmup": _cosine,
    "get_cosine_with_hard_restarts_schedule_with_warmup": _restarts,
    "get_polynomial_decay_schedule_with_warmup": _polynomial,
    "get_inverse_sqrt_schedule": _of_type("inverse_sqrt"),
    "get_cosine_with_min_lr_schedule_with_warmup": _min_with_early_warmup,
    "get_wsd_scheduler": _of_type("warmup_stable_decay"),
    "get_piecewise_constant_schedule": _piecewise,
}
"""The schedule of each factory, from the base rate and the arguments that its function has."""
