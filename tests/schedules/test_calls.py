"""Laws of the calls that people write: zero lengths, fractions, a total, operators, names, and what `repr` writes."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
import torch
from support.table import ROWS
from torch import Tensor, nn

import tracelr
from tracelr import (
    WSD,
    Constant,
    Cosine,
    Exponential,
    Interpolate,
    Lambda,
    Linear,
    MultiStep,
    Noise,
    Polynomial,
    Ramp,
    Schedule,
    Sequential,
    Stretch,
    Tanh,
    WarmRestarts,
    precision,
)
from tracelr.arithmetic import F32, F64, TWO_FLOAT
from tracelr.errors import ScheduleError, ScheduleTypeError
from tracelr.schedules import fields
from tracelr.schedules.curves.cosine_power import CosinePower
from tracelr.schedules.curves.k_decay import KDecay
from tracelr.schedules.curves.rex import Rex
from tracelr.schedules.describe.phases import phases
from tracelr.schedules.easing import EASINGS

STEPS = torch.tensor([0, 1, 2, 1000, 2**53])
A, B = 0.3, -0.7  # no short binary fractions

# -- zero is a length -----------------------------------------------------------------------------------------------------

EMPTY: list[Callable[..., Schedule]] = [
    Linear,
    Cosine,
    Rex,
    *[lambda a, b, n, kind=kind, up=up: Ramp(a, b, n, kind, rising=up) for kind in EASINGS for up in (False, True)],
    *[lambda a, b, n, p=p: Polynomial(a, b, n, p) for p in (0.5, 1.0, 2.0, 1000.0)],
    *[lambda a, b, n, p=p: CosinePower(a, b, n, p) for p in (0.5, 2.0, 1000.0)],
    *[lambda a, b, n, p=p: KDecay(a, b, n, 2.0, p) for p in (None, 0.5, 1000.0)],
]


@pytest.mark.parametrize("ops", [F32, F64, TWO_FLOAT], ids=lambda ops: ops.name)
@pytest.mark.parametrize("kind", EMPTY)
def test_over_no_steps_a_curve_is_at_its_end(kind: Callable[..., Schedule], ops: tracelr.arithmetic.Arithmetic) -> None:
    for end in (B, 0.0, -0.0):
        values, held = (ops.round(one._evaluated(STEPS, ops)) for one in (kind(A, end, 0), Constant(end)))
        assert values.view(torch.int32).tolist() == held.view(torch.int32).tolist()


@pytest.mark.parametrize("kind", EMPTY)
def test_over_no_steps_the_gradient_is_that_of_the_end(kind: Callable[..., Schedule]) -> None:
    for name in ("float64", "two_float"):
        start, end = (nn.Parameter(torch.tensor(value, dtype=torch.float64)) for value in (A, B))
        with precision(name):
            value = kind(start, end, 0)(STEPS)
        assert value.tolist() == [torch.tensor(B).item()] * 5
        assert [one.item() for one in torch.autograd.grad(value.sum(), (start, end))] == [0.0, 5.0]


def test_over_no_steps_a_tanh_is_at_the_value_that_it_holds() -> None:
    for low, high in ((-7.0, 3.0), (-100.0, 100.0), (-3.0, -1.0), (1.0, 2.0)):
        assert Tanh(A, B, 0, low, high)(STEPS).tolist() == [Tanh(A, B, 5, low, high)(9).item()] * 5


def test_a_phase_without_steps() -> None:
    assert WSD(1.0, 2, 1, 0, end=0.25)(range(5)).tolist() == [0.0, 0.5, 1.0, 0.25, 0.25]
    assert WSD(1.0, 0, 0, 0, end=0.25)(range(2)).tolist() == [0.25, 0.25]
    assert (Linear(0.0, 1.0, 0) | Cosine(0.5, 0.0, 4))(range(3)).tolist() == Cosine(0.5, 0.0, 4)(range(3)).tolist()
    main = Cosine(1.0, 0.0, 4)
    for origin in ("0", "1/n", "1/(n+1)"):
        assert main.warmup(0, origin=origin) == main.warmup(0, kind="constant") == main.warmup(0, prefix=False) == main
    assert main.cooldown(0, at=2, end=0.125)(range(4)).tolist() == [*main(range(2)).tolist(), 0.125, 0.125]
    assert [phase.words for phase in phases(Linear(0.0, 1.0, 0))] == ["holds 1"]
    with pytest.raises(ScheduleError, match="because a cycle has a length"):
        Polynomial(1.0, 0.0, 0, cycle=True)


# -- fractions ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [0.0, 0.01, 0.03, 0.07, 0.1, 1 / 3, 0.29, 0.999, np.float64(0.07)])
@pytest.mark.parametrize("total", [1, 7, 100, 98_000, 10**9 + 7])
def test_a_fraction_counts_as_it_was_written(fraction: float, total: int) -> None:
    exact = Fraction(repr(float(fraction))) * total
    assert fields.part("here", fraction, total) == math.floor(exact + Fraction(1, 2))


def test_fractions_of_a_schedule() -> None:
    main = Linear(1.0, 0.0, 200)
    assert main.warmup(0.07) == main.warmup(14) == main.warmup(np.int64(14))
    assert main.cooldown(0.1) == main.cooldown(20, at=180) == main.cooldown(0.1, at=0.9)
    for bad in (1.0, 1.5, -0.1, math.nan):
        with pytest.raises((ScheduleError, ScheduleTypeError)):
            main.warmup(bad)
    with pytest.raises(ScheduleTypeError):
        main.warmup("0.1")  # type: ignore[arg-type]


# -- the commonest schedules ----------------------------------------------------------------------------------------------


def test_each_is_at_its_peak_and_at_its_end_where_it_says() -> None:
    w, n, p = 300, 10_000, torch.tensor(3e-4).item()
    made = {
        tracelr.warmup_cosine(3e-4, n): 3e-5,
        tracelr.warmup_linear(3e-4, n): 0.0,
        tracelr.warmup_constant(3e-4, n): 3e-4,
        tracelr.inverse_sqrt(3e-4, n, warmup=0.03): 3e-4 * math.sqrt(w / n),
        tracelr.wsd(3e-4, n, end=0.5): 1.5e-4,
    }
    for schedule, end in made.items():
        values = schedule([0, w // 2, w, n, n + 1, 2**53]).tolist()
        assert values[:3] == [0.0, torch.tensor(1.5e-4).item(), p]
        assert values[3:] == [torch.tensor(end, dtype=torch.float64).float().item()] * 3
        assert schedule.length == n
        assert schedule(range(w, n)).diff().max() <= 0


def test_they_are_plain_schedules() -> None:
    assert tracelr.warmup_cosine(3e-4, 98_000, warmup=2000) == Cosine(3e-4, 3e-5, 96_000).warmup(2000)
    assert tracelr.warmup_linear(3e-4, 98_000, 0) == Linear(3e-4, 0.0, 98_000)
    assert tracelr.wsd(1.0, 100, warmup=0.05, decay=20, end=0.1) == WSD(1.0, 5, 75, 20, end=0.1)
    peak = torch.tensor(0.25)
    assert tracelr.warmup_cosine(peak, 100)(3) == 0.25
    assert tracelr.warmup_constant(1.0, 100).cooldown(0.2)([80, 90, 100]).tolist() == [1.0, 0.5, 0.0]


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: tracelr.warmup_cosine(1.0, 100, warmup=100),
        lambda: tracelr.warmup_cosine(1.0, 100, end=1.5),
        lambda: tracelr.warmup_cosine(3e-4, 100, end=3e-5),  # a rate
        lambda: tracelr.warmup_cosine(1.0, 0),
        lambda: tracelr.warmup_linear(1.0, 1e5),  # type: ignore[arg-type]
        lambda: tracelr.inverse_sqrt(1.0, 100, warmup=0),
        lambda: tracelr.wsd(1.0, 100, warmup=0.5, decay=0.6),
    ],
)
def test_what_does_not_fit_is_refused(mistake: Callable[[], object]) -> None:
    with pytest.raises((ScheduleError, ScheduleTypeError)):
        mistake()


def test_the_line_and_python_agree() -> None:
    for text, schedule in {
        "warmup_cosine(3e-4, 98k)": tracelr.warmup_cosine(3e-4, 98_000),
        "warmup_linear(3e-4, 98k, warmup=500)": tracelr.warmup_linear(3e-4, 98_000, warmup=500),
        "warmup_constant(3e-4, 98k) | constant(1)": tracelr.warmup_constant(3e-4, 98_000) | Constant(1.0),
        "inverse_sqrt(1, 4)": tracelr.InverseSqrt(1.0, 4),  # the class of this name, as ever
        "inverse_sqrt(1, 400, warmup=4)": tracelr.inverse_sqrt(1.0, 400, warmup=4),
        "wsd(1, 2, 1, 4)": WSD(1.0, 2, 1, 4),
        "wsd(1, 100, decay=0.2)": tracelr.wsd(1.0, 100, decay=0.2),
        "wsd(peak=1, total=100)": tracelr.wsd(1.0, 100),
        "-linear(0, 1, 4) / 8": -Linear(0.0, 1.0, 4) / 8,
        "linear(0, 1, 4).clamp(high=0.5)": Linear(0.0, 1.0, 4).clamp(high=0.5),
        "linear(0, 1, 4).over(40).named('up')": Linear(0.0, 1.0, 40),
    }.items():
        assert tracelr.parse(text) == schedule
    assert tracelr.parse("linear(0, 1, 4).named('up')").name == "up"


# -- a schedule fitted to a total -----------------------------------------------------------------------------------------


def fits(schedule: Schedule) -> bool:
    """Return whether the schedule can be made longer without other values: all but functions and powers of each step."""
    inside = [one for one in schedule.modules() if isinstance(one, Schedule)]
    power = any(getattr(one, "mode", "") == "exp_range" or getattr(one, "exponent", 1.0) != 1.0 for one in inside)
    return not power and not any(isinstance(one, Lambda | Noise) for one in inside)


@pytest.mark.parametrize("name", ROWS)
def test_a_schedule_that_is_longer_has_the_same_values_later(name: str) -> None:
    schedule = ROWS[name].schedule
    if not schedule.length or not fits(schedule) or schedule.length > 2**48:
        return
    longer = schedule.over(3 * schedule.length)
    steps = torch.unique(torch.linspace(0, 1.2 * schedule.length, 50).long())
    assert longer.length == 3 * schedule.length
    assert torch.allclose(longer(3 * steps), schedule(steps), rtol=1e-5, atol=1e-7)


def test_over() -> None:
    short = Cosine(1.0, 0.0, 97).warmup(3)
    assert short.over(100) == short
    assert short.over(1000) == Cosine(1.0, 0.0, 970).warmup(30)
    assert (short | Linear(0.5, 0.0, 50)).over(75).length == 75
    for total in range(90, 300, 7):
        assert short.over(total).length == total
        assert WSD(1.0, 1, 1, 1).over(total).length == total
    assert WarmRestarts(1.0, 0.0, 10, limit=3).over(60) == WarmRestarts(1.0, 0.0, 20, limit=3)
    tokens = Stretch(Linear(1.0, 0.0, 4_000_000), factor=1, divisor=500_000)
    assert tokens.over(80)(range(0, 81, 10)).tolist() == tokens(range(9)).tolist()
    assert (MultiStep(1.0, 0.5, [10, 20]) * Noise(1, 0.1)).over(40).schedules[0] == MultiStep(1.0, 0.5, [20, 40])
    assert short.named("main").over(10).name == "main"
    refused: list[Callable[[], object]] = [
        lambda: Constant(1.0).over(10),
        lambda: WarmRestarts(1.0, 0.0, 33, limit=3).over(1000),
        lambda: Lambda(lambda step: 1.0 / (step.double() + 1)).then(Constant(1.0), at=3).over(10),
        lambda: Interpolate([0.0, 1.0, 0.0], [1, 2, 3]).over(1),
        lambda: short.over(0),
    ]
    for mistake in refused:
        with pytest.raises(ScheduleError):
            mistake()


def test_a_users_formula_with_a_rate_for_each_step_is_not_fitted() -> None:
    class PerStep(Schedule):
        slope: fields.PythonFloat
        steps: fields.Steps

        def forward(self, step: Tensor, ops: tracelr.arithmetic.Arithmetic) -> tracelr.arithmetic.Real:
            return ops.mul(ops.integer(step.clamp(max=self.steps)), self.slope)

    with pytest.raises(ScheduleError, match="a formula with a rate for each step"):
        Sequential([PerStep(0.1, 10), Linear(1.0, 0.0, 10)], [10]).over(40)
    del tracelr.schedules.base.REGISTRY["PerStep"]


# -- operators and steps --------------------------------------------------------------------------------------------------


def test_operators_are_those_of_a_line() -> None:
    a, b = Linear(0.0, 1.0, 4), Cosine(1.0, 0.25, 4)
    assert (a | b) == a.then(b)
    assert -a == a * -1.0
    assert (a / 4)(3) == a(3) / 4
    assert a / np.float32(4) == a * 0.25
    assert a.clamp(0.25, 0.5)(range(5)).tolist() == [0.25, 0.25, 0.5, 0.5, 0.5]
    for divisor in (0, 1e-300, math.nan, "2", torch.tensor(2.0)):
        with pytest.raises((ScheduleError, ScheduleTypeError)):
            a / divisor  # type: ignore[operator]


def test_steps_of_any_integer_type() -> None:
    line = Linear(0.0, 1.0, 4)
    expected = line(torch.arange(4)).tolist()
    for steps in (
        range(4),
        list(range(4)),
        tuple(range(4)),
        np.arange(4),
        np.arange(4, dtype=np.uint8),
        [np.int32(k) for k in range(4)],
    ):
        assert line(steps).tolist() == expected
    assert line(np.arange(4).reshape(2, 2)).shape == (2, 2)
    assert line(np.array([2**63 + 5], dtype=np.uint64)).item() == 1.0
    assert line(range(3, -2, -2)).tolist() == [0.75, 0.25, 0.0]
    assert line(range(0)).shape == line([]).shape == (0,)
    assert line(np.int64(2)).item() == line(np.uint8(2)).item() == 0.5
    assert line([10**30, -(10**30)]).tolist() == [1.0, 0.0]
    assert Linear(0.0, 1.0, np.int64(4)) == line
    assert MultiStep(1.0, 0.5, np.array([1, 2])) == MultiStep(1.0, 0.5, range(1, 3)) == MultiStep(1.0, 0.5, [1, 2])
    for bad in ([True], [1.0], "12", {1}, np.array([1.0]), np.bool_(True), np.array([[1]], dtype=object)):
        with pytest.raises(ScheduleTypeError):
            line(bad)  # type: ignore[arg-type]


# -- what is written, and names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ROWS)
def test_a_repr_builds_an_equal_schedule(name: str) -> None:
    schedule = ROWS[name].schedule
    if not ROWS[name].written or schedule.has_tensor_fields:
        return
    assert eval(repr(schedule), vars(tracelr)) == schedule
    if len(repr(schedule)) < 10_000:
        assert tracelr.parse(repr(schedule)) == schedule


@pytest.mark.parametrize(
    "text",
    [
        "Cosine(start=1.0, end=0.1, steps=900).warmup(100)",
        "Cosine(start=1.0, end=0.1, steps=900).warmup(100, start=0.5, kind='cosine', origin='1/n')",
        "Linear(start=1.0, end=0.1, steps=900).warmup(100, kind='constant')",
        "Linear(start=1.0, end=0.1, steps=900).warmup(100, kind='log', origin='1/(n+1)')",
        "Constant(value=1.0).cooldown(100, at=900)",
        "Constant(value=1.0).cooldown(100, at=900, end=0.1, kind='1-sqrt')",
        "Linear(start=0.0, end=1.0, steps=9) | Cosine(start=1.0, end=0.0, steps=9) | Constant(value=0.5)",
        "Linear(start=0.0, end=1.0, steps=9) | (Linear(start=0.0, end=1.0, steps=9) | Constant(value=0.5))",
        "Linear(start=0.0, end=1.0, steps=9).then(Constant(value=0.5), at=5, join='scale')",
        "(Linear(start=0.0, end=1.0, steps=9) | Constant(value=1.0)).warmup(5)",
        "(Linear(start=0.0, end=1.0, steps=9) + 0.5) * 2.0 - Constant(value=0.1) * Constant(value=0.2)",
        "Linear(start=0.0, end=1.0, steps=9) - (Constant(value=1.0) - 0.5)",
        "-Linear(start=0.0, end=1.0, steps=9).clamp(low=0.25, high=0.5)",
        "-(-Linear(start=0.0, end=1.0, steps=9)) * 3.0",
        "Stretch(inner=Linear(start=0.0, end=1.0, steps=9).named('inner'), factor=2, divisor=1).named('it\\'s')",
        "Linear(start=Linear(start=1.0, end=2.0, steps=3) * 2.0, end=1.0, steps=9)",
    ],
)  # fmt: skip
def test_a_repr_says_what_was_written(text: str) -> None:
    schedule = eval(text, vars(tracelr))
    assert repr(schedule) == text.replace("'it\\'s'", '"it\'s"')
    assert tracelr.parse(repr(schedule)) == schedule


def test_a_tensor_is_written_as_it_is() -> None:
    floor = torch.tensor(0.5)
    assert repr(Linear(0.0, 1.0, 4) * floor) == "Scale(inner=Linear(start=0.0, end=1.0, steps=4), factor=tensor(0.5000))"
    assert "end=tensor(0.5000)" in repr(Linear(0.0, 1.0, 4).cooldown(2, at=2, end=floor))
    assert (
        repr(Exponential(1.0, 0.5, 4) + floor)
        == "Exponential(start=1.0, rate=0.5, steps=4, staircase=False) + Constant(value=tensor(0.5000))"
    )


def test_a_name_is_no_part_of_the_value() -> None:
    import copy
    import pickle

    plain, own = Cosine(1.0, 0.0, 10), Cosine(1.0, 0.0, 10).named("main <1>")
    assert plain == own
    assert hash(plain) == hash(own)
    assert plain.to_dict() == own.to_dict()
    assert plain.fingerprint() == own.fingerprint()
    assert [copy.deepcopy(own).name, pickle.loads(pickle.dumps(own)).name, plain.name] == ["main <1>", "main <1>", ""]
    assert "main &lt;1&gt;" in (own._repr_svg_() or "")
    assert own.plot().get_legend_handles_labels()[1] == ["main <1>"]
    with pytest.raises(ScheduleTypeError):
        plain.named(3)  # type: ignore[arg-type]


def test_a_deep_schedule_is_written_in_time() -> None:
    """Each schedule is written once, although several ways to write it are tried."""
    deep: Schedule = Linear(0.0, 1.0, 3)
    for _ in range(60):
        deep = Sequential([deep, Constant(0.5), Constant(0.25)], [5, 9])
    assert repr(deep).count("Constant") == 120
    for grow in (lambda one: one + 0.5, lambda one: one.warmup(2), lambda one: one.then(Constant(1.0), 99, join="shift")):
        deep = Linear(0.0, 1.0, 3)
        for _ in range(20):
            deep = grow(deep)
        assert eval(repr(deep), vars(tracelr)) == deep
