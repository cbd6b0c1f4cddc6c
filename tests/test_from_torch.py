"""`from_torch`: random schedulers against torch stepping, at any point of their life, and every error, word for word."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peers_torch import Build, built, converted, optimizer, stepped
from torch.optim import lr_scheduler as torchs
from torch.optim.swa_utils import SWALR

import tracelr
from tracelr import Constant, Exponential, Linear, Schedule, Sequential, Step, from_torch
from tracelr.errors import TracelrError

HORIZON = 150
FEW = settings(max_examples=25, deadline=None, derandomize=True)

parts = st.floats(0.05, 1.0)
counts = st.integers(1, 100)


def build(kind: Any, *strategies: Any) -> st.SearchStrategy[Build]:
    """Return schedulers of a class, as functions of the optimizer that they are built for."""
    return st.tuples(*strategies).map(lambda given: lambda o: kind(o, *given))


# Those that multiply the rate they find; those that start anew in a sequence; and those that go on from the last rate there.
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


def sequential(children: list[Build], milestones: list[int]) -> Build:
    return lambda o: torchs.SequentialLR(o, [child(o) for child in children], milestones)


def chained(children: list[Build]) -> Build:
    return lambda o: torchs.ChainedScheduler([child(o) for child in children])


@st.composite
def sequences(draw: Any, single: st.SearchStrategy[Build] = SINGLE, least: int = 1) -> tuple[list[Build], list[int]]:
    milestones = sorted(draw(st.sets(st.integers(1, 50), min_size=least, max_size=3)))
    return draw(st.lists(single, min_size=len(milestones) + 1, max_size=len(milestones) + 1)), milestones


def agree(schedule: Schedule, theirs: Build) -> None:
    want = stepped(theirs)(list(range(HORIZON)))
    got = schedule(torch.arange(HORIZON)).tolist()
    assert got == pytest.approx(want, rel=2e-7, abs=1e-7 * max(want))


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
def test_a_sequence_in_a_sequence_is_what_it_is_without_the_brackets(sequence: tuple[list[Build], list[int]]) -> None:
    children, milestones = sequence
    first = sequential([sequential(children[:2], milestones[:1]), *children[2:]], milestones[1:])
    second = sequential([children[0], sequential(children[1:], [m - milestones[0] for m in milestones[1:]])], milestones[:1])
    for nested in (first, second):
        agree(converted(nested)(), sequential(children, milestones))


@FEW
@given(SINGLE | sequences().map(lambda sequence: sequential(*sequence)) | st.lists(FACTORS, min_size=1).map(chained))
def test_the_schedule_is_the_same_at_any_point_of_life(theirs: Build) -> None:
    driven = optimizer()
    scheduler = built(theirs, driven)
    fresh = from_torch(scheduler)
    assert isinstance(fresh, Schedule)
    for step in range(138):
        if step in (1, 2, 50, 137):
            found = from_torch(scheduler)
            assert isinstance(found, Schedule)
            assert found.to_dict() == fresh.to_dict(), step
        driven.step()
        scheduler.step()


def test_a_loaded_scheduler_is_the_one_it_was_saved_from() -> None:
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
        schedule = from_torch(scheduler)
        assert isinstance(schedule, Schedule)
        assert schedule.to_dict() == want.to_dict()


def test_a_scheduler_that_goes_on_at_last_epoch() -> None:
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
def test_each_group_has_its_own(theirs: Build, ours: Any) -> None:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in (0.1, 0.01)]
    found = from_torch(built(theirs, torch.optim.SGD(groups, momentum=0.9)))
    assert repr(found) == repr(ours)


def test_the_schedules_go_straight_into_a_scheduler() -> None:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in (0.1, 0.01)]
    driven = torch.optim.SGD(groups)
    schedules = from_torch(torchs.StepLR(driven, 30))
    assert tracelr.Scheduler(driven, lr=schedules).get_last_lr() == pytest.approx([0.1, 0.01])


# -- chains that are no product -------------------------------------------------------------------------------------------


def test_torch_chains_with_a_writer_are_no_product_in_either_order() -> None:
    """Why they are refused: the writer first, the others count once; the writer last, they do not count at all."""
    restarts, fading = (lambda o: torchs.CosineAnnealingWarmRestarts(o, 4)), (lambda o: torchs.ExponentialLR(o, 0.5))
    steps = list(range(1, 20))
    alone = stepped(restarts)(steps)
    assert stepped(chained([restarts, fading]))(steps) == pytest.approx([rate / 2 for rate in alone])
    assert stepped(chained([fading, restarts]))(steps) == pytest.approx(alone)


def half(o: torch.optim.Optimizer) -> torchs.LRScheduler:
    return torchs.ConstantLR(o, 0.5, 10)


def test_a_chain_at_the_head_of_a_sequence_is_what_it_is_alone() -> None:
    """torch makes one step too many there with what multiplies at every step, and cannot start a chain later on."""
    chain = chained([lambda o: torchs.LinearLR(o, 0.5, 1, 10), lambda o: torchs.ExponentialLR(o, 0.9)])
    schedule = converted(sequential([chain, half], [30]))()
    steps = list(range(30))
    assert schedule(torch.tensor(steps)).tolist() == pytest.approx(stepped(chain)(steps), rel=2e-7)
    inside = stepped(sequential([chain, half], [30]))(steps)
    assert inside == pytest.approx([0.9 * rate for rate in stepped(chain)(steps)])
    for later in (chain, sequential([half, half], [3])):
        with pytest.raises(NotImplementedError):
            stepped(sequential([half, later], [5]))(steps)
        converted(sequential([half, later], [5]))()


# -- lambdas --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [lambda t: 0.95**t, lambda t: 1 / (1 + 0.1 * t), lambda t: 0.5 ** (t // 30), lambda t: (t % 7 + 1) / 7],
    ids=["power", "inverse", "stairs", "cycles"],
)
def test_a_lambda_of_arithmetic(function: Callable[[Any], Any]) -> None:
    agree(converted(lambda o: torchs.LambdaLR(o, function))(), lambda o: torchs.LambdaLR(o, function))


def test_a_lambda_in_a_sequence_and_of_each_group() -> None:
    theirs = sequential([lambda o: torchs.LinearLR(o, 0.1, 1, 10), lambda o: torchs.LambdaLR(o, lambda t: 0.95**t)], [10])
    agree(converted(theirs)(), theirs)
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in (0.1, 0.1)]
    both = from_torch(torchs.LambdaLR(torch.optim.SGD(groups), [lambda t: 0.95**t, lambda t: 0.9**t]))
    assert isinstance(both, list)
    assert [float(schedule(1)) for schedule in both] == pytest.approx([0.095, 0.09])


class Where:
    """A callable with a state, as LambdaLR allows."""

    def __init__(self, last: float) -> None:
        self.last = last

    def __call__(self, step: Any) -> Any:
        return torch.where(torch.as_tensor(step) < 10, 1.0, self.last)


def test_a_callable_object() -> None:
    agree(converted(lambda o: torchs.LambdaLR(o, Where(0.5)))(), lambda o: torchs.MultiStepLR(o, [10], 0.5))


# -- errors ---------------------------------------------------------------------------------------------------------------

ADAM = "from_torch(key): given 'momentum' of a OneCycleLR; allowed: 'betas', which Adam has; to fix it: pass key='betas'."
FUNCTION = "allowed: a function of a tensor step, made of arithmetic and torch's functions; to fix it:"
BRANCH = (
    "LambdaLR: lr_lambda: given a function that takes a branch on the step (if, while, min, max, and, or, in); "
    f"{FUNCTION} write torch.where(step < 10, a, b) for an if, step.clamp(max=10) for min(step, 10)."
)
NUMBER = (
    "LambdaLR: lr_lambda: given a function that makes a Python number of the step (math, numpy, int, float); "
    f"{FUNCTION} write torch.cos(step) for math.cos(step), and so on."
)
LOOKUP = (
    "LambdaLR: lr_lambda: given a function that looks the step up in a list or a dict, or counts to it; "
    f"{FUNCTION} use tracelr.PiecewiseConstant or tracelr.Interpolate."
)
PRODUCT = (
    "allowed: schedulers that multiply the rate they find, so that the chain is their product; to fix it: multiply tracelr's "
    "own schedules, as in WarmRestarts(0.1, 0.0, 10) * Exponential(1.0, 0.9, 1)."
)
MULTIPLICATIVE = (
    "given factors that depend on the step; allowed: one number, such as lambda step: 0.95: the product of all factors so far "
    "is no function of the step; to fix it: write that product as a function of the step, in a LambdaLR, or as one of "
    "tracelr's schedules."
)
KNOWN = (
    "ChainedScheduler, ConstantLR, CosineAnnealingLR, CosineAnnealingWarmRestarts, CyclicLR, ExponentialLR, LambdaLR, "
    "LinearLR, MultiStepLR, MultiplicativeLR, OneCycleLR, PolynomialLR, SWALR, SequentialLR, StepLR"
)


class Mine(torchs.StepLR):
    """A class of a user's own, whose get_lr may be anything."""


