"""Pairs of float32, lowered or compiled: the bits of eager, whatever is fused, and no float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.narrow import graph_of
from support.table import ROWS

import tracelr
from tracelr import Schedule
from tracelr.lowering import lower, verify
from tracelr.lowering.spec import dtype_of
from tracelr.lowering.targets import find
from tracelr.lowering.targets._clike.compiler import CC, Compiler
from tracelr.lowering.verification import default_steps

pytestmark = pytest.mark.usefixtures("two_float")
FEW = ["linear_down", "piecewise_constant", "cosine"]


def steps_for(graph: Any, some: int) -> torch.Tensor:
    return default_steps(graph, seed=15, random=some)


def differing(got: torch.Tensor, want: torch.Tensor) -> int:
    return int((got.view(torch.int32) != want.view(torch.int32)).sum())


def swept(target: str, names: list[str], some: int) -> dict[str, int]:
    if (reason := find(target).missing()) is not None:
        pytest.skip(f"needs {reason}")
    found = {}
    for name in names:
        schedule, graph = ROWS[name].schedule, graph_of(name)
        assert not any(dtype_of(node) == torch.float64 for node in graph.nodes) or name in ("lambda", "driven")
        steps = steps_for(graph, some)
        if wrong := differing(lower(graph, target).run(steps), schedule(steps)):
            found[name] = wrong
    return found


TARGETS = ["c", "onnx", "stablehlo"]


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_has_the_bits_of_eager(target: str) -> None:
    assert swept(target, FEW, 500) == {}


@pytest.mark.slow
@pytest.mark.parametrize("target", [*TARGETS, "cuda", "hip", "opencl", "pt2"])
def test_every_row_has_the_bits_of_eager_on_a_target(target: str) -> None:
    assert swept(target, [*ROWS], 20_000) == {}


@pytest.mark.triton
def test_every_row_has_the_bits_of_eager_in_triton() -> None:
    from tracelr.lowering.targets._triton.run import interpret

    if (reason := find("triton").missing()) is not None:
        pytest.skip(f"needs {reason}")
    graphs = {name: graph_of(name) for name in ROWS}
    steps = {name: steps_for(graph, 2000) for name, graph in graphs.items()}
    rates = interpret([(lower(graphs[name], "triton"), steps[name]) for name in ROWS])
    wrong = {n: differing(got, ROWS[n].schedule(steps[n])) for n, got in zip(ROWS, rates, strict=True)}
    assert {name: count for name, count in wrong.items() if count} == {}


def test_verify_compares_in_the_same_arithmetic() -> None:
    report = verify(tracelr.Linear(6e-4, 0.0, 1000), ["c", "pt2"])
    assert report.ok, str(report)
    assert "double" not in lower(tracelr.Linear(6e-4, 0.0, 1000), "c").text


@pytest.mark.skipif(CC.missing() is not None, reason="no C compiler")
@pytest.mark.parametrize(
    ("name", "many"), [("cc", False), *(pytest.param(n, True, marks=pytest.mark.slow) for n in ("cc", "c++", "clang"))]
)
def test_products_that_are_fused_into_sums_change_no_bit(name: str, many: bool) -> None:
    flags = ("-O3", "-mfma", "-mavx2", "-ffp-contract=fast", "-fPIC", "-shared")
    standard, suffix = ("-std=c++17", ".cpp") if name == "c++" else ("-std=gnu11", ".c")
    compiler = Compiler("C", "C", f"TRACELR_TEST_{name}", name, suffix, (standard, *flags))
    if compiler.missing() is not None:
        pytest.skip(f"needs {compiler.missing()}")
    names = [
        "linear_down",
        "cosine",
        "inverse_sqrt",
        "exponential",
        *(["polynomial_warmup", "rex", "k_decay", "tanh"] if many else []),
    ]
    graphs = {n: graph_of(n) for n in names}
    texts = {f"lr{k}": lower(graph, "c", name=f"lr{k}").text for k, graph in enumerate(graphs.values())}
    open_texts = {
        n: text.replace("const volatile float", "const float") for n, text in texts.items()
    }  # only the form differs
    assert open_texts != texts
    for function, n in zip(compiler.load_all(open_texts).values(), names, strict=True):
        steps = steps_for(graphs[n], 3000)
        assert differing(function(steps), ROWS[n].schedule(steps)) == 0, n


SLOW = pytest.mark.slow
REST = [("off", False), ("off", True), ("fast", True)]
COMPILED = [
    pytest.param(tracelr.Exponential(6e-4, 0.96, 1000), id="exponential"),
    pytest.param(tracelr.Linear(6e-4, 6e-5, 100_000), id="linear", marks=SLOW),
    pytest.param(tracelr.Cosine(6e-4, 6e-5, 100_000), id="cosine", marks=SLOW),
    pytest.param(tracelr.InverseSqrt(6e-4, 1000), id="inverse_sqrt", marks=SLOW),
    pytest.param(tracelr.Polynomial(6e-4, 6e-5, 100_000, 3.7), id="polynomial", marks=SLOW),
]


@pytest.mark.parametrize(("contract", "batch"), [("fast", False), *(pytest.param(c, b, marks=SLOW) for c, b in REST)])
@pytest.mark.parametrize("schedule", COMPILED)
def test_inductor_has_the_bits_of_eager_with_and_without_contraction(schedule: Schedule, contract: str, batch: bool) -> None:
    if (reason := find("inductor").missing()) is not None:
        pytest.skip(f"needs {reason}")
    steps = torch.cat([torch.arange(0, 120_000, 7), torch.tensor([2**40, 2**53])])
    with torch._inductor.config.patch({"cpp.enable_floating_point_contract_flag": contract}):
        compiled = torch.compile(schedule, fullgraph=True)
        for some in [steps] if batch else steps[:: len(steps) // 20]:
            assert differing(compiled(some), schedule(some)) == 0


@pytest.mark.slow
@pytest.mark.parametrize("target", ["inductor", "aoti"])
def test_the_targets_inside_torch_have_the_bits_of_eager(target: str) -> None:
    assert swept(target, ["cosine"], 500) == {}
