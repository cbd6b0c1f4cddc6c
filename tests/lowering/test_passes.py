"""The passes: what each one leaves, and that none changes a bit."""

from __future__ import annotations

import pytest
import torch
from support.graphs import EVERY_BUT_SOME_SLOW, traced
from support.operations import formula
from support.rows.basic import WARMUP_COSINE
from support.table import ROWS
from torch import fx

from tracelr import Constant, Cosine, Exponential, Linear, PiecewiseConstant
from tracelr.errors import LoweringError
from tracelr.lowering import Graph, dump, passes, trace
from tracelr.lowering.provenance import owner_of
from tracelr.lowering.spec import ASSERTS, OPS, aten, dtype_of, op_of

EVERY = pytest.mark.parametrize("name", ROWS)
SPECIAL = torch.tensor([0, 1, 2, 3, 5, 7, 10, 1000, 2**24, 2**24 + 1, 2**31, 2**53])


def duplicates(graph: Graph) -> list[fx.Node]:
    seen, twice = set(), []
    for node in graph.nodes:
        key = (node.op, node.target, repr(node.args), repr(node.kwargs))
        twice += [node] if key in seen else []
        seen.add(key)
    return twice


@EVERY
def test_each_pass_leaves_a_graph_of_its_stage(name: str) -> None:
    stages = dict(passes.stages(traced(name)))
    assert list(stages) == ["trace", *(one.__name__ for one in passes.PASSES)]
    assert "_assert_tensor_metadata" in str(stages["trace"].module.graph)
    for stage, graph in stages.items():
        typed = list(stages).index(stage) >= list(stages).index("type_scalars")
        assert graph.typed == typed, stage
        if stage != "trace":
            assert "_assert_tensor_metadata" not in str(graph.module.graph)
        if typed:
            assert {op_of(node) for node in graph.nodes} - {None} <= set(OPS)
    last = stages["rename"]
    assert duplicates(last) == []
    assert all(node.users for node in last.nodes if node.op in ("call_function", "get_attr"))


@EVERY_BUT_SOME_SLOW
def test_no_pass_changes_a_bit(name: str) -> None:
    row = ROWS[name]
    steps = torch.cat([SPECIAL, torch.tensor([e + d for e in row.ends for d in (-1, 0, 1)], dtype=torch.int64)])
    want = row.schedule(steps).view(torch.int32)
    for stage, graph in passes.stages(traced(name, batch=True)):
        assert torch.equal(graph(steps).view(torch.int32), want), stage


@EVERY
def test_the_passes_are_a_fixed_point(name: str) -> None:
    once = passes.run(traced(name))
    assert str(passes.run(once).module.graph) == str(once.module.graph)


def test_nothing_is_computed_twice_in_a_sequence_of_three() -> None:
    graph = trace(WARMUP_COSINE)
    assert len(duplicates(passes.run(graph, stop_after="fold_constants"))) > 5
    assert duplicates(passes.run(graph, stop_after="share")) == []


def test_a_sequence_of_three_curves_does_no_work_twice() -> None:
    schedule = Linear(0.0, 1.0, 100).then(Cosine(1.0, 0.1, 900)).then(Exponential(0.1, 0.5, 50))
    raw = trace(schedule)
    assert [node for node in duplicates(raw) if op_of(node) not in ASSERTS] == []
    graph = passes.run(raw)
    commutes = {aten.add.Tensor, aten.mul.Tensor, aten.minimum.default, aten.maximum.default}
    work = [
        (op_of(node), tuple(sorted(map(repr, node.args))) if op_of(node) in commutes else repr(node.args), str(node.kwargs))
        for node in graph.nodes
        if op_of(node) is not None
    ]
    assert len(set(work)) == len(work)
    clamps = [node for node in graph.nodes if op_of(node) == aten.clamp.Tensor and dtype_of(node) == torch.int64]
    assert [owner_of(node) for node in clamps] == [".", "schedules.0", ".", "schedules.1", "."]  # the last holds no end
    (step,) = (node for node in graph.nodes if node.op == "placeholder")
    assert list(step.users) == clamps[:1]


def holds(graph: Graph, *ops: object) -> bool:
    return any(op_of(node) in ops for node in graph.nodes)


def scalars(graph: Graph) -> bool:
    return any(op_of(n) not in (None, aten.full.default) and any(isinstance(a, float) for a in n.args) for n in graph.nodes)


