"""CIRH: a text that Cerebras' compiler takes, with the bits of eager, also after that compiler has folded it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from support.narrow import FEW, IN_FLOAT64, WHOLE, differing, graph_of, steps_of
from support.operations import formula
from support.table import ROWS
from torch import Tensor, nn

import tracelr
from tracelr import Constant, PiecewiseConstant
from tracelr.__main__ import main
from tracelr.errors import LoweringError
from tracelr.lowering import lower, trace, verify
from tracelr.lowering.spec import OPS
from tracelr.lowering.targets import _cirh_interpreter, cirh, find
from tracelr.lowering.targets._target import Artifact

COMPILER = shutil.which("torch-cirh-opt")
NEEDS_COMPILER = pytest.mark.skipif(COMPILER is None, reason="no torch-cirh-opt: cerebras-pytorch's lib is not on PATH")
ACCEPTED = {
    *("Abs", "Add", "And", "BroadcastInDim", "Cast", "Ceil", "Clamp", "Compare", "Const", "Div", "Exp", "Floor", "Gather"),
    *("Log", "Mul", "Reciprocal", "Reduce", "Reshape", "Round", "Select", "Sqrt", "Sub"),
}
"""The ops that a schedule of tracelr uses. Their compiler makes each of an op of torch."""


def lowered(name: str) -> Artifact:
    return lower(ROWS[name].schedule, "cirh")


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in FEW else pytest.mark.slow) for n in WHOLE])
def test_every_row_has_the_bits_of_eager(name: str) -> None:
    text = lowered(name).text
    assert differing(name, lowered(name).run(steps_of(name))) == 0
    ops = set(re.findall(r"= cirh\.(\w+)", text))
    assert ops <= ACCEPTED, ops - ACCEPTED
    assert set(re.findall(r"tensor<(?:\d+x)*(\w+)>", text)) <= {"i64", "f32", "i1"}
    assert not re.search(r"cirh\.Reduce .*\(tensor<\d+xi1>\)", text)  # it would be a sum of one bit


@NEEDS_COMPILER
@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in FEW else pytest.mark.slow) for n in WHOLE])
def test_their_compiler_takes_the_text_and_folds_no_bit_of_it(name: str, tmp_path: Path) -> None:
    lowered(name).save(tmp_path / "lr.mlir")
    folded = compiled(tmp_path / "lr.mlir", "--reject-unsupported-cirh", "--canonicalize", "--cse", "--sccp")
    rates = _cirh_interpreter.run(folded, steps_of(name).numpy())
    assert differing(name, torch.from_numpy(rates.copy())) == 0


def compiled(file: Path, *passes: str) -> str:
    assert COMPILER is not None
    done = subprocess.run([COMPILER, *passes, str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", sorted(IN_FLOAT64))
def test_a_formula_in_float64_is_refused_by_name(name: str) -> None:
    with pytest.raises(LoweringError) as caught:
        lowered(name)
    assert "in the target cirh: given a graph in float64; allowed: a graph in 'two_float', as cirh has no float64" in str(
        caught.value
    )


def test_the_text_of_a_table() -> None:
    text = lower(PiecewiseConstant([0.5, 0.25, 2.0**-20], [5, 9]), "cirh", name="lr_2").text
    lines = [re.sub(r"%\d+", "%", line.strip()) for line in text.splitlines()]
    assert lines[:2] == ["module {", "func @lr_2(%step: tensor<i64>) -> tensor<f32> {"]
    assert lines[-3:] == ["return % : tensor<f32>", "}", "}"]
    assert "% = cirh.Const dense<[5, 9]> : tensor<2xi64>" in lines
    assert "% = cirh.Const dense<[0.5, 0.25, 9.536743e-07]> : tensor<3xf32>" in lines
    assert "% = cirh.Clamp %step, %, % : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<i64>" in lines
    assert "% = cirh.Reshape % : (tensor<i64>) -> tensor<1xi64>" in lines
    assert (
        "% = cirh.BroadcastInDim % {broadcast_dimensions = dense<0> : tensor<1xi64>} : (tensor<1xi64>) -> tensor<2xi64>"
        in lines
    )
    assert '% = cirh.Compare %, % {comparison_direction = "GE"} : tensor<2xi64> -> tensor<2xi1>' in lines
    assert "% = cirh.Cast % {Truncate = false} : tensor<2xi1> -> tensor<2xi64>" in lines
    assert (
        '% = cirh.Reduce % {dimensions = dense<0> : tensor<1xi64>, keep_dims = dense<> : tensor<0xi64>, reduce_kind = "ADD"}'
        " : (tensor<2xi64>) -> tensor<i64>" in lines
    )
    assert (
        "% = cirh.Gather %, % {axis = 0 : i64, batch_dims = 0 : i64, is_sparse = false}"
        " : (tensor<3xf32>, tensor<1xi64>) -> tensor<1xf32>" in lines
    )


F = torch.float32
FORMULAS: dict[str, Callable[[Tensor], Tensor]] = {
    "remainders": lambda s: (s - 50).remainder(7).float() + (s - 50).remainder(-7) * 100.0 + s.remainder(2**31).float(),
    "floors of shifts": lambda s: (s >> 7).float() * 3 + ((s - 5) & 1023).float(),
    "fractions": lambda s: (s.float() / 7).long().float() + torch.trunc(s.float() / 9) + torch.floor(s.float() / 9),
    "one-sided clamps": lambda s: torch.clamp_min(s.float(), 30.5) + torch.clamp_max(s, 60) + s.clamp(max=7).clamp(min=-3),
    "limits": lambda s: (
        torch.minimum(s, 7 - s).float() + torch.maximum(s, s.abs() - 40) + torch.minimum(s.float(), -s.float())
    ),
    "logic": lambda s: torch.where((s > 20) & ~(s == 33) | (s <= 3), 0.25, 0.5) + (s != 4) + s.bool(),
    "comparisons": lambda s: sum(  # type: ignore[return-value]  # a sum of tensors
        (2.0**k) * compare(s, 7).float()
        for k, compare in enumerate((torch.lt, torch.le, torch.gt, torch.ge, torch.eq, torch.ne))
    ),
    "products of integers wrap": lambda s: (s * (2**62 + 3)).float() + (-s).float(),
    "a table through a table": lambda s: (
        torch.tensor([1, 0])
        .index_select(0, (s.unsqueeze(-1) >= torch.tensor([9, 5, 70])).sum(-1).remainder(2).reshape(-1))
        .reshape(s.shape)
        .float()
    ),
    "a sum of integers": lambda s: (torch.minimum(s.unsqueeze(-1), torch.tensor([3, 2**40, 20])) * 2).sum(-1).float(),
    "roundings": lambda s: torch.round(s.float() / 2) + torch.ceil(s.float() / 3) + torch.sqrt(s.float().abs()),
    "quotients": lambda s: 1.0 / (s.abs().float() + 3) + s.float() / 7.0,
}
STEPS = torch.cat([torch.arange(-1100, 1100), torch.tensor([2**31, 2**53 + 1, -(2**53), 2**62, 2**63 - 1, -(2**63)])])


@pytest.mark.parametrize("name", FORMULAS)
def test_each_op_gives_what_torch_gives(name: str, tmp_path: Path) -> None:
    artifact = lower(trace(formula(FORMULAS[name])), "cirh")
    want = torch.stack([FORMULAS[name](step).to(F) for step in STEPS])
    assert torch.equal(artifact.run(STEPS).view(torch.int32), want.view(torch.int32))
    if COMPILER is not None:
        artifact.save(tmp_path / "lr.mlir")
        folded = compiled(tmp_path / "lr.mlir", "--reject-unsupported-cirh", "--canonicalize", "--cse", "--sccp")
        assert np.array_equal(_cirh_interpreter.run(folded, STEPS.numpy()), want.numpy())


def test_cirh_has_a_row_for_every_op_of_the_spec_that_it_can_write() -> None:
    aten = torch.ops.aten
    assert set(OPS) - set(cirh.OPS) - cirh._BY_HAND == {
        *(aten.full_like.default, aten.sym_size.int),  # only in batch graphs
        aten.view.dtype,  # nothing reads the bits of a float
        *(aten.exp2.default, aten.expm1.default, aten.log2.default, aten.log1p.default),  # there are none
    }


@pytest.mark.parametrize(
    ("function", "given"),
    [
        (torch.exp2, "aten.exp2.default of f32[]"),
        (lambda x: x.remainder(0.3), "aten.remainder.Tensor of f32[], f32[]"),
        (lambda x: (x.long() & 6).float(), "aten.bitwise_and.Tensor of i64[], i64[]"),
        (lambda x: (x.long() | 6).float(), "aten.bitwise_or.Tensor of i64[], i64[]"),
        (lambda x: (x.long() >> x.long()).float(), "aten.bitwise_right_shift.Tensor of i64[]"),
    ],
)
def test_an_op_that_cirh_lacks_is_refused(function: Callable[[Tensor], Tensor], given: str) -> None:
    with pytest.raises(LoweringError) as caught:
        lower(trace(formula(lambda s: function(s.float()))), "cirh")
    assert f", in the target cirh: given {given}; allowed: abs, add.Tensor, " in str(caught.value)


def test_a_graph_of_bits_and_a_batch_are_refused() -> None:
    with pytest.raises(LoweringError) as caught:
        lower(graph_of("cosine_to_zero"), "cirh")
    assert str(caught.value).endswith(
        "in the target cirh: given a graph that reads the bits of a number; allowed: a graph that reads none, as cirh cannot; "
        "to fix it: lower the schedule itself."
    )
    with (
        pytest.raises(LoweringError, match=r"lower\(graph, 'cirh'\): given a batch graph; allowed: a graph of one step"),
        tracelr.precision("two_float"),
    ):
        lower(trace(Constant(0.5), batch=True), "cirh")


@pytest.mark.parametrize("forced", [None, "two_float", "float32"])
def test_verify_compares_with_pairs_of_float32_in_every_arithmetic(forced: str | None) -> None:
    with tracelr.precision(forced) if forced else tracelr.precision("float64"):
        report = verify(ROWS["cosine_to_zero"].schedule, "cirh", steps=torch.arange(2000))
    assert report.ok
    assert report.results[0].ran.endswith("an interpreter of the text, in NumPy")


def test_a_parameter_keeps_the_value_that_it_had_when_it_was_lowered() -> None:
    start = nn.Parameter(torch.tensor(0.1))
    assert lower(Constant(start), "cirh").run(0) == start
    assert find("cirh").missing() is None


@pytest.mark.parametrize("value", [0.0, -0.0, 0.1, 1 / 3, 16777216.0, -1e-40, 3.4e38, torch.inf, -torch.inf, torch.nan])
def test_a_literal_is_read_as_the_float32_that_it_was(value: float) -> None:
    text = cirh._literal(value, F)
    assert re.fullmatch(r"-?\d+\.\d+(e[+-]\d\d)?|0x[0-9A-F]{8}", text), text
    read = _cirh_interpreter._number(text, np.float32)
    assert np.array(read, np.float32).tobytes() == np.array(value, np.float32).tobytes()


def test_the_command_line_lowers_to_cirh(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "params.yaml"
    file.write_text("{schedule: Cosine, start: 1.0, end: 0.0, steps: 10}")
    assert main(["lower", str(file), "--target", "cirh"]) == 0
    assert capsys.readouterr().out.startswith("module {\n  func @lr(%step: tensor<i64>) -> tensor<f32> {\n")


# The interpreter. Each trap is what torch-cirh-opt itself makes of constants, or writes of a training step.


def ran(body: str, result: str, steps: list[int], inputs: str = "%step: tensor<i64>") -> list[float]:
    text = f"module {{\nfunc @graph({inputs}) -> {result} {{\n{body}\n}}\n}}"
    return _cirh_interpreter.run(text, np.array(steps)).tolist()  # type: ignore[no-any-return]  # NumPy's stub


def test_a_sum_of_one_bit_integers_is_one_bit_wide() -> None:
    body = """
    %cst = cirh.Const dense<[2, 4, 6]> : tensor<3xi64>
    %0 = cirh.Reshape %step : (tensor<i64>) -> tensor<1xi64>
    %1 = cirh.BroadcastInDim %0 {broadcast_dimensions = dense<0> : tensor<1xi64>} : (tensor<1xi64>) -> tensor<3xi64>
    %2 = cirh.Compare %1, %cst {comparison_direction = "GE"} : tensor<3xi64> -> tensor<3xi1>
    %3 = cirh.Reduce %2 {dimensions = dense<0> : tensor<1xi64>, keep_dims = dense<> : tensor<0xi64>, reduce_kind = "ADD"} : (tensor<3xi1>) -> tensor<i1>
    %4 = cirh.Cast %3 {Truncate = false} : tensor<i1> -> tensor<i64> loc(#loc4)
    return %4 : tensor<i64>"""
    assert ran(body, "tensor<i64>", [0, 2, 4, 6]) == [0, 1, 0, 1]


def test_a_quotient_is_cut_off_and_a_cast_goes_to_the_nearest() -> None:
    quotient = "%n = cirh.Const dense<2> : tensor<i64>\n%0 = cirh.Div %step, %n : tensor<i64>\nreturn %0 : tensor<i64>"
    assert ran(quotient, "tensor<i64>", [-7, -1, 1, 7]) == [-3, 0, 0, 3]
    cast = """
    %half = cirh.Const dense<5.000000e-01> : tensor<f32>
    %0 = cirh.Cast %step {Truncate = false} : tensor<i64> -> tensor<f32>
    %1 = cirh.Mul %0, %half : tensor<f32>
    %2 = cirh.Cast %1 {Truncate = false} : tensor<f32> -> tensor<i64>
    return %2 : tensor<i64>"""
    assert ran(cast, "tensor<i64>", [-3, -1, 1, 3, 5]) == [-2, 0, 0, 2, 2]


STEP = """\
#loc0 = loc(unknown)
module  {
  func @graph(%arg0: tensor<1x4xf32> {tf.aliasing_output = 0 : i64, tf.resource_name = "state.model.weight"} loc(unknown), %arg1: tensor<4x4xf32> {cs.input_name = "input"} loc(unknown), %arg3: tensor<i64> {tf.aliasing_output = 2 : i64, tf.resource_name = "state.schedulers.0.last_epoch"} loc(unknown), %arg4: tensor<2xf32> {tf.resource_name = "placeholder23"} loc(unknown)) -> (tensor<1x4xf32>, tensor<i64>, tensor<f32> {cs.output_name = "rate"}) attributes {cs.fp16_type = "float16", cs.pol = 1 : i64} {
    %cst = cirh.Const dense<-1.000000e+00> : tensor<f32> loc(#loc1)
    %cst_1 = cirh.Const dense<1> : tensor<i64> loc(#loc0)
    %cst_2 = cirh.Const dense<"0x0000003F0000803E"> : tensor<2xf32> loc(#loc0)
    %0 = cirh.Cast %arg0 {Truncate = false} : tensor<1x4xf32> -> tensor<1x4xf16> loc(#loc9)
    %3 = cirh.MatMul %0, %0 {cs.internal = {}, transpose_a = false, transpose_b = true} : (tensor<1x4xf16>, tensor<1x4xf16>) -> tensor<1x1xf16> loc(callsite("a" at "b"))
    %10 = cirh.Add %arg3, %cst_1 : tensor<i64> loc(#loc14)
    %39 = cirh.Reshape %arg3 : (tensor<i64>) -> tensor<1xi64> loc(#loc27)
    %46 = cirh.Gather %cst_2, %39 {axis = 0 : i64, batch_dims = 0 : i64, is_sparse = false} : (tensor<2xf32>, tensor<1xi64>) -> tensor<1xf32> loc(#loc31)
    %48 = cirh.Gather %arg4, %39 {axis = 0 : i64, batch_dims = 0 : i64, is_sparse = false} : (tensor<2xf32>, tensor<1xi64>) -> tensor<1xf32> loc(#loc31)
    %47 = cirh.Reshape %46 : (tensor<1xf32>) -> tensor<f32> loc(#loc32)
    %62 = cirh.Mul %47, %cst : tensor<f32> loc(#loc1)
    return %arg0, %10, %47 : tensor<1x4xf32>, tensor<i64>, tensor<f32> loc(#loc0)
  } loc(#loc0)
} loc(#loc0)
"""


def test_a_value_is_cut_out_of_a_training_step() -> None:
    run, steps = _cirh_interpreter.run, np.array([0, 1, 1])
    assert run(STEP, steps, "rate").tolist() == [0.5, 0.25, 0.25]
    assert run(STEP, steps, "%62", step="state.schedulers.0.last_epoch").tolist() == [-0.5, -0.25, -0.25]
    assert run(STEP, steps, 1, step="%arg3").tolist() == [1, 2, 2]
    table = {"placeholder23": np.array([3.0, 4.0], np.float32)}
    assert run(STEP, steps, "%48", values=table).tolist() == [[3.0], [4.0], [4.0]]
    _, inputs, ops = _cirh_interpreter.parse(STEP).cut("rate")
    assert (inputs, [op.name for op in ops]) == (["%arg3"], ["Const", "Reshape", "Gather", "Reshape"])


@pytest.mark.parametrize(
    ("result", "steps", "given"),
    [
        ("%3", 0, "given no value of %arg0 tensor<1x4xf32> {tf.aliasing_output = "),
        ("%48", 0, 'given no value of %arg4 tensor<2xf32> {tf.resource_name = "placeholder23"}'),
        ("%99", 0, "given the value %99"),
        ("loss", 0, "given the result 'loss'"),
        ("rate", 2, "given an index from 2 to 2"),
    ],
)
def test_what_the_interpreter_cannot_run_is_named(result: str, steps: int, given: str) -> None:
    with pytest.raises(LoweringError) as caught:
        _cirh_interpreter.run(STEP, np.array([steps]), result)
    assert given in str(caught.value)
    with pytest.raises(LoweringError, match=r"CIRH, %3: given cirh\.MatMul .*; allowed: Abs, Add, And, BroadcastInDim, "):
        _cirh_interpreter.run(STEP, np.array([0]), "%3", values={"state.model.weight": np.zeros((1, 4), np.float32)})
