"""Schedules compare by value, and torch's containers lose neither of two equal ones."""

from __future__ import annotations

import copy
import dataclasses
import functools
import math
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Annotated, Any

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.row import Row
from support.table import ROWS
from torch import Tensor, nn

from tracelr import (
    Assignment,
    Constant,
    Lambda,
    Linear,
    PiecewiseConstant,
    Polynomial,
    Ramp,
    Schedule,
    Sequential,
    Sum,
    from_dict,
)
from tracelr.arithmetic import Arithmetic, Real
from tracelr.errors import ScheduleError, ScheduleTypeError
from tracelr.schedules import fields

EVERY = pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
STEPS = torch.tensor([0, 1, 2, 3, 5, 8, 1000, 2**40])


def bits(schedule: Schedule) -> list[int]:
    return list(schedule(STEPS).view(torch.int32).tolist())


def others(value: Any) -> Iterator[Any]:
    """Yield values near this one. Every field accepts at least one of them."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, value - 1)
    elif isinstance(value, float):
        yield from (math.nextafter(value, math.inf), math.nextafter(value, -math.inf), value * 2 or -value)
    elif isinstance(value, Schedule):
        yield value * 2.0
    elif isinstance(value, tuple | list | nn.ModuleList):
        items = list(value)
        yield from ([*items[:k], other, *items[k + 1 :]] for k in reversed(range(len(items))) for other in others(items[k]))
    elif value is None:
        yield from (0.0, 1)
    elif isinstance(value, str):
        words = ["linear", "cosine", "sqrt", "jump", "scale", "shift", "triangular", "exp_range", "uniform", "normal"]
        yield from (word for word in words if word != value)
        yield True  # for a field that may also be a flag
    else:
        yield lambda step: step.double() * 0.125


def changed(schedule: Schedule, name: str) -> Iterator[Schedule]:
    for other in others(getattr(schedule, name)):
        try:
            yield dataclasses.replace(schedule, **{name: other})  # type: ignore[type-var]
        except (ScheduleError, ScheduleTypeError):
            continue


@EVERY
def test_the_same_fields_make_an_equal_schedule(row: Row) -> None:
    schedule = row.schedule
    again = [copy.deepcopy(schedule), pickle.loads(pickle.dumps(schedule)), dataclasses.replace(schedule)]  # type: ignore[type-var]
    if row.written:
        again.append(from_dict(schedule.to_dict()))
    for other in again:
        assert other is not schedule
        assert other == schedule
        assert (other != schedule) is False
        assert hash(other) == hash(schedule)
        assert len({other, schedule}) == 1
        assert Assignment("lr", None, other) == Assignment("lr", None, schedule)
        assert hash(Assignment("lr", ("a",), other)) == hash(Assignment("lr", ("a",), schedule))


@EVERY
def test_another_value_in_any_field_makes_another_schedule(row: Row) -> None:
    schedule = row.schedule
    for name in schedule._rules:
        every = list(changed(schedule, name))
        # the spread of the row of Noise is too large for another kind
        assert every or (type(schedule).__name__, name) == ("Noise", "kind"), name
        for other in every:
            assert other != schedule, (name, other)
            assert Assignment("lr", None, other) != Assignment("lr", None, schedule)


def test_the_rows_differ() -> None:
    assert len({row.schedule for row in ROWS.values()}) == len(ROWS)
    for one, other in combinations(ROWS.values(), 2):
        assert one.schedule != other.schedule


POOL = st.sampled_from([0.0, -0.0, 1.0, 0.1, math.nextafter(0.1, 1), 5e-324, -5e-324])
MADE = st.one_of(
    st.builds(Constant, POOL),
    st.builds(Linear, POOL, POOL, st.integers(1, 2)),
    st.builds(Polynomial, POOL, POOL, st.integers(1, 2)),
    st.builds(lambda values: PiecewiseConstant(values, [3]), st.lists(POOL, min_size=2, max_size=2)),
)
TREES = st.recursive(
    MADE,
    lambda inner: st.one_of(
        st.builds(Sum, st.lists(inner, min_size=1, max_size=2)), st.builds(Linear, inner, POOL, st.just(2))
    ),
    max_leaves=3,
)


@given(TREES, TREES)
def test_equal_is_the_same_description_hash_and_bits(one: Schedule, other: Schedule) -> None:
    assert (one == other) is (repr(one) == repr(other))  # a repr writes every bit of a float
    assert (one == other) is (other == one) is not (one != other)
    if one == other:
        assert hash(one) == hash(other)
        assert bits(one) == bits(other)


def test_a_schedule_is_no_number_and_no_other_schedule() -> None:
    assert Constant(1.0) != 1.0
    assert Constant(0.0) != Constant(-0.0)
    assert Constant(1) == Constant(1.0)
    assert Linear(1.0, 1.0, 3) != Polynomial(1.0, 1.0, 3)
    assert Linear(1.0, 0.0, 1) != Linear(True * 1.0, 0.0, 2)
    line, curve = Linear(0.0, 1.0, 3), Constant(1.0)
    assert Sequential([line, curve], [3], reset=True) != Sequential([line, curve], [3], reset=[True, True])


def test_a_tensor_counts_by_its_identity() -> None:
    parameter = nn.Parameter(torch.tensor(0.5))
    assert Constant(parameter) == Constant(parameter)
    assert hash(Constant(parameter)) == hash(Constant(parameter))
    assert Constant(parameter) != Constant(nn.Parameter(torch.tensor(0.5)))
    assert Constant(parameter) != Constant(0.5)
    assert copy.deepcopy(Constant(parameter)) != Constant(parameter)
    number = torch.tensor(0.5)
    one, other = Sum([Constant(number), Linear(0.0, number, 3)]), Sum([Constant(number), Linear(0.0, number, 3)])
    assert one == other
    before = hash(one)
    with torch.no_grad():
        number.fill_(0.25)
    assert (one == other, hash(one)) == (True, before)
    one.to("meta")
    assert (one == other, hash(one)) == (False, before)


class Held(fields.Rule):
    """A field of an author's class, which accepts anything."""

    allowed = "anything"

    def parse(self, where: str, given: Any) -> Any:
        return given