NEEDS = {
    "drop_noops": (
        lambda s: s.double().clone().detach().double() * 2.0,
        lambda g: holds(g, aten.clone.default, aten.detach.default, *ASSERTS),
    ),
    "expand_powers": (lambda s: s.double() ** 2, lambda g: holds(g, aten.pow.Tensor_Scalar)),
    "type_scalars": (lambda s: s.double() * 0.5, scalars),
    "fold_constants": (
        lambda s: s.double() * torch.sqrt(torch.full((), 2.0, dtype=torch.float64)),
        lambda g: holds(g, aten.sqrt.default),
    ),
    "share": (lambda s: torch.sin(s.double() * 0.5) + torch.sin(s.double() * 0.5), lambda g: bool(duplicates(g))),
    "drop_dead": (
        lambda s: s.double() * (torch.full((), 2.0, dtype=torch.float64) + 3.0),
        lambda g: any(not node.users for node in g.nodes if node.op == "call_function"),
    ),
    "rename": (lambda s: s.double() * 0.5, lambda g: any(node.name.startswith("full_default") for node in g.nodes)),
}


def test_each_pass_has_a_graph_that_needs_it() -> None:
    assert list(NEEDS) == [one.__name__ for one in passes.PASSES]


@pytest.mark.parametrize("name", NEEDS)
def test_a_pass_removes_what_it_is_meant_to_remove(name: str) -> None:
    function, there = NEEDS[name]
    schedule = formula(function)
    found = dict(passes.stages(schedule))
    before = list(found)[list(found).index(name) - 1]
    assert there(found[before])
    assert not there(found[name])
    assert found[name](7) == schedule(torch.tensor(7))
    assert dump(found[before]) != dump(found[name])


FORMULAS = {
    "integer beside a float": lambda s: s * 0.1,
    "integer compared with a float": lambda s: (s < 16777217.5).double(),
    "float32 and float64": lambda s: s.float() * 0.3 + s.double() * 0.3,
    "true division of integers": lambda s: s / 7,
    "where of two numbers": lambda s: torch.where(s > 3, 1.5, 2.5),
    "where of an integer and a float": lambda s: torch.where(s > 3, s, 2.5).double(),
    "a tensor made in the formula": lambda s: s.double() * torch.tensor(0.7, dtype=torch.float64) + torch.tensor(3.0),
    "reflected operations": lambda s: (5 - s).double() + (1.0 / (1.0 + s.double())) + 2.0 ** (-(s % 7).double()),
    "logic": lambda s: torch.where(torch.logical_and(s > 2, ~(s > 1000)) | (s == 0), 0.1, 0.2),
    "clamps": lambda s: s.clamp(min=3).clamp(max=2000).double() + torch.clamp_min(s, 7) + torch.clamp_max(s.double(), 9.0),
    "ones and zeros": lambda s: torch.ones_like(s, dtype=torch.float64) + torch.zeros_like(s) + torch.full_like(s, 3),
    "rounding an integer": lambda s: torch.floor(s).double() + torch.round(s),
    "sums of nothing": lambda s: (s.unsqueeze(-1) >= torch.tensor([], dtype=torch.int64)).sum(-1).double() + s,
    **{f"power {p}": (lambda s, p=p: (s.double() / 3) ** p) for p in (0.5, 1, 2, 3, 4, -0.5, -1, -2, 1.7, 0)},
}


# What a batch changes is the shape of what a formula makes itself; the others are the same, and slow.
MAKES = ("a tensor made in the formula", "ones and zeros", "sums of nothing", "where of two numbers")


@pytest.mark.parametrize(
    ("name", "batch"),
    [
        *((name, False) for name in FORMULAS),
        *(pytest.param(name, True, marks=() if name in MAKES else pytest.mark.slow) for name in FORMULAS),
    ],
)
def test_any_formula_keeps_its_bits(name: str, batch: bool) -> None:
    schedule = formula(FORMULAS[name])
    graph = passes.run(trace(schedule, batch))
    steps = [SPECIAL] if batch else list(SPECIAL)
    for step in steps:
        assert torch.equal(graph(step).view(torch.int32), schedule(step).view(torch.int32)), step


def test_nodes_that_the_rate_does_not_need_are_dropped() -> None:
    graph = passes.run(trace(PiecewiseConstant([0.1], []) * Constant(1.0)))
    assert [node.op for node in graph.nodes] == ["placeholder", "call_function", "output"]


def test_run_stops_after_the_named_pass() -> None:
    graph = trace(Linear(0.0, 1.0, 4))
    assert passes.run(graph, stop_after="trace") is graph
    assert not passes.run(graph, stop_after="expand_powers").typed
    with pytest.raises(LoweringError) as caught:
        passes.run(graph, stop_after="fuse")
    assert str(caught.value) == (
        "passes.run(stop_after): given 'fuse'; allowed: trace, drop_noops, expand_powers, type_scalars, fold_constants, share, "
        "drop_dead, rename; to fix it: use one of these names."
    )
