"""Steps, knots and cycles: against torch's schedulers, for random hyper-parameters, and every error."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from mpmath import mp
from support.exactness import NEAR_TIE
from support.oracle import probes, to_float32, ulps
from support.row import Exact, exponential
from support.rows.cycles import cyclic, knots, multi_step, one_cycle, restarts, wave
from torch.optim import lr_scheduler as theirs

import tracelr
from tracelr import Schedule, lowering
from tracelr.errors import ScheduleError, ScheduleTypeError

# (the peer, our curve, the bound of the difference relative to the largest value). torch computes with Python floats; one formula
# per step is off by a few roundings. Its CosineAnnealingLR multiplies the last rate by a quotient of cosines instead, so its error
# grows with the step, most where the rate is near `eta_min`.
PEERS: dict[str, tuple[Callable[[Any], Any], Schedule, float]] = {
    "StepLR": (lambda o: theirs.StepLR(o, 7, 0.9), tracelr.Step(0.1, 0.9, 7), 1e-13),
    "MultiStepLR": (lambda o: theirs.MultiStepLR(o, [3, 5, 5, 90], 0.3), tracelr.MultiStep(0.1, 0.3, [3, 5, 5, 90]), 1e-13),
    "CosineAnnealingLR": (
        lambda o: theirs.CosineAnnealingLR(o, 30, 0.01),
        tracelr.CosineAnnealing(0.1, 0.01, 30),
        1e-11,
    ),
    "CosineAnnealingWarmRestarts": (
        lambda o: theirs.CosineAnnealingWarmRestarts(o, 30, eta_min=0.01),
        tracelr.WarmRestarts(0.1, 0.01, 30),
        1e-13,
    ),
    "CosineAnnealingWarmRestarts, longer": (
        lambda o: theirs.CosineAnnealingWarmRestarts(o, 7, 2, 0.01),
        tracelr.WarmRestarts(0.1, 0.01, 7, multiplier=2),
        1e-13,
    ),
    "CyclicLR": (lambda o: theirs.CyclicLR(o, 0.01, 0.2, 20, 7), tracelr.Cyclic(0.01, 0.2, 20, 7), 1e-13),
    "CyclicLR, triangular2": (
        lambda o: theirs.CyclicLR(o, 0.01, 0.2, 20, mode="triangular2"),
        tracelr.Cyclic(0.01, 0.2, 20, mode="triangular2"),
        1e-13,
    ),
    "CyclicLR, exp_range": (
        lambda o: theirs.CyclicLR(o, 0.01, 0.2, 20, 9, mode="exp_range", gamma=0.99),
        tracelr.Cyclic(0.01, 0.2, 20, 9, mode="exp_range", gamma=0.99),
        1e-13,
    ),
}


def stepped(build: Callable[[Any], Any], steps: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
    scheduler, rates = build(optimizer), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def wide(schedule: Schedule, steps: int) -> list[float]:
    """Return the values before they are rounded to float32."""
    values: torch.Tensor = schedule.wide(torch.arange(steps), tracelr.arithmetic.F64)
    return values.tolist()


@pytest.mark.parametrize("peer", PEERS)
def test_equals_torch_over_many_cycles(peer: str) -> None:
    build, schedule, tolerance = PEERS[peer]
    want = stepped(build, 500)
    assert wide(schedule, 500) == pytest.approx(want, rel=tolerance, abs=tolerance * max(want))


@pytest.mark.parametrize("ease", ["cosine", "linear"])
@pytest.mark.parametrize("three_phase", [False, True])
@pytest.mark.parametrize(("total", "warm"), [(10, 0.3), (13, 0.3), (100, 0.25), (997, 0.123), (1000, 0.3)])
def test_one_cycle_equals_torch(ease: str, three_phase: bool, total: int, warm: float) -> None:
    anneal = "cos" if ease == "cosine" else ease
    rates = stepped(
        lambda o: theirs.OneCycleLR(o, 1.0, total, pct_start=warm, anneal_strategy=anneal, three_phase=three_phase),
        total - 1,
    )
    ours = tracelr.OneCycle(1 / 25, 1.0, 1 / 25 / 1e4, total - 1, warm * total - 1, ease, three_phase)  # type: ignore[arg-type]
    # torch computes 1 + cos and end - start, so it loses up to four digits where the value is small. The bound is relative to
    # the peak for that reason.
    assert wide(ours, total - 1) == pytest.approx(rates, rel=0, abs=1e-14)
    assert (
        max(ulps(got, mp.mpf(want)) for got, want in zip(ours(torch.arange(total - 1)).tolist(), rates, strict=True)) < 0.501
    )
    last = torch.tensor(1 / 25 / 1e4)
    assert torch.equal(ours(torch.tensor([total - 1, total, 2**53])), last.expand(3))


def cases(draw: random.Random) -> list[tuple[Schedule, Exact, int]]:
    """Return a random schedule of each kind, its oracle, and the last step worth looking at."""
    n = int(2 ** draw.uniform(1, 45))
    start, end = draw.choice([(6e-4, 0.0), (1e-5, 1.0), (draw.random(), draw.random())])
    gamma, growth = draw.uniform(0.1, 1), draw.choice([2, 1.5, draw.uniform(1.05, 10)])
    ease = draw.choice(["cosine", "linear"])
    places = sorted(draw.sample(range(2**50), 20) + draw.sample(range(1000), 20))
    values = [10 ** draw.uniform(-9, 1) for _ in places]
    warm = n * draw.uniform(0.01, 0.49)
    mode = draw.choice(["triangular", "triangular2"])
    low, high = sorted((start, end))
    return [
        (tracelr.Step(start, gamma, n), exponential(start, gamma, n, True), 50 * n),
        (tracelr.MultiStep(start, gamma, places), multi_step(start, gamma, places), 2**50),
        (tracelr.CosineAnnealing(start, end, n), wave(start, end, n), 20 * n),
        (tracelr.WarmRestarts(start, end, n, 1, gamma), restarts(start, end, n, 1, gamma), 20 * n),
        (tracelr.WarmRestarts(start, end, n, growth, gamma), restarts(start, end, n, growth, gamma), 20 * n),
        (tracelr.Cyclic(start, end, n, 2 * n + 1, mode), cyclic(start, end, n, 2 * n + 1, mode), 20 * n),
        (tracelr.Cyclic(end, start, n, 1, mode), cyclic(end, start, n, 1, mode), 20 * n),
        (tracelr.Cyclic(low, high, n, 3, "exp_range", gamma), cyclic(low, high, n, 3, "exp_range", gamma), 5 * n),
        (tracelr.OneCycle(start, 2.0, end, n, warm, ease), one_cycle(start, 2.0, end, n, warm, ease), n),
        (tracelr.OneCycle(start, 2.0, end, n, warm, ease, True), one_cycle(start, 2.0, end, n, warm, ease, True), n),
        (tracelr.Interpolate(values, places, ease), knots(places, values, ease), 2**50),
    ]


@pytest.mark.parametrize("seed", range(6))
def test_random_schedules_are_correctly_rounded(seed: int) -> None:
    for schedule, exact, last in cases(random.Random(seed)):
        steps = probes((last, last // 20, last // 10), seed, 40)
        got = schedule(torch.tensor(steps)).tolist()
        wrong = [
            (s, g)
            for s, g in zip(steps, got, strict=True)
            if g != to_float32(exact(s)) and ulps(g, exact(s)) > 0.5 + NEAR_TIE
        ]
        assert wrong == [], schedule


@pytest.mark.parametrize("multiplier", [1, 1.25, 2, 7.3])
def test_restarts_are_on_the_right_step_up_to_the_last(multiplier: float) -> None:
    schedule = tracelr.WarmRestarts(1.0, 0.0, 1001, multiplier)
    starts = [1001 * k for k in (1, 2, 10**6, 10**12)] if multiplier == 1 else schedule.table("restarts").tolist()
    at = torch.tensor([s for s in starts if 0 < s < 2**53])
    assert torch.equal(schedule(at), torch.ones(len(at)))
    assert (schedule(at - 1) < 1e-3).all()


def test_the_graph_does_not_grow_with_the_table() -> None:
    for build in (
        lambda n: tracelr.PiecewiseConstant([k % 7 for k in range(n + 1)], list(range(1, n + 1))),
        lambda n: tracelr.MultiStep(1.0, 0.999, list(range(n))),
        lambda n: tracelr.Interpolate([k % 7 for k in range(n)], list(range(n)), "cosine"),
    ):
        short, long = build(10), build(10_000)
        assert len(lowering.trace(long).nodes) == len(lowering.trace(short).nodes)
        assert torch.equal(long(torch.arange(10)), short(torch.arange(10)))


def test_lengths() -> None:
    assert tracelr.Step(1.0, 0.1, 5).length is None
    assert tracelr.MultiStep(1.0, 0.1, [2, 2]).length == 2
    assert tracelr.MultiStep(1.0, 0.1, [])(torch.arange(2)).tolist() == [1.0, 1.0]
    assert tracelr.MultiStep(1.0, 0.1, []).length is None
    assert tracelr.CosineAnnealing(1.0, 0.0, 5).length is None
    assert tracelr.WarmRestarts(1.0, 0.0, 5).length is None
    assert tracelr.WarmRestarts(1.0, 0.0, 5, limit=3).length == 15
    assert tracelr.WarmRestarts(1.0, 0.0, 5, 2, limit=3).length == 35
    assert tracelr.WarmRestarts(1.0, 0.0, 5, 1.5, limit=2)(torch.tensor([12, 13])).tolist()[1] == 0.0
    assert tracelr.Cyclic(0.0, 1.0, 5).length is None
    assert tracelr.OneCycle(0.1, 1.0, 0.0, 10, 3).length == 10
    assert tracelr.Interpolate([1.0, 2.0], [3, 9]).length == 9
    assert tracelr.Interpolate([1.0], [0])(torch.tensor([0, 2**53])).tolist() == [1.0, 1.0]


def test_a_limit_beyond_the_last_step_never_comes() -> None:
    for multiplier in (1, 2):
        schedule = tracelr.WarmRestarts(1.0, 0.5, 2**50, multiplier, limit=1000)
        assert schedule.length is None
        assert torch.equal(schedule(2**53), tracelr.WarmRestarts(1.0, 0.5, 2**50, multiplier)(2**53))


def test_tensor_fields_carry_gradients() -> None:
    x = torch.nn.Parameter(torch.tensor(0.5, dtype=torch.float64))
    for schedule, step, slope in [
        (tracelr.Step(1.0, x, 2), 4, 1.0),  # x**2
        (tracelr.MultiStep(1.0, x, [1, 1]), 1, 1.0),
        (tracelr.MultiStep(x, 0.5, [1]), 1, 0.5),
        (tracelr.CosineAnnealing(x, 0.0, 2), 4, 1.0),
        (tracelr.WarmRestarts(1.0, 0.0, 3, decay=x), 6, 1.0),
        (tracelr.WarmRestarts(x, 0.0, 3, 2, decay=0.5), 9, 0.25),
        (tracelr.Cyclic(0.0, x, 4), 2, 0.5),
        (tracelr.Cyclic(0.0, 1.0, 2, mode="exp_range", gamma=x), 2, 1.0),
        (tracelr.OneCycle(0.0, x, 0.0, 4, 2), 1, 0.5),
    ]:
        (got,) = torch.autograd.grad(schedule(step), x)
        assert got.item() == pytest.approx(slope, rel=1e-6), schedule


ERRORS: dict[str, tuple[Callable[[], Schedule], str]] = {
    "gamma": (
        lambda: tracelr.Step(1.0, 0, 5),
        "Step.gamma: given 0; allowed: a finite number above 0, or a 0-d floating point tensor; to fix it: pass a number in this range.",
    ),
    "milestones": (
        lambda: tracelr.MultiStep(1.0, 0.1, [3, 2]),
        "MultiStep.milestones: given [3, 2]; allowed: an increasing list of ints from 0 to 2**53; to fix it: sort it.",
    ),
    "multiplier": (
        lambda: tracelr.WarmRestarts(1.0, 0.0, 5, 0.5),
        "WarmRestarts.multiplier: given 0.5; allowed: a number from 1 to 512; to fix it: pass a number in this range.",
    ),
    "too many cycles": (
        lambda: tracelr.WarmRestarts(1.0, 0.0, 5, 1.001),
        "WarmRestarts.multiplier: given 1.001; allowed: 1, or a number that makes at most 4096 cycles up to the limit or 2**53; to fix it: pass a lower limit, or a larger multiplier.",
    ),
    "limit": (
        lambda: tracelr.WarmRestarts(1.0, 0.0, 5, limit=0),
        "WarmRestarts.limit: given 0; allowed: an int from 1 to 2**53, or None; to fix it: pass a number of steps in this range.",
    ),
    "mode": (
        lambda: tracelr.Cyclic(0.0, 1.0, 5, mode="saw"),  # type: ignore[arg-type]
        "Cyclic.mode: given 'saw'; allowed: 'triangular', 'triangular2', 'exp_range'; to fix it: use one of these names.",
    ),
    "warm": (
        lambda: tracelr.OneCycle(0.1, 1.0, 0.0, 10, 10),
        "OneCycle.warm: given 10.0; allowed: a number of steps above 0, below steps (with three_phase, below half of them); to fix it: move the peak into this range.",
    ),
    "warm of three": (
        lambda: tracelr.OneCycle(0.1, 1.0, 0.0, 10, 5, three_phase=True),
        "OneCycle.warm: given 5.0; allowed: a number of steps above 0, below steps (with three_phase, below half of them); to fix it: move the peak into this range.",
    ),
    "knots": (
        lambda: tracelr.Interpolate([1.0, 2.0], [1]),
        "Interpolate.milestones: given 1 milestones [1]; allowed: exactly as many as its 2 values; to fix it: pass 2 of them.",
    ),
    "repeated knots": (
        lambda: tracelr.Interpolate([1.0, 2.0], [1, 1]),
        "Interpolate.milestones: given [1, 1]; allowed: a strictly increasing list of ints from 0 to 2**53; to fix it: sort it and drop the repeated ones.",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case: str) -> None:
    build, message = ERRORS[case]
    with pytest.raises(ScheduleError) as caught:
        build()
    assert str(caught.value) == message


def test_a_fraction_of_steps_is_refused_where_it_means_nothing() -> None:
    with pytest.raises(ScheduleTypeError) as caught:
        tracelr.Cyclic(0.0, 1.0, 5, 2.5)  # type: ignore[arg-type]
    assert str(caught.value) == (
        "Cyclic.down: given 2.5; allowed: an int from 1 to 2**53, or None; to fix it: pass a whole number of steps."
    )
