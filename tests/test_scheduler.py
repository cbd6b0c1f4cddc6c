"""The contract of torch's schedulers, kept; and what torch's do not keep."""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import ChainedScheduler, ExponentialLR, LRScheduler, SequentialLR

from tracelr import Constant, Cosine, Linear, Schedule, Scheduler
from tracelr.errors import CheckpointError, OptimizerError, ScheduleError

RATE = Linear(0.0, 1e-2, 5).then(Cosine(1e-2, 1e-4, 600))


def weights(count: int = 1) -> list[nn.Parameter]:
    return [nn.Parameter(torch.ones(2)) for _ in range(count)]


def sgd(lr: float | Tensor = 0.1, groups: int = 1) -> Optimizer:
    return SGD([{"params": [w]} for w in weights(groups)], lr=lr)


def rates(schedule: Schedule, count: int) -> list[float]:
    return [schedule(step).item() for step in range(count)]


@pytest.mark.parametrize("lr", [0.1, torch.tensor(0.1), torch.tensor(0.1, dtype=torch.float64)], ids=["float", "f32", "f64"])
def test_the_group_holds_the_rate_of_the_next_update(lr: float | Tensor) -> None:
    optimizer = sgd(lr)
    scheduler = Scheduler(optimizer, lr=RATE)
    seen = []
    for _ in range(600):  # past the block that is evaluated at once, twice
        seen.append(float(optimizer.param_groups[0]["lr"]))
        assert scheduler.get_last_lr() == [seen[-1]]
        optimizer.step()
        scheduler.step()
    assert seen == rates(RATE, 600)
    assert scheduler.last_epoch == 600


def test_a_float_stays_a_float_and_a_tensor_keeps_its_identity() -> None:
    number, tensor = sgd(0.1), sgd(torch.tensor(0.1))
    kept = tensor.param_groups[0]["lr"]
    for optimizer in (number, tensor):
        scheduler = Scheduler(optimizer, lr=RATE)
        for _ in range(3):
            scheduler.step()
    assert type(number.param_groups[0]["lr"]) is float
    assert tensor.param_groups[0]["lr"] is kept
    assert kept.item() == RATE(3).item()


def test_shared_tensors_are_separated() -> None:
    lr = torch.tensor(0.1)
    optimizer = sgd(lr, groups=2)
    Scheduler(optimizer, lr=[Constant(1.0), Constant(2.0)])
    assert [group["lr"].item() for group in optimizer.param_groups] == [1.0, 2.0]
    assert optimizer.param_groups[0]["lr"] is lr


def test_a_group_added_later_is_picked_up() -> None:
    optimizer = sgd(torch.tensor(0.1))
    scheduler = Scheduler(optimizer, lr=RATE)
    optimizer.add_param_group({"params": weights()})
    scheduler.step()
    first, second = (group["lr"] for group in optimizer.param_groups)
    assert first is not second
    assert first.item() == second.item() == RATE(1).item()
    assert len(scheduler.get_last_lr()) == 2


def test_optimizer_step_is_not_patched() -> None:
    optimizer = sgd()
    Scheduler(optimizer, lr=RATE)
    assert "step" not in vars(optimizer)
    assert isinstance(Scheduler(optimizer, lr=RATE), LRScheduler)
    assert not callable(Scheduler(optimizer, lr=RATE))
    assert not hasattr(Scheduler(optimizer, lr=RATE), "total_steps")


