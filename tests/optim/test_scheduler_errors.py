"""The message for each wrong argument of a scheduler, and for a checkpoint of another schedule."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
from support.optimizers import RATE, held, sgd, weights
from torch.optim import AdamW

from tracelr import Constant, Scheduler
from tracelr.errors import CheckpointError, OptimizerError, ScheduleError

WHERE = "Scheduler.load_state_dict"
MISTAKES: list[tuple[Callable[[], object], type[Exception], str]] = [
    (
        lambda: Scheduler("adam", lr=RATE),  # type: ignore[arg-type]
        OptimizerError,
        "Scheduler(optimizer): given 'adam'; allowed: a torch.optim.Optimizer, or an object with its param_groups; "
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
        lambda: Scheduler(sgd(), lr=RATE).load_state_dict({"epoch": 3}),
        CheckpointError,
        f"{WHERE}: given a mapping with the keys ['epoch']; allowed: the state_dict() of a scheduler, which has the key "
        '"last_epoch"; to fix it: pass the state of the scheduler from the checkpoint.',
    ),
    (
        lambda: Scheduler(sgd(), lr=RATE).load_state_dict(3),  # type: ignore[arg-type]
        CheckpointError,
        f'{WHERE}: given 3; allowed: the state_dict() of a scheduler, which has the key "last_epoch"; '
        "to fix it: pass the state of the scheduler from the checkpoint.",
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
    optimizer.step()
    scheduler.step()
    before = scheduler.state_dict()
    with pytest.raises(CheckpointError):
        scheduler.load_state_dict({"last_epoch": 2**63})
    assert scheduler.state_dict() == before
    assert held(optimizer) == [RATE(1).item()]


def test_a_changed_schedule_is_reported_by_name() -> None:
    state = Scheduler(sgd(), lr=Constant(0.5)).state_dict()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scheduler = Scheduler(sgd(), lr=Constant(0.25))
        scheduler.load_state_dict(state)
    changed = "lr of group 0: Constant.value 0.5 -> 0.25"
    assert str(caught[0].message) == (
        f"tracelr: the schedule has changed since the checkpoint: {changed}; the one given now is used; "
        "the rate of the next update moves 0.5 -> 0.25"
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
