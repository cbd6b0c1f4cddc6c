"""Graphs of training steps: every format shows them, with the nodes of the schedule marked, and no others."""

from __future__ import annotations

import json
from functools import cache
from operator import attrgetter
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from support.step_graphs import OPTIMIZERS, TRACERS, captured
from torch import Tensor, fx, nn
from torch.fx.experimental.proxy_tensor import make_fx

import tracelr
from tracelr import Cosine, Linear, PiecewiseConstant
from tracelr.lowering import dump
from tracelr.lowering.printing import FORMATS
from tracelr.lowering.printing.listing import listing_of
from tracelr.lowering.provenance import line_of, of_schedule, owner_of

RATE = Linear(0.0, 1e-2, 20).then(Cosine(1e-2, 1e-3, 100)).then(PiecewiseConstant([1e-3, 1e-4], [30]))
EVERY = pytest.mark.parametrize(("optimizer", "tracer"), [(o, t) for o in OPTIMIZERS for t in TRACERS])


@cache
def step(optimizer: str, tracer: str) -> tuple[fx.GraphModule, list[Any]]:
    return captured(optimizer, tracer, RATE)


@EVERY
def test_the_marked_nodes_belong_to_the_schedule_and_compute_its_rate(optimizer: str, tracer: str) -> None:
    module, _ = step(optimizer, tracer)
    marked = [line for line in listing_of(module).lines if line.marked]
    calls = [line for line in marked if line.node.op not in ("placeholder", "get_attr")]
    assert {line.kind for line in marked} == {"Sequential", "Linear", "Cosine", "PiecewiseConstant"}
    assert {line.owner.partition("_plan[0][0]")[2] for line in marked} == {
        "",
        ".schedules.0",
        ".schedules.1",
        ".schedules.2",
    }
    assert all("scheduler._bindings._evaluator._plan[0][0]" in line.owner for line in marked)
    entering = {source for line in calls for source in line.node.all_input_nodes if not of_schedule(source)}
    leaving = {line.node for line in calls if any(not of_schedule(user) for user in line.node.users)}
    assert len(entering) == len(leaving) == 1  # only the counter goes in, and only the rate comes out
    (counter,), (rate,) = entering, leaving
    part = fx.Graph()
    env: dict[fx.Node, fx.Node] = {counter: part.placeholder("step")}
    tensors: dict[str, Tensor] = {}
    for line in marked:
        if line.node.op == "placeholder":
            values = {"i64[1]": torch.tensor([30]), "f64[2]": torch.tensor([1e-3, 1e-4], dtype=torch.float64)}
            tensors[line.name] = values[line.type]
            env[line.node] = part.create_node("get_attr", line.name)
        else:
            env[line.node] = part.node_copy(line.node, env.__getitem__)
    part.output(env[rate])
    alone = fx.GraphModule(tensors, part)
    for n in (0, 1, 19, 20, 60, 119, 120, 149, 150, 10**6):
        assert alone(torch.tensor(n)).item() == RATE(n).item()


@EVERY
@pytest.mark.parametrize("format", FORMATS)
def test_every_format_shows_a_step(optimizer: str, tracer: str, format: str) -> None:
    module, _ = step(optimizer, tracer)
    text = dump(module, format)
    nodes = [node for node in module.graph.nodes if node.op != "output"]
    assert all(node.name in text for node in nodes)
    assert " at 0x" not in text
    assert ".py" not in text
    assert text == dump(module, format)