def chain_with(member: Build) -> Build:
    return chained([lambda o: torchs.ConstantLR(o, 0.5, 9), member])


def warm(step: int, last: int) -> float:
    return step / last if step < last else 1.0


class Answer:
    """A number for an int, a tuple for anything else."""

    def __call__(self, step: Any) -> Any:
        return 1.0 if isinstance(step, int) else (1.0, step)


def two_faced(step: Any) -> Any:
    return 1.0 / (1 + step) if isinstance(step, int) else 1.0 * step


ERRORS: dict[str, tuple[Build, str]] = {
    "metric driven": (
        lambda o: torchs.ReduceLROnPlateau(o),
        "ReduceLROnPlateau: scheduler: given a scheduler driven by a metric; allowed: a scheduler that is a function of the "
        "step; to fix it: keep it as it is, beside the training step.",
    ),
    "a class of a user's own": (
        lambda o: Mine(o, 5),
        f"Mine: scheduler: given a class that is not torch's own; allowed: {KNOWN}; to fix it: write its formula as a "
        "Schedule, or pass one of these.",
    ),
    "an if": (lambda o: torchs.LambdaLR(o, lambda t: t / 10 if t < 10 else 1.0), BRANCH),
    "min": (lambda o: torchs.LambdaLR(o, lambda t: min(t, 5) / 5), BRANCH),
    "and": (lambda o: torchs.LambdaLR(o, lambda t: (t > 5 and 0.1) or 1.0), BRANCH),
    "a function with its arguments bound": (lambda o: torchs.LambdaLR(o, partial(warm, last=9)), BRANCH),
    "math": (lambda o: torchs.LambdaLR(o, lambda t: math.cos(t / 100)), NUMBER),
    "int": (lambda o: torchs.LambdaLR(o, lambda t: 0.5 ** int(t / 10)), NUMBER),
    "item": (lambda o: torchs.LambdaLR(o, lambda t: torch.as_tensor(t).item() * 0.1), NUMBER),
    "a list": (lambda o: torchs.LambdaLR(o, lambda t: [1.0, 0.5, 0.25, 0.1][t]), LOOKUP),
    "a dict": (lambda o: torchs.LambdaLR(o, lambda t: {0: 1.0}.get(t, 0.5)), LOOKUP),
    "a range": (lambda o: torchs.LambdaLR(o, lambda t: sum(0.9**k for k in range(t)) + 1.0), LOOKUP),
    "an attribute of an int": (
        lambda o: torchs.LambdaLR(o, lambda t: 1.0 / (1 + t.bit_length())),
        f"LambdaLR: lr_lambda: given a function that fails on a tensor step; {FUNCTION} write it with torch's functions; it "
        "says: AttributeError: '_Probe' object has no attribute 'bit_length'.",
    ),
    "no number": (
        lambda o: torchs.LambdaLR(o, Answer()),
        f"LambdaLR: lr_lambda: given a function that returns a tuple; {FUNCTION} return a number made of the step.",
    ),
    "two faces": (
        lambda o: torchs.LambdaLR(o, two_faced),
        "LambdaLR: lr_lambda: given a function that gives 1 at step 0, and 0 at torch.tensor(0); "
        f"{FUNCTION} make both the same: leave out isinstance.",
    ),
    "factors that change": (
        lambda o: torchs.MultiplicativeLR(o, lambda t: 1 / t),
        f"MultiplicativeLR: lr_lambda: {MULTIPLICATIVE}",
    ),
    "a writer in a chain": (
        chain_with(lambda o: torchs.CosineAnnealingWarmRestarts(o, 5)),
        "ChainedScheduler.schedulers[1]: scheduler: given CosineAnnealingWarmRestarts, which writes a rate of its own over "
        f"the others'; {PRODUCT}",
    ),
    "a sequence in a chain": (
        chain_with(sequential([lambda o: torchs.ConstantLR(o, 0.5, 9)] * 2, [5])),
        "ChainedScheduler.schedulers[1]: scheduler: given SequentialLR, which starts each of its schedulers at a rate of its "
        f"own; {PRODUCT}",
    ),
    "a floor in a chain": (
        chain_with(lambda o: torchs.CosineAnnealingLR(o, 5, 0.01)),
        "ChainedScheduler.schedulers[1]: scheduler: given CosineAnnealingLR, which goes to an eta_min of its own, whatever the "
        f"others do; {PRODUCT}",
    ),
    "SWA in a chain": (
        chain_with(lambda o: SWALR(o, 0.5)),
        "ChainedScheduler.schedulers[1]: scheduler: given SWALR, which goes to a rate of its own, whatever the others do; "
        f"{PRODUCT}",
    ),
    "a chain in a chain": (
        chained([chain_with(lambda o: torchs.MultiplicativeLR(o, lambda t: 1 / t))]),
        f"ChainedScheduler.schedulers[1]: MultiplicativeLR: lr_lambda: {MULTIPLICATIVE}",
    ),
    "in a sequence": (
        sequential([lambda o: torchs.ConstantLR(o, 0.5, 9), lambda o: torchs.StepLR(o, 5, -0.5)], [3]),
        "SequentialLR.schedulers[1]: StepLR: Step.gamma: given -0.5; allowed: a finite number above 0, or a 0-d floating "
        "point tensor; to fix it: pass a number in this range.",
    ),
    "milestones": (
        sequential([lambda o: torchs.ConstantLR(o, 0.5, 9)] * 3, [5, 3]),
        "SequentialLR: Sequential.milestones: given [5, 3]; allowed: a strictly increasing list of ints from 0 to 2**53; to "
        "fix it: sort it and drop the repeated ones.",
    ),
    "no iterations": (
        lambda o: torchs.LinearLR(o, total_iters=0),
        "LinearLR: total_iters: given 0; allowed: 1 or more: with 0, what torch computes step by step is not its own closed "
        "form; to fix it: leave this scheduler out.",
    ),
    "scale_fn": (
        lambda o: torchs.CyclicLR(o, 0.1, 0.2, scale_fn=lambda x: 0.9**x),
        "CyclicLR: scale_fn: given a function; allowed: None: a mode instead of a function; to fix it: use one of its modes, "
        "or multiply tracelr.Cyclic by a schedule of your own.",
    ),
    "half steps": (
        lambda o: torchs.CyclicLR(o, 0.1, 0.2, 2.5, 3),  # type: ignore[arg-type]
        "CyclicLR: step_size_up and step_size_down: given 2.5 and 3; allowed: whole steps; to fix it: round them.",
    ),
    "no warm-up": (
        lambda o: torchs.OneCycleLR(o, 0.1, 10, pct_start=0.0),
        "OneCycleLR: pct_start: given 0.0; allowed: a part of total_steps that ends after its first step and before its last; "
        "to fix it: use a larger part, or Cosine or Linear where one of its phases is all there is.",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case: str) -> None:
    theirs, message = ERRORS[case]
    driven = optimizer()
    scheduler = built(theirs, driven)
    with pytest.raises(TracelrError) as caught:
        from_torch(scheduler)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("theirs", "key", "message"),
    [
        (
            lambda o: torchs.StepLR(o, 5),
            "momentum",
            "from_torch(key): given 'momentum' of a StepLR; allowed: 'lr', or a CyclicLR or OneCycleLR; to fix it: convert "
            "one of these on its own.",
        ),
        (
            lambda o: torchs.OneCycleLR(o, 0.1, 50, cycle_momentum=False),
            "momentum",
            "from_torch(key): given 'momentum' of a OneCycleLR; allowed: 'lr', with cycle_momentum=False; to fix it: leave "
            "the key out.",
        ),
        (lambda o: torchs.OneCycleLR(o, 0.1, 50), "momentum", ADAM),
        (
            lambda o: torchs.StepLR(o, 5),
            "weight_decay",
            "from_torch(key): given 'weight_decay'; allowed: 'lr', 'momentum', 'betas'; to fix it: use one of these names.",
        ),
    ],
)
def test_keys(theirs: Build, key: Any, message: str) -> None:
    scheduler = theirs(optimizer("betas" if message == ADAM else "lr"))
    with pytest.raises(TracelrError) as caught:
        from_torch(scheduler, key)
    assert str(caught.value) == message


def test_a_class_is_no_scheduler() -> None:
    with pytest.raises(TracelrError) as caught:
        from_torch(torchs.StepLR)  # type: ignore[arg-type]
    assert str(caught.value) == (
        "from_torch: given <class 'torch.optim.lr_scheduler.StepLR'>; allowed: a scheduler of torch.optim.lr_scheduler; "
        "to fix it: pass the scheduler, not its class or its optimizer."
    )


def test_a_group_that_came_later() -> None:
    driven = optimizer()
    scheduler = torchs.StepLR(driven, 5)
    driven.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))]})
    with pytest.raises(TracelrError) as caught:
        from_torch(scheduler)
    assert str(caught.value) == (
        "StepLR: base_lrs: given base_lrs of 1 groups; allowed: one for each param group of the optimizer; to fix it: build "
        "the scheduler after the last group."
    )


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():  # of schedulers inside another, which step before the optimizer has
        warnings.filterwarnings("ignore", category=UserWarning, module="torch")
        yield