class Kept(Schedule):
    """A schedule class of an author."""

    held: Annotated[Any, Held()]

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        return ops.full(step, 1.0)


def test_whatever_an_author_keeps_is_compared_and_hashed() -> None:
    for value in ([1, [0.0]], (1, (0.0,)), None, "a", int, [Constant(1.0)]):
        assert Kept(value) == Kept(copy.deepcopy(value))
        assert hash(Kept(value)) == hash(Kept(copy.deepcopy(value)))
    for value in ({"a": 1}, {1}, torch.arange(2), numpy.arange(2), [torch.arange(2)]):
        assert Kept(value) == Kept(value)
        assert Kept(value) != Kept(copy.deepcopy(value))
        assert hash(Kept(value)) == hash(Kept(copy.deepcopy(value)))
    assert len({Kept(value) for value in (1, 1.0, True, "1", [1], (1,), [-0.0], [0.0])}) == 8


def test_a_function_counts_by_what_it_computes() -> None:
    def read(table: Tensor) -> Callable[[Tensor], Tensor]:
        return lambda step: torch.exp(table.take(step.clamp(0, 1)))

    table = torch.tensor([0.1, 0.7])
    assert Lambda(read(table)) == Lambda(read(table.clone()))
    assert Lambda(read(table)) != Lambda(read(table.double()))  # the same numbers, and other bits of their exponential
    assert Lambda(read(table)) != Lambda(read(table * 2))


def test_keys_members_and_caches() -> None:
    calls = []

    @functools.lru_cache
    def first(schedule: Schedule) -> float:
        calls.append(schedule)
        return float(schedule(0))

    assert first(Linear(0.5, 1.0, 10)) == first(Linear(0.5, 1.0, 10)) == 0.5
    assert len(calls) == 1
    assert Linear(0.5, 1.0, 10) in calls
    assert calls.index(Linear(0.5, 1.0, 10)) == 0
    assert {Constant(0.5): "a"}[Constant(0.5)] == "a"


