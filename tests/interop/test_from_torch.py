"""`from_torch`: random schedulers against torch stepping, at any step."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.nested_torch import agree, chained, sequential
from support.peers.torch import Build, built, converted, optimizer, stepped
from torch.optim import Optimizer
from torch.optim import lr_scheduler as torchs
from torch.optim.swa_utils import SWALR

import tracelr
from tracelr import Constant, Exponential, Linear, Schedule, Scheduler, Sequential, Step, _torch, from_torch
from tracelr.errors import TracelrWarning

pytestmark = pytest.mark.usefixtures("quiet_torch")
FEW = settings(max_examples=25, deadline=None, derandomize=True)

parts = st.floats(0.05, 1.0)
counts = st.integers(1, 100)


def build(kind: Any, *strategies: Any) -> st.SearchStrategy[Build]:
    """Return schedulers of a class, as functions of the optimizer that they are built for."""
    return st.tuples(*strategies).map(lambda given: lambda o: kind(o, *given))


# Schedulers that multiply the current rate; that start at their base rate in a sequence; that continue from the last rate.
FACTORS = st.one_of(
    build(torchs.StepLR, counts, parts),
    build(torchs.MultiStepLR, st.lists(st.integers(0, 200), max_size=4), parts),
    build(torchs.ConstantLR, parts, counts),
    build(torchs.LinearLR, parts, st.floats(0, 1), counts),
    build(torchs.ExponentialLR, st.floats(0.9, 1.01)),
    build(torchs.PolynomialLR, counts, st.floats(0.3, 4)),
)
RESTARTED = FACTORS | st.one_of(
    build(torchs.CosineAnnealingLR, st.integers(60, 200), st.floats(0, 0.2)),
    build(torchs.CosineAnnealingWarmRestarts, counts, st.integers(1, 3), st.floats(0, 0.2)),
)
MODES = st.sampled_from(["triangular", "triangular2", "exp_range"])
SINGLE = RESTARTED | st.one_of(
    build(torchs.CyclicLR, parts, parts, counts, st.none() | counts, MODES, st.floats(0.9, 1)),
    build(
        torchs.OneCycleLR, parts, st.just(200), *[st.none()] * 2, st.floats(0.02, 0.45), st.sampled_from(["cos", "linear"])
    ),
    build(torchs.MultiplicativeLR, st.floats(0.9, 1).map(lambda c: lambda step: c)),
    build(SWALR, parts, st.integers(0, 60), st.sampled_from(["cos", "linear"])),
)


@st.composite
def sequences(draw: Any, single: st.SearchStrategy[Build] = SINGLE, least: int = 1) -> tuple[list[Build], list[int]]:
    milestones = sorted(draw(st.sets(st.integers(1, 50), min_size=least, max_size=3)))
    return draw(st.lists(single, min_size=len(milestones) + 1, max_size=len(milestones) + 1)), milestones


@FEW
@given(SINGLE)
def test_any_single_scheduler(theirs: Build) -> None:
    agree(converted(theirs)(), theirs)


@FEW
@given(sequences())
def test_any_sequence(sequence: tuple[list[Build], list[int]]) -> None:
    theirs = sequential(*sequence)
    agree(converted(theirs)(), theirs)


@FEW
@given(st.lists(FACTORS, min_size=1, max_size=4), st.integers(0, 3))
def test_any_chain(members: list[Build], inner: int) -> None:
    theirs = chained([*members[:inner], chained(members[inner:])]) if inner < len(members) else chained(members)
    agree(converted(theirs)(), chained(members))


@FEW
@given(sequences(RESTARTED, least=2))
def test_a_nested_sequence_is_the_flat_one(sequence: tuple[list[Build], list[int]]) -> None:
    children, milestones = sequence
    first = sequential([sequential(children[:2], milestones[:1]), *children[2:]], milestones[1:])
    second = sequential([children[0], sequential(children[1:], [m - milestones[0] for m in milestones[1:]])], milestones[:1])
    for nested in (first, second):
        agree(converted(nested)(), sequential(children, milestones))


@FEW
@given(SINGLE | sequences().map(lambda sequence: sequential(*sequence)) | st.lists(FACTORS, min_size=1).map(chained))
def test_the_schedule_is_the_same_at_any_step(theirs: Build) -> None:
    driven = optimizer()
    scheduler = built(theirs, driven)
    fresh = from_torch(scheduler, "lr")
    assert isinstance(fresh, Schedule)
    for step in range(138):
        if step in (1, 2, 50, 137):
            found = from_torch(scheduler, "lr")
            assert isinstance(found, Schedule)
            assert found.to_dict() == fresh.to_dict(), step
        driven.step()
        scheduler.step()


def test_a_loaded_scheduler_has_the_schedule_of_the_saved_one() -> None:
    driven = optimizer()
    old = torchs.SequentialLR(driven, [torchs.LinearLR(driven, 0.5, 1, 9), torchs.StepLR(driven, 30, 0.5)], [10])
    for _ in range(137):
        driven.step()
        old.step()
    other = optimizer(rate=0.7)
    new = torchs.SequentialLR(other, [torchs.LinearLR(other, 0.1, 1, 3), torchs.StepLR(other, 7, 0.9)], [5])
    new.load_state_dict(old.state_dict())
    other.load_state_dict(driven.state_dict())
    want = Sequential([Linear(0.05, 0.1, 9), Step(0.1, 0.5, 30)], [10])
    for scheduler in (old, new):
        schedule = from_torch(scheduler, "lr")
        assert isinstance(schedule, Schedule)
        assert schedule.to_dict() == want.to_dict()


def test_a_scheduler_that_continues_from_last_epoch() -> None:
    driven = optimizer()
    driven.param_groups[0] |= {"initial_lr": 0.1, "lr": 0.003}
    schedule = from_torch(torchs.CosineAnnealingLR(driven, 50, last_epoch=20))
    assert repr(schedule) == "CosineAnnealing(start=0.1, end=0.0, period=50)"


def test_a_tensor_rate() -> None:
    driven = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=torch.tensor(0.5))
    assert repr(from_torch(torchs.StepLR(driven, 30))) == "Step(start=0.5, gamma=0.1, every=30)"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (lambda o: torchs.ExponentialLR(o, 0.9), [Exponential(0.1, 0.9, 1), Exponential(0.01, 0.9, 1)]),
        (lambda o: torchs.LambdaLR(o, [lambda _: 2.0, lambda _: 4.0]), [Constant(0.2), Constant(0.04)]),
        (
            lambda o: torchs.CyclicLR(o, [0.1, 0.2], [0.3, 0.4], 5),
            [tracelr.Cyclic(0.1, 0.3, 5), tracelr.Cyclic(0.2, 0.4, 5)],
        ),
        (lambda o: torchs.CyclicLR(o, 0.1, 0.3, 5), tracelr.Cyclic(0.1, 0.3, 5)),
        (
            lambda o: torchs.OneCycleLR(o, [1.0, 2.0], 21, pct_start=0.5, div_factor=4.0, final_div_factor=2.0),
            [tracelr.OneCycle(0.25, 1.0, 0.125, 20, 9.5), tracelr.OneCycle(0.5, 2.0, 0.25, 20, 9.5)],
        ),
        (lambda o: torchs.CosineAnnealingWarmRestarts(o, 5), [tracelr.WarmRestarts(r, 0.0, 5) for r in (0.1, 0.01)]),
        (
            lambda o: torchs.ChainedScheduler([torchs.ConstantLR(o, 0.5, 2), torchs.StepLR(o, 3)]),
            [tracelr.PiecewiseConstant([r / 2, r], [2]) * Step(1.0, 0.1, 3) for r in (0.1, 0.01)],
        ),
        (lambda o: SWALR(o, [0.5, 0.25], 0), [tracelr.PiecewiseConstant([v], []) for v in (0.5, 0.25)]),
    ],
)
def test_each_group_has_its_schedule(theirs: Build, ours: Any) -> None:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in (0.1, 0.01)]
    found = from_torch(built(theirs, torch.optim.SGD(groups, momentum=0.9)), "lr")
    assert repr(found) == repr(ours)


def test_the_schedules_go_straight_into_a_scheduler() -> None:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in (0.1, 0.01)]
    driven = torch.optim.SGD(groups)
    schedules = from_torch(torchs.StepLR(driven, 30))
    assert tracelr.Scheduler(driven, lr=schedules).get_last_lr() == pytest.approx([0.1, 0.01])


def test_torch_chains_with_a_scheduler_that_overwrites_are_not_a_product() -> None:
    """They are refused because the others count once if the overwriting one is first, and not at all if it is last."""
    restarts, fading = (lambda o: torchs.CosineAnnealingWarmRestarts(o, 4)), (lambda o: torchs.ExponentialLR(o, 0.5))
    steps = list(range(1, 20))
    alone = stepped(restarts)(steps)
    assert stepped(chained([restarts, fading]))(steps) == pytest.approx([rate / 2 for rate in alone])
    assert stepped(chained([fading, restarts]))(steps) == pytest.approx(alone)


def half(o: torch.optim.Optimizer) -> torchs.LRScheduler:
    return torchs.ConstantLR(o, 0.5, 10)


@pytest.mark.skipif(_torch.RELEASE < (2, 6), reason="torch 2.4 cannot put a chain into a sequence")
def test_a_chain_at_the_head_of_a_sequence_is_the_chain_alone() -> None:
    """There torch applies a factor of every step once too often, and it cannot start a chain at a milestone."""
    chain = chained([lambda o: torchs.LinearLR(o, 0.5, 1, 10), lambda o: torchs.ExponentialLR(o, 0.9)])
    schedule = converted(sequential([chain, half], [30]))()
    steps = list(range(30))
    assert schedule(torch.tensor(steps)).tolist() == pytest.approx(stepped(chain)(steps), rel=2e-7)
    inside = stepped(sequential([chain, half], [30]))(steps)
    again = 0.9 if torch.__version__ >= (2, 8) else 1.0
    assert inside == pytest.approx([again * rate for rate in stepped(chain)(steps)])
    for later in (chain, sequential([half, half], [3])):
        with pytest.raises((NotImplementedError, TypeError)):  # the latter before torch 2.9
            stepped(sequential([half, later], [5]))(steps)
        converted(sequential([half, later], [5]))()


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=0.1, momentum=0.9), "momentum=first"),
        (lambda: torch.optim.AdamW([torch.nn.Parameter(torch.zeros(3))], lr=0.1), "betas=(first, None)"),
    ],
    ids=["momentum", "betas"],
)
@pytest.mark.parametrize("nested", [False, True])
def test_a_momentum_that_is_left_out_is_said_and_its_remedy_works(
    make: Callable[[], Optimizer], argument: str, nested: bool
) -> None:
    driven = make()
    alone: Any = torchs.OneCycleLR(driven, 0.5, 20)
    scheduler = torchs.SequentialLR(driven, [alone, torchs.ConstantLR(driven, 1.0)], [19]) if nested else alone
    with pytest.warns(TracelrWarning, match=re.escape(f"this OneCycleLR drives {argument.partition('=')[0]} too")) as said:
        rate = from_torch(scheduler)
    assert f"pass Scheduler(..., {argument})" in str(said[0].message)
    first = from_torch(alone, argument.partition("=")[0])  # type: ignore[arg-type]
    assert isinstance(first, Schedule)
    assert isinstance(rate, Schedule)
    theirs, ours = make(), make()
    other = torchs.OneCycleLR(theirs, 0.5, 20)
    beside = Scheduler(ours, lr=rate, **({"momentum": first} if "betas" not in argument else {"betas": (first, None)}))  # type: ignore[arg-type]
    for _ in range(19):
        for name in ("lr", "momentum", "betas"):
            a, b = theirs.param_groups[0].get(name), ours.param_groups[0].get(name)
            assert a == b or a == pytest.approx(b, rel=1e-12), name
        theirs.step()
        other.step()
        ours.step()
        beside.step()
