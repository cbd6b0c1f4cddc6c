"""The edges of the formulas: numbers that are very large or small, sums that cancel, and steps exactly between two stairs."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import torch
from mpmath import mpf
from support.exact_values import exact
from support.oracle import to_float32, ulps

from tracelr import (
    Constant,
    Cosine,
    CosineAnnealing,
    Exponential,
    InverseTime,
    Linear,
    MultiStep,
    OneCycle,
    PiecewiseConstant,
    Polynomial,
    PowerLaw,
    RangeTest,
    Schedule,
    Sequential,
    Step,
    Tanh,
    WarmRestarts,
    precision,
)
from tracelr.arithmetic import LARGEST
from tracelr.errors import ScheduleError
from tracelr.interop.convert import convert
from tracelr.schedules.describe.compare import difference
from tracelr.schedules.describe.sampling import value_at

exact_ones = pytest.mark.parametrize("arithmetic", ["float64", "two_float"])
each = pytest.mark.parametrize("arithmetic", ["float64", "two_float", "float32"])

# -- stairs ---------------------------------------------------------------------------------------------------------------


@exact_ones
def test_a_stair_that_is_a_power_or_a_root_begins_at_its_step(arithmetic: str) -> None:
    draw, compared = random.Random(5), 0
    for exponent in (0.5, 0.25, 0.75, 1.5, 2.5, 2.0, 3.0, 4.0, 5.0, 7.0):
        power, roots = exponent.as_integer_ratio()
        for _ in range(40):
            root, stair = int(2 ** draw.uniform(0, 20)), draw.choice([1, 2, 3, 7, 1000, 2**20])
            at, steps = root**roots, root**power // stair
            if at > 2**50 or not 1 <= steps <= 2**53 or root**power != stair * steps:
                continue
            schedule = InverseTime(start=1.0, rate=1.0, steps=steps, exponent=exponent, staircase=True)
            around = [at - 1, at, at + 1]
            with precision(arithmetic):
                got = schedule(torch.tensor(around)).tolist()
            assert got == [to_float32(exact(schedule, step).value) for step in around], (schedule, at)
            compared += 1
    assert compared > 60


# -- large numbers --------------------------------------------------------------------------------------------------------


@each
@pytest.mark.parametrize(
    ("schedule", "step", "value"),
    [
        (InverseTime(start=0.1, rate=1.0, steps=1, exponent=5.0), 50_000_000, 0.0),
        (InverseTime(start=0.1, rate=1.0, steps=1, exponent=8.0), 62_000, 0.0),
        (InverseTime(start=0.1, rate=1e25, steps=1), 2**44, 0.0),
        (InverseTime(start=0.1, rate=0.0, steps=1, exponent=60.0), 200_000, 0.1),
        (InverseTime(start=0.1, rate=0.0, steps=1, exponent=4.0), 2**53, 0.1),
        (RangeTest(start=1e-7, rate=2e29, steps=1), 10**10, 2e32),
        (Step(start=2e-5, gamma=1.24, every=15), 10**11, LARGEST),
        (MultiStep(start=1e-3, gamma=1e25, milestones=[1, 2, 3]), 5, LARGEST),
        (Exponential(start=-1.0, rate=2.0, steps=1), 2**53, -LARGEST),
        (RangeTest(start=1e30, rate=1e30, steps=1) * RangeTest(start=1e30, rate=1e30, steps=1) * Constant(0.0), 2**53, 0.0),
        (Tanh(start=1.0, end=0.0, steps=100, low=-128.0, high=128.0), 50, 0.5),
        (Tanh(start=-0.1, end=-0.2, steps=1, low=71.0, high=128.0), 0, -0.2),
    ],
    ids=str,
)
def test_a_value_is_finite_and_growth_stops(schedule: Schedule, step: int, value: float, arithmetic: str) -> None:
    with precision(arithmetic):
        got = float(schedule(step))
    if abs(value) == LARGEST:  # in float32 the power stops there before it is multiplied
        least = 1e30 if arithmetic == "float32" else LARGEST / 4
        assert least <= got / (1 if value > 0 else -1) <= 2 * LARGEST
    else:
        assert got == pytest.approx(value, rel=1e-4, abs=1e-30)


def test_a_number_whose_difference_would_be_no_float32_is_refused() -> None:
    with pytest.raises(ScheduleError, match=r"allowed: a number of size up to 2\*\*126"):
        Constant(3e38)
    with pytest.raises(ScheduleError, match=r"allowed: a number from 0\.001 to 1e12"):
        Polynomial(start=1.0, end=0.0, steps=10, power=1e-9)
    with pytest.raises(ScheduleError, match=r"from 2\*\*-40 to 2\*\*40"):
        Sequential([Constant(1.0), Constant(1e-40)], [5], join="scale")


@exact_ones
@pytest.mark.parametrize("rates", [(0.5, 1.5), (0.9, 1.1), (0.5, 1.999), (0.25, 4.0), (1e-3, 900.0)])
def test_a_product_of_falling_and_growing_powers_does_not_come_back(rates: tuple[float, float], arithmetic: str) -> None:
    product = Exponential(start=1e-3, rate=rates[0], steps=10) * (2.0 * Exponential(start=0.5, rate=rates[1], steps=10))
    for step in (1000, 5000, 5120, 8000, 8760, 65_790, 10**6, 2**53):
        want = mpf(1e-3) * (mpf(rates[0]) * mpf(rates[1])) ** (mpf(step) / 10)
        with precision(arithmetic):
            got = float(product(step))
        assert abs(got - want) <= 1e-6 * want + mpf(2) ** -78, step


def test_a_small_start_grows() -> None:
    assert float(Exponential(start=1e-200, rate=10.0, steps=1)(200)) == pytest.approx(1.0)
    with precision("two_float"):
        assert float(Exponential(start=1e-30, rate=10.0, steps=1)(60)) == pytest.approx(1e30)


@exact_ones
@pytest.mark.parametrize("exponent", [300.0, 1e5, 1e7, 1e9])
def test_a_large_exponent_costs_no_digits(exponent: float, arithmetic: str) -> None:
    steps = 10**12 + 39
    for schedule in (Polynomial(1e-3, 0.0, steps, exponent), PowerLaw(1e-3, exponent, steps, steps)):
        at = [max(int(steps / exponent * k / 7), 1) for k in range(1, 100)]
        with precision(arithmetic):
            got = schedule(torch.tensor(at)).tolist()
        for step, value in zip(at, got, strict=True):
            want = exact(schedule, step).value
            assert want < mpf(2) ** -77 or ulps(value, want) <= 0.501


@each
@pytest.mark.parametrize(
    "made",
    [
        lambda p: Exponential(p, 2.0, 1),
        lambda p: Exponential(1.0, p, 3),
        lambda p: Exponential(p, 0.5, 1) * Exponential(1.0, p, 2),
        lambda p: InverseTime(0.1, p, 3, 5.0),
        lambda p: RangeTest(p, 0.1, 1),
        lambda p: Linear(p, -1.0, 7),
        lambda p: Cosine(1.0, p, 7),
        lambda p: Tanh(p, 0.0, 5, -100.0, 100.0),
        lambda p: Polynomial(p, 0.0, 9, 1e9),
        lambda p: WarmRestarts(p, 0.0, 3, 1.5, decay=p),
    ],
)
def test_a_gradient_is_finite(made: Callable[[torch.nn.Parameter], Schedule], arithmetic: str) -> None:
    parameter = torch.nn.Parameter(torch.tensor(0.7))
    with precision(arithmetic):
        values = made(parameter)(torch.tensor([0, 1, 3, 7, 100, 5000, 2**31, 2**53]))
    values.sum().backward()
    assert values.isfinite().all()
    assert parameter.grad is not None
    assert parameter.grad.isfinite()


# -- sums that cancel -----------------------------------------------------------------------------------------------------


def test_a_line_is_exact_where_its_result_is() -> None:
    for steps in range(3, 60):
        for middle in range(2**25 - 41, 2**25, 2):  # between two float32 numbers
            assert float(Linear(start=0.0, end=float(steps * middle), steps=steps)(1)) == to_float32(mpf(middle))


def test_a_line_ends_at_its_end_before_it_is_rounded() -> None:
    for end in (0.1, 6e-4, 3.0, 1e10 + 7, 2.0**44 + 1):
        for steps in (3, 7, 10**5 + 3, 10**12 + 39):
            assert value_at(Linear(0.0, end, steps), steps) == value_at(Linear(end, 0.0, steps), 0) == end


@each
@pytest.mark.parametrize(
    ("schedule", "step"),
    [
        (Linear(1.0, -1.0, 10), 5),
        (Linear(0.1, -0.2, 3), 1),
        (Cosine(1.0, -1.0, 10), 5),
        (Cosine(-3.0, 1.0, 9), 6),
        (CosineAnnealing(0.1, -0.1, 7 * 2**40), 7 * 2**39),
        (Polynomial(3.0, -1.0, 4, 2.0), 2),
        (OneCycle(0.1, -0.1, 0.1, steps=20, warm=10.0), 5),
        (Linear(0.3, -0.3, 2) + Constant(0.0), 1),
    ],
    ids=str,
)
def test_an_exact_zero_is_0(schedule: Schedule, step: int, arithmetic: str) -> None:
    with precision(arithmetic):
        assert float(schedule(step)) == 0


# -- lengths --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("period", "multiplier"), [(100, 1.1), (10, 1.1), (340, 1.3), (10, 1.9), (1000, 1.01)])
def test_restarts_come_where_a_person_computes_them(period: int, multiplier: float) -> None:
    schedule = WarmRestarts(start=1.0, end=0.0, period=period, multiplier=multiplier)
    second = period + -(-period * round(multiplier * 1000) // 1000)
    assert schedule(torch.tensor([second - 1, second])).tolist() == [pytest.approx(0.0, abs=0.1), 1.0]
    written: dict[str, Callable[[int], float]] = {}
    exec(convert(schedule, "torch"), written)
    assert written["rate"](second) == 1.0


def test_a_length_counts_milestones_and_driven_fields() -> None:
    late = Sequential([Linear(0.0, 1.0, 1000), Cosine(1.0, 0.0, 500)], milestones=[1000], reset=False)
    assert late.length == 1000
    assert late.then(Constant(0.5)).milestones == (1000,)
    driven = Linear(start=1.0, end=Linear(start=0.5, end=0.0, steps=100), steps=10)
    assert driven.length == 100
    assert [(one.first, one.flat) for one in driven.segments()] == [(0, False), (10, False), (100, True)]
    assert [one.flat for one in Cosine(1.0, CosineAnnealing(0.1, 0.0, 7), 12).segments()] == [False, False]


def test_the_first_difference_is_exact_only_if_no_step_was_left_out() -> None:
    long = Constant(1.0).then(Constant(1.0), at=2**50)
    bump = PiecewiseConstant([1.0, 2.0, 1.0], [2**40 + 7, 2**40 + 8])
    assert difference(long, bump).first is not None
    assert not difference(Linear(0.0, 1.0, 10**9), Linear(0.0, 1.0, 10**9) + Constant(0.0) * Constant(1.0)).exact
    found = difference(Linear(0.0, 1.0, 10), Linear(0.0, 1.0, 20))
    assert found.exact
