"""detectron2: YAML with `SOLVER: {BASE_LR, STEPS, MAX_ITER, WARMUP_ITERS}`, on top of its `_BASE_`.

Source: detectron2/solver/build.py, detectron2/solver/lr_scheduler.py and fvcore.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.errors import Unquoted
from tracelr.interop._tools.section import Section
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Clamp, Product, Sequential
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.curves.multi_step import MultiStep
from tracelr.schedules.curves.piecewise_constant import PiecewiseConstant
from tracelr.schedules.curves.polynomial import Polynomial
from tracelr.schedules.describe.sampling import value_at

EXAMPLE = """\
SOLVER: {BASE_LR: 0.02, STEPS: [60000, 80000], MAX_ITER: 90000}
"""


def matches(mapping: Mapping[Any, Any]) -> bool:
    solver = mapping.get("SOLVER")
    return isinstance(solver, Mapping) and any(
        key in solver for key in ("BASE_LR", "MAX_ITER", "STEPS", "LR_SCHEDULER_NAME")
    )


def read(top: Section) -> Schedule:
    s = top.section("SOLVER")
    s.ignore(
        "IMS_PER_BATCH",
        "BIAS_LR_FACTOR",
        "WEIGHT_DECAY_NORM",
        "REFERENCE_WORLD_SIZE",
        "BASE_LR_END",
        "STEPS",
        "GAMMA",
        "NUM_DECAYS",
    )
    if s.has("REFERENCE_WORLD_SIZE"):
        raise s.refuse("REFERENCE_WORLD_SIZE", allowed="0", fix="scale the settings as detectron2 does, and write 0")
    if s.number("BIAS_LR_FACTOR", default=1.0) != 1:
        raise s.refuse("BIAS_LR_FACTOR", allowed="1", fix="pass --set SOLVER.BIAS_LR_FACTOR=1 for the rate of the weights")
    if s.flag("RESCALE_INTERVAL"):
        raise s.refuse("RESCALE_INTERVAL", allowed="false", fix="write it out")
    peak, steps = s.number("BASE_LR", default=0.001), s.count("MAX_ITER", default=40_000)
    warm, factor = s.count("WARMUP_ITERS", default=1000), s.number("WARMUP_FACTOR", default=0.001)
    constant = s.choice({"linear": False, "constant": True}, "WARMUP_METHOD", default="linear")
    name = s.choice(
        {each: each for each in ("WarmupMultiStepLR", "WarmupCosineLR", "WarmupPolyLR")},
        "LR_SCHEDULER_NAME",
        default="WarmupMultiStepLR",
    )
    s.ignore("POLY_LR_POWER", "POLY_LR_CONSTANT_ENDING", "BACKBONE_MULTIPLIER", "WEIGHT_DECAY_EMBED")
    if name == "WarmupPolyLR":
        return _poly(s, peak, steps, warm, factor, constant)
    if name == "WarmupCosineLR":
        main = s.build(Cosine, peak, s.number("BASE_LR_END", default=0.0), steps)
    else:
        drops = [each for each in _milestones(s) if each <= steps]
        main = s.build(MultiStep, peak, s.number("GAMMA", default=0.1), drops)
    if not warm:
        return main
    if warm > steps:
        raise s.where.refuse(Unquoted(f"a warm-up of {warm} in {steps}"), "a shorter one", "shorten it")
    first = peak * factor  # the main curve begins at the peak
    rise = Constant(first) if constant else Linear(first, value_at(main, warm), warm)
    return s.build(Sequential, [rise, main], [warm], reset=False)


def _poly(s: Section, peak: float, steps: int, warm: int, factor: float, constant: bool) -> Schedule:
    """Return DeepLab's schedule: a polynomial over the whole run, times the factor of the warm-up, and a constant ending."""
    power, ending = s.number("POLY_LR_POWER", default=0.9), s.number("POLY_LR_CONSTANT_ENDING", default=0.0)
    main = s.build(Polynomial, peak, 0.0, steps, power)
    if ending:
        main = s.build(Clamp, main, peak * ending, None)
    if not warm:
        return main
    if ending and not warm < steps * (1 - ending ** (1 / power)):
        raise s.where.refuse(Unquoted(f"a warm-up of {warm} into the constant ending"), "a shorter one", "shorten it")
    rise = PiecewiseConstant([factor, 1.0], [warm]) if constant else Linear(factor, 1.0, warm)
    return s.build(lambda: Product([rise, main]))


def _milestones(s: Section) -> list[int]:
    """Return STEPS, which is a list, or the text of a Python tuple."""
    given = s.raw("STEPS", default=[30_000])
    if isinstance(given, str):
        given = [each.strip() for each in given.strip().strip("()[]").split(",") if each.strip()]
        s = Section({**s.given, "STEPS": given}, s.where._replace(sections=None), s.root)
    return list(s.counts("STEPS", default=[30_000]))
