"""OpenCL: every row in one program, on the first device that has float64."""

from __future__ import annotations

import pytest
import torch
from support.graphs import traced
from support.sweep import artifacts, differing

from tracelr import Constant, Cosine, Linear, PiecewiseConstant, precision
from tracelr.errors import LoweringError
from tracelr.lowering import lower, trace, verify
from tracelr.lowering.targets import find, opencl

MISSING = find("opencl").missing()
NEEDS_OPENCL = pytest.mark.skipif(MISSING is not None, reason=f"needs {MISSING}")


@NEEDS_OPENCL
def test_every_row_has_the_bits_of_eager() -> None:
    rows = artifacts("opencl")
    program = "\n".join(row.text for row in rows.values())
    assert differing({name: opencl.load(program, f"lr{k}") for k, name in enumerate(rows)}) == {}


@NEEDS_OPENCL
def test_an_artifact_runs_by_itself() -> None:
    schedule = Linear(0.0, 1.0, 10).then(PiecewiseConstant([0.1, 0.2, 0.3], [5, 9]))
    artifact = lower(schedule, "opencl", name="lr_2")
    for steps in (torch.arange(40).reshape(2, 20).t(), torch.tensor(3), torch.arange(0)):
        assert torch.equal(artifact.run(steps), schedule(steps))
    report = verify(schedule, "opencl", steps=torch.arange(30))
    assert report.ok
    assert report.results[0].ran == find("opencl").runs() != ""


def test_the_text_is_opencl_c() -> None:
    text = lower(traced("piecewise_constant"), "opencl").text
    assert "#pragma OPENCL EXTENSION cl_khr_fp64 : enable\n#pragma OPENCL FP_CONTRACT OFF\n" in text
    assert "\n__constant double lr_values_table[] = {" in text
    assert "\nstatic inline float lr(long step)\n" in text
    assert "\n__kernel void lr_array(__global const long *step, __global float *out, const ulong n)\n" in text
    code = "\n".join(line.partition("/*")[0] for line in text.splitlines())
    assert not any(word in code for word in ("int64_t", "INT64_C", "#include", "fmodf"))


def test_two_float_asks_for_no_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    with precision("two_float"):
        artifact = lower(Cosine(1.0, 0.0, 10), "opencl")
    assert "fp64" not in artifact.text
    assert "double" not in artifact.text
    asked: list[bool] = []
    monkeypatch.setattr(opencl, "find_spec", lambda name: True)
    monkeypatch.setattr(opencl, "_device", asked.append)
    with pytest.raises(
        LoweringError, match="given no OpenCL; allowed: OpenCL; to fix it: install an OpenCL device; on a CPU that"
    ):
        artifact.run(0)
    assert asked == [False]


def test_opencl_refuses_a_batch_graph() -> None:
    with pytest.raises(LoweringError, match=r"lower\(graph, 'opencl'\): given a batch graph; allowed: a graph of one step"):
        lower(trace(Constant(0.5), batch=True), "opencl")


@pytest.mark.parametrize(
    ("package", "reason"),
    [
        (False, "pyopencl (pip install 'tracelr[opencl]')"),
        (True, "an OpenCL device with float64; on a CPU that is PoCL (Debian: pocl-opencl-icd)"),
    ],
)
def test_without_opencl_run_says_what_to_install(package: bool, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opencl, "find_spec", lambda name: package or None)
    monkeypatch.setattr(opencl, "_device", lambda wide: None)
    artifact = lower(Linear(0.0, 1.0, 10), "opencl")
    assert "lr(long step)" in artifact.text
    with pytest.raises(LoweringError) as caught:
        artifact.run(0)
    assert str(caught.value) == (
        f"artifact.run: given no OpenCL; allowed: OpenCL with float64; to fix it: install {reason}."
    )
    assert find("opencl").missing() == reason
    assert find("opencl").runs() == ""
