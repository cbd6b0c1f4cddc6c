"""WGSL: the rows of the table on a WebGPU device, the text, and what is refused."""

from __future__ import annotations

import math
import re
import struct

import pytest
import torch
from support.graphs import traced
from support.narrow import FEW, WHOLE, artifact, differing, graph_of, steps_of
from support.webgpu import MISSING, NEEDS_WEBGPU

import tracelr
from tracelr import Constant, Cosine, Interpolate, Linear, PiecewiseConstant, Schedule
from tracelr.errors import LoweringError
from tracelr.lowering import lower, trace, verify
from tracelr.lowering.spec import OPS
from tracelr.lowering.targets import find, wgsl
from tracelr.lowering.targets._wgsl import run as shaders
from tracelr.schedules.fields import Scalar


@NEEDS_WEBGPU
@pytest.mark.parametrize("name", FEW)
def test_a_row_has_the_bits_of_eager(name: str) -> None:
    assert differing(name, artifact(name, "wgsl").run(steps_of(name))) == 0


@NEEDS_WEBGPU
@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_every_row_has_the_bits_of_eager(name: str) -> None:
    assert differing(name, artifact(name, "wgsl").run(steps_of(name))) == 0


@NEEDS_WEBGPU
def test_a_schedule_is_traced_in_two_float_and_compared_in_it() -> None:
    schedule = Linear(1e-3, 3e-5, 1000)
    made = lower(schedule, "wgsl", name="lr_2")
    steps = torch.arange(30).reshape(2, 15).t()
    with tracelr.precision("two_float"):
        assert torch.equal(made.run(steps), schedule(steps))
        assert made.run(7) == schedule(7)
    assert made.run(torch.arange(0)).tolist() == []
    report = verify(schedule, "wgsl", steps=torch.arange(2000))
    assert report.ok
    assert report.results[0].ran == f"in two_float, as eager; {find('wgsl').runs()}"


@NEEDS_WEBGPU
def test_the_arithmetic_float32_is_taken_too() -> None:
    schedule = Cosine(1.0, 0.1, 100)
    with tracelr.precision("float32"):
        text = lower(schedule, "wgsl").text
        got, want = lower(schedule, "wgsl").run(torch.arange(100)), schedule(torch.arange(100))
    assert "bitcast<u32>(sin(bitcast<f32>(" in text
    assert ((got - want).abs() <= 4e-6 * want).all()  # sin is that of the device


def test_the_text_holds_only_the_functions_that_it_calls() -> None:
    text = lower(PiecewiseConstant([0.1, 0.2, 0.3], [5, 9]), "wgsl", name="lr_2").text
    assert "\nfn lr_2(step: vec2<u32>) -> f32 {\n" in text
    assert "const lr_2_milestones_table = array<vec2<u32>, 2>(vec2<u32>(5u, 0u), vec2<u32>(9u, 0u));" in text
    assert "0x3dcccccdu/*0.10000000149011612*/" in text
    assert "@compute @workgroup_size(64)\nfn lr_2_array(" in text
    assert "mul_i64" not in text
    assert "f64" not in text
    code = re.sub(r"/\*.*?\*/", "", text)
    assert all(name in wgsl.HELPERS for name in re.findall(r"lr_2_(\w+?)\(", code) if name not in ("array",))


def test_every_helper_is_called_by_an_op_or_by_another_helper() -> None:
    rows = " ".join(str(row) for row in wgsl.OPS.values()) + " ".join(wgsl.HELPERS.values())
    rows = re.sub(r"\{t\}", "f32", rows) + re.sub(r"\{t\}", "i64", rows)
    unused = {name for name in wgsl.HELPERS if f"@{name}(" not in rows and "_of_" not in name}
    assert unused == set()
    assert not any(
        re.search(r"\bf32\b|\d\.\d", re.sub(r"//.*", "", text))
        for name, text in wgsl.HELPERS.items()
        if name not in ("log1p_f32", "expm1_f32")
    )


def test_wgsl_has_a_row_for_every_op_of_the_spec() -> None:
    by_hand = {"full", "full_like", "_to_copy", "sum", "index_select", "sym_size", "view", "expand", "unsqueeze", "squeeze"}
    assert {str(op).split(".")[1] for op in OPS} - {str(op).split(".")[1] for op in wgsl.OPS} <= by_hand


