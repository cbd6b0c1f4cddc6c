"""Every constructor and state, given values that nobody should pass, raises an error with a fix, or is right."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.bad_values import ANY, HOSTILE, WRONG, outcome, profile, sound
from support.table import ROWS
from torch import nn
from torch.optim import SGD

import tracelr
from tracelr import Greedy, Linear, Plateau, Schedule, Scheduler, Units
from tracelr.schedules.base import REGISTRY

KINDS_OF_SCHEDULES = [
    kind for name, kind in sorted(REGISTRY.items()) if name != "Lambda" and kind.__module__.startswith("tracelr.")
]
UP = Linear(0.0, 1.0, 4)
ROW = {kind: kind(UP, 3) for kind in (tracelr.Shift, tracelr.Shorten, tracelr.Loop, tracelr.Stretch)}
ROW |= {type(row.schedule): row.schedule for row in ROWS.values()}


def constructed(data: Any, kind: type[Schedule]) -> None:
    """Build a schedule with the fields of its row, one or two of them changed."""
    names = list(kind._rules)
    fields = {name: getattr(ROW[kind], name) for name in names}
    for name in data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True)):
        fields[name] = data.draw(ANY).value
    found = outcome(lambda: kind(**fields))
    if found is not None:
        sound(found, ROW[kind].__class__ is not tracelr.Lambda)


@pytest.mark.parametrize("kind", KINDS_OF_SCHEDULES, ids=lambda kind: kind.__name__)
@profile(8)
@given(data=st.data())
def test_every_constructor(kind: type[Schedule], data: Any) -> None:
    constructed(data, kind)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS_OF_SCHEDULES, ids=lambda kind: kind.__name__)
@profile(2000)
@given(data=st.data())
def test_every_constructor_at_length(kind: type[Schedule], data: Any) -> None:
    constructed(data, kind)


@pytest.mark.parametrize("kind", KINDS_OF_SCHEDULES, ids=lambda kind: kind.__name__)
def test_every_field_with_every_wrong_value(kind: type[Schedule]) -> None:
    row = ROW[kind]
    fields = {name: getattr(row, name) for name in kind._rules}
    for name in fields:
        for wrong in WRONG:
            found = outcome(lambda name=name, wrong=wrong: kind(**fields | {name: wrong}))
            if found is not None:
                found(3)


@profile(60)
@given(arguments=st.lists(ANY, min_size=1, max_size=4), which=st.integers(0, 9))
def test_what_is_built_around_a_schedule(arguments: list[Any], which: int) -> None:
    linear = Linear(1.0, 0.0, 10)
    first, *rest = (one.value for one in arguments)
    calls = [
        lambda: linear.warmup(first, *rest[:2]),
        lambda: linear.cooldown(first, *rest, **({} if rest else {"at": 3})),
        lambda: linear.then(linear, first, *rest[:2]),
        lambda: linear.drive(start=first),
        lambda: tracelr.Clamp(linear, first, *rest[:1]),
        lambda: Units(first, *rest),
        lambda: Units(5, 5, 5, 5).steps(first),
        lambda: Plateau("min", first, *rest),
        lambda: Greedy("max", first, *rest),
        lambda: linear(first),
    ]
    found = outcome(calls[which])
    if isinstance(found, Schedule):
        sound(found)


@profile(60)
@given(
    arguments=st.dictionaries(st.sampled_from(["lr", "momentum", "betas", "assignments", "last_epoch", "on_change"]), ANY)
)
def test_the_scheduler(arguments: dict[str, Any]) -> None:
    optimizer = SGD([nn.Parameter(torch.zeros(2))], lr=0.1)
    before = repr(optimizer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if outcome(lambda: Scheduler(optimizer, **{key: one.value for key, one in arguments.items()})) is None:
            assert repr(optimizer) == before


@profile(80)
@given(data=st.data())
def test_the_state_of_a_scheduler(data: Any) -> None:
    policy = data.draw(st.sampled_from(["new", "checkpoint", "strict"]))
    scheduler = Scheduler(SGD([nn.Parameter(torch.zeros(2))], lr=0.1), lr=Linear(0.0, 1.0, 5), on_change=policy)
    scheduler.step()
    state: Any = scheduler.state_dict()
    for key in data.draw(st.lists(st.sampled_from([*state, "_schedulers", "more"]), min_size=1, max_size=2)):
        if data.draw(st.booleans()):
            state[key] = data.draw(ANY).value
        else:
            state.pop(key, None)
    if data.draw(st.integers(0, 9)) == 0:
        state = data.draw(HOSTILE).value
    before = repr((scheduler.last_epoch, scheduler._step_count, scheduler.state_dict(), scheduler.optimizer))

    def load() -> bool:
        scheduler.load_state_dict(state)
        return True

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if outcome(load) is None:
            assert repr((scheduler.last_epoch, scheduler._step_count, scheduler.state_dict(), scheduler.optimizer)) == before
        else:
            scheduler.step()


@profile(60)
@given(data=st.data())
def test_the_state_of_a_plateau(data: Any) -> None:
    plateau = Plateau()
    state: Any = {key: value.clone() for key, value in plateau.state_dict().items()}
    state[data.draw(st.sampled_from([*state, "more"]))] = data.draw(ANY).value
    if data.draw(st.integers(0, 9)) == 0:
        state = data.draw(HOSTILE).value
    before = repr(plateau.state_dict())
    if outcome(lambda: plateau.load_state_dict(state) and True) is None:
        assert repr(plateau.state_dict()) == before
    outcome(lambda: plateau.update(data.draw(ANY).value) or True)
