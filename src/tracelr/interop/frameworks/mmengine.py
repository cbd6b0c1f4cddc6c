"""MMEngine: Python or YAML with `optim_wrapper.optimizer.lr` and `param_scheduler`, a list.

Its entries act on one rate. Each acts in [begin, end) of its own clock, epochs or iterations, and keeps its last value.
Source: mmengine/optim/scheduler/param_scheduler.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tracelr.errors import Unquoted
from tracelr.interop._tools import lengths
from tracelr.interop._tools.pieces import per_epoch, product, then, times
from tracelr.interop._tools.section import Section
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Product, Shorten
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.exponential import Exponential
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.curves.multi_step import MultiStep
from tracelr.schedules.curves.piecewise_constant import PiecewiseConstant
from tracelr.schedules.curves.polynomial import Polynomial
from tracelr.schedules.curves.step import Step
from tracelr.schedules.describe.sampling import value_at

EXAMPLE = """\
optim_wrapper: {type: OptimWrapper, optimizer: {type: SGD, lr: 0.02}}
param_scheduler:
- {type: LinearLR, start_factor: 0.001, by_epoch: false, begin: 0, end: 500}
- {type: PolyLR, power: 0.9, eta_min: 0.0, by_epoch: false, begin: 500, end: 90000}
train_cfg: {type: IterBasedTrainLoop, max_iters: 90000}
"""
_LONGEST = 100_000


class _Act(NamedTuple):
    """What one scheduler does: a curve of its own clock from `begin`, which ends at `last`; `unit` iterations a tick.

    `curve(v)` begins at v and moves to `low`; with a `low` of 0 it is a factor.
    """

    curve: Callable[[float], Schedule]
    begin: int
    last: int
    unit: int
    low: float


def matches(mapping: Mapping[Any, Any]) -> bool:
    return "optim_wrapper" in mapping and isinstance(mapping.get("param_scheduler", []), (list, tuple, Mapping))


def read(s: Section) -> Schedule:
    s.ignore(*s.given)  # names of a Python file, some of which only stand for a number
    peak = s.section("optim_wrapper").section("optimizer").number("lr")
    if s.section("auto_scale_lr", optional=True).flag("enable"):
        raise s.refuse("auto_scale_lr", allowed="enable=False", fix="scale lr yourself")
    if s.section("optim_wrapper").count("accumulative_counts", default=1) > 1:
        allowed = "1, because MMEngine counts iterations and several of them make an update"
        fix = "pass --set optim_wrapper.accumulative_counts=1 for the rate of each iteration"
        raise s.section("optim_wrapper").refuse("accumulative_counts", allowed=allowed, fix=fix)
    paramwise = s.section("optim_wrapper").section("paramwise_cfg", optional=True)
    if paramwise.given:
        paramwise.ignore(*paramwise.given)
        s.note("paramwise_cfg: this is the rate of the groups without a multiplier of their own")
    if s.raw("param_scheduler", default=None) in (None, [], ()):
        return Constant(peak)
    acts = [
        _act(s, each, peak)
        for each in s.sections("param_scheduler")
        if not str(each.given.get("type")).endswith("Momentum") and not _idle(each)
    ]
    return s.build(lambda: _chained(s, peak, acts))


def _idle(each: Section) -> bool:
    """Return whether a scheduler multiplies by 1, as files write to say that the rate stays."""
    idle = str(each.given.get("type")).rpartition(".")[2] == "ConstantLR" and each.given.get("factor") == 1
    if idle:
        each.ignore(*each.given)
    return idle


def _act(s: Section, each: Section, peak: float) -> _Act:
    name = each.text("type").rpartition(".")[2]
    by_epoch, begin = each.flag("by_epoch", default=True), each.count("begin", default=0)
    converted = by_epoch and each.flag("convert_to_iter_based")
    each.ignore("verbose", "last_step", "convert_to_iter_based")
    run = s.section("train_cfg", optional=True)
    epochs, iters = run.count("max_epochs", default=None), run.count("max_iters", default=None)
    updates = 1
    if by_epoch or iters is None:
        says = lengths.epochs_of(None, 1, epochs) if epochs else "a scheduler of epochs"
        updates = lengths.per_epoch(s, epochs, says)
    factor = updates if converted else 1
    total = epochs if by_epoch else iters if iters is not None else (epochs or 0) * updates
    end = each.count("end", default=None)
    if end is None:
        if not total:
            raise each.missing("end", "its end, or train_cfg.max_epochs or max_iters")
        end = total
    begin, end = begin * factor, end * factor
    if end <= begin:
        raise each.where.refuse(Unquoted(f"begin {begin} and end {end}"), "an end after the begin", "correct them")
    ratio, low = each.number("eta_min_ratio", default=None), each.number("eta_min", default=0.0)
    curve = _curve(each, name, end - begin, factor)
    return _Act(curve, begin, end - 1, updates if by_epoch and not converted else 1, low if ratio is None else peak * ratio)


def _curve(s: Section, name: str, width: int, factor: int) -> Callable[[float], Schedule]:
    """Return the curve of a scheduler from a value; `width` is end - begin, and its last value is at width - 1."""
    low = s.number("eta_min", default=0.0)
    last = max(width - 1, 1)
    if name == "LinearLR":
        first, final = s.number("start_factor", default=1 / 3), s.number("end_factor", default=1.0)
        if first == 0:
            raise s.refuse("start_factor", allowed="a factor above 0, because MMEngine multiplies by it", fix="write 1e-6")
        return lambda v: Linear(v * first, v * final, last)
    if name == "QuadraticWarmupLR":  # mmdet's: the sum of (2 j + 1) / width ** 2 up to the step
        return lambda v: Product([Linear(v / width, v, last), Linear(1 / width, 1.0, last)]) if width > 1 else Constant(v)
    if name == "ConstantLR":
        part = s.number("factor", default=1 / 3)
        return lambda v: PiecewiseConstant([v * part, v], [last])
    if name == "ExponentialLR":
        gamma = s.number("gamma")
        return lambda v: Exponential(v, gamma, 1)
    if name == "StepLR":
        gamma, every = s.number("gamma", default=0.1), s.count("step_size") * factor
        return lambda v: Step(v, gamma, every)
    if name == "MultiStepLR":
        gamma, drops = s.number("gamma", default=0.1), [each * factor for each in s.counts("milestones")]
        return lambda v: MultiStep(v, gamma, drops)
    if name == "PolyLR":
        power = s.number("power", default=1.0)
        return lambda v: Polynomial(v, _low(s, v, low), last, power)
    if name == "CosineAnnealingLR":
        period = s.count("T_max", default=None)
        length = width if period is None else period * factor
        return lambda v: Cosine(v, _low(s, v, low), length)
    allowed = "LinearLR, ConstantLR, ExponentialLR, StepLR, MultiStepLR, PolyLR, CosineAnnealingLR, QuadraticWarmupLR"
    raise s.refuse("type", allowed=allowed, fix="use one of these")


def _low(s: Section, value: float, low: float) -> float:
    return low


def _chained(s: Section, peak: float, acts: list[_Act]) -> Schedule:
    factors = [_placed(act, 1.0) for act in acts if act.low == 0]
    shape = product(factors) if factors else Constant(1.0)
    curve = times(peak, shape)
    done = max((act.last * act.unit for act in acts if act.low == 0), default=0)
    for act in sorted((act for act in acts if act.low != 0), key=lambda act: act.begin * act.unit):
        begin = act.begin * act.unit
        if begin >= done:
            curve = then(curve, begin, per_epoch(Shorten(act.curve(value_at(curve, begin)), act.last - act.begin), act.unit))
            done = act.last * act.unit
        elif act.unit > 1 and sum(each.low != 0 for each in acts) == 1 and act.last < _LONGEST:
            return _overlapped(peak, shape, act)
        else:
            given = Unquoted("schedulers that overlap, one of them with an eta_min")
            raise s.where.refuse(given, "schedulers that act one after another", "move the begin of one")
    return curve


def _placed(act: _Act, value: float) -> Schedule:
    inner = Shorten(act.curve(value), act.last - act.begin)
    return per_epoch(then(Constant(value), act.begin, inner), act.unit)


def _overlapped(peak: float, shape: Schedule, act: _Act) -> Schedule:
    """Return the rate where a scheduler of epochs moves towards `low` while others multiply: the factor of each epoch."""
    own = act.curve(act.low + 1.0)  # one above its end, so that what is left of the way is its value less `low`
    left = [value_at(own, k) - act.low for k in range(act.last - act.begin + 1)]
    before = [value_at(shape, (act.begin + k) * act.unit) for k in range(len(left))]
    values = [peak * before[0]]
    for k in range(1, len(left)):
        reached = values[-1] * before[k] / before[k - 1]
        values.append((reached - act.low) * left[k] / left[k - 1] + act.low)
    steps = [value / at for value, at in zip(values, before, strict=True)]
    bounds = [(act.begin + k) * act.unit for k in range(1, len(left))]
    return Product([PiecewiseConstant(steps, bounds), shape])