@pytest.mark.parametrize("value", [0.0, -0.0, 0.1, -1e-40, 3.4e38, math.inf, -math.inf, math.nan])
def test_a_literal_is_its_bits(value: float) -> None:
    text = wgsl.LANGUAGE.literal(value, torch.float32)
    assert int(text.partition("u/*")[0], 16) == struct.unpack("<I", struct.pack("<f", value))[0]


def test_integers_are_written_as_two_halves() -> None:
    assert wgsl.LANGUAGE.literal(-1, torch.int64) == "vec2<u32>(4294967295u, 4294967295u)/*-1*/"
    assert wgsl.LANGUAGE.literal(2**53, torch.int64) == "vec2<u32>(0u, 2097152u)/*9007199254740992*/"
    assert wgsl.LANGUAGE.literal(-4096, torch.int32) == "bitcast<i32>(0xfffff000u)"
    assert wgsl.LANGUAGE.literal(True, torch.bool) == "true"


@pytest.mark.parametrize("target", ["wgsl", "metal"])
def test_a_graph_in_float64_is_refused(target: str) -> None:
    with pytest.raises(LoweringError) as caught:
        lower(traced("linear_up"), target)
    assert str(caught.value).startswith("aten._to_copy.default at node 'to_copy', from `return ops.ramp(step, ")
    assert str(caught.value).endswith(
        f"), in the target {target}: given a graph in float64; allowed: a graph in 'two_float' or 'float32', as {target} has no "
        "float64; to fix it: lower the schedule itself, or trace it inside tracelr.precision('two_float')."
    )


class Wide(Schedule):
    """Computes in float64 whatever arithmetic it is given."""

    start: Scalar

    def forward(self, step, ops):
        return ops.mul(ops.full(step, self.start), (step.double() / 3).float())


def test_a_formula_that_computes_in_float64_is_named() -> None:
    with pytest.raises(
        LoweringError, match=r"from `return ops\.mul\(.*; to fix it: write the formula with the methods of the arithmetic"
    ):
        lower(Wide(0.5), "wgsl")


@pytest.mark.parametrize("target", ["wgsl", "metal"])
def test_a_float64_field_is_written_as_the_value_it_has(target: str) -> None:
    schedule = Constant(torch.tensor(0.1, dtype=torch.float64)) + PiecewiseConstant([0.5, 0.25], [10])
    made = lower(schedule, target)
    assert "double" not in made.text
    if target == "wgsl" and MISSING is None:
        with tracelr.precision("two_float"):
            assert torch.equal(made.run(torch.arange(20)), schedule(torch.arange(20)))


def test_a_table_too_long_for_wgsl_is_refused() -> None:
    values = [1.0 + k / 4096 for k in range(2049)]
    with pytest.raises(
        LoweringError, match=r"lower\(schedule, 'wgsl'\): given a table of \d{4}; allowed: at most 2047, as WGSL has it"
    ):
        lower(Interpolate(values, list(range(0, 20490, 10))), "wgsl")


def test_wgsl_refuses_a_batch_graph() -> None:
    with (
        tracelr.precision("two_float"),
        pytest.raises(LoweringError, match=r"lower\(graph, 'wgsl'\): given a batch graph; allowed: a graph of one step"),
    ):
        lower(trace(Constant(0.5), batch=True), "wgsl")


@pytest.mark.parametrize(
    ("package", "reason"),
    [
        (False, "wgpu (pip install 'tracelr[wgpu]')"),
        (True, "a WebGPU device; on a CPU that is Mesa's lavapipe (Debian: mesa-vulkan-drivers)"),
    ],
)
def test_without_webgpu_run_says_what_to_install(package: bool, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shaders, "find_spec", lambda name: package or None)
    monkeypatch.setattr(shaders, "_device", lambda: None)
    made = lower(graph_of("constant"), "wgsl")
    assert "fn lr(step: vec2<u32>) -> f32" in made.text
    with pytest.raises(LoweringError) as caught:
        made.run(0)
    assert str(caught.value) == f"artifact.run: given no WebGPU; allowed: a WebGPU device; to fix it: install {reason}."
    assert find("wgsl").missing() == reason
    assert find("wgsl").runs() == ""