@pytest.mark.parametrize("lr", [0.1, torch.tensor(0.1)], ids=["float", "tensor"])
def test_resume_is_exact_and_immediate(lr: float | Tensor) -> None:
    first, second = sgd(lr), sgd(lr.clone() if isinstance(lr, Tensor) else lr)
    before, after = Scheduler(first, lr=RATE), Scheduler(second, lr=RATE)
    for _ in range(300):
        before.step()
    file = io.BytesIO()
    torch.save({"o": first.state_dict(), "s": before.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    held = second.param_groups[0]["lr"]
    second.load_state_dict(saved["o"])
    after.load_state_dict(saved["s"])
    assert float(second.param_groups[0]["lr"]) == RATE(300).item()
    assert (second.param_groups[0]["lr"] is held) == isinstance(lr, Tensor)
    assert after.state_dict() == before.state_dict()
    for _ in range(3):
        before.step()
        after.step()
        assert float(second.param_groups[0]["lr"]) == float(first.param_groups[0]["lr"])


def test_a_float_checkpoint_keeps_a_tensor_rate_and_the_other_way_round() -> None:
    for mine, other in ((torch.tensor(0.1), 0.3), (0.1, torch.tensor(0.3))):
        optimizer, foreign = sgd(mine), sgd(other)
        Scheduler(optimizer, lr=RATE)
        optimizer.load_state_dict(foreign.state_dict())
        assert type(optimizer.param_groups[0]["lr"]) is type(mine)
        assert float(optimizer.param_groups[0]["lr"]) == pytest.approx(0.3)


def test_a_bare_step_is_a_checkpoint() -> None:
    scheduler = Scheduler(sgd(), lr=RATE)
    scheduler.load_state_dict({"last_epoch": torch.tensor(7)})
    assert scheduler.get_last_lr() == [RATE(7).item()]
    assert scheduler._step_count == 8


def test_the_state_is_plain_and_not_alive() -> None:
    optimizer = sgd(torch.tensor(0.1))
    scheduler = Scheduler(optimizer, lr=RATE)
    state = scheduler.state_dict()

    def plain(value: Any) -> bool:
        if isinstance(value, dict):
            return all(plain(v) for v in value.values())
        return all(map(plain, value)) if isinstance(value, list) else type(value) in (int, float, str, bool)

    assert plain(state)
    scheduler.step()
    assert state["last_epoch"] == 0
    assert state["_last_lr"] == [0.0]


def test_last_epoch_is_assignable_and_get_lr_is_pure() -> None:
    optimizer = sgd(torch.tensor(0.1))
    scheduler = Scheduler(optimizer, lr=RATE)
    scheduler.last_epoch = 400
    rate = scheduler.get_lr()[0]
    assert isinstance(rate, Tensor)
    assert rate is not optimizer.param_groups[0]["lr"]
    assert rate.item() == RATE(400).item()
    assert optimizer.param_groups[0]["lr"].item() == RATE(0).item()
    assert Scheduler(sgd(), lr=RATE).get_lr() == [0.0]


def test_last_epoch_in_the_constructor_is_torchs() -> None:
    optimizer, reference = sgd(), sgd()
    for each in (optimizer, reference):
        each.param_groups[0]["initial_lr"] = 0.1
    ours = Scheduler(optimizer, lr=RATE, last_epoch=5)
    theirs = ExponentialLR(reference, 0.9, last_epoch=5)
    assert ours.last_epoch == theirs.last_epoch == 6
    assert ours.get_last_lr() == [RATE(6).item()]


def test_torch_sequential_and_chained_hold_ours() -> None:
    # torch: the second schedule starts at its own step 0 at the milestone
    optimizer = sgd()
    warm, decay = Linear(0.0, 1.0, 3), Cosine(1.0, 0.0, 10)
    joined = SequentialLR(optimizer, [Scheduler(optimizer, lr=warm), Scheduler(optimizer, lr=decay)], milestones=[3])
    seen = []
    for _ in range(8):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        joined.step()
    assert seen == rates(warm.then(decay), 8)

    optimizer = sgd()
    chained = ChainedScheduler([Scheduler(optimizer, lr=RATE), ExponentialLR(optimizer, 0.5)])
    for _ in range(4):
        optimizer.step()
        chained.step()
    assert optimizer.param_groups[0]["lr"] == RATE(4).item() * 0.5  # torch's members multiply what the first has written


def test_a_tensor_field_is_followed() -> None:
    peak = torch.tensor(1.0)
    optimizer = sgd()
    scheduler = Scheduler(optimizer, lr=Linear(0.0, peak, 4))
    scheduler.step()
    assert scheduler.get_last_lr() == [0.25]
    peak.fill_(2.0)
    scheduler.step()
    assert scheduler.get_last_lr() == [1.0]


def test_a_compiled_region_steps_with_the_same_call() -> None:
    optimizer = sgd(torch.tensor(0.1), groups=2)
    scheduler = Scheduler(optimizer, lr=RATE)
    region = torch.compile(lambda: scheduler.step(), fullgraph=True, backend="aot_eager")
    for count in range(1, 4):
        region()
        assert scheduler.last_epoch == count
        assert scheduler.get_last_lr() == [RATE(count).item()] * 2
        assert [group["lr"].item() for group in optimizer.param_groups] == [RATE(count).item()] * 2
    scheduler.step()  # eager goes on from there
    assert scheduler.last_epoch == 4
    assert optimizer.param_groups[0]["lr"].item() == RATE(4).item()


def test_a_copy_counts_for_itself() -> None:
    first = Scheduler(sgd(torch.tensor(0.1)), lr=RATE)
    first.step()
    second = copy.deepcopy(first)
    torch.compile(lambda: second.step(), fullgraph=True, backend="eager")()
    assert (first.last_epoch, second.last_epoch) == (1, 2)
    assert second.get_last_lr() == [second.optimizer.param_groups[0]["lr"].item()] == [RATE(2).item()]
    held = second.optimizer.param_groups[0]["lr"]
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    assert second.optimizer.param_groups[0]["lr"] is held
    assert held.item() == RATE(2).item()


def test_a_compiled_region_evaluates_a_shared_schedule_once() -> None:
    graphs: list[torch.fx.GraphModule] = []

    def keep(graph: torch.fx.GraphModule, _: Any) -> Callable[..., Any]:
        graphs.append(graph)
        return graph.forward

    scheduler = Scheduler(sgd(torch.tensor(0.1), groups=4), lr=Cosine(1.0, 0.0, 10))
    torch.compile(lambda: scheduler.step(), fullgraph=True, backend=keep)()
    assert sum("sin" in str(node.target) for node in graphs[0].graph.nodes) == 1
    assert sum("copy_" in str(node.target) for node in graphs[0].graph.nodes) == 4


def test_a_float_rate_in_a_compiled_region_is_an_error() -> None:
    scheduler = Scheduler(sgd(0.1), lr=RATE)
    with pytest.raises(
        Exception, match=r"given a float lr; allowed: a tensor lr; to fix it: call torch.compile through tracelr.fuse"
    ):
        torch.compile(lambda: scheduler.step(), fullgraph=True, backend="eager")()


WHERE = "Scheduler.load_state_dict"
MISTAKES: list[tuple[Callable[[], object], type[Exception], str]] = [
    (
        lambda: Scheduler("adam", lr=RATE),  # type: ignore[arg-type]
        OptimizerError,
        "Scheduler(optimizer): given 'adam'; allowed: a torch.optim.Optimizer; "
        "to fix it: pass the optimizer first, then lr=<schedule>.",
    ),
    (
        lambda: Scheduler(sgd(), lr=0.1),  # type: ignore[arg-type]
        OptimizerError,
        "Scheduler(lr): given 0.1; allowed: a schedule, or a list with one for each param group; "
        "to fix it: wrap it as Constant(...).",
    ),
    (
        lambda: Scheduler(sgd(), lr=[]),
        OptimizerError,
        "Scheduler(lr): given []; allowed: a schedule, or a list with one for each param group; to fix it: pass lr=<schedule>.",
    ),
    (
        lambda: Scheduler(sgd(groups=2), lr=[RATE]),
        OptimizerError,
        "Scheduler(lr): given 1 schedules; allowed: one for each of the optimizer's 2 param groups; "
        "to fix it: pass one schedule, or a list of that length.",
    ),
    (
        lambda: Scheduler(sgd(), lr=RATE, on_change="ask"),  # type: ignore[arg-type]
        ScheduleError,
        "Scheduler(on_change): given 'ask'; allowed: new, checkpoint, strict; to fix it: use one of these.",
    ),
    (
        lambda: Scheduler(sgd(), lr=RATE, ranks="ask"),  # type: ignore[arg-type]
        ScheduleError,
        "Scheduler(ranks): given 'ask'; allowed: warn, strict, off; to fix it: use one of these.",
    ),
    (
        lambda: Scheduler(sgd(), lr=RATE).load_state_dict({"epoch": 3}),
        CheckpointError,
        f"{WHERE}: given a mapping with the keys ['epoch']; allowed: the state_dict() of a scheduler, which has the key "
        '"last_epoch"; to fix it: pass the scheduler\'s part of the checkpoint.',
    ),
    (
        lambda: Scheduler(sgd(), lr=RATE).load_state_dict(3),  # type: ignore[arg-type]
        CheckpointError,
        f'{WHERE}: given 3; allowed: the state_dict() of a scheduler, which has the key "last_epoch"; '
        "to fix it: pass the scheduler's part of the checkpoint.",
    ),
    (
        lambda: Scheduler(sgd(), lr=RATE).load_state_dict({"last_epoch": 1.5}),
        CheckpointError,
        f'{WHERE}["last_epoch"]: given 1.5; allowed: an int from -2**63 to 2**63 - 1; '
        "to fix it: use a checkpoint that is not damaged.",
    ),
    (
        lambda: Scheduler(sgd(), lr=RATE).load_state_dict({"last_epoch": 1, "schedules": "[3"}),
        CheckpointError,
        f"{WHERE}[\"schedules\"]: given '[3'; allowed: a mapping from keys to lists, as JSON; "
        "to fix it: use a checkpoint that is not damaged.",
    ),
    (
        lambda: Scheduler(sgd(), lr=RATE).load_state_dict({"last_epoch": 1, "schedules": '{"lr": [{}, {}]}'}),
        CheckpointError,
        f'{WHERE}["schedules"]["lr"]: given 2 schedules; allowed: one for each of the optimizer\'s 1 param groups; '
        "to fix it: load it into the optimizer it was written with.",
    ),
]


@pytest.mark.parametrize(("mistake", "error", "message"), MISTAKES, ids=[m[2].split(";")[0] for m in MISTAKES])
def test_the_message(mistake: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        mistake()
    assert str(caught.value) == message


def test_a_bad_checkpoint_changes_nothing() -> None:
    optimizer = AdamW(weights())
    scheduler = Scheduler(optimizer, lr=RATE)
    scheduler.step()
    before = scheduler.state_dict()
    with pytest.raises(CheckpointError):
        scheduler.load_state_dict({"last_epoch": 2**63})
    assert scheduler.state_dict() == before
    assert optimizer.param_groups[0]["lr"] == RATE(1).item()


def test_a_changed_schedule_is_reported_by_name() -> None:
    state = Scheduler(sgd(), lr=Constant(0.5)).state_dict()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scheduler = Scheduler(sgd(), lr=Constant(0.25))
        scheduler.load_state_dict(state)
    changed = "lr of group 0: Constant.value 0.5 -> 0.25"
    assert str(caught[0].message) == (
        f"tracelr: the schedule has changed since the checkpoint: {changed}; the one given now is used"
    )
    assert scheduler.get_last_lr() == [0.25]

    strict = Scheduler(sgd(), lr=Constant(0.25), on_change="strict")
    with pytest.raises(CheckpointError) as refused:
        strict.load_state_dict(state)
    assert str(refused.value) == (
        f"{WHERE}: given {changed}; allowed: the schedules of the checkpoint; "
        'to fix it: pass those, or on_change="new" or "checkpoint".'
    )

    theirs = Scheduler(sgd(), lr=Constant(0.25), on_change="checkpoint")
    theirs.load_state_dict(state)
    assert theirs.get_last_lr() == [0.5]
