"""One schedule after another: joins without a jump, schedules fitted to a window, and `then`."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from support.laws import STEPS, same
from torch import nn

import tracelr
from tracelr import Constant, Cosine, Exponential, InverseSqrt, Linear, PiecewiseConstant, Sequential, Stretch
from tracelr.arithmetic import F64
from tracelr.lowering import passes, trace
from tracelr.lowering.spec import aten, op_of
from tracelr.schedules.compose.sequential import Join

PARTS = [Linear(0.2, 1.0, 30), Cosine(6e-4, 6e-5, 50), Exponential(0.3, 0.5, 9), InverseSqrt(2.0, 10), Constant(0.7)]


@pytest.mark.parametrize("join", ["scale", "shift"])
@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize("milestones", [[7, 20, 21, 90], [0, 1, 2, 2**24 + 1]])
def test_a_join_has_no_jump(join: str, reset: bool, milestones: list[int]) -> None:
    joined = Sequential(PARTS, milestones, reset, join)
    for k, milestone in enumerate(milestones, 1):
        before = Sequential(PARTS[:k], milestones[: k - 1], reset, join)
        assert same(joined, before, torch.arange(max(0, milestone - 30), milestone + 1))
    assert same(Sequential([joined], [], join=join), joined)
    assert same(Sequential([Constant(0.2), joined], [0], join=join), joined)


@pytest.mark.parametrize("join", ["scale", "shift"])
def test_a_join_keeps_the_shape(join: str) -> None:
    first, second = Linear(1.0, 0.5, 10), Cosine(0.8, 0.2, 40)
    joined, own = (
        Sequential([first, second], [10], join=join).wide(torch.arange(10, 60), F64),
        second.wide(torch.arange(50), F64),
    )
    want = own * 0.5 / 0.8 if join == "scale" else own - 0.8 + 0.5
    torch.testing.assert_close(joined, want, rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("join", ["scale", "shift"])
def test_a_join_changes_nothing_where_the_values_meet(join: str) -> None:
    parts = [Linear(0.0, 6e-4, 10), Cosine(6e-4, 6e-5, 90), Constant(6e-5)]
    joined, jumping = Sequential(parts, [10, 100], join=join), Sequential(parts, [10, 100])
    assert torch.equal(joined.wide(STEPS, F64), jumping.wide(STEPS, F64))


def test_a_join_follows_a_tensor_field() -> None:
    peak = nn.Parameter(torch.tensor(0.5, dtype=torch.float64))
    joined = Sequential([Linear(0.0, peak, 4), Linear(0.8, 0.4, 4)], [4], join="scale")
    assert joined(torch.tensor([2, 4, 8])).tolist() == [0.25, 0.5, 0.25]
    (grad,) = torch.autograd.grad(joined(torch.tensor([0, 2, 8])).sum(), peak)
    assert grad.item() == 1.0  # 0, 1/2 and 0.4 / 0.8
    with torch.no_grad():
        peak.fill_(1.0)
    assert joined(torch.tensor([2, 4, 8])).tolist() == [0.5, 1.0, 0.5]
    zero = torch.tensor(0.0, dtype=torch.float64)
    # the value at its start is known only later
    assert Sequential([Constant(1.0), Constant(zero)], [1], join="scale")(0).item() == 1.0


def test_a_join_is_exact_also_if_built_in_float32() -> None:
    joined = Sequential(PARTS, [7, 20, 21, 90], join="scale")
    with tracelr.precision("float32"):
        assert joined(40).item() == pytest.approx(dataclasses.replace(joined)(40).item(), rel=1e-6)
        built = dataclasses.replace(joined)
    assert torch.equal(built.wide(STEPS, F64), joined.wide(STEPS, F64))


def test_then_is_kept_apart_from_a_join() -> None:
    joined = Sequential([Linear(1.0, 0.5, 4), Linear(1.0, 0.5, 4)], [4], join="scale")
    after = joined.then(Constant(3.0))
    assert after(torch.tensor([7, 8])).tolist() == [0.3125, 3.0]


def test_a_join_of_schedules_on_the_meta_device_is_not_checked() -> None:
    table = PiecewiseConstant([0.0, 1.0], [3]).to("meta")
    assert Sequential([Constant(1.0), table], [4], join="scale").length == 7


def test_where_a_join_starts_is_a_constant_of_the_graph() -> None:
    parts = [Cosine(1.0, 0.1, 1000), Cosine(0.7, 0.1, 500)]
    graph = passes.run(trace(Sequential(parts, [300], reset=False, join="scale")))
    assert [op_of(node) for node in graph.nodes].count(aten.sin.default) == 2


RISE, FALL = Linear(0.0, 1.0, 10), Cosine(1.0, 0.1, 40)


def test_a_rescaled_schedule_runs_once_over_its_window() -> None:
    for window in (3, 10, 25, 40, 97):
        joined = Sequential([RISE, FALL], [window], reset="rescale")
        assert same(joined, Sequential([Stretch(RISE, window, 10), FALL], [window]))
        assert joined.length == window + 40
        assert same(RISE.then(FALL, at=window, reset="rescale"), joined)
    assert same(Sequential([RISE, FALL], [10], reset="rescale"), RISE.then(FALL))
    mixed = Sequential([RISE, FALL, RISE], [20, 100], reset=[False, "rescale", False])
    assert same(mixed, Sequential([RISE, Stretch(FALL, 2), RISE], [20, 100], reset=[True, True, False]))
    long = Linear(0.0, 1.0, 10**12)
    assert Sequential([long, RISE], [3 * 10**12], reset="rescale")(15 * 10**11).item() == 0.5


@pytest.mark.parametrize("join", ["scale", "shift"])
def test_a_rescaled_schedule_joins(join: Join) -> None:
    joined = Sequential([RISE, FALL, FALL], [25, 105], reset="rescale", join=join)
    assert same(joined, Sequential([Stretch(RISE, 5, 2), Stretch(FALL, 2), FALL], [25, 105], join=join))


def test_then_joins_where_one_writes_it() -> None:
    assert same(RISE.then(FALL, join="scale"), Sequential([RISE, FALL], [10], join="scale"))
    assert same(RISE.then(FALL, at=5, reset=False), Sequential([RISE, FALL], [5], reset=False))
    scaled = RISE.then(FALL, at=5, join="scale").then(RISE + 1.0, at=20, join="scale")
    assert len(scaled.schedules) == 3
    assert same(scaled, Sequential([RISE, FALL, RISE + 1.0], [5, 20], join="scale"))
    assert len(scaled.then(FALL, at=60).schedules) == 2  # a jump after a join makes a sequence around it
    fitted = RISE.then(FALL).then(RISE, at=100, reset="rescale")  # all 50 steps are fitted, not only the last schedule
    assert same(fitted, Sequential([Stretch(RISE.then(FALL), 2), RISE], [100]))
    late = Sequential([RISE, FALL], [25], reset="rescale").then(RISE, at=65, reset=False)
    assert late.reset == ("rescale", True, False)
