"""What the passes make of numbers: typed, folded and shared without a change of value."""

from __future__ import annotations

import math

import pytest
import torch
from support.operations import formula
from torch import Tensor

from tracelr import Constant
from tracelr.lowering import Graph, passes, trace
from tracelr.lowering.spec import aten, dtype_of, op_of


def constants(graph: Graph) -> list[tuple[object, torch.dtype | None]]:
    return [(node.args[1], dtype_of(node)) for node in graph.nodes if op_of(node) == aten.full.default]


@pytest.mark.parametrize("big", [2**24 + 1, 2**53 - 1, 2**53])
def test_an_integer_beside_integers_stays_that_integer(big: int) -> None:
    graph = passes.run(trace(Constant(1.0).then(Constant(0.5), at=big)))
    assert (big, torch.int64) in constants(graph)
    assert all(type(value) is int for value, dtype in constants(graph) if dtype == torch.int64)
    assert graph(big - 1) == 1.0
    assert graph(big) == 0.5


def test_a_literal_takes_the_dtype_of_its_operation() -> None:
    graph = passes.run(trace(formula(lambda step: step.double() / 3 + (step < 5) * 2 + (step.float() * 0.1))))
    assert (3.0, torch.float64) in constants(graph)
    assert (5, torch.int64) in constants(graph)
    assert (torch.tensor(0.1).item(), torch.float32) in constants(graph)


@pytest.mark.parametrize(
    ("power", "ops"),
    [
        (1, []),
        (2, ["mul"]),
        (3, ["mul", "mul"]),
        (-2, ["mul", "reciprocal"]),
        (0.5, ["sqrt"]),
        (-0.5, ["rsqrt"]),
        (-1, ["reciprocal"]),
        (4, ["pow"]),
        (1.7, ["pow"]),
    ],
)
def test_a_power_with_a_kernel_of_its_own_becomes_that_kernel(power: float, ops: list[str]) -> None:
    graph = passes.run(trace(formula(lambda step: step.double() ** power)))
    assert [str(op_of(node)).split(".")[1] for node in graph.nodes if op_of(node)] == ["_to_copy", *ops, "_to_copy"]


def test_folding_is_done_in_the_dtype_of_the_node() -> None:
    def third(step: Tensor) -> Tensor:
        one = torch.full_like(step, 1.0, dtype=torch.float32)
        return (one / 3.0).double() + 0.0 * step

    graph = passes.run(trace(formula(third)), stop_after="fold_constants")
    assert (torch.tensor(1.0).div(3.0).double().item(), torch.float64) in constants(graph)
    assert (1.0 / 3.0, torch.float64) not in constants(graph)


def test_a_parameter_is_not_folded() -> None:
    graph = passes.run(trace(Constant(torch.tensor(2.0))))
    assert [str(node.target) for node in graph.nodes if node.op == "get_attr"] == ["value"]


def test_sharing_tells_zero_from_minus_zero_and_one_from_one() -> None:
    graph = passes.run(
        trace(formula(lambda s: torch.where(s > 2, 0.0, -0.0) + 1 / (s + 1).double() + (s - 1).double() * 1.0))
    )
    zeros = [math.copysign(1.0, value) for value, dtype in constants(graph) if value == 0 and dtype.is_floating_point]
    assert sorted(zeros) == [-1.0, 1.0]
    assert (1, torch.int64) in constants(graph)
    assert (1.0, torch.float64) in constants(graph)
