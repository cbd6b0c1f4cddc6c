"""Inside torch's compositions the rates are those of torch's LambdaLR of the same function, also after a resume."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
import torch
from frameworks.common import RATE, network, rates, sgd, used
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    SequentialLR,
)
from torch.optim.swa_utils import SWALR, AveragedModel

from tracelr import Cosine, Linear, Schedule, Scheduler
from tracelr.errors import OptimizerError

WARM, FALL, TAIL = Linear(0.0, 1.0, 3), Cosine(1.0, 0.1, 5), Linear(0.1, 0.01, 4)
Member = Callable[[Optimizer, Schedule], LRScheduler]
NESTS: dict[str, Callable[[Optimizer, Member], LRScheduler]] = {
    "three": lambda o, m: SequentialLR(o, [m(o, WARM), m(o, FALL), m(o, TAIL)], [3, 8]),
    "recursive in the middle": lambda o, m: SequentialLR(o, [m(o, WARM), ExponentialLR(o, 0.9), m(o, TAIL)], [3, 8]),
    "recursive at the end": lambda o, m: SequentialLR(o, [m(o, WARM), CosineAnnealingLR(o, 9)], [3]),
    "recursive at first": lambda o, m: SequentialLR(o, [LinearLR(o, 0.1, 1, 3), m(o, FALL)], [3]),
    "milestone 0": lambda o, m: SequentialLR(o, [m(o, WARM), m(o, FALL)], [0]),
    "sequence in a sequence": lambda o, m: SequentialLR(
        o, [SequentialLR(o, [m(o, WARM), m(o, FALL)], [3]), m(o, TAIL)], [8]
    ),
    "chain in a sequence": lambda o, m: SequentialLR(o, [ChainedScheduler([m(o, WARM)]), m(o, FALL)], [3]),
    "sequence in a chain": lambda o, m: ChainedScheduler(
        [SequentialLR(o, [m(o, WARM), m(o, FALL)], [3]), ExponentialLR(o, 0.9)]
    ),
    "ours second in a chain": lambda o, m: ChainedScheduler([ExponentialLR(o, 0.9), m(o, WARM)]),
}
OWN = [
    ("three", 0),
    ("three", 1),
    ("three", 2),
    ("recursive in the middle", 0),
    ("recursive in the middle", 1),
    ("recursive at the end", 0),
    ("recursive at first", 0),
    ("milestone 0", 0),
    ("milestone 0", 1),
    ("sequence in a sequence", 0),
    ("sequence in a sequence", 1),
    ("sequence in a sequence", 2),
    ("chain in a sequence", 0),
    ("chain in a sequence", 1),
    ("sequence in a chain", 0),
    ("sequence in a chain", 1),
    ("ours second in a chain", 0),
]
"""Each composition, and which of its members that may be ours is ours: one, because one scheduler drives a number."""
QUICK = {("milestone 0", 1), ("chain in a sequence", 1), ("sequence in a chain", 0)}


@pytest.fixture(autouse=True)
def _early(_strict: None) -> Iterator[None]:
    with warnings.catch_warnings():  # torch's nested schedulers take their first step for one that came too early
        warnings.filterwarnings("ignore", "Detected call of")
        yield


def ours(optimizer: Optimizer, schedule: Schedule) -> LRScheduler:
    return Scheduler(optimizer, lr=schedule)


def theirs(optimizer: Optimizer, schedule: Schedule) -> LRScheduler:
    alone = Scheduler(sgd(), lr=schedule)
    return LambdaLR(optimizer, lambda step: alone.peek(step)[0])


def members(own: int) -> Member:
    """Return what makes the members of a composition: number `own` is ours, the others are torch's."""
    made = count()
    return lambda optimizer, schedule: (ours if next(made) == own else theirs)(optimizer, schedule)


def steps(optimizer: Optimizer, scheduler: LRScheduler, times: int) -> None:
    for _ in range(times):
        optimizer.step()
        scheduler.step()