@EVERY
def test_the_marks_in_each_format(optimizer: str, tracer: str) -> None:
    module, _ = step(optimizer, tracer)
    lines = listing_of(module).lines
    marked = [line.name for line in lines if line.marked]
    text = dump(module, "text").splitlines()
    assert text[0] == (
        f"graph of {len(lines)} nodes, {len(marked)} of them a schedule's: Sequential, Linear, Cosine, PiecewiseConstant (*)"
    )
    assert [line.split(":")[0].removeprefix("* ") for line in text if line.startswith("* ")] == marked
    entries = json.loads(dump(module, "json"))["nodes"]
    assert [entry["name"] for entry in entries if entry["schedule"]] == marked
    assert dump(module, "dot").count('color="#b45309"') == len(marked)
    styled = next(line for line in dump(module, "mermaid").splitlines() if line.endswith(" schedule"))
    assert len(styled.split()[1].split(",")) == len(marked)
    picture = ElementTree.fromstring(dump(module, "svg"))
    coloured = [rect for rect in picture.iter("{http://www.w3.org/2000/svg}rect") if "stroke:" in rect.get("style", "")]
    assert len(coloured) == len(marked)
    titles = [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text") if text.get("class") == "head"]
    assert any(title and title.startswith("Sequential scheduler._bindings._evaluator._plan") for title in titles)
    assert "# * scheduler._bindings._evaluator._plan[0][0].schedules.1: return ops.ramp(step, " in dump(module, "code")


@EVERY
def test_the_code_format_runs(optimizer: str, tracer: str) -> None:
    module, inputs = step(optimizer, tracer)
    space: dict[str, Any] = {}
    exec(compile(dump(module, "code"), "dumped.py", "exec"), space)
    held = [attrgetter(str(node.target))(module) for node in module.graph.nodes if node.op == "get_attr"]
    with torch.no_grad():
        ours, theirs = [value.clone() for value in (*inputs, *held)], [*(value.clone() for value in inputs), *held]
        given, wanted = space["graph"](*ours), module(*theirs[: len(inputs)])
    assert all(map(torch.equal, [*ours, *given], [*theirs, *wanted]))


class Model(nn.Module):
    """A model that holds a schedule."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 1)
        self.rate = RATE

    def forward(self, x: Tensor, step: Tensor) -> Tensor:
        return self.inner(x).sum() * self.rate(step)


def test_an_exported_model_has_its_schedule_marked() -> None:
    inputs = (torch.ones(2, 3), torch.tensor(7))
    module = torch.export.export(Model(), inputs, strict=False).run_decompositions().graph_module
    marked = {line.owner for line in listing_of(module).lines if line.marked}
    assert marked == {"rate", "rate.schedules.0", "rate.schedules.1", "rate.schedules.2"}
    assert {line.owner for line in listing_of(module).lines if not line.marked} == {".", "inner"}


def test_make_fx_records_source_lines_only_on_request() -> None:
    inputs = (torch.ones(2, 3), torch.tensor(7))
    assert dump(make_fx(Model())(*inputs)).splitlines()[0].endswith("none of them a schedule's (*)")
    told = listing_of(make_fx(Model(), record_stack_traces=True)(*inputs))
    assert any(line.marked for line in told.lines)
    assert not all(line.marked for line in told.lines)


FILE = tracelr.schedules.base.__file__


def node(stack_trace: str, modules: dict[str, Any] | None = None) -> fx.Node:
    made = fx.Graph().placeholder("x")
    made.op = "call_function"
    made.meta = {"stack_trace": stack_trace, "nn_module_stack": modules or {}}
    return made


@pytest.mark.parametrize(
    ("stack", "line", "marked"),
    [
        ("", "", False),
        ('  File "/a/m.py", line 3, in train\n    loss = f(x)\n           ^^^^\n', "loss = f(x)", False),
        (f'  File "{FILE}", line 3, in forward\n    return ops.round(x)\n', "return ops.round(x)", True),
        ('  File "/a/other/schedule.py", line 3, in forward\n    return ops.round(x)\n', "return ops.round(x)", False),
        (
            f'  File "{FILE}", line 3, in forward\n    y\n  File "/a/mine.py", line 9, in forward\n'
            '    return ops.ramp(x)\n  File "/a/tracelr/arithmetic/base.py", line 7, in ramp\n    return i.clamp(0, n)\n',
            "return ops.ramp(x)",
            True,
        ),
        (f'  File "{FILE}", line 3, in forward\n    y\n  File "<stdin>", line 9, in forward\n', "", True),
        (f'  File "{FILE}", line 3, in then\n    cell.copy_(rate)\n', "cell.copy_(rate)", False),
        ('  File "/a/tracelr/optim/scheduler.py", line 3, in step\n    cell.copy_(rate)\n', "cell.copy_(rate)", False),
    ],
)
def test_a_node_is_marked_by_its_source_lines(stack: str, line: str, marked: bool) -> None:
    assert (line_of(node(stack)), of_schedule(node(stack))) == (line, marked)


def test_a_node_is_marked_by_its_modules() -> None:
    class Mine(nn.Module):
        pass

    stack = {"1": ("L['self'].model", Mine), "2": ("L['self'].model.rate@2", Linear)}
    assert (owner_of(node("", stack)), of_schedule(node("", stack))) == ("self.model.rate", True)
    assert not of_schedule(node("", {"1": ("L['self'].model", Mine)}))
    for kind, marked in (("tracelr.schedules.curves.linear.Linear", True), ("torch.nn.modules.linear.Linear", False)):
        assert of_schedule(node("", {"1": ("", "elsewhere.Model"), "2": ("rate", kind)})) == marked  # as torch.export has it
