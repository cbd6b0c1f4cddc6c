"""trace: the graph gives the bits of the schedule, remembers its author, and takes steps of its own shape only."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import torch
from support.graphs import EVERY_BUT_SOME_SLOW, bits, traced
from support.oracle import probes
from support.table import ROWS
from torch import Tensor, library, nn

from tracelr import Constant, Exponential, Lambda, Linear, PiecewiseConstant
from tracelr.errors import ScheduleTypeError
from tracelr.lowering import Graph, passes, trace
from tracelr.lowering.provenance import line_of, owner_of, plain
from tracelr.lowering.spec import op_of

EVERY = pytest.mark.parametrize("name", ROWS)


@EVERY
def test_a_graph_gives_the_bits_of_eager_one_step_at_a_time(name: str) -> None:
    row, graph = ROWS[name], traced(name)
    steps = [*torch.tensor([*probes(row.ends, seed=1, random_steps=40), -1, -(2**40), 2**53 + 1, 2**62])]
    want = torch.stack([row.schedule(step) for step in steps])
    for stage in (graph, passes.run(graph)):
        assert torch.equal(bits(torch.stack([stage(step) for step in steps])), bits(want))


@EVERY_BUT_SOME_SLOW
def test_a_batch_graph_gives_the_bits_of_eager(name: str) -> None:
    row, graph = ROWS[name], traced(name, batch=True)
    generator = torch.Generator().manual_seed(3)
    any_size = torch.exp2(torch.rand(20_000, dtype=torch.float64, generator=generator) * 53).long()
    steps = torch.cat([torch.tensor(probes(row.ends, seed=2, random_steps=1000)), any_size])
    for stage in (graph, passes.run(graph)):
        for some in (steps, steps[:1], steps[:0]):
            assert torch.equal(bits(stage(some)), bits(row.schedule(some)))


@EVERY
def test_no_node_goes_through_the_host(name: str) -> None:
    targets = {str(node.target) for node in traced(name).nodes}
    assert not targets & {"aten.item.default", "aten._local_scalar_dense.default", "aten.lift_fresh_copy.default"}


@EVERY
def test_every_node_has_its_authors_line(name: str) -> None:
    owners = {name for name, _ in ROWS[name].schedule.named_modules()} | {"."}
    files = {inspect.getfile(kind) for child in ROWS[name].schedule.modules() for kind in type(child).__mro__[:-1]}
    written = {plain(line) for path in files for line in Path(path).read_text().splitlines()}
    for stage, graph in passes.stages(traced(name)):
        calls = [node for node in graph.nodes if op_of(node) is not None]
        assert calls
        for node in calls:
            assert line_of(node) in written, (stage, node)
            assert owner_of(node) in owners, (stage, node)


def test_owner_and_line_name_the_child() -> None:
    graph = passes.run(trace(Linear(0.0, 1.0, 10).then(Exponential(1.0, 0.5, 3)).then(Constant(0.1))))
    (exp2, _) = (node for node in graph.nodes if str(node.target) == "aten.exp2.default")
    assert owner_of(exp2) == "schedules.1"
    assert "ops.grown(" in line_of(exp2)
    assert {owner_of(node) for node in graph.nodes} >= {".", "schedules.0", "schedules.1", "schedules.2"}


def test_signature_says_what_the_graph_takes() -> None:
    assert trace(Constant(1.0)).signature == "lr(step: i64[]) -> f32[]"
    assert trace(Constant(1.0), batch=True).signature == "lr(step: i64[N]) -> f32[N]"


def test_tables_are_constants_and_tensor_fields_are_not() -> None:
    graph = trace(PiecewiseConstant([0.2, 0.1], [10]) * Constant(torch.tensor(3.0)))
    fields = {str(node.target): graph.constant(node) for node in graph.nodes if node.op == "get_attr"}
    assert fields == {
        "schedules.0.values_table": True,
        "schedules.0.milestones_table": True,
        "schedules.1.value": False,
    }


@pytest.mark.parametrize("batch", [False, True])
def test_a_parameter_stays_an_input_through_all_passes(batch: bool) -> None:
    start = nn.Parameter(torch.tensor(2.0))
    schedule = Linear(start, torch.tensor(1.0), 4).then(Constant(start))
    graph = passes.run(trace(schedule, batch))
    step = torch.tensor([1, 3]) if batch else torch.tensor(1)
    before = graph(step)
    with torch.no_grad():
        start.fill_(6.0)
    assert torch.equal(graph(step), schedule(step))
    assert not torch.equal(graph(step), before)
    (gradient,) = torch.autograd.grad(graph(step).sum(), start)
    (want,) = torch.autograd.grad(schedule(step).sum(), start)
    assert gradient == want != 0


def test_a_graph_takes_a_python_int() -> None:
    assert trace(Linear(0.0, 1.0, 4))(3) == 0.75


@pytest.mark.parametrize(("batch", "step"), [(False, torch.arange(3)), (False, torch.tensor(1.0)), (True, torch.tensor(1))])
def test_a_graph_refuses_a_step_of_another_type(batch: bool, step: Tensor) -> None:
    graph = trace(Constant(1.0), batch)
    assert isinstance(graph, Graph)
    with pytest.raises(ScheduleTypeError, match=r"graph of Constant\(step\): given a .* tensor of shape"):
        graph(step)


def test_an_operator_registered_after_the_first_trace_is_decomposed() -> None:
    trace(Constant(1.0))
    made = library.Library("tracelr_tests", "DEF")
    made.define("twice(Tensor x) -> Tensor")
    made.impl("twice", lambda x: x + x, "CompositeImplicitAutograd")
    schedule = Lambda(lambda step: torch.ops.tracelr_tests.twice(step.to(torch.float64)))
    assert "twice" not in str(trace(schedule).module.graph)
    assert passes.run(trace(schedule))(3) == 6.0
