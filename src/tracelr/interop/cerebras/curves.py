"""The curves of the Cerebras schedulers, without an optimizer: their parameters, and the schedule that each one returns.

A curve is a function from parameters, each with its rule, to a schedule. Its parameters have Cerebras' general names, such
as `initial_val`, which the weight-decay schedulers use. `LR` has the names in the learning-rate schedulers and
`FIRST_RELEASE` those in the first release. `parameters(curve, words)` returns the parameters under such names, and `CURVES`
lists the curves by the names of their classes without `LR` or `WD`. The classes and the readers of files both use them.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias, final, get_args, get_type_hints

from tracelr.errors import ScheduleError, ScheduleTypeError
from tracelr.schedules import fields
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Product, Scale
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.cosine_annealing import CosineAnnealing
from tracelr.schedules.curves.cyclic import Cyclic, Mode
from tracelr.schedules.curves.exponential import Exponential
from tracelr.schedules.curves.inverse_sqrt import InverseSqrt
from tracelr.schedules.curves.inverse_time import InverseTime
from tracelr.schedules.curves.lambda_ import Lambda
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.curves.multi_step import MultiStep
from tracelr.schedules.curves.one_cycle import OneCycle
from tracelr.schedules.curves.piecewise_constant import PiecewiseConstant
from tracelr.schedules.curves.polynomial import Polynomial
from tracelr.schedules.curves.step import Step
from tracelr.schedules.curves.warm_restarts import WarmRestarts
from tracelr.schedules.fields import (
    Choice,
    Exponent,
    Flag,
    GrowthFactor,
    Increasing,
    Positive,
    PythonFloat,
    Rule,
    Scalar,
    Steps,
    Values,
)

Curve: TypeAlias = Callable[..., Schedule]
LR = {
    "val": "learning_rate",
    "vals": "learning_rates",
    "initial_val": "initial_learning_rate",
    "end_val": "end_learning_rate",
    "base_val": "base_lr",
    "max_val": "max_lr",
    "val_lambda": "lr_lambda",
}
FIRST_RELEASE = LR | {"val": "val", "initial_val": "learning_rate", "total_iters": "decay_steps"}
OLDER_PARAMETERS = {"val": "learning_rate", "learning_rate": "initial_learning_rate", "decay_steps": "total_iters"}
"""Names of parameters in older releases, and the newer names. A class that has only the newer one accepts the older one."""
FACTORS = {"lr": "adjust_learning_rate", "weight_decay": "adjust_val"}
"""The key of a param group by whose number `ScalePerParam` multiplies, for each key that is driven. In the original, a
group's `adjust_learning_rate` takes precedence over its `adjust_val`, and so scales the weight decay too."""


def _peak_at(pct_start: float, total_steps: int) -> float:
    """Return the step of the peak, computed in decimals so that 0.07 of 100 steps is 7."""
    return float(Decimal(str(pct_start)) * total_steps - 1)


@final
class _Rise(Rule):
    allowed = "a number that puts pct_start * total_steps - 1 after step 0, before the last (with three_phase, the middle)"

    def parse(self, where: str, given: Any) -> float:
        return fields.number(where, given, self.allowed)

    def check_against(self, where: str, value: float, fields: dict[str, Any]) -> None:
        last = (fields["total_steps"] - 1) / (2 if fields["three_phase"] else 1)
        if not 0 < _peak_at(value, fields["total_steps"]) < last:
            raise ScheduleError(where, value, self.allowed, "move the peak there")


@final
class _Functions(Rule):
    allowed = "a function of the step, or a list of them, which are multiplied"

    def parse(self, where: str, given: Any) -> tuple[Callable[..., Any], ...]:
        functions = tuple(given) if isinstance(given, (list, tuple)) else (given,)
        if not functions or not all(map(callable, functions)):
            raise ScheduleTypeError(where, given, self.allowed, "pass one")
        return functions


Boundaries: TypeAlias = Annotated[Sequence[int], Increasing(between="vals")]
Rise: TypeAlias = Annotated[float, _Rise()]
Functions: TypeAlias = Annotated[Sequence[Callable[..., Any]], _Functions()]
ScaleMode: TypeAlias = Annotated[Literal["cycle", "iterations"], Choice("cycle", "iterations")]
Strategy: TypeAlias = Annotated[Literal["cos", "linear"], Choice("cos", "linear")]


def _constant(val: Scalar, total_iters: Steps | None = None) -> Schedule:
    return Constant(val)


def _polynomial(
    initial_val: Scalar, end_val: Scalar, total_iters: Steps, power: Exponent = 1.0, cycle: Flag = False
) -> Schedule:
    return Polynomial(initial_val, end_val, total_iters, power, cycle)


def _linear(initial_val: Scalar, end_val: Scalar, total_iters: Steps, cycle: Flag = False) -> Schedule:
    return Polynomial(initial_val, end_val, total_iters, cycle=True) if cycle else Linear(initial_val, end_val, total_iters)


def _exponential(initial_val: Scalar, total_iters: Steps, decay_rate: Positive, staircase: Flag = False) -> Schedule:
    return Exponential(initial_val, decay_rate, total_iters, staircase)


