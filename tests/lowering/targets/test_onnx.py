"""ONNX: every row in onnxruntime, one step and many at a time; and each op of the table alone."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support.graphs import traced
from support.operations import OPERATIONS, formula, operation
from support.sweep import differing, eager, steps_of
from support.table import ROWS
from torch import nn

from tracelr import Constant, Exponential, Linear, PiecewiseConstant
from tracelr.errors import LoweringError
from tracelr.lowering import lower, trace
from tracelr.lowering.spec import OPS, RESHAPES
from tracelr.lowering.targets import find, onnx

MISSING = find("onnx").missing()
NEEDS_ONNX = pytest.mark.skipif(MISSING is not None, reason=f"needs {MISSING}")


@NEEDS_ONNX
def test_every_row_over_n_steps_has_the_bits_of_eager() -> None:
    # A batch differs from one step only in the shapes, and tracing it takes longer than the rest of the test.
    graphs = {name: dataclasses.replace(traced(name), batch=True) for name in ROWS}
    assert differing({name: lower(graph, "onnx").run for name, graph in graphs.items()}) == {}


@NEEDS_ONNX
@pytest.mark.parametrize("name", ["sequential_nested", "piecewise_long", "polynomial_cycle", "constant"])
def test_a_traced_batch_has_the_bits_of_eager(name: str) -> None:
    assert differing({name: lower(traced(name, batch=True), "onnx").run}) == {}


@NEEDS_ONNX
@pytest.mark.parametrize("name", ROWS)
def test_every_row_one_step_at_a_time_is_a_clean_model_with_the_bits_of_eager(name: str) -> None:
    from onnx import checker

    artifact = lower(traced(name), "onnx")
    checker.check_model(artifact.model, full_check=True)
    some = torch.cat(
        [torch.arange(200), torch.randint(len(steps_of(name)), (800,), generator=torch.Generator().manual_seed(1))]
    )
    assert torch.equal(artifact.run(steps_of(name)[some]).view(torch.int32), eager(name)[some].view(torch.int32))


@NEEDS_ONNX
@pytest.mark.parametrize("name", OPERATIONS)
def test_each_op_in_onnx_gives_what_torch_gives(name: str) -> None:
    schedule = formula(OPERATIONS[name])
    steps = torch.cat([torch.arange(-120, 120), torch.tensor([2**31, 2**53 + 1, -(2**53), 2**62, -(2**63)])])
    want = torch.stack([schedule(step) for step in steps])
    got = lower(operation(name), "onnx").run(steps)
    same = (got.view(torch.int32) == want.view(torch.int32)) | (got.isnan() & want.isnan())
    assert same.all(), [(int(s), float(w), float(g)) for s, w, g in zip(steps[~same], want[~same], got[~same], strict=True)][
        :3
    ]


@NEEDS_ONNX
@pytest.mark.parametrize("optimise", [False, True])
def test_integers_are_exact_where_float32_is_not(optimise: bool) -> None:
    import numpy as np
    import onnxruntime

    schedule = formula(lambda s: ((s - s.remainder(1000)).double() / 1000 - 10**11) + s.remainder(1000).double())
    model = lower(schedule, "onnx")
    options = onnxruntime.SessionOptions()
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.bytes, options, providers=["CPUExecutionProvider"])
    for step in (10**14 - 1, 10**14, 10**14 + 1, 99_999_999, 2**53):
        want = (step - step % 1000) // 1000 - 10**11 + step % 1000
        assert session.run(None, {"step": np.asarray(step)})[0] == np.float32(want)


@NEEDS_ONNX
def test_signature_shapes_and_constants() -> None:
    from onnx import TensorProto, numpy_helper

    graph = Linear(0.0, 6e-4, 2000).then(PiecewiseConstant([0.1, 0.2], [2**53 - 5]))
    for batch, shape in ((False, []), (True, ["N"])):
        model = lower(trace(graph, batch), "onnx", name="lr_2").model
        assert (model.opset_import[0].version, model.ir_version) == (20, 10)
        (step,), (rate,) = model.graph.input, model.graph.output
        for value, name, kind in ((step, "step", TensorProto.INT64), (rate, "lr_2", TensorProto.FLOAT)):
            assert (value.name, value.type.tensor_type.elem_type) == (name, kind)
            assert [d.dim_param for d in value.type.tensor_type.shape.dim] == shape
        values = {
            float(x)
            for t in model.graph.initializer
            if t.data_type == TensorProto.DOUBLE
            for x in numpy_helper.to_array(t).flat
        }
        assert {6e-4, 0.1, 0.2} <= values
        assert not any(t.data_type == TensorProto.FLOAT for t in model.graph.initializer)
        assert 2**53 - 5 in {
            int(x)
            for t in model.graph.initializer
            if t.data_type == TensorProto.INT64
            for x in numpy_helper.to_array(t).flat
        }
        assert any(node.doc_string.startswith("schedules.0: return ops.ramp(") for node in model.graph.node)
        assert model.graph.doc_string.endswith("Made from Sequential, schedules.0 Linear, schedules.1 PiecewiseConstant.")


@NEEDS_ONNX
def test_a_constant_has_the_shape_of_the_steps() -> None:
    assert lower(trace(Constant(0.5), batch=True), "onnx").run(torch.arange(6).reshape(2, 3)).tolist() == [[0.5] * 3] * 2
    assert lower(Constant(0.5), "onnx").run(7).shape == ()
    assert lower(Constant(0.5), "onnx").run(torch.arange(0)).shape == (0,)


@NEEDS_ONNX
def test_a_parameter_is_an_initializer_with_its_present_value() -> None:
    artifact = lower(Constant(nn.Parameter(torch.tensor(0.25))), "onnx")
    (start,) = (tensor for tensor in artifact.model.graph.initializer if tensor.doc_string)
    assert (start.name, start.doc_string) == ("v_f_value", "a parameter, at the value it had when this was made")
    assert artifact.run(3) == 0.25


@pytest.mark.slow
@NEEDS_ONNX
def test_the_bytes_depend_on_the_schedule_alone(tmp_path: Path) -> None:
    code = (
        "import sys, hashlib, tracelr; s = tracelr.Linear(0.0, 1.0, 9).then(tracelr.PiecewiseConstant([0.1, 0.2], [3])); "
        "print(hashlib.sha256(tracelr.lowering.lower(s, 'onnx').bytes).hexdigest())"
    )
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    environment = {
        "PYTHONPATH": ":".join(sys.path),
        "PYTHONHASHSEED": seed,
        "HOME": str(tmp_path),
        "PATH": "/usr/bin:/bin",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, cwd=tmp_path
    )
    artifact = lower(Linear(0.0, 1.0, 9).then(PiecewiseConstant([0.1, 0.2], [3])), "onnx")
    assert done.stdout.strip() == hashlib.sha256(artifact.bytes).hexdigest()
    artifact.save(tmp_path / "lr.onnx")
    assert (tmp_path / "lr.onnx").read_bytes() == artifact.bytes
    assert "lr (int64 step) => (float lr)" in artifact.text


def test_onnx_has_a_row_for_every_op_of_the_spec() -> None:
    by_hand = {"full", "full_like", "_to_copy", "sum", "index_select", "sym_size"} | {
        str(op).split(".")[1] for op in RESHAPES
    }
    assert {str(op).split(".")[1] for op in OPS} - {str(op).split(".")[1] for op in onnx.OPS} == by_hand


@NEEDS_ONNX
def test_a_graph_that_onnx_cannot_write_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    square = formula(lambda s: (torch.tensor([1, 2]).unsqueeze(-1) >= torch.tensor([3, 4]) + s).sum(-1).sum(-1).double())
    with pytest.raises(LoweringError, match=r"given a value of shape \[2, 2\]; allowed: one element, or one row of them"):
        lower(square, "onnx")
    monkeypatch.delitem(onnx.OPS, torch.ops.aten.exp2.default)
    with pytest.raises(
        LoweringError,
        match=r"aten\.exp2\.default at node 'exp2', from `return .*` \(\w+\.py:\d+\), in the target onnx: given aten\.exp2",
    ):
        lower(Exponential(1.0, 0.5, 3), "onnx")


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    if MISSING is None:
        artifact = lower(Constant(0.5), "onnx")
        monkeypatch.setattr(onnx, "find_spec", lambda name: None if name == "onnxruntime" else True)
        with pytest.raises(LoweringError) as caught:
            artifact.run(0)
        assert str(caught.value) == (
            "artifact.run: given no onnxruntime; allowed: onnxruntime; to fix it: install onnxruntime (pip install 'tracelr[onnx]')."
        )
    monkeypatch.setattr(onnx, "find_spec", lambda name: None)
    with pytest.raises(LoweringError) as caught:
        lower(Constant(0.5), "onnx")
    assert str(caught.value) == (
        "lower(schedule, 'onnx'): given no onnx; allowed: the package onnx; to fix it: install it: pip install 'tracelr[onnx]'."
    )
    assert find("onnx").missing() == "onnx and onnxruntime (pip install 'tracelr[onnx]')"
