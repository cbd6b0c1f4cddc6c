"""Their loop on their CPU backend: it trains with our schedulers, whose rates are ours bit for bit and near theirs."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from support.cerebras_formulas import AT_2000, Call, called

from tracelr import Constant, Cosine, Exponential, Linear, PiecewiseConstant, Polynomial, Schedule
from tracelr.errors import OptimizerError, ScheduleTypeError, TracelrWarning

cstorch = pytest.importorskip("cerebras.pytorch")
from tracelr import cerebras  # noqa: E402  # it needs the package

pytestmark = pytest.mark.cerebras
STEPS = 24


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)  # their backend writes logs there
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
        gc.collect()  # their loader leaves files open


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return cstorch.backend("CPU", artifact_dir=str(tmp_path_factory.mktemp("artifacts")))


def optimizer(groups: int = 1, **more: Any) -> tuple[torch.nn.Module, Any]:
    torch.manual_seed(0)
    model = torch.nn.Sequential(*(torch.nn.Linear(4, 4) for _ in range(groups)))
    parts = [{"params": list(layer.parameters()), **more} for layer in model]
    return model, cstorch.optim.SGD(parts, lr=0.5, momentum=0.0)


def rates(scheduler: Any, steps: int = STEPS, key: str = "lr", group: int = 0) -> list[float]:
    """Return the number that each of the next updates uses."""
    found = []
    for _ in range(steps):
        found.append(float(scheduler.optimizer.param_groups[group][key]))
        scheduler.step()
    return found


FIRST: dict[str, tuple[str, dict[str, Any], str, dict[str, Any]]] = {
    "Constant": ("Constant", {"val": 0.1}, "ConstantLR", {"learning_rate": 0.1}),
    "Exponential": (
        "Exponential", {"learning_rate": 0.1, "decay_steps": 5, "decay_rate": 0.9},
        "ExponentialLR", {"initial_learning_rate": 0.1, "total_iters": 5, "decay_rate": 0.9},
    ),
    "PiecewiseConstant": (
        "PiecewiseConstant", {"learning_rates": [0.1, 0.01, 0.001], "milestones": [4, 9]},
        "PiecewiseConstantLR", {"learning_rates": [0.1, 0.01, 0.001], "milestones": [4, 9]},
    ),
    "Polynomial": (
        "Polynomial", {"learning_rate": 0.1, "end_learning_rate": 0.01, "decay_steps": 20, "power": 1.0},
        "PolynomialLR", {"initial_learning_rate": 0.1, "end_learning_rate": 0.01, "total_iters": 20, "power": 1.0},
    ),
}  # fmt: skip
"""The four names of the first release: ours and what it takes, theirs and what it takes."""


@pytest.mark.parametrize("name", FIRST)
def test_the_loop_trains_with_the_rates_of_ours_and_near_theirs(name: str, backend: Any) -> None:
    own, given, their, taken = FIRST[name]
    model, driven = optimizer()
    compiled = cstorch.compile(model, backend)
    scheduler = getattr(cerebras.lr_scheduler, own)(driven, **given)
    data = cstorch.utils.data.DataLoader(lambda: torch.utils.data.DataLoader(torch.ones(STEPS, 4), batch_size=1))
    used: list[float] = []
    losses: list[float] = []

    @cstorch.trace
    def train(batch: torch.Tensor) -> torch.Tensor:
        loss = compiled(batch).square().mean()
        loss.backward()
        used.append(float(driven.param_groups[0]["lr"]))
        driven.step()
        driven.zero_grad()
        scheduler.step()
        return loss

    @cstorch.step_closure
    def keep(loss: torch.Tensor) -> None:
        losses.append(float(loss))

    for batch in cstorch.utils.data.DataExecutor(data, num_steps=STEPS):
        keep(train(batch))
    exact = scheduler.schedule(torch.arange(STEPS)).tolist()
    assert used == exact
    assert losses[-1] < losses[0] / 2
    theirs = rates(getattr(cstorch.optim.lr_scheduler, their)(optimizer()[1], **taken))
    assert used == pytest.approx(theirs, rel=1e-6)  # theirs is computed in float32


@pytest.mark.parametrize(
    "schedule",
    [
        Constant(0.1),
        Linear(0.0, 0.3, 5).then(Cosine(0.3, 0.0, 15)),
        PiecewiseConstant([0.1, 0.2], [3]),
        Polynomial(1.0, 0.0, 9, 2.0),
    ],
    ids=repr,
)
@pytest.mark.parametrize("key", ["lr", "weight_decay", "momentum"])
def test_any_schedule_drives_any_key(schedule: Schedule, key: str, backend: Any) -> None:
    scheduler = cerebras.Scheduler(optimizer()[1], schedule, key)
    assert isinstance(scheduler, cstorch.optim.scheduler.Scheduler)
    assert rates(scheduler, key=key) == schedule(torch.arange(STEPS)).tolist()


def test_tags_and_factors(backend: Any) -> None:
    _, driven = optimizer(3)
    driven.param_groups[0]["tags"] = {"head"}
    driven.param_groups[1]["scale"] = 0.1
    schedule = Linear(0.0, 1.0, 10)
    cerebras.Scheduler(driven, schedule, param_group_tags="head")
    scheduler = cerebras.Scheduler(driven, schedule, "weight_decay", param_group_tags=[None], factor="scale")
    scheduler.step()
    assert [float(group["lr"]) for group in driven.param_groups] == [0.0, 0.5, 0.5]
    assert [float(group["weight_decay"]) for group in driven.param_groups] == pytest.approx([0.0, 0.01, 0.1])


def test_a_sequence_of_drop_ins(backend: Any) -> None:
    names, (_, driven) = cerebras.lr_scheduler, optimizer()
    parts = [
        names.LinearLR(driven, initial_learning_rate=0.0, end_learning_rate=0.1, total_iters=5),
        names.CosineDecayLR(driven, initial_learning_rate=0.1, end_learning_rate=0.0, total_iters=15),
    ]
    scheduler = names.SequentialLR(driven, schedulers=parts, milestones=[5])
    theirs = cstorch.optim.lr_scheduler
    _, other = optimizer()
    beside = theirs.SequentialLR(
        other,
        schedulers=[
            theirs.LinearLR(other, initial_learning_rate=0.0, end_learning_rate=0.1, total_iters=5),
            theirs.CosineDecayLR(other, initial_learning_rate=0.1, end_learning_rate=0.0, total_iters=15),
        ],
        milestones=[5],
    )
    assert list(driven._schedulers_registry) == [scheduler]
    assert rates(scheduler) == pytest.approx(rates(beside), abs=1e-7)


@pytest.mark.parametrize("call", AT_2000, ids=lambda call: call.text[:50])
def test_every_call_of_theirs_is_one_of_ours(call: Call, backend: Any) -> None:
    (_, driven), (_, other) = optimizer(adjust_learning_rate=0.3), optimizer(adjust_learning_rate=0.3)
    text, exact = call.ours or (call.text, call.exact)  # ours of functions takes them, here a power in float32
    ours = called(text, vars(cerebras.lr_scheduler), driven)
    theirs = called(call.text, vars(cstorch.optim.lr_scheduler), other)
    assert list(driven._schedulers_registry) == [ours]
    used = rates(ours, 120)
    assert used == pytest.approx([float(exact(step)) for step in range(120)], rel=1e-6 if call.ours is None else 1e-5)
    if call.ours is None:
        assert used == pytest.approx(rates(theirs, 120), rel=1e-5, abs=1e-7)  # theirs is computed in float32


def test_functions_of_a_subclass(backend: Any) -> None:
    class Halves(cerebras.lr_scheduler.LambdaLR):  # type: ignore[name-defined,misc]  # made on import
        def set_value_lambda(self) -> list[Any]:
            return [lambda step: 0.5 ** step.double(), lambda step: step + 1.0]

    assert rates(Halves(optimizer()[1], 8.0), 4) == [8.0, 8.0, 6.0, 4.0]


def test_a_sequence_starts_where_it_is_told(backend: Any) -> None:
    names, (_, driven) = cerebras.lr_scheduler, optimizer()
    parts = [names.LinearLR(driven, 0.0, 1.0, 8), names.ConstantLR(driven, 1.0)]
    assert rates(names.SequentialLR(driven, parts, [8], last_epoch=3), 5) == [0.5, 0.625, 0.75, 0.875, 1.0]


def test_a_checkpoint_resumes(backend: Any, tmp_path: Path) -> None:
    schedule = Linear(0.0, 0.3, 5).then(Cosine(0.3, 0.0, 15))
    scheduler = cerebras.Scheduler(optimizer()[1], schedule)
    rates(scheduler, 7)
    cstorch.save({"scheduler": scheduler.state_dict()}, str(tmp_path / "checkpoint.mdl"))
    state = cstorch.load(str(tmp_path / "checkpoint.mdl"))["scheduler"]
    other = cerebras.Scheduler(optimizer()[1], schedule)
    other.load_state_dict(state)
    assert rates(other, 10) == schedule(torch.arange(7, 17)).tolist()
    third = cerebras.Scheduler(optimizer()[1], Exponential(0.1, 0.5, 3))
    with pytest.warns(TracelrWarning, match="was written with another schedule"):
        third.load_state_dict(state)
    assert rates(third, 3) == Exponential(0.1, 0.5, 3)(torch.arange(7, 10)).tolist()


def test_a_checkpoint_of_theirs_is_continued(backend: Any) -> None:
    theirs = cstorch.optim.lr_scheduler.LinearLR(optimizer()[1], 0.1, 0.0, 20)
    rates(theirs, 7)
    ours = cerebras.lr_scheduler.LinearLR(optimizer()[1], 0.1, 0.0, 20)
    ours.load_state_dict(theirs.state_dict())
    assert rates(ours, 5) == pytest.approx(rates(theirs, 5), rel=1e-6)


def test_their_loss_scaling_may_put_the_counter_back(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It marks what a skipped update leaves as it was; the traced step then selects by it."""
    marked: list[Any] = []
    scheduler = cerebras.Scheduler(optimizer()[1], Linear(0.0, 1.0, 10))
    monkeypatch.setattr(cstorch.amp, "update_if_finite", lambda driven, tensor: marked.append((driven, tensor)))
    counter = scheduler.last_epoch
    scheduler.step()
    assert marked == [(scheduler.optimizer, counter)]
    assert counter.dtype == torch.int64


def test_mistakes_are_named(backend: Any) -> None:
    _, driven = optimizer()
    with pytest.raises(OptimizerError, match=r"an optimizer of cerebras\.pytorch\.optim"):
        cerebras.Scheduler(torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1), Constant(0.1))
    with pytest.raises(ScheduleTypeError, match="a schedule of tracelr"):
        cerebras.Scheduler(driven, 0.1)  # type: ignore[arg-type]
    with pytest.raises(
        OptimizerError, match=r"lr_scheduler\.LinearLR: given 0\.1; allowed: an optimizer of cerebras\.pytorch"
    ):
        cerebras.lr_scheduler.LinearLR(0.1, 0.0, 10)
    with pytest.raises(OptimizerError, match=r"group 0: given 'rate'"):
        cerebras.Scheduler(driven, Constant(0.1), "rate")
    with pytest.raises(OptimizerError, match="param_group_tags"):
        cerebras.Scheduler(driven, Constant(0.1), param_group_tags="head")