def _inverse_time(
    initial_val: Scalar, step_exponent: Exponent, total_iters: Steps, decay_rate: fields.NonNegative, staircase: Flag = False
) -> Schedule:
    return InverseTime(initial_val, decay_rate, total_iters, step_exponent, staircase)


def _inverse_sqrt(initial_val: PythonFloat = 1.0, scale: PythonFloat = 1.0, warmup_steps: Steps = 1) -> Schedule:
    return InverseSqrt(initial_val * scale / math.sqrt(warmup_steps), warmup_steps)


def _cosine_decay(initial_val: Scalar, end_val: Scalar, total_iters: Steps) -> Schedule:
    return Cosine(initial_val, end_val, total_iters)


def _piecewise_constant(vals: Values, milestones: Boundaries) -> Schedule:
    return PiecewiseConstant(vals, milestones)


def _multi_step(initial_val: Scalar, gamma: Positive, milestones: fields.RepeatedMilestones) -> Schedule:
    return MultiStep(initial_val, gamma, milestones)


def _step(initial_val: Scalar, step_size: Steps, gamma: Positive) -> Schedule:
    return Step(initial_val, gamma, step_size)


def _cosine_annealing(initial_val: Scalar, T_max: Steps, eta_min: Scalar = 0.0) -> Schedule:
    return CosineAnnealing(initial_val, eta_min, T_max)


def _warm_restarts(initial_val: Scalar, T_0: Steps, T_mult: GrowthFactor = 1.0, eta_min: Scalar = 0.0) -> Schedule:
    return WarmRestarts(initial_val, eta_min, T_0, T_mult)


def _multiplicative(initial_val: Scalar, coefficient: Positive) -> Schedule:
    return Exponential(initial_val, coefficient, 1)


def _lambda(initial_val: Scalar, val_lambda: Functions | None = None) -> Schedule:
    curves = [Lambda(function) for function in val_lambda or ()]
    return Scale(curves[0] if len(curves) == 1 else Product(curves), initial_val)


def _cyclic(
    base_val: Scalar,
    max_val: Scalar,
    step_size_up: Steps = 2000,
    step_size_down: Steps | None = None,
    mode: Mode = "triangular",
    gamma: Positive = 1.0,
    scale_mode: ScaleMode = "cycle",
) -> Schedule:
    return Cyclic(base_val, max_val, step_size_up, step_size_down, mode, gamma)


def _one_cycle(
    initial_val: PythonFloat,
    max_val: Scalar,
    total_steps: Steps = 1000,
    pct_start: Rise = 0.3,
    final_div_factor: Exponent = 1e4,
    three_phase: Flag = False,
    anneal_strategy: Strategy = "cos",
) -> Schedule:
    end, last = initial_val / final_div_factor, total_steps - 1
    ease: Literal["cosine", "linear"] = "linear" if anneal_strategy == "linear" else "cosine"
    return OneCycle(initial_val, max_val, end, last, _peak_at(pct_start, total_steps), ease, three_phase)


CURVES: dict[str, Curve] = {
    "Constant": _constant,
    "Polynomial": _polynomial,
    "Linear": _linear,
    "Exponential": _exponential,
    "InverseExponentialTimeDecay": _inverse_time,
    "InverseSquareRootDecay": _inverse_sqrt,
    "CosineDecay": _cosine_decay,
    "PiecewiseConstant": _piecewise_constant,
    "MultiStep": _multi_step,
    "Step": _step,
    "CosineAnnealing": _cosine_annealing,
    "Lambda": _lambda,
    "CosineAnnealingWarmRestarts": _warm_restarts,
    "Multiplicative": _multiplicative,
    "Cyclic": _cyclic,
    "OneCycle": _one_cycle,
}


@final
class Parameter(NamedTuple):
    """A parameter of a scheduler: its name in the curve, its type, the rule that the type carries, its default.

    The default is `inspect.Parameter.empty` if the parameter is required.
    """

    own: str
    kind: Any
    rule: Rule
    default: Any

    @property
    def required(self) -> bool:
        """Whether the parameter has no default."""
        return self.default is inspect.Parameter.empty


def parameters(curve: Callable[..., Any], words: Mapping[str, str]) -> dict[str, Parameter]:
    """Return the parameters of `curve`, in order, by the names that `words` gives them.

    >>> list(parameters(CURVES["Polynomial"], LR))
    ['initial_learning_rate', 'end_learning_rate', 'total_iters', 'power', 'cycle']
    """
    hints = get_type_hints(curve, include_extras=True)
    found = {}
    for own, parameter in inspect.signature(curve).parameters.items():
        within = (hints[own], *get_args(hints[own]))
        kind, rule = next((part.__origin__, rule) for part in within if (rule := fields.rule_of(part)))
        if isinstance(rule, Increasing) and rule.between:
            rule = copy.copy(rule)
            rule.between = words.get(str(rule.between), rule.between)
        found[words.get(own, own)] = Parameter(own, kind, rule, parameter.default)
    return found


def run_length(values: Mapping[str, Any]) -> int | None:
    """Return how many steps a curve with these values runs in a sequence, or None if no parameter says so.

    >>> run_length({"val": 0.1, "total_iters": 5})
    5
    """
    return next((values[own] for own in ("total_iters", "total_steps") if values.get(own) is not None), None)
