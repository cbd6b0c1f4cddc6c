"""The schedulers of torch.optim by name, with the arguments of their constructors, in their own clock."""

from __future__ import annotations

from collections.abc import Callable

from tracelr.errors import Unquoted
from tracelr.interop._tools.pieces import product
from tracelr.interop._tools.section import Section
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Sequential
from tracelr.schedules.curves.cosine_annealing import CosineAnnealing
from tracelr.schedules.curves.cyclic import Cyclic
from tracelr.schedules.curves.exponential import Exponential
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.curves.multi_step import MultiStep
from tracelr.schedules.curves.one_cycle import OneCycle
from tracelr.schedules.curves.piecewise_constant import PiecewiseConstant
from tracelr.schedules.curves.polynomial import Polynomial
from tracelr.schedules.curves.step import Step
from tracelr.schedules.curves.warm_restarts import WarmRestarts


def _one_cycle(s: Section, lr: float) -> Schedule:
    peak = s.number("max_lr")
    total = s.count("total_steps", default=None)
    if total is None:
        total = s.count("epochs") * s.count("steps_per_epoch")
    start = peak / s.number("div_factor", default=25.0)
    ease = {"cos": "cosine", "linear": "linear"}[s.text("anneal_strategy", default="cos")]
    s.ignore("cycle_momentum", "base_momentum", "max_momentum")
    warm = s.number("pct_start", default=0.3) * total - 1
    end = start / s.number("final_div_factor", default=1e4)
    return OneCycle(start, peak, end, total - 1, warm, ease, s.flag("three_phase"))  # type: ignore[arg-type]


def _cyclic(s: Section, lr: float) -> Schedule:
    s.ignore("cycle_momentum", "base_momentum", "max_momentum")
    up = s.count("step_size_up", default=2000)
    mode = s.choice({m: m for m in ("triangular", "triangular2", "exp_range")}, "mode", default="triangular")
    down = s.count("step_size_down", default=None)
    return Cyclic(s.number("base_lr"), s.number("max_lr"), up, down, mode, s.number("gamma", default=1.0))  # type: ignore[arg-type]


def _linear(s: Section, lr: float) -> Schedule:
    first, last = s.number("start_factor", default=1 / 3), s.number("end_factor", default=1.0)
    return Linear(lr * first, lr * last, s.count("total_iters", default=5))


NAMES: dict[str, Callable[[Section, float], Schedule]] = {
    "StepLR": lambda s, lr: Step(lr, s.number("gamma", default=0.1), s.count("step_size")),
    "MultiStepLR": lambda s, lr: MultiStep(lr, s.number("gamma", default=0.1), sorted(s.counts("milestones"))),
    "ConstantLR": lambda s, lr: PiecewiseConstant(
        [lr * s.number("factor", default=1 / 3), lr], [s.count("total_iters", default=5)]
    ),
    "LinearLR": _linear,
    "ExponentialLR": lambda s, lr: Exponential(lr, s.number("gamma"), 1),
    "PolynomialLR": lambda s, lr: Polynomial(lr, 0.0, s.count("total_iters", default=5), s.number("power", default=1.0)),
    "CosineAnnealingLR": lambda s, lr: CosineAnnealing(lr, s.number("eta_min", default=0.0), s.count("T_max")),
    "CosineAnnealingWarmRestarts": lambda s, lr: WarmRestarts(
        lr, s.number("eta_min", default=0.0), s.count("T_0"), s.number("T_mult", default=1)
    ),
    "CyclicLR": _cyclic,
    "OneCycleLR": _one_cycle,
}
"""What each class makes of its arguments and of the optimizer's rate."""
_INNER = ("SequentialLR", "ChainedScheduler")
_METRIC = "ReduceLROnPlateau"


def class_name(path: str) -> str:
    """Return the last name of a path such as torch.optim.lr_scheduler.StepLR."""
    return path.rpartition(".")[2]


def build(s: Section, name: str, lr: float, type_key: str = "_target_", arguments: str = "") -> Schedule:
    """Return the schedule of a torch class for the rate `lr`. `s` has the arguments of its constructor.

    Inside SequentialLR and ChainedScheduler the classes are named under `type_key`, with their arguments under `arguments`,
    or beside the name.
    """
    s.ignore("optimizer", "last_epoch", "verbose", type_key)
    known = {each.lower(): each for each in (*NAMES, *_INNER, _METRIC)}
    name = known.get(name.lower(), name)
    if name == _METRIC:
        raise s.where.refuse(
            Unquoted(f"{name}, which follows a metric and not the step"), "a schedule of the step", "use tracelr.Plateau"
        )
    if name in _INNER:
        members = [_member(inner, lr, type_key, arguments) for inner in s.sections("schedulers")]
        if name == "ChainedScheduler":
            if len(members) > 1 and any(isinstance(each, CosineAnnealing) and each.end != 0 for each in members):
                raise s.where.refuse(
                    Unquoted("a chain with an eta_min"), "schedulers that multiply the rate", "write eta_min: 0"
                )
            factors = [members[0], *((1 / lr) * each for each in members[1:])]
            return s.build(product, factors)
        return s.build(Sequential, members, s.counts("milestones")) if len(members) > 1 else members[0]
    if name not in NAMES:
        raise s.where.refuse(name, ", ".join([*NAMES, *_INNER]), "use one of these, or write the curve with tracelr")
    return s.build(NAMES[name], s, lr)


def _member(s: Section, lr: float, type_key: str, arguments: str) -> Schedule:
    inner = s.section(arguments, optional=True) if arguments else s
    return build(inner, class_name(s.text(type_key)), lr, type_key, arguments)


DEFAULT_RATES = {
    "Adadelta": 1.0, "Adagrad": 1e-2, "Adam": 1e-3, "AdamW": 1e-3, "SparseAdam": 1e-3, "Adamax": 2e-3, "ASGD": 1e-2,
    "NAdam": 2e-3, "RAdam": 1e-3, "RMSprop": 1e-2, "Rprop": 1e-2, "SGD": 1e-3,
}  # fmt: skip
"""The rate of each optimizer of torch that is given none."""


def optimizer_rate(s: Section, name: str) -> float:
    """Return the rate of an optimizer's arguments, or the default of its class."""
    return float(s.number("lr", default=DEFAULT_RATES[name]) if name in DEFAULT_RATES else s.number("lr"))
