"""Rows for torch.optim.lr_scheduler, run and converted by `from_torch`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch.optim import lr_scheduler as torchs
from torch.optim.swa_utils import SWALR

import tracelr
from support.peers.peer import Peer
from tracelr import Schedule

Build = Callable[[Any], torchs.LRScheduler]
Key = Literal["lr", "momentum", "betas"]


def optimizer(key: Key = "lr", rate: float = 0.1) -> torch.optim.Optimizer:
    weights = [torch.nn.Parameter(torch.zeros(1))]
    return torch.optim.Adam(weights, rate) if key == "betas" else torch.optim.SGD(weights, rate, momentum=0.9)


def built(build: Build, driven: torch.optim.Optimizer) -> torchs.LRScheduler:
    with warnings.catch_warnings():  # an inner scheduler steps before the optimizer does
        warnings.simplefilter("ignore", UserWarning)
        return build(driven)


def stepped(build: Build, key: Key = "lr") -> Callable[[list[int]], Sequence[float]]:
    """Return the rates of `build`, stepped from 0 with a Python float, at the steps; the last one where it raises."""

    def values(steps: list[int]) -> list[float]:
        driven, found = optimizer(key), list[float]()
        scheduler = built(build, driven)
        for _ in range(max(steps) + 1):
            value = driven.param_groups[0][key]
            found.append(float(value[0] if key == "betas" else value))
            driven.step()
            try:
                scheduler.step()
            except ValueError:  # OneCycleLR, two steps past its end
                break
        return [found[min(step, len(found) - 1)] for step in steps]

    return values


def converted(build: Build, key: Key = "lr") -> Callable[[], Schedule]:
    def convert() -> Schedule:
        schedule = tracelr.from_torch(built(build, optimizer(key)), key)
        assert isinstance(schedule, Schedule)
        return schedule

    return convert


def row(
    theirs: str,
    ours: str,
    build: Build,
    ends: tuple[int, ...],
    reason: str = "their float64, computed step by step",
    tolerance: float = 1e-7,
    key: Key = "lr",
    until: int | None = None,
    differs: str = "",
) -> Peer:
    return Peer("torch", theirs, ours, stepped(build, key), ends, tolerance, reason, converted(build, key), until, differs)


ENDS = "torch's last knot is at total_steps - 1; its next value is past the end of the curve, and the one after that is an error"

PEERS = [
    row("StepLR(optimizer, 30, gamma=0.5)", "Step(0.1, 0.5, 30)", lambda o: torchs.StepLR(o, 30, 0.5), (30, 60)),
    row(
        "MultiStepLR(optimizer, [0, 3, 5, 5, 90], gamma=0.5)",
        "MultiStep(0.1, 0.5, [0, 3, 5, 5, 90])",
        lambda o: torchs.MultiStepLR(o, [0, 3, 5, 5, 90], 0.5),
        (3, 5, 90),
    ),
    row(
        "ConstantLR(optimizer, factor=0.25, total_iters=50)",
        "PiecewiseConstant([0.025, 0.1], [50])",
        lambda o: torchs.ConstantLR(o, 0.25, 50),
        (50,),
    ),
    row(
        "LinearLR(optimizer, start_factor=0.25, end_factor=0.5, total_iters=100)",
        "Linear(0.025, 0.05, 100)",
        lambda o: torchs.LinearLR(o, 0.25, 0.5, 100),
        (100,),
    ),
    row(
        "LinearLR(optimizer)",
        "Linear(0.1 * (1 / 3), 0.1, 5)",
        lambda o: torchs.LinearLR(o),
        (5,),
    ),
    row(
        "ExponentialLR(optimizer, gamma=0.99)",
        "Exponential(0.1, 0.99, 1)",
        lambda o: torchs.ExponentialLR(o, 0.99),
        (1000,),
    ),
    row(
        "MultiplicativeLR(optimizer, lambda step: 0.95)",
        "Exponential(0.1, 0.95, 1)",
        lambda o: torchs.MultiplicativeLR(o, lambda step: 0.95),
        (200,),
    ),
    row(
        "LambdaLR(optimizer, lambda step: 0.5)",
        "Constant(0.05)",
        lambda o: torchs.LambdaLR(o, lambda step: 0.5),
        (10,),
    ),
    row(
        "PolynomialLR(optimizer, total_iters=100, power=1.5)",
        "Polynomial(0.1, 0.0, 100, 1.5)",
        lambda o: torchs.PolynomialLR(o, 100, 1.5),
        (100,),
    ),
    row(
        "CosineAnnealingLR(optimizer, T_max=100, eta_min=0.01)",
        "CosineAnnealing(0.1, 0.01, 100)",
        lambda o: torchs.CosineAnnealingLR(o, 100, 0.01),
        (100, 200, 300),
    ),
    row(
        "CosineAnnealingWarmRestarts(optimizer, T_0=30, eta_min=0.01)",
        "WarmRestarts(0.1, 0.01, 30)",
        lambda o: torchs.CosineAnnealingWarmRestarts(o, 30, eta_min=0.01),
        (30, 60, 90),
    ),
    row(
        "CosineAnnealingWarmRestarts(optimizer, T_0=10, T_mult=2)",
        "WarmRestarts(0.1, 0.0, 10, 2)",
        lambda o: torchs.CosineAnnealingWarmRestarts(o, 10, 2),
        (10, 30, 70, 150),
    ),
    row(
        "CyclicLR(optimizer, 0.01, 0.2, step_size_up=20, step_size_down=7)",
        "Cyclic(0.01, 0.2, 20, 7)",
        lambda o: torchs.CyclicLR(o, 0.01, 0.2, 20, 7),
        (20, 27, 54),
    ),
    row(
        'CyclicLR(optimizer, 0.01, 0.2, 20, mode="triangular2")',
        'Cyclic(0.01, 0.2, 20, mode="triangular2")',
        lambda o: torchs.CyclicLR(o, 0.01, 0.2, 20, mode="triangular2"),
        (20, 40, 80),
    ),
    row(
        'CyclicLR(optimizer, 0.01, 0.2, 20, 9, mode="exp_range", gamma=0.99)',
        'Cyclic(0.01, 0.2, 20, 9, "exp_range", 0.99)',
        lambda o: torchs.CyclicLR(o, 0.01, 0.2, 20, 9, "exp_range", 0.99),
        (20, 29, 58),
    ),
    row(
        "CyclicLR(optimizer, 0.01, 0.2, 20): momentum",
        "Cyclic(0.9, 0.8, 20)",
        lambda o: torchs.CyclicLR(o, 0.01, 0.2, 20),
        (20, 40),
        key="momentum",
    ),
    row(
        "CyclicLR(adam, 0.01, 0.2, 20): betas[0]",
        "Cyclic(0.9, 0.8, 20)",
        lambda o: torchs.CyclicLR(o, 0.01, 0.2, 20),
        (20, 40),
        key="betas",
    ),
    row(
        "OneCycleLR(optimizer, max_lr=0.2, total_steps=100)",
        "OneCycle(0.2 / 25, 0.2, 0.2 / 25 / 1e4, 99, 29.0)",
        lambda o: torchs.OneCycleLR(o, 0.2, 100),
        (29, 99),
        until=100,
        differs=ENDS,
    ),
    row(
        'OneCycleLR(optimizer, max_lr=0.2, total_steps=100, anneal_strategy="linear", three_phase=True)',
        'OneCycle(0.2 / 25, 0.2, 0.2 / 25 / 1e4, 99, 29.0, "linear", True)',
        lambda o: torchs.OneCycleLR(o, 0.2, 100, anneal_strategy="linear", three_phase=True),
        (29, 58, 99),
        until=100,
        differs=ENDS,
    ),
    row(
        "OneCycleLR(optimizer, max_lr=0.2, total_steps=100): momentum",
        "OneCycle(0.95, 0.85, 0.95, 99, 29.0)",
        lambda o: torchs.OneCycleLR(o, 0.2, 100),
        (29, 99),
        key="momentum",
        until=100,
        differs=ENDS,
    ),
    row("SWALR(optimizer, swa_lr=0.05, anneal_epochs=20)", "Cosine(0.1, 0.05, 20)", lambda o: SWALR(o, 0.05, 20), (20,)),
    row(
        "SequentialLR(optimizer, [LinearLR(optimizer, 0.1, 1, 10), CosineAnnealingLR(optimizer, 90)], [10])",
        "Sequential([Linear(0.1 * 0.1, 0.1, 10), CosineAnnealing(0.1, 0.0, 90)], [10])",
        lambda o: torchs.SequentialLR(o, [torchs.LinearLR(o, 0.1, 1, 10), torchs.CosineAnnealingLR(o, 90)], [10]),
        (10, 100),
    ),
    row(
        'SequentialLR(optimizer, [LinearLR(optimizer, 1, 0.5, 30), SWALR(optimizer, 0.01, 20, "linear")], [20])',
        "Sequential([Linear(0.1, 0.05, 30), Linear(0.1 - 0.05 * 19 / 30, 0.01, 20)], [20])",
        lambda o: torchs.SequentialLR(o, [torchs.LinearLR(o, 1, 0.5, 30), SWALR(o, 0.01, 20, "linear")], [20]),
        (20, 40),
    ),
    row(
        "SequentialLR(optimizer, [SequentialLR(optimizer, [ConstantLR(optimizer, 0.5, 99), ConstantLR(optimizer, 0.2, 99)], "
        "[10]), ExponentialLR(optimizer, 0.9)], [30])",
        "Sequential([Sequential([PiecewiseConstant([0.05, 0.1], [99]), PiecewiseConstant([0.1 * 0.2, 0.1], [99])], [10]), "
        "Exponential(0.1, 0.9, 1)], [30])",
        lambda o: torchs.SequentialLR(
            o,
            [
                torchs.SequentialLR(o, [torchs.ConstantLR(o, 0.5, 99), torchs.ConstantLR(o, 0.2, 99)], [10]),
                torchs.ExponentialLR(o, 0.9),
            ],
            [30],
        ),
        (10, 30),
        until=9,
        differs="torch runs a SequentialLR one step early inside another (pytorch#196243), and not at all if it is not the first",
    ),
    row(
        "SequentialLR(optimizer, [ChainedScheduler([LinearLR(optimizer, 0.5, 1, 10), StepLR(optimizer, 4, 0.5)]), "
        "ExponentialLR(optimizer, 0.9)], [30])",
        "Sequential([Linear(0.05, 0.1, 10) * Step(1.0, 0.5, 4), Exponential(0.1, 0.9, 1)], [30])",
        lambda o: torchs.SequentialLR(
            o,
            [
                torchs.ChainedScheduler([torchs.LinearLR(o, 0.5, 1, 10), torchs.StepLR(o, 4, 0.5)]),
                torchs.ExponentialLR(o, 0.9),
            ],
            [30],
        ),
        (4, 8, 10, 30),
    ),
    row(
        "ChainedScheduler([ExponentialLR(optimizer, 0.99), MultiStepLR(optimizer, [50, 80]), LinearLR(optimizer, 0.5, 1, 20)])",
        "Product([Exponential(0.1, 0.99, 1), MultiStep(1.0, 0.1, [50, 80]), Linear(0.5, 1.0, 20)])",
        lambda o: torchs.ChainedScheduler(
            [torchs.ExponentialLR(o, 0.99), torchs.MultiStepLR(o, [50, 80]), torchs.LinearLR(o, 0.5, 1, 20)]
        ),
        (20, 50, 80),
    ),
    row(
        "ChainedScheduler([LinearLR(optimizer, 0.5, 1, 20), CosineAnnealingLR(optimizer, 100)])",
        "Linear(0.05, 0.1, 20) * CosineAnnealing(1.0, 0.0, 100)",
        lambda o: torchs.ChainedScheduler([torchs.LinearLR(o, 0.5, 1, 20), torchs.CosineAnnealingLR(o, 100)]),
        (20, 100, 200),
    ),
    row(
        "ChainedScheduler([CosineAnnealingLR(optimizer, 100), ExponentialLR(optimizer, 0.99)])",
        "CosineAnnealing(0.1, 0.0, 100) * Exponential(1.0, 0.99, 1)",
        lambda o: torchs.ChainedScheduler([torchs.CosineAnnealingLR(o, 100), torchs.ExponentialLR(o, 0.99)]),
        (100,),
        until=101,
        differs="the rate is 0 at T_max, and from there torch rises from a new rate in which the other factors are lost",
    ),
]
