"""Every reader, given mappings that nobody should pass: changed, empty, deep, or without an end."""

from __future__ import annotations

import copy
from functools import reduce
from inspect import signature
from operator import getitem
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.bad_values import ANY, HOSTILE, NEAR, outcome, profile, shared, sound
from support.table import ROWS

import tracelr
from tracelr import Assignment, Constant, Linear, Schedule, Units, from_dict
from tracelr.errors import ScheduleError
from tracelr.interop._tools.checks import Place
from tracelr.interop._tools.yaml import mapping as mapping_of
from tracelr.interop.cerebras.read_trainer import KINDS
from tracelr.interop.cerebras.spellings import OLDER_CURVES, SPELLINGS
from tracelr.interop.huggingface.scheduler_types import TYPES
from tracelr.interop.keras import read as keras
from tracelr.interop.readers import READERS
from tracelr.schedules.base import DEEPEST

SAMPLES: list[Any] = [mapping_of(reader.EXAMPLE.encode(), Place("example")) for reader in READERS.values()]
SAMPLES += [
    {"class_name": name, "config": dict.fromkeys(signature(build).parameters, NEAR[9])}
    for name, build in keras.CLASSES.items()
]
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
    for name, curve in OLDER_CURVES.items()
]
SAMPLES += [
    {"schedulers": [{name: {SPELLINGS[kind.key].get(key, (key,))[0]: 2 for key in signature(kind.curve).parameters}}]}
    for name, kind in KINDS.items()
    if not isinstance(kind.curve, str)
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
    """Return a sample with some values changed, keys left out, or keys added."""
    sample = copy.deepcopy(sample)
    places = _places(sample)[1:] or [("schedule",)]  # of the sample, because a hostile value may have 2**40 places
    for _ in range(data.draw(st.integers(1, 3))):
        *path, last = data.draw(st.sampled_from(places))
        try:
            around = reduce(getitem, path, sample)
            around[last]
        except (KeyError, IndexError, TypeError):  # an earlier mutation removed it
            continue
        match data.draw(st.integers(0, 5)):
            case 0 if isinstance(around, dict):
                around.pop(last, None)
            case 1 if isinstance(around, dict):
                around[
                    data.draw(st.one_of(st.text(max_size=6), st.sampled_from(["tags", "\x1b[2J", "*/", 3, None, (1,), 0.5])))
                ] = 1
            case _ if isinstance(around, dict | list):  # an earlier mutation may have made it a text
                around[last] = data.draw(ANY).value
    return sample


def mapped(data: Any, sample: Any) -> None:
    mapping = mutated(data, sample)
    found = outcome(lambda: from_dict(mapping, units=data.draw(st.sampled_from([None, Units(10, 10, 10, 10)]))))
    for schedule in [found] if isinstance(found, Schedule) else [one.schedule for one in found or []]:
        sound(schedule)


@profile(120)
@given(data=st.data())
def test_every_reader(data: Any) -> None:
    mapped(data, data.draw(st.sampled_from(SAMPLES)))


@pytest.mark.slow
@profile(50_000)
@given(data=st.data())
def test_every_reader_at_length(data: Any) -> None:
    mapped(data, data.draw(st.sampled_from(SAMPLES)))


@profile(60)
@given(
    mapping=st.one_of(
        HOSTILE,
        st.dictionaries(
            st.sampled_from(
                ["schedule", "optimizer", "class_name", "trainer", "schedulers", "lr_scheduler_type", "assignments"]
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
        lambda inner: {"trainer": [inner]},
        lambda inner: {"schedulers": [{"ChainedLR": {"schedulers": inner.get("schedulers", [inner])}}]},
        lambda inner: {"optimizer": {"learning_rate": [inner]}},
    ],
    ids=["Scale", "Sum", "trainer", "schedulers", "optimizer"],
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
