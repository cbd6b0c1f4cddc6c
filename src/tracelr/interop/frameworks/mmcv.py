"""mmcv 1.x: Python or YAML with `lr_config = dict(policy=...)`, `optimizer.lr` and `runner`.

The curve goes on under its warm-up. Source: mmcv/runner/hooks/lr_updater.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tracelr.interop._tools import lengths
from tracelr.interop._tools.pieces import per_epoch
from tracelr.interop._tools.section import Section
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Clamp, Product
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.exponential import Exponential
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.curves.multi_step import MultiStep
from tracelr.schedules.curves.piecewise_constant import PiecewiseConstant
from tracelr.schedules.curves.polynomial import Polynomial
from tracelr.schedules.curves.step import Step

EXAMPLE = """\
optimizer: {type: SGD, lr: 0.01}
lr_config: {policy: poly, power: 0.9, min_lr: 1.0e-4, by_epoch: false}
runner: {type: IterBasedRunner, max_iters: 80000}
"""
_POLICIES = ("step", "CosineAnnealing", "poly", "fixed", "exp")


def matches(mapping: Mapping[Any, Any]) -> bool:
    lr = mapping.get("lr_config")
    return isinstance(lr, Mapping) and "policy" in lr


def read(s: Section) -> Schedule:
    s.ignore(*s.given)  # names of a Python file, some of which only stand for a number
    lr, peak = s.section("lr_config"), s.section("optimizer").number("lr")
    if s.section("optimizer_config", optional=True).count("cumulative_iters", default=1) > 1:
        allowed = "1, because mmcv counts iterations and several of them make an update"
        fix = "pass --set optimizer_config.cumulative_iters=1 for the rate of each iteration"
        raise s.section("optimizer_config").refuse("cumulative_iters", allowed=allowed, fix=fix)
    policy = lr.text("policy")
    policy = {each.lower(): each for each in _POLICIES}.get(policy.lower(), policy)
    lr.ignore(
        "warmup",
        "warmup_iters",
        "warmup_ratio",
        "warmup_by_epoch",
        "by_epoch",
        "min_lr",
        "min_lr_ratio",
        "step",
        "gamma",
        "power",
    )
    if policy not in _POLICIES:
        raise lr.refuse("policy", allowed=", ".join(_POLICIES), fix="use one of these")
    by_epoch = lr.flag("by_epoch", default=True)
    runner = s.section("runner", optional=True)
    epochs, iters = (
        runner.count("max_epochs", default=None) or s.count("total_epochs", default=None),
        runner.count("max_iters", default=None),
    )
    needs = policy in ("CosineAnnealing", "poly")
    warmup = lr.raw("warmup", default=None)
    warm_epochs = warmup is not None and lr.flag("warmup_by_epoch")
    asks = (by_epoch and policy != "fixed") or warm_epochs or (needs and iters is None)
    says = lengths.epochs_of(None, 1, epochs) if epochs else "no max_epochs"
    updates = lengths.per_epoch(s, epochs, says) if asks else 1
    total = epochs if by_epoch else iters if iters is not None else (epochs or 0) * updates
    if needs and not total:
        raise s.missing("runner", "runner.max_epochs or runner.max_iters")
    regular = lr.build(lambda: _regular(lr, policy, peak, total))
    regular = lr.build(per_epoch, regular, updates) if by_epoch and policy != "fixed" else regular
    if warmup is None:
        return regular
    warm, ratio = lr.count("warmup_iters") * (updates if warm_epochs else 1), lr.number("warmup_ratio", default=0.1)
    kind = lr.choice({each: each for each in ("linear", "constant", "exp")}, "warmup")
    factors: dict[str, Callable[[], Schedule]] = {
        "linear": lambda: Linear(ratio, 1.0, warm),
        "constant": lambda: PiecewiseConstant([ratio, 1.0], [warm]),
        "exp": lambda: Clamp(Exponential(ratio, 1 / ratio, warm), None, 1.0),
    }
    return lr.build(lambda: Product([factors[kind](), regular]))


def _regular(lr: Section, policy: str, peak: float, total: Any) -> Schedule:
    ratio = lr.number("min_lr_ratio", default=None)
    low = lr.number("min_lr", default=None) if ratio is None else peak * ratio
    if policy == "fixed":
        return Constant(peak)
    if policy == "CosineAnnealing":
        if low is None:
            raise lr.missing("min_lr", "min_lr or min_lr_ratio")
        return Cosine(peak, low, total)
    if policy == "poly":
        return Polynomial(peak, low or 0.0, total, lr.number("power", default=1.0))
    if policy == "exp":
        return Exponential(peak, lr.number("gamma"), 1)
    gamma, step = lr.number("gamma", default=0.1), lr.raw("step")
    drops = isinstance(step, (list, tuple))
    curve: Schedule = MultiStep(peak, gamma, lr.counts("step")) if drops else Step(peak, gamma, lr.count("step"))
    return curve if low is None else Clamp(curve, low, None)
