"""Every constructor, mapping and state, fed with what nobody should pass: an error that says what to do, or a right result."""

from __future__ import annotations

import copy
import warnings
from functools import reduce
from inspect import signature
from operator import getitem
from typing import Any

import pytest
import torch
import yaml
from hostile import ANY, HOSTILE, NEAR, WRONG, outcome, profile, shared, sound
from hypothesis import given
from hypothesis import strategies as st
from table import ROWS
from torch import nn
from torch.optim import SGD
from torch.optim import lr_scheduler as torchs
from torch.optim.swa_utils import SWALR

import tracelr
from tracelr import Assignment, Constant, Greedy, Linear, Plateau, Schedule, Scheduler, Units, from_dict, from_torch
from tracelr.dialects import DIALECTS, keras, optax
from tracelr.dialects._cerebras_names import OLDER, SPELLINGS
from tracelr.dialects._huggingface_types import TYPES
from tracelr.dialects.cerebras_trainer import KINDS
from tracelr.errors import ScheduleError
from tracelr.schedule import DEEPEST, REGISTRY

KINDS_OF_SCHEDULES = [
    kind for name, kind in sorted(REGISTRY.items()) if name != "Lambda" and kind.__module__.startswith("tracelr.")
]
UP = Linear(0.0, 1.0, 4)
ROW = {kind: kind(UP, 3) for kind in (tracelr.Shift, tracelr.Shorten, tracelr.Loop, tracelr.Stretch)}
ROW |= {type(row.schedule): row.schedule for row in ROWS.values()}


def constructed(data: Any, kind: type[Schedule]) -> None:
    """Build a schedule whose fields are those of its row, but for one or two."""
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


# -- mappings -------------------------------------------------------------------------------------------------------------


def _calls(name: str, functions: dict[str, Any], wrap: Any) -> list[dict[Any, Any]]:
    return [wrap(one, {key: NEAR[9] for key in signature(build).parameters}) for one, build in functions.items()]


SAMPLES: list[Any] = [yaml.safe_load(dialect.EXAMPLE) for dialect in DIALECTS]
SAMPLES += _calls("optax", optax.FUNCTIONS, lambda name, values: {"optax": name, **values})
SAMPLES += _calls("keras", keras.CLASSES, lambda name, values: {"class_name": name, "config": values})
SAMPLES += [
    {
        "lr_scheduler_type": name,
        "learning_rate": 0.1,
        "max_steps": 100,
        "warmup_steps": 5,
        "lr_scheduler_kwargs": dict.fromkeys(kind.keys, 0.5),
    }
    for name, kind in TYPES.items()
]
SAMPLES += [
    {
        "optimizer": {
            "learning_rate": [
                {"scheduler": name, **{SPELLINGS["older"].get(key, (key,))[0]: 2 for key in signature(curve).parameters}}
            ]
        }
    }
    for name, curve in OLDER.items()
]
SAMPLES += [
    {"schedulers": [{name: {SPELLINGS[kind.key].get(key, (key,))[0]: 2 for key in signature(kind.what).parameters}}]}
    for name, kind in KINDS.items()
    if not isinstance(kind.what, str)
]
SAMPLES += [
    {
        "schedulers": [
            {
                "SequentialLR": {
                    "schedulers": [{"ConstantLR": {"learning_rate": 1, "total_iters": 2}}],
                    "milestones": [],
                    "last_epoch": -1,
                }
            }
        ]
    }
]
SAMPLES += [{"assignments": [Assignment("lr", ("a",), Linear(0.0, 1.0, 5)).to_dict()]}]
SAMPLES += [row.schedule.to_dict() for row in ROWS.values() if row.written]


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    return [path, *(place for key, part in pairs for place in _places(part, (*path, key)))]


def mutated(data: Any, sample: Any) -> Any:
    """Return a sample in which some values are others, keys are missing, or there are more."""
    sample = copy.deepcopy(sample)
    places = _places(sample)[1:] or [("schedule",)]  # before anything hostile is in it: that may have 2**40 places
    for _ in range(data.draw(st.integers(1, 3))):
        *path, last = data.draw(st.sampled_from(places))
        try:
            around = reduce(getitem, path, sample)
            around[last]
        except (KeyError, IndexError, TypeError):  # gone, by the mutation before
            continue
        match data.draw(st.integers(0, 5)):
            case 0 if isinstance(around, dict):
                around.pop(last, None)
            case 1 if isinstance(around, dict):
                around[
                    data.draw(st.one_of(st.text(max_size=6), st.sampled_from(["tags", "\x1b[2J", "*/", 3, None, (1,), 0.5])))
                ] = 1
            case _:
                around[last] = data.draw(ANY).value
    return sample


def mapped(data: Any, sample: Any) -> None:
    mapping = mutated(data, sample)
    found = outcome(lambda: from_dict(mapping, units=data.draw(st.sampled_from([None, Units(10, 10, 10, 10)]))))
    for schedule in [found] if isinstance(found, Schedule) else [one.schedule for one in found or []]:
        sound(schedule)


@profile(120)
@given(data=st.data())
def test_every_dialect(data: Any) -> None:
    mapped(data, data.draw(st.sampled_from(SAMPLES)))


@pytest.mark.slow
@profile(50_000)
@given(data=st.data())
def test_every_dialect_at_length(data: Any) -> None:
    mapped(data, data.draw(st.sampled_from(SAMPLES)))


