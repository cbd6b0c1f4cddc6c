"""Laws that every schedule keeps, over the rows of `table.py`."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest
import torch
from support.oracle import probes, to_float32, ulps
from support.table import ROWS, Row

import tracelr
from tracelr.arithmetic import F32, F64
from tracelr.schedules.base import REGISTRY

EVERY = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)

# Float32 throughout, steps to 2**24, in units in the last place of the exact value. Measured: 5.0 here and 5.8 in
# benchmarks/exactness.py (a cosine to 0), from the rounded phase and two rounded products; the bound leaves room for another libm.
F32_BOUND = 8.0


def test_every_schedule_has_a_row() -> None:
    used = {type(module).__name__ for row in ROWS.values() for module in row.schedule.modules()}
    ours = {name for name, cls in REGISTRY.items() if cls.__module__.startswith("tracelr.")}
    assert ours - used == set()


@EVERY
def test_values_by_hand(row: Row) -> None:
    for step, value in row.values.items():
        assert row.schedule(step).item() == torch.tensor(value).item(), step


@EVERY
def test_correctly_rounded(row: Row) -> None:
    steps = probes(row.ends, seed=1, random_steps=400)
    got = row.schedule(torch.tensor(steps)).tolist()
    wrong = [(s, g, to_float32(row.exact(s))) for s, g in zip(steps, got, strict=True) if g != to_float32(row.exact(s))]
    assert wrong == []


@EVERY
def test_float32_mode_stays_within_its_bound(row: Row) -> None:
    steps = [s for s in probes(row.ends, seed=2, random_steps=100) if s <= 2**24]
    with tracelr.precision("float32"):
        got = row.schedule(torch.tensor(steps)).tolist()
    worst = max(ulps(g, row.exact(s)) for s, g in zip(steps, got, strict=True) if abs(row.exact(s)) > 1e-30)
    assert worst <= F32_BOUND


@EVERY
def test_batch_equals_single_steps(row: Row) -> None:
    steps = torch.tensor(probes(row.ends, seed=3, random_steps=20))
    together = row.schedule(steps)
    assert together.dtype == torch.float32
    assert torch.equal(together, torch.stack([row.schedule(step) for step in steps]))
    assert torch.equal(together, torch.stack([row.schedule(int(step)) for step in steps]))
    assert torch.equal(row.schedule(steps.reshape(1, -1)), together.reshape(1, -1))


@EVERY
def test_int32_equals_int64(row: Row) -> None:
    steps = torch.tensor([s for s in probes(row.ends, seed=4, random_steps=20) if s < 2**31])
    assert torch.equal(row.schedule(steps.int()), row.schedule(steps))


@EVERY
def test_counts_from_zero_to_the_last_step(row: Row) -> None:
    first, last = row.schedule(0), row.schedule(2**53)
    assert torch.equal(row.schedule(torch.tensor([-1, -(2**63)])), torch.stack([first, first]))
    assert torch.equal(row.schedule(torch.tensor([2**53 + 1, 2**63 - 1])), torch.stack([last, last]))


@EVERY
def test_monotone_where_the_curve_is(row: Row) -> None:
    centres = probes(row.ends, seed=5, random_steps=60)
    for centre in centres:
        window = torch.arange(max(0, centre - 64), centre + 65)
        change = row.schedule(window).diff() * row.monotone
        assert (change >= 0).all(), centre


@EVERY
def test_holds_past_the_end(row: Row) -> None:
    schedule = row.schedule
    if type(schedule) in (tracelr.Linear, tracelr.Cosine) or (
        isinstance(schedule, tracelr.Polynomial) and not schedule.cycle
    ):
        after = schedule(torch.tensor([schedule.length, 2 * schedule.length, 2**53, 2**62]))
        assert torch.equal(after, torch.full((4,), schedule.end))


@EVERY
def test_is_a_value(row: Row) -> None:
    steps = torch.tensor(probes(row.ends, seed=6, random_steps=5))
    want, schedule = row.schedule(steps), row.schedule
    for other in (copy.deepcopy(schedule), pickle.loads(pickle.dumps(schedule)), dataclasses.replace(schedule)):
        assert torch.equal(other(steps), want)
        assert repr(other) == repr(schedule)
        assert other.fingerprint() == schedule.fingerprint()
    if row.written:
        assert torch.equal(eval(repr(schedule), dict(REGISTRY))(steps), want)
    assert list(schedule.state_dict()) == []


def test_fingerprints_tell_the_rows_apart() -> None:
    assert len({row.schedule.fingerprint() for row in ROWS.values()}) == len(ROWS)


def test_a_model_cast_leaves_its_schedule_exact() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), tracelr.PiecewiseConstant([0.1, 0.7], [3]))
    before = model[1](torch.arange(6))
    model.half().to(torch.bfloat16)
    assert model[0].weight.dtype == torch.bfloat16
    assert torch.equal(model[1](torch.arange(6)), before)


def test_a_model_built_on_the_meta_device_has_its_tables() -> None:
    want = tracelr.PiecewiseConstant([0.1, 0.7], [3])(torch.arange(6))
    with torch.device("meta"):
        model = torch.nn.Sequential(torch.nn.Linear(2, 2), tracelr.PiecewiseConstant([0.1, 0.7], [3]))
    model.to("meta").to_empty(device="cpu")
    assert torch.equal(model[1](torch.arange(6)), want)
    assert list(model.state_dict()) == ["0.weight", "0.bias"]


@EVERY
def test_its_tables_survive_a_move_that_moves_no_values(row: Row) -> None:
    steps = torch.tensor(probes(row.ends, seed=9, random_steps=5))
    moved = copy.deepcopy(row.schedule).to("meta").to_empty(device="cpu").half()
    assert torch.equal(moved(steps), row.schedule(steps))


@EVERY
def test_vmap_over_steps(row: Row) -> None:
    steps = torch.tensor(probes(row.ends, seed=8, random_steps=5))
    assert torch.equal(torch.vmap(row.schedule)(steps), row.schedule(steps))


def test_a_tie_is_rounded_to_even() -> None:
    # s / 2**25 for odd s above 2**24 lies exactly between two float32 numbers
    steps = torch.arange(2**24 + 1, 2**24 + 101, 2)
    got = tracelr.Linear(0.0, 3.0, 3 * 2**25)(steps).tolist()
    assert got == [to_float32(torch.tensor(s, dtype=torch.float64).item() / 2**25) for s in steps.tolist()]


def test_tensor_fields_are_inputs_that_carry_gradients() -> None:
    peak = torch.nn.Parameter(torch.tensor(0.5, dtype=torch.float64))
    schedule = 2.0 * tracelr.Linear(start=0.0, end=peak, steps=4)
    assert schedule(2).item() == 0.5
    schedule(3).backward()
    assert peak.grad is not None
    assert peak.grad.item() == 1.5  # d/dp of 2 p 3/4
    with torch.no_grad():
        peak.fill_(1.0)
    assert schedule(2).item() == 1.0
    rate = torch.tensor(0.25, dtype=torch.float64)
    assert tracelr.Exponential(1.0, rate, 2)(torch.arange(3)).tolist() == [1.0, 0.5, 0.25]
    assert tracelr.Constant(torch.tensor(0.5))(torch.arange(2)).tolist() == [0.5, 0.5]


def test_arithmetics_have_names() -> None:
    assert (F64.name, F32.name) == ("float64", "float32")
    assert repr(F64) == "<arithmetic float64>"


def test_then_uses_the_length_and_flattens() -> None:
    a, b, c = tracelr.Linear(0.0, 1.0, 2), tracelr.Linear(1.0, 0.0, 3), tracelr.Constant(0.0)
    joined = a.then(b).then(c)
    assert list(joined.milestones) == [2, 5]
    assert len(joined.schedules) == 3
    assert joined.length is None
    assert a.then(b).length == 5
    assert list(a.then(c, at=7).milestones) == [7]


def test_a_milestone_at_zero_starts_with_the_second_schedule() -> None:
    joined = tracelr.Sequential([tracelr.Constant(1.0), tracelr.Constant(0.1)], [0])
    assert joined(torch.arange(2)).tolist() == [torch.tensor(0.1).item()] * 2


def test_global_time_is_kept_without_reset() -> None:
    line = tracelr.Linear(1.0, 0.0, 10)
    joined = tracelr.Sequential([tracelr.Constant(1.0), line], [5], reset=False)
    assert torch.equal(joined(torch.arange(5, 12)), line(torch.arange(5, 12)))
    mixed = tracelr.Sequential([tracelr.Constant(1.0), line, line], [5, 7], reset=[True, False, True])
    assert mixed(torch.tensor([5, 7])).tolist() == [0.5, 1.0]


@EVERY
def test_a_long_batch_is_its_pieces(row: Row) -> None:
    """Long batches are evaluated in blocks. The values must not show where a block ends, in any shape."""
    steps = torch.arange(5 * 2**15).reshape(5, -1) * 2**20 + 1
    pieces = torch.cat([row.schedule(block) for block in steps.reshape(-1).split(1000)]).reshape(5, -1)
    assert torch.equal(row.schedule(steps).view(torch.int32), pieces.view(torch.int32))
