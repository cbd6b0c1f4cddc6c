"""Factors that follow a metric equal those of torch and transformers at every step, in eager code and inside a graph."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from support.optimizers import sgd
from torch import Tensor, nn
from torch._dynamo.utils import counters
from torch.optim import SGD
from torch.optim.lr_scheduler import ReduceLROnPlateau
from transformers.optimization import GreedyLR

from tracelr import Constant, Cosine, Greedy, Plateau, Scheduler, fuse
from tracelr.errors import ScheduleError


def metrics(seed: int, count: int = 400) -> list[float]:
    """Return losses that fall, stall, repeat and blow up."""
    draw = random.Random(seed)
    value, found = 10.0, []
    for _ in range(count):
        value *= draw.choice([1.0, 1.0, 0.9, 0.99999, 1.2])
        found.append(draw.choice([value, value, value, float("nan"), found[-1] if found else value]))
    return found


def random_plateau(draw: random.Random) -> dict[str, Any]:
    return {
        "mode": draw.choice(["min", "max"]),
        "factor": draw.choice([0.1, 0.5, 0.9]),
        "patience": draw.randrange(4),
        "threshold": draw.choice([0.0, 1e-4, 0.1]),
        "threshold_mode": draw.choice(["rel", "abs"]),
        "cooldown": draw.randrange(4),
    }


@pytest.mark.parametrize("seed", range(20))
def test_plateau_is_torchs_step_by_step(seed: int) -> None:
    draw = random.Random(seed)
    options, low = random_plateau(draw), draw.choice([0.0, 1e-3])
    optimizer, ours = sgd(), Plateau(**options, min_scale=low)
    theirs = ReduceLROnPlateau(optimizer, **options, min_lr=low)
    for metric in metrics(seed):
        theirs.step(metric)
        ours.update(draw.choice([metric, torch.tensor(metric, dtype=torch.float64)]))
        assert ours.scale.item() == optimizer.param_groups[0]["lr"]
        assert (ours.bad.item(), ours.cooling.item()) == (theirs.num_bad_epochs, theirs.cooldown_counter)


@pytest.mark.parametrize("seed", range(30))
def test_greedy_is_transformers_step_by_step(seed: int) -> None:
    draw = random.Random(seed)
    options = random_plateau(draw) | {"warmup": draw.randrange(3), "reset_start": draw.choice([1, 2, 500])}
    window = draw.choice([0, 0, 1, 3, 7])
    optimizer = sgd()
    ours = Greedy(**options, min_scale=0.05, max_scale=3.0, window=window)
    theirs = GreedyLR(optimizer, **options, min_lr=0.05, max_lr=3.0, smooth=window > 0, window_size=max(window, 1))
    for metric in metrics(seed):
        if window and metric != metric:
            continue  # a NaN stays in their running sum for ever, and in ours
        theirs.step(metric)
        ours.update(metric)
        assert ours.scale.item() == optimizer.param_groups[0]["lr"]
        assert (ours.good.item(), ours.bad.item()) == (theirs.num_good_epochs, theirs.num_bad_epochs)
        assert ours.waiting.item() == theirs.cooldown_counter + theirs.warmup_counter
        assert ours.left.item() == theirs.reset_start


@pytest.mark.parametrize(
    "build", [lambda: Plateau(patience=2, cooldown=1), lambda: Greedy(patience=1, max_scale=2.0, window=3)]
)
def test_inside_a_graph_nothing_is_read_by_the_host(build: Callable[[], Any]) -> None:
    graphs: list[torch.fx.GraphModule] = []

    def keep(graph: torch.fx.GraphModule, _: Any) -> Callable[..., Any]:
        graphs.append(graph)
        return graph.forward

    eager, compiled = build(), build()
    optimizer = SGD([nn.Parameter(torch.zeros(1))], lr=torch.tensor(1.0))
    scheduler = Scheduler(optimizer, lr=Cosine(0.1, 0.0, 300) * compiled.scale)

    def region(metric: Tensor) -> None:
        compiled.update(metric)
        scheduler.step()

    run = torch.compile(region, fullgraph=True, backend=keep)
    counters.clear()
    with torch._dynamo.config.patch(error_on_recompile=True):
        for step, metric in enumerate(m for m in metrics(3, 200) if m == m):
            run(torch.tensor(metric))
            eager.update(torch.tensor(metric))
            assert compiled.scale.item() == eager.scale.item()
            wanted = (Cosine(0.1, 0.0, 300) * eager.scale)(step + 1).item()
            assert optimizer.param_groups[0]["lr"].item() == wanted
    assert eager.scale.item() != 1.0
    assert len(graphs) == 1
    assert not any("item" in str(node.target) for node in graphs[0].graph.nodes)


def test_a_fused_update_follows_the_factor() -> None:
    plateau, weight = Plateau(factor=0.5, patience=0), nn.Parameter(torch.zeros(1))
    optimizer = SGD([weight], lr=0.1)
    update = fuse(optimizer, Scheduler(optimizer, lr=Constant(1.0) * plateau.scale), backend="aot_eager")
    moves = []
    with torch._dynamo.config.patch(error_on_recompile=True):
        for loss in (1.0, 1.0, 1.0, 0.5):
            weight.grad, before = torch.ones(1), weight.item()
            plateau.update(loss)
            update()
            moves.append(before - weight.item())
    assert moves == [1.0, 0.5, 0.25, 0.25]


def test_the_state_loads_in_place_and_weights_only() -> None:
    for build in (lambda: Plateau(patience=1), lambda: Greedy(patience=1, window=2)):
        before, after = build(), build()
        rate = Constant(1.0) * after.scale
        for metric in metrics(5, 50):
            before.update(metric)
        file = io.BytesIO()
        torch.save(before.state_dict(), file)
        file.seek(0)
        held = after.scale
        after.load_state_dict(torch.load(file, weights_only=True))
        assert after.scale is held
        assert rate(0).item() == torch.tensor(before.scale.item()).item()
        for metric in metrics(6, 50):
            before.update(metric)
            after.update(metric)
            assert before.scale.item() == after.scale.item()


def test_a_metric_that_is_never_a_number_reduces_and_stays_finite() -> None:
    plateau = Plateau(factor=0.5, patience=0, min_scale=0.25)
    for _ in range(10):
        plateau.update(float("nan"))
    assert (plateau.scale.item(), plateau.best.item()) == (0.25, float("inf"))


MISTAKES: list[tuple[Callable[[], object], str]] = [
    (lambda: Plateau(mode="low"), "Plateau.mode: given 'low'; allowed: 'min' or 'max'; to fix it: use one of these."),  # type: ignore[arg-type]
    (
        lambda: Plateau(factor=1.0),
        "Plateau.factor: given 1.0; allowed: a number above 0 and below 1; to fix it: pass a factor such as 0.5.",
    ),
    (
        lambda: Plateau(patience=-1),
        "Plateau.patience: given -1; allowed: an int of 0 or more; to fix it: pass a number of steps in this range.",
    ),
    (
        lambda: Plateau(threshold=-0.1),
        "Plateau.threshold: given -0.1; allowed: a finite number, 0 or more; to fix it: pass a number in this range.",
    ),
    (
        lambda: Greedy(threshold_mode="x"),
        "Greedy.threshold_mode: given 'x'; allowed: 'rel' or 'abs'; to fix it: use one of these.",
    ),  # type: ignore[arg-type]
    (
        lambda: Greedy(min_scale=0.5, max_scale=0.1),
        "Greedy.max_scale: given 0.1; allowed: a finite number, 0.5 or more; to fix it: pass a number in this range.",
    ),
]


@pytest.mark.parametrize(("mistake", "message"), MISTAKES, ids=[m[1].split(";")[0] for m in MISTAKES])
def test_the_message(mistake: Callable[[], object], message: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        mistake()
    assert str(caught.value) == message
