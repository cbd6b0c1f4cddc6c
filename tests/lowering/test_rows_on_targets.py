"""The targets: each row of the table on each target, bit for bit; and what verify says."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch
from support.compilers import NEEDS_CC
from support.graphs import bits, traced
from support.oracle import probes
from support.sweep import SWEPT
from support.table import OF_EACH_KIND, ROWS, SOME

from tracelr import Constant, Exponential, Linear, PiecewiseConstant, Schedule
from tracelr.__main__ import main
from tracelr.errors import LoweringError
from tracelr.lowering import lower, passes, target_names, trace, verify
from tracelr.lowering.targets import c, find
from tracelr.lowering.verification import default_steps
from tracelr.schedules.fields import Scalar

OWN_FILE = {"aoti", "triton"}  # each run takes seconds, so that all rows share one
VERIFY = import_module("tracelr.lowering.verification")  # the package has a function of this name
ONE_BY_ONE = sorted({*target_names()} - {*SWEPT} - OWN_FILE)
QUICK = {"inductor": OF_EACH_KIND, "pt2": SOME}
"""The rows that the quick tests give to a target which takes seconds for each. test_trace.py gives every row to torch.export,
and to Inductor, several in one graph."""
RUNS = [
    pytest.param(target, name, marks=() if name in QUICK.get(target, ROWS) else pytest.mark.slow)
    for target in ONE_BY_ONE
    for name in ROWS
]


def test_targets_are_found_by_file_without_importing_them() -> None:
    folder = Path(c.__file__).parent
    assert set(target_names()) >= SWEPT
    assert target_names() == sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))
    code = (
        "import sys, tracelr.lowering as l; names = l.target_names(); heavy = ('torch._inductor', 'torch._dynamo', 'torch.export'); "
        "import torch; print([f'tracelr.lowering.targets.{n}' in sys.modules for n in names], "
        "'torch._inductor.graph' in sys.modules, 'torch._dynamo.eval_frame' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{[False] * len(target_names())} False False"


@pytest.mark.parametrize(("target", "name"), RUNS)
def test_every_row_on_every_target_has_the_bits_of_eager(target: str, name: str) -> None:
    if (reason := find(target).missing()) is not None:
        pytest.skip(f"needs {reason}")
    row = ROWS[name]
    graph = passes.run(traced(name))
    steps = torch.cat([default_steps(graph, seed=5), torch.tensor(probes(row.ends, seed=6, random_steps=300))])
    assert len(steps) > 20_000
    assert torch.equal(bits(lower(graph, target).run(steps)), bits(row.schedule(steps)))


@pytest.mark.parametrize("name", ["sequential_nested", "piecewise_long", "polynomial_cycle"])
def test_inductor_over_a_batch_has_the_bits_of_eager(name: str) -> None:
    artifact = lower(traced(name, batch=True), "inductor")
    steps = default_steps(passes.run(traced(name)), seed=8)
    assert torch.equal(artifact.run(steps).view(torch.int32), ROWS[name].schedule(steps).view(torch.int32))


def test_inductor_shows_its_source_and_hits_no_recompile_limit() -> None:
    with torch._dynamo.config.patch(recompile_limit=1, fail_on_recompile_limit_hit=True):
        for n in (1, 2, 3):
            artifact = lower(Linear(0.0, 1.0, n), "inductor")
            assert artifact.run(torch.tensor([0, n])).tolist() == [0.0, 1.0]
            assert "void  kernel(" in artifact.text


def test_lowering_to_inductor_keeps_what_was_compiled_before() -> None:
    calls = []

    def backend(module, inputs):
        calls.append(module)
        return module.forward

    mine = torch.compile(Linear(0.0, 1.0, 7), backend=backend)
    mine(torch.tensor(1))
    assert "kernel" in lower(Constant(0.25), "inductor").text
    mine(torch.tensor(2))
    assert len(calls) == 1


def test_an_unknown_target_lists_the_targets() -> None:
    with pytest.raises(LoweringError) as caught:
        lower(Constant(0.5), "cobol")
    assert (
        str(caught.value)
        == f"lower(target): given 'cobol'; allowed: {', '.join(target_names())}; to fix it: use one of these names."
    )
    for helper in ("_target", "_clike", "__init__", "../spec", ""):
        with pytest.raises(LoweringError):
            lower(Constant(0.5), helper)


def test_an_op_without_a_row_is_named_with_the_rows_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(c.OPS, torch.ops.aten.exp2.default)
    with pytest.raises(LoweringError) as caught:
        lower(Constant(1.0).then(Exponential(1.0, 0.5, 3), at=4), "c")
    text = str(caught.value)
    assert text.startswith("aten.exp2.default at node 'exp2', from `return ops.grown(self.start")
    assert "` (exponential.py:" in text
    assert "), in the target c: given aten.exp2.default; allowed: abs, add.Tensor, bitwise_and.Tensor, " in text
    assert text.endswith("; to fix it: write it so, or add a row to the target's OPS.")


def test_default_steps_hold_every_boundary_and_its_neighbours() -> None:
    schedule = ROWS["sequential_nested"].schedule
    steps = default_steps(passes.run(traced("sequential_nested")), seed=0)
    assert len(steps) > 20_000
    some = set(steps.tolist())
    for end in (0, 10, 2000, 98_000, 100_000, 150_000, 150_010, 2**24, 2**53):
        assert {end - 1, end, end + 1} <= some, end
    assert min(some) == -(2**63)
    assert max(some) == 2**63 - 1
    assert torch.equal(steps, default_steps(passes.run(trace(schedule)), seed=0))
    assert not torch.equal(steps, default_steps(passes.run(trace(schedule)), seed=1))
    table = default_steps(passes.run(trace(PiecewiseConstant([1.0, 2.0], [123_456_789]))), seed=0).tolist()
    assert {123_456_788, 123_456_789, 123_456_790} <= set(table)


class OffByOne(Schedule):
    """Differs from itself once it is traced: by one step, or by one unit in the last place."""

    shift: Scalar

    def forward(self, step, ops):
        wrong = torch.compiler.is_exporting()
        if self.shift == 0:
            return torch.where(step < (1001 if wrong else 1000), 1.0, 0.5).double()
        return ops.full(step, 1.0 + (2.0**-23 if wrong else 0.0))


@NEEDS_CC
def test_verify_finds_one_step_and_one_ulp() -> None:
    report = verify(OffByOne(0.0), targets=["c"])
    (result,) = report.results
    assert not report.ok
    assert 1 <= result.differing < 20
    assert result.first == (1000, 0.5, 1.0)
    assert result.max_ulp == 2**23
    assert str(report).startswith("OffByOne: NOT the bits of eager\ntarget  steps  differing")
    assert "step 1000: eager 0.5, c 1.0" in str(report)
    (ulp,) = verify(OffByOne(1.0), targets=["c"], steps=torch.arange(10)).results
    assert (ulp.steps, ulp.differing, ulp.max_ulp) == (10, 10, 1)


@NEEDS_CC
def test_a_report_is_plain_data() -> None:
    report = verify(Constant(0.5), targets=["c"], steps=torch.arange(3))
    assert report.to_dict() == {
        "schedule": "Constant",
        "ok": True,
        "results": [{"target": "c", "steps": 3, "differing": 0, "max_ulp": 0, "first": None, "ran": ""}],
        "skipped": {},
    }
    assert str(report).splitlines() == [
        "Constant: same bits as eager",
        "target  steps  differing  max ulp  first difference",
        "c       3      0          0        -",
    ]
    assert not dataclasses.replace(report, results=()).ok
    with pytest.raises(LoweringError, match=r"verify\(schedule\): given .*; allowed: a schedule"):
        verify(trace(Constant(0.5)))


def test_all_lists_what_was_not_run_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VERIFY, "target_names", lambda: ["c", "cuda", "onnx"])
    monkeypatch.setattr(type(find("onnx")), "missing", lambda self: "onnx (pip install 'tracelr[onnx]')")
    monkeypatch.delitem(c.OPS, torch.ops.aten.exp2.default)
    report = verify(Exponential(1.0, 0.5, 3), "all", steps=torch.arange(3))
    assert [name for name, _ in report.skipped] == ["c", "cuda", "onnx"]
    assert not report.ok
    lines = str(report).splitlines()
    assert lines[0] == "Exponential: no target was run"
    assert lines[2].startswith("c not run: aten.exp2.default at node 'exp2', from `return ops.grown(")
    assert lines[4] == "onnx not run: it needs onnx (pip install 'tracelr[onnx]')"
    with pytest.raises(LoweringError, match=r"aten\.exp2\.default at node 'exp2'"):
        verify(Exponential(1.0, 0.5, 3), "c", steps=torch.arange(3))


@NEEDS_CC
def test_a_target_that_does_not_run_all_of_its_artifact_says_so() -> None:
    report = verify(Constant(0.5), "cuda", steps=torch.arange(3))
    assert report.ok
    assert (
        str(report).splitlines()[-1]
        == "cuda ran here: the host's half alone; its device half is for nvcc or hipcc, and was not run"
    )


@NEEDS_CC
@pytest.mark.parametrize(("wrong", "code"), [(False, 0), (True, 1)])
def test_the_command_line_exits_with_1_on_any_difference(
    wrong: bool, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(VERIFY, "target_names", lambda: ["c", "cuda"])
    if wrong:
        monkeypatch.setitem(c.OPS, torch.ops.aten.div.Tensor, "{0} / ({1} + 1)")
    file = tmp_path / "params.yaml"
    file.write_text("{schedule: Linear, start: 0.0, end: 1.0, steps: 10}")
    assert main(["verify", str(file), "--target", "all"]) == code
    out = capsys.readouterr().out
    assert out.startswith("Linear: " + ("NOT the bits of eager" if wrong else "same bits as eager"))
    assert ("step 1: eager 0.10000000149011612, c 0.09090909361839294" in out) == wrong
    assert main(["verify", str(file), "--target", "cobol"]) == 2


def test_the_command_line_names_every_target(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["lower", "--help"])
    assert f"one of {', '.join(target_names())} (default: c)" in " ".join(capsys.readouterr().out.split())