def test_a_hash_stays_in_its_process() -> None:
    schedule = Ramp(0.0, 1.0, 4, "cosine")
    assert hash(schedule) == hash(schedule)
    code = f"import pickle, tracelr; assert pickle.loads({pickle.dumps(schedule)!r}) in {{tracelr.{schedule!r}}}"
    environment = {"PYTHONHASHSEED": "1", "PYTHONPATH": ":".join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


# Two equal schedules in one tree


def rate() -> Schedule:
    return PiecewiseConstant([1.0, 0.5], [5])


class Two(nn.Module):
    """A model with two schedules."""

    def __init__(self, first: Schedule, second: Schedule) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, step: Tensor) -> Tensor:
        return torch.stack([self.first(step), 2 * self.second(step)])


class Listed(nn.Module):
    """A model with a list of schedules."""

    def __init__(self, *schedules: Schedule) -> None:
        super().__init__()
        self.schedules = nn.ModuleList(schedules)

    def forward(self, step: Tensor) -> Tensor:
        return torch.stack([schedule(step) for schedule in self.schedules])


TREE: dict[str, tuple[Callable[[], nn.Module], list[str]]] = {
    "attributes": (lambda: Two(rate(), rate()), ["first", "second"]),
    "list": (lambda: Listed(rate(), rate(), rate()), ["schedules.0", "schedules.1", "schedules.2"]),
    "sum": (lambda: Listed(Sum([rate(), rate()])), ["schedules.0.schedules.0", "schedules.0.schedules.1"]),
    "driven": (lambda: Listed(Linear(rate(), rate(), 10)), ["schedules.0.start", "schedules.0.end"]),
    "sums": (lambda: Two(rate() + 1.0, rate() + 1.0), ["first.schedules.0", "second.schedules.0"]),
    "inside": (lambda: Two(rate(), rate() + 1.0), ["first", "second.schedules.0"]),
}
TREES_OF_TWO = pytest.mark.parametrize(("make", "names"), TREE.values(), ids=list(TREE))
TABLES = ("milestones_table", "values_high_table", "values_low_table", "values_table")


@TREES_OF_TWO
def test_a_walk_meets_both(make: Callable[[], nn.Module], names: list[str]) -> None:
    model = make()
    found = {name: module for name, module in model.named_modules() if isinstance(module, PiecewiseConstant)}
    assert sorted(found) == sorted(names)
    assert len({id(module) for module in found.values()}) == len(names)
    assert len({*found.values()}) == 1  # they are equal, otherwise the test would say nothing
    assert sorted(name for name, _ in model.named_buffers()) == sorted(f"{name}.{t}" for name in names for t in TABLES)
    assert len([m for m in model.modules() if isinstance(m, PiecewiseConstant)]) == len(names)
    assert list(model.state_dict()) == []


@TREES_OF_TWO
def test_both_move_and_keep_their_dtype(make: Callable[[], nn.Module], names: list[str]) -> None:
    model = make()
    step = torch.arange(8)
    want, dtypes = model(step), {name: tensor.dtype for name, tensor in model.named_buffers()}
    assert {name: tensor.dtype for name, tensor in model.double().half().named_buffers()} == dtypes
    model.to("meta")
    assert {tensor.device.type for tensor in model.buffers()} == {"meta"}
    assert len(list(model.buffers())) == 4 * len(names)
    model.to_empty(device="cpu")
    assert {tensor.device.type for tensor in model.buffers()} == {"cpu"}
    assert torch.equal(model(step), want)


@TREES_OF_TWO
def test_a_copy_has_both(make: Callable[[], nn.Module], names: list[str]) -> None:
    model = make()
    step = torch.arange(8)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(other(step), model(step))
        own = {id(tensor) for tensor in model.buffers()}
        made = [tensor for tensor in other.buffers() if id(tensor) not in own]
        assert len(made) == 4 * len(names)


def test_two_that_share_a_device_are_equal_and_others_are_not() -> None:
    one, other = rate() + 1.0, rate() + 1.0
    key = hash(one)
    one.to("meta")
    assert one != other
    assert hash(one) == key
    other.to("meta")
    assert one == other
    assert Linear(0.0, 1.0, 3).to("meta") == Linear(0.0, 1.0, 3)  # it has no tables


