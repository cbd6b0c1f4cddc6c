"""Every schedule, and a module that holds one, goes through every tracer of torch with the bits of eager."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import torch
from support.oracle import probes
from support.table import ROWS, SOME, Row
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx

from tracelr import Constant, Linear, Schedule
from tracelr.lowering.provenance import line_of, owner_of

EVERY = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
QUICKLY_SOME = pytest.mark.parametrize(
    "row", [pytest.param(row, id=name, marks=() if name in SOME else pytest.mark.slow) for name, row in ROWS.items()]
)


class Holder(nn.Module):
    """A model that multiplies its output by a schedule, at a step that it takes."""

    def __init__(self, schedule: Schedule) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((2,), 3.0))
        self.schedule = schedule

    def forward(self, step: Tensor) -> Tensor:
        return self.weight.sum() * self.schedule(step)


def inputs(row: Row) -> list[Tensor]:
    steps = torch.tensor(probes(row.ends, seed=7, random_steps=30))
    return [steps, *steps[:: max(1, len(steps) // 12)]]


def same(traced: nn.Module, module: nn.Module, row: Row) -> None:
    for steps in inputs(row):
        assert torch.equal(traced(steps), module(steps))


@EVERY
def test_symbolic_trace(row: Row) -> None:
    same(torch.fx.symbolic_trace(row.schedule), row.schedule, row)
    same(torch.fx.symbolic_trace(Holder(row.schedule)), Holder(row.schedule), row)


@EVERY
@pytest.mark.parametrize("shape", [(), (5,)])
def test_make_fx(row: Row, shape: tuple[int, ...]) -> None:
    example = torch.zeros(shape, dtype=torch.int64)
    for module in (row.schedule, Holder(row.schedule)):
        traced = make_fx(module)(example)
        for steps in inputs(row)[1:]:
            assert torch.equal(traced(steps.expand(shape)), module(steps.expand(shape)))


def exported_one(module: nn.Module, strict: bool, row: Row) -> None:
    one = torch.export.export(module, (torch.tensor(5),), strict=strict).module()
    for step in inputs(row)[1:]:
        assert torch.equal(one(step), module(step))


def exported_batch(module: nn.Module, strict: bool, row: Row) -> None:
    many = {"step": {0: torch.export.Dim("N", min=1)}}
    batch = torch.export.export(module, (torch.arange(7),), dynamic_shapes=many, strict=strict).module()
    steps = inputs(row)[0]
    assert torch.equal(batch(steps), module(steps))


@QUICKLY_SOME
def test_export(row: Row) -> None:
    """Both ways to export, with one step and with many, a schedule and a model. The four other pairs are in a slow test."""
    exported_one(Holder(row.schedule), True, row)
    exported_batch(row.schedule, False, row)


@pytest.mark.slow
@EVERY
def test_export_the_other_way(row: Row) -> None:
    for strict in (True, False):
        exported_one(row.schedule, strict, row)
        exported_batch(Holder(row.schedule), strict, row)
    exported_one(Holder(row.schedule), False, row)
    exported_batch(row.schedule, True, row)


@QUICKLY_SOME
def test_compile(row: Row) -> None:
    module = Holder(row.schedule)
    same(torch.compile(module, fullgraph=True, backend="aot_eager"), module, row)


@pytest.mark.slow
@EVERY
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_compile_alone(row: Row, backend: str) -> None:
    same(torch.compile(row.schedule, fullgraph=True, backend=backend), row.schedule, row)


class Several(nn.Module):
    """Rows of the table in one graph, because the C++ compiler of Inductor takes seconds for each graph."""

    def __init__(self, rows: Iterable[Row]) -> None:
        super().__init__()
        self.schedules = nn.ModuleList(row.schedule for row in rows)

    def forward(self, step: Tensor) -> list[Tensor]:
        return [schedule(step) for schedule in self.schedules]


@pytest.mark.parametrize("batch", [True, False])
@pytest.mark.parametrize("first", range(4))
def test_compile_with_inductor(first: int, batch: bool) -> None:
    """Half of the rows run over many steps, the others one step at a time. The slow test runs each row both ways."""
    rows = [*ROWS.values()][2 * first + batch :: 8]
    module = Several(rows)
    compiled = torch.compile(module, fullgraph=True)
    steps = [torch.cat([inputs(row)[0] for row in rows])] if batch else [step for row in rows for step in inputs(row)[1:]]
    for some in steps:
        assert torch.equal(torch.stack(compiled(some)), torch.stack(module(some)))


@pytest.mark.parametrize("strict", [True, False])
def test_a_schedule_at_two_places_is_exported(strict: bool) -> None:
    line = Linear(0.0, 1.0, 8)
    for schedule in (line + line, (line * line).then(line, at=5), Linear(0.0, line, 8) + line):  # type: ignore[arg-type]
        exported = torch.export.export(schedule, (torch.tensor(5),), strict=strict).module()
        for step in torch.arange(12):
            assert torch.equal(exported(step), schedule(step))


def test_the_parts_of_a_schedule_are_the_owners_of_their_lines() -> None:
    peak = Linear(0.0, 1.0, 8)
    model = Holder(Linear(0.0, peak, 8) * Constant(2.0))  # type: ignore[arg-type]
    graph = torch.export.export(model, (torch.tensor(5),), strict=False).graph
    found = {}
    for node in graph.nodes:
        if node.op == "call_function":
            found.setdefault(owner_of(node), set()).add(line_of(node))
    ramp, product = "return ops.ramp(step, self.steps, self.start, self.end)", "return reduce(ops.scale, "
    assert found["schedule.schedules.0"] == found["schedule.schedules.0.end"] == {ramp}
    assert found["schedule.schedules.1"] == {"return ops.full(step, self.value)"}
    assert any(line.startswith(product) for line in found["schedule"])
    assert found["."] == {"return self.weight.sum() * self.schedule(step)"}


def test_a_python_int_works_inside_a_compiled_region() -> None:
    line = Linear(0.0, 1.0, 8)
    assert torch.compile(lambda x: x * line(2), fullgraph=True, backend="eager")(torch.ones(3)).tolist() == [0.25] * 3


def test_a_tensor_field_changes_without_a_recompile() -> None:
    peak = torch.tensor(0.5, dtype=torch.float64)
    compiled = torch.compile(Linear(0.0, peak, 4), fullgraph=True, backend="aot_eager")
    with torch.compiler.set_stance("default"):
        assert compiled(torch.tensor(2)).item() == 0.25
    peak.fill_(1.0)
    with torch.compiler.set_stance("fail_on_recompile"):
        assert compiled(torch.tensor(2)).item() == 0.5