def copied(state: Any) -> Any:
    """Return the state as read back from a checkpoint file."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=False)  # states of torch's schedulers may hold classes of torch


@pytest.mark.parametrize("lr", [1.0, torch.tensor(1.0)], ids=["float", "tensor"])
@pytest.mark.parametrize(("nest", "own"), OWN)
def test_every_rate_is_that_of_torchs_own_member(nest: str, own: int, lr: float | Tensor) -> None:
    seen = []
    for member, start in ((members(own), lr), (theirs, lr)):
        optimizer = sgd(start.clone() if isinstance(start, Tensor) else start)
        made = used(optimizer)
        steps(optimizer, NESTS[nest](optimizer, member), 14)
        seen.append(made)
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ("nest", "own"), [pytest.param(*one, marks=() if one in QUICK else pytest.mark.slow) for one in OWN]
)
def test_a_resume_at_any_step_goes_on_as_if_nothing_had_happened(nest: str, own: int) -> None:
    whole = sgd()
    made = used(whole)
    scheduler = NESTS[nest](whole, members(own))
    saved = []
    for _ in range(14):
        saved.append(copied((whole.state_dict(), scheduler.state_dict())))
        steps(whole, scheduler, 1)
    for at, (optimizer_state, scheduler_state) in enumerate(saved):
        optimizer = sgd()
        resumed = NESTS[nest](optimizer, members(own))
        again = used(optimizer)
        optimizer.load_state_dict(optimizer_state)
        resumed.load_state_dict(scheduler_state)
        steps(optimizer, resumed, 14 - at)
        assert again == made[at:], at


@pytest.mark.parametrize("nest", [nest for nest, own in OWN if own == 1])
def test_two_of_ours_on_one_number_are_refused(nest: str) -> None:
    with pytest.raises(OptimizerError, match=r"a second scheduler; .*lr=a\.then\(b\)"):
        NESTS[nest](sgd(), ours)


def test_weight_averaging_takes_over_from_ours() -> None:
    model = network()
    averaged = AveragedModel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    scheduler = Scheduler(optimizer, lr=RATE)
    swa = SWALR(optimizer, swa_lr=0.05, anneal_epochs=4, anneal_strategy="linear")
    made = used(optimizer)
    for step in range(18):
        if step == 10:
            scheduler.detach()
        optimizer.zero_grad()
        model(torch.ones(2, 4)).sum().backward()
        optimizer.step()
        if step < 9:
            scheduler.step()
        else:
            averaged.update_parameters(model)
            swa.step()
    start = RATE(9).item()
    anneal = [start + (0.05 - start) * min(k / 4, 1) for k in range(9)]
    assert made[:10] == rates(10)
    assert made[9:] == pytest.approx(anneal, rel=1e-7)  # recorded in float32
    assert averaged.n_averaged.item() == 9
    last = optimizer.param_groups[0]["lr"]
    optimizer.load_state_dict(optimizer.state_dict())
    assert optimizer.param_groups[0]["lr"] == last


FOREIGN: dict[str, Callable[[Optimizer], LRScheduler]] = {
    "CosineAnnealingLR": lambda o: CosineAnnealingLR(o, 20),
    "WarmRestarts": lambda o: CosineAnnealingWarmRestarts(o, 20),
    "OneCycleLR": lambda o: OneCycleLR(o, 1.0, 20, cycle_momentum=False),
    "MultiStepLR": lambda o: MultiStepLR(o, [3, 5]),
    "LambdaLR": lambda o: LambdaLR(o, lambda step: 0.5**step),
    "SequentialLR": lambda o: SequentialLR(o, [LinearLR(o), ExponentialLR(o, 0.9)], [3]),
    "ChainedScheduler": lambda o: ChainedScheduler([LinearLR(o), ExponentialLR(o, 0.9)]),
}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("optimizer_first", [True, False])
def test_a_checkpoint_of_torchs_scheduler_is_taken_up(name: str, optimizer_first: bool) -> None:
    before = sgd()
    foreign = FOREIGN[name](before)
    steps(before, foreign, 7)
    saved = copied((before.state_dict(), foreign.state_dict()))
    optimizer = sgd()
    scheduler = Scheduler(optimizer, lr=RATE)
    made = used(optimizer)
    loads = [lambda: optimizer.load_state_dict(saved[0]), lambda: scheduler.load_state_dict(saved[1])]
    for load in loads if optimizer_first else loads[::-1]:
        load()
    assert scheduler.last_epoch == 7
    steps(optimizer, scheduler, 4)
    assert made == rates(4, start=7)