def test_a_module_that_was_met_is_not_met_again() -> None:
    one, other = rate(), rate()
    assert [name for name, _ in Two(one, one).named_modules()] == ["", "first"]
    assert [name for name, _ in Two(one, one).named_modules(remove_duplicate=False)] == ["", "first", "second"]
    assert [name for name, _ in Two(one, other).named_modules(memo={one})] == ["", "second"]
    assert [name for name, _ in (one + one).named_modules()] == ["", "schedules", "schedules.0"]
    assert [name for name, _ in (one + other).named_modules(prefix="a")] == [
        "a",
        "a.schedules",
        "a.schedules.0",
        "a.schedules.1",
    ]


def test_parameters_of_equal_value_are_both_trained() -> None:
    model = Two(*(Linear(0.0, nn.Parameter(torch.tensor(0.5)), 10) for _ in range(2)))
    assert [name for name, _ in model.named_parameters()] == ["first.end", "second.end"]
    assert list(model.state_dict()) == ["first.end", "second.end"]
    model(torch.tensor(5)).sum().backward()
    assert [parameter.grad.item() for parameter in model.parameters() if parameter.grad is not None] == [0.5, 1.0]
    model.zero_grad()
    assert all(parameter.grad is None for parameter in model.parameters())
    model.load_state_dict({"first.end": torch.tensor(0.25), "second.end": torch.tensor(0.75)})
    assert [float(parameter.detach()) for parameter in model.parameters()] == [0.25, 0.75]
    model.requires_grad_(False)
    assert not any(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
@TREES_OF_TWO
def test_both_compile(make: Callable[[], nn.Module], names: list[str], backend: str) -> None:
    model = make()
    compiled = torch.compile(model, backend=backend, fullgraph=True)
    for step in (3, 7):
        assert torch.equal(compiled(torch.tensor(step)), model(torch.tensor(step)))


def test_a_compiled_call_follows_the_schedule_that_it_is_given() -> None:
    compiled = torch.compile(lambda schedule, step: schedule(step), backend="eager", fullgraph=True)
    for value in (0.5, 0.5, 0.25, 0.5):
        assert compiled(Constant(value), torch.tensor(1)) == value

    @torch.compile(backend="eager", fullgraph=True)
    def chosen(one: Schedule, other: Schedule, step: Tensor) -> Tensor:
        return one(step) if one == other else other(step)

    for other in (0.5, 0.25, 0.5):
        assert chosen(Constant(0.5), Constant(other), torch.tensor(1)) == other


@pytest.mark.filterwarnings("ignore:`isinstance:DeprecationWarning")
@pytest.mark.parametrize("strict", [True, False])
@TREES_OF_TWO
def test_an_exported_program_has_both(make: Callable[[], nn.Module], names: list[str], strict: bool) -> None:
    model, step = make(), torch.tensor(3)
    program = torch.export.export(model, (step,), strict=strict)
    owners = {
        str(path).replace("'", "").replace("[", ".").replace("]", "").replace("L.self.", "")
        for node in program.graph.nodes
        for path, _ in node.meta.get("nn_module_stack", {}).values()
    }
    tables = {spec.target for spec in program.graph_signature.input_specs if spec.target}
    for name in names:
        assert name in owners
        assert f"{name}.values_table" in tables
    for later in (step, torch.tensor(7)):
        assert torch.equal(program.module()(later), model(later))
        assert torch.equal(torch.export.unflatten(program)(later), model(later))


@pytest.mark.parametrize("strict", [True, False])
def test_one_schedule_in_two_places_exports(strict: bool) -> None:
    one = rate()
    for model in (Two(one, one), Listed(Sum([one, one]))):
        program = torch.export.export(model, (torch.tensor(3),), strict=strict)
        assert torch.equal(program.module()(torch.tensor(7)), model(torch.tensor(7)))


@TREES_OF_TWO
def test_both_are_traced_symbolically(make: Callable[[], nn.Module], names: list[str]) -> None:
    model = make()
    traced = torch.fx.symbolic_trace(model)
    read = {node.target for node in traced.graph.nodes if node.op == "get_attr"}
    assert {f"{name}.values_table" for name in names} <= read
    assert torch.equal(traced(torch.tensor(7)), model(torch.tensor(7)))
