"""The arithmetic of devices without float64: every row and random schedules against their oracles."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from support import row
from support.cases import cases
from support.exactness import assert_ends_are_exact, steps_of
from support.oracle import probes, to_float32, ulps
from support.table import ROWS, Row

import tracelr
from tracelr import Schedule
from tracelr.arithmetic import TWO_FLOAT
from tracelr.arithmetic.two_float import SMALLEST
from tracelr.errors import ScheduleError

pytestmark = pytest.mark.usefixtures("two_float")
EVERY = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)

# The distance from the exact value in float32 units, for values of 2**-78 and more. The worst polynomial is off by 2**-37.5 of its
# value, 2**-12.5 units, so that only a value as close as this to the middle of two float32 numbers may go to the wrong one.
BOUND = 0.5 + 2.0**-11


def far(schedule: Schedule, exact: Any, steps: list[int]) -> tuple[int, list[tuple[int, float, float]]]:
    """Return how many values are misrounded, and those that are out of bounds as (step, got, distance)."""
    wrong, out = 0, []
    for step, got in zip(steps, schedule(torch.tensor(steps)).tolist(), strict=True):
        want = exact(step)
        if abs(want) >= SMALLEST:
            wrong += got != to_float32(want)
            if not ulps(got, want) <= BOUND:
                out.append((step, got, ulps(got, want)))
        elif abs(got) not in (0.0, SMALLEST):  # it may round up to it
            out.append((step, got, float("inf")))
    return wrong, out


@EVERY
def test_every_row_is_within_its_bound(row: Row) -> None:
    wrong, out = far(row.schedule, row.exact, probes(row.ends, seed=11, random_steps=40))
    assert out == []
    assert wrong == 0
    for step, value in row.values.items():
        assert row.schedule(step).item() == torch.tensor(value).item(), step


@EVERY
def test_one_step_at_a_time_and_int32_give_the_same_bits(row: Row) -> None:
    steps = torch.tensor(probes(row.ends, seed=12, random_steps=4)[::25])
    together = row.schedule(steps)
    assert together.dtype == torch.float32
    assert torch.equal(together, torch.stack([row.schedule(step) for step in steps]))
    short = steps[steps < 2**31]
    assert torch.equal(row.schedule(short.to(torch.int32)), row.schedule(short))


@EVERY
def test_monotone_where_the_curve_is_up_to_2_to_the_40(row: Row) -> None:
    if not row.monotone:
        return
    draw = random.Random(13)
    for _ in range(4):
        centre = int(2 ** (40 * draw.random()))
        change = row.schedule(torch.arange(max(centre - 500, 0), centre + 500)).diff() * row.monotone
        assert change.min() >= 0, centre


def misrounded(seed: int, random_steps: int) -> tuple[int, int, list[Any]]:
    total, wrong, out = 0, 0, []
    for case in cases(seed):
        steps = steps_of(case, seed, random_steps)
        some, bad = far(case.schedule, case.exact, steps)
        total, wrong, out = total + len(steps), wrong + some, out + [(case.schedule, *value) for value in bad]
    return total, wrong, out


@pytest.mark.parametrize("seed", range(1))
def test_random_schedules_are_within_the_bound(seed: int) -> None:
    total, wrong, out = misrounded(seed, random_steps=20)
    assert total > 500
    assert out == []
    assert wrong <= 1


@pytest.mark.slow
def test_many_random_schedules_are_within_the_bound() -> None:
    total, wrong = 0, 0
    for seed in range(2000, 2100):
        some, bad, out = misrounded(seed, random_steps=60)
        assert out == []
        total, wrong = total + some, wrong + bad
    assert total > 300_000
    assert wrong <= total * 1e-4


@pytest.mark.parametrize("steps", [1, 7, 2**24 + 3, 2**53])
def test_end_points_are_bit_exact(steps: int) -> None:
    assert_ends_are_exact(steps, 20)


@pytest.mark.parametrize("width", [1, 3, 1000, 2**24 + 1, 2**31 + 11])
def test_no_wrong_stair(width: int) -> None:
    edges = [k * width + d for k in [*range(1, 40), 2**20, 2**20 + 1] for d in (-1, 0, 1)]
    for ours, exact in (
        (tracelr.Exponential(1.0, 0.9999, width, staircase=True), row.exponential(1.0, 0.9999, width, staircase=True)),
        (tracelr.InverseTime(1.0, 0.01, width, staircase=True), row.inverse_time(1.0, 0.01, width, staircase=True)),
    ):
        assert ours(torch.tensor(edges)).tolist() == [to_float32(exact(edge)) for edge in edges]


def test_quotients_and_floors_are_exact() -> None:
    draw = random.Random(14)
    for n in [1, 2, 3, 7, 1000, 2**20, 3 * 2**20, 2**26, 2**31 - 1, 2**53, 2**53 - 1]:
        steps = (
            [draw.randrange(2**53 + 1) for _ in range(200)] + [k * n + d for k in (1, 2, 5) for d in (-1, 0, 1)] + [2**53]
        )
        steps = [step for step in steps if 0 <= step <= 2**53]
        assert TWO_FLOAT.floordiv(torch.tensor(steps), n).tolist() == [step // n for step in steps]
    values = torch.tensor([0.0, 0.5, 1.0, -0.5, -1.0, 2.0**24 + 2, 3.999999])
    for low in (0.0, 2.0**-20, -(2.0**-20)):
        got = TWO_FLOAT.floor(TWO_FLOAT.add(TWO_FLOAT.full(values, values), low))
        want = torch.floor(values.double() + low).tolist()
        assert (got.high.double() + got.low).tolist() == want


def test_bounds_cut_where_the_pair_says() -> None:
    x = TWO_FLOAT.add(
        TWO_FLOAT.full(torch.zeros(3), 0.3), TWO_FLOAT.full(torch.zeros(3), torch.tensor([-1e-12, 0.0, 1e-12]))
    )
    for low, high, side in ((0.3, None, 1), (None, 0.3, -1)):
        kept = TWO_FLOAT.clamp(x, low, high)
        away = (kept.high.double() + kept.low.double() - 0.3).tolist()
        assert all(a * side >= -1e-14 for a in away)
        assert any(a * side > 5e-13 for a in away)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tensor_fields_are_read_in_full(dtype: torch.dtype) -> None:
    rate, start = (torch.tensor(v, dtype=dtype) for v in (0.97, 6e-4))
    for ours, exact in (
        (tracelr.Exponential(start, rate, 7), row.exponential(start.item(), rate.item(), 7)),
        (tracelr.Cosine(start, 0.0, 100), row.cosine(start.item(), 0.0, 100)),
        (tracelr.InverseTime(start, rate, 10), row.inverse_time(start.item(), rate.item(), 10)),
        (tracelr.Step(0.1, rate, 10), row.exponential(0.1, rate.item(), 10, staircase=True)),
    ):
        assert far(ours, exact, [*range(300)]) == (0, [])


def test_vmap_over_steps() -> None:
    schedule, steps = tracelr.Cosine(6e-4, 6e-5, 1000), torch.arange(0, 1100, 7)
    assert torch.equal(torch.vmap(schedule)(steps), schedule(steps))


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ScheduleError) as error, tracelr.precision("double"):
        pass
    allowed = "'float64' or 'two_float' or 'float32'"
    assert str(error.value) == f"precision: given 'double'; allowed: {allowed}; to fix it: use one of these names."