@profile(60)
@given(
    mapping=st.one_of(
        HOSTILE,
        st.dictionaries(
            st.sampled_from(
                ["schedule", "optimizer", "optax", "class_name", "trainer", "schedulers", "lr_scheduler_type", "assignments"]
            ),
            ANY,
        ),
    )
)
def test_mappings_of_nothing(mapping: Any) -> None:
    mapping = {key: one.value for key, one in mapping.items()} if isinstance(mapping, dict) else mapping.value
    found = outcome(lambda: from_dict(mapping))
    for schedule in [found] if isinstance(found, Schedule) else [one.schedule for one in found or []]:
        sound(schedule)


@pytest.mark.parametrize("depth", [40, 300, 1000, 100_000])
@pytest.mark.parametrize(
    "level",
    [
        lambda inner: {"schedule": "Scale", "inner": inner, "factor": 1.0},
        lambda inner: {"schedule": "Sum", "schedules": [inner]},
        lambda inner: {"optax": "join_schedules", "schedules": [inner], "boundaries": []},
        lambda inner: {"trainer": [inner]},
        lambda inner: {"schedulers": [{"ChainedLR": {"schedulers": inner.get("schedulers", [inner])}}]},
        lambda inner: {"optimizer": {"learning_rate": [inner]}},
    ],
    ids=["Scale", "Sum", "optax", "trainer", "schedulers", "optimizer"],
)
def test_deep_mappings(level: Any, depth: int) -> None:
    mapping: Any = {"schedule": "Constant", "value": 1.0}
    for _ in range(depth):
        mapping = level(mapping)
    found = outcome(lambda: from_dict(mapping))
    if found is not None:
        sound(found)


def test_shared_mappings_that_unfold() -> None:
    bomb = shared(40, lambda inner: {"schedule": "Sum", "schedules": [inner, inner]})
    for mapping in (bomb, {"optimizer": {"learning_rate": shared(40)}}, {"schedule": "Linear", "start": shared(60)}):
        with pytest.raises(
            tracelr.errors.ConfigError, match="given more values, shared ones written out; allowed: at most 1000000"
        ):
            from_dict(mapping)


def test_schedules_nest_to_their_limit_and_no_deeper() -> None:
    schedule: Schedule = Constant(1.0)
    for _ in range(DEEPEST - 1):
        schedule = tracelr.Scale(schedule, 1.0)
    sound(schedule)
    assert repr(copy.deepcopy(schedule)) == repr(schedule)
    for build in (
        lambda: 2 * schedule,
        lambda: schedule + 1,
        lambda: Linear(schedule, 0.0, 5),
        lambda: schedule.then(schedule, 5),
    ):
        with pytest.raises(ScheduleError) as caught:
            build()
        assert str(caught.value).endswith(
            ": given schedules in schedules, 65 levels of them; allowed: 64 levels at most; "
            "to fix it: put all of them into one Sum, Product or Sequential."
        )


# -- torch's schedulers ---------------------------------------------------------------------------------------------------

TORCHS: list[Any] = [
    lambda o: torchs.StepLR(o, 3),
    lambda o: torchs.MultiStepLR(o, [2, 5]),
    lambda o: torchs.ConstantLR(o),
    lambda o: torchs.LinearLR(o),
    lambda o: torchs.ExponentialLR(o, 0.9),
    lambda o: torchs.PolynomialLR(o, 5),
    lambda o: torchs.CosineAnnealingLR(o, 5),
    lambda o: torchs.CosineAnnealingWarmRestarts(o, 5),
    lambda o: torchs.CyclicLR(o, 0.1, 0.2, 5, cycle_momentum=False),
    lambda o: torchs.OneCycleLR(o, 0.2, 20),
    lambda o: torchs.LambdaLR(o, lambda step: 0.5),
    lambda o: torchs.MultiplicativeLR(o, lambda step: 0.5),
    lambda o: SWALR(o, 0.05),
    lambda o: torchs.SequentialLR(o, [torchs.ConstantLR(o), torchs.ExponentialLR(o, 0.9)], [3]),
    lambda o: torchs.ChainedScheduler([torchs.ConstantLR(o), torchs.ExponentialLR(o, 0.9)]),
]


@profile(80)
@given(data=st.data())
def test_torchs_schedulers_with_other_settings(data: Any) -> None:
    scheduler = data.draw(st.sampled_from(TORCHS))(SGD([nn.Parameter(torch.zeros(2))], lr=0.1, momentum=0.9))
    names = sorted(set(vars(scheduler)) - {"optimizer"})
    setattr(scheduler, data.draw(st.sampled_from(names)), data.draw(ANY).value)
    found = outcome(lambda: from_torch(scheduler, data.draw(st.sampled_from(["lr", "lr", "lr", "momentum", "betas"]))))
    for schedule in [found] if isinstance(found, Schedule) else found or []:
        schedule(3)


@profile(40)
@given(scheduler=HOSTILE, key=ANY)
def test_what_is_no_scheduler_of_torch(scheduler: Any, key: Any) -> None:
    assert outcome(lambda: from_torch(scheduler.value, key.value)) is None
    good = torchs.StepLR(SGD([nn.Parameter(torch.zeros(2))], lr=0.1), 3)
    outcome(lambda: from_torch(good, key.value))
