"""The schedulers of NeMo by name; WeNet has copies of some of them."""

from __future__ import annotations

from collections.abc import Callable

from tracelr.errors import Unquoted
from tracelr.interop._tools.pieces import decay, then, warmed
from tracelr.interop._tools.section import Section
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Clamp, Sequential, Shift
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.inverse_sqrt import InverseSqrt
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.curves.polynomial import Polynomial
from tracelr.schedules.curves.power_law import PowerLaw

Total = Callable[[], int]


def _part(s: Section, name: str, total: Total) -> int:
    """Return `<name>_steps`, or `<name>_ratio` of the run, cut to whole."""
    steps, ratio = s.count(f"{name}_steps", default=None), s.number(f"{name}_ratio", default=None)
    if steps and ratio:
        raise s.where.refuse(Unquoted(f"{name}_steps and {name}_ratio"), "one of them", "remove one")
    return int(steps or (s.part(name, ratio, total(), int) if ratio else 0))


def _left(s: Section, length: int) -> int:
    if length <= 0:
        raise s.where.refuse(
            Unquoted(f"a decay of {length} steps"), "a run longer than its warm-up and hold", "shorten these"
        )
    return length


def _cosine(s: Section, peak: float, low: float, warm: int, total: Total) -> Schedule:
    constant = _part(s, "constant", total)
    if constant:
        return warmed(Cosine(peak, low, _left(s, total() - warm - constant)), peak, warm)
    return warmed(Cosine(peak, low, _left(s, total() - warm)), peak, warm, origin="1/(n+1)")


def _noam(s: Section, peak: float, low: float, warm: int, total: Total) -> Schedule:
    if not warm:
        raise s.where.refuse(Unquoted("NoamAnnealing without a warm-up"), "warmup_steps or warmup_ratio", "add one")
    top = peak * float(s.number("d_model")) ** -0.5 * warm**-0.5
    rise = Linear(0.0, top, warm)
    first = Sequential([Constant(top / warm), rise], [1], reset=False) if warm > 1 else Constant(top)
    return Sequential([first, Clamp(InverseSqrt(top, warm), low, None)], [warm], reset=False)


def _noam_hold(s: Section, peak: float, low: float, warm: int, total: Total) -> Schedule:
    hold, rate = _part(s, "hold", total), s.number("decay_rate", default=0.5)
    if not warm:
        raise s.where.refuse(Unquoted("NoamHoldAnnealing without a warm-up"), "warmup_steps or warmup_ratio", "add one")
    main = Clamp(PowerLaw(peak, rate, warm, -hold), low, None)
    return warmed(main, peak, warm, origin="1/(n+1)", same_clock=True)


def _inverse_sqrt(s: Section, peak: float, low: float, warm: int, total: Total) -> Schedule:
    return warmed(Shift(InverseSqrt(peak, warm + 1), -1), peak, warm, origin="1/(n+1)", same_clock=True)


def _hold(s: Section, peak: float, low: float, warm: int, total: Total) -> Schedule:
    hold = _part(s, "hold", total)
    s.flag("cycle")
    fall = Polynomial(peak, low, _left(s, total() - warm - hold), s.number("power", default=1.0))
    return warmed(then(Constant(peak), hold, fall), peak, warm, origin="1/(n+1)")


def _linear(s: Section, peak: float, low: float, warm: int, total: Total) -> Schedule:
    return warmed(decay("linear", peak, low, _left(s, total() - warm)), peak, warm, origin="1/(n+1)")


def _polynomial(s: Section, peak: float, low: float, warm: int, total: Total) -> Schedule:
    if s.flag("cycle"):
        raise s.refuse("cycle", allowed="false", fix="remove it")
    fall = Polynomial(peak, low, _left(s, total() - warm), s.number("power", default=1.0))
    return warmed(fall, peak, warm, origin="1/(n+1)")


NAMES: dict[str, Callable[[Section, float, float, int, Total], Schedule]] = {
    "CosineAnnealing": _cosine,
    "NoamAnnealing": _noam,
    "NoamHoldAnnealing": _noam_hold,
    "InverseSquareRootAnnealing": _inverse_sqrt,
    "PolynomialHoldDecayAnnealing": _hold,
    "PolynomialDecayAnnealing": _polynomial,
}
OTHERS = (
    "WarmupPolicy",
    "WarmupHoldPolicy",
    "WarmupAnnealing",
    "SquareAnnealing",
    "SquareRootAnnealing",
    "T5InverseSquareRootAnnealing",
)
"""Names that are known and not read."""
METRIC = ("ReduceLROnPlateau",)


def build(s: Section, name: str, peak: float, total: Total) -> Schedule:
    """Return the schedule of a class of NeMo for the rate `peak`. `s` has its settings; `total` returns the run's steps."""
    if name in METRIC:
        raise s.metric("name")
    make = s.choice(NAMES, "name") if "name" in s.given else NAMES[name]
    s.ignore(
        "last_epoch",
        "max_steps",
        "monitor",
        "reduce_on_plateau",
        "t_max",
        "t_accumulate_grad_batches",
        "t_num_workers",
        "iters_per_batch",
        "args",
        "params",
    )
    warm, low = _part(s, "warmup", total), s.number("min_lr", default=0.0)
    return s.build(make, s, peak, low, warm, total)
