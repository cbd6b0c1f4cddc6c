"""The emitted C computes what torch computes, op by op and at any step."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from support.compilers import NEEDS_CC, WARNINGS
from support.operations import OPERATIONS, formula, operation
from torch import Tensor, nn

import tracelr
from tracelr import Constant, Linear, PiecewiseConstant
from tracelr.errors import LoweringError, ScheduleTypeError
from tracelr.lowering import lower, trace
from tracelr.lowering.spec import OPS, RESHAPES
from tracelr.lowering.targets import c
from tracelr.lowering.targets._clike import compiler


@NEEDS_CC
def test_run_takes_steps_of_any_shape_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    schedule = Linear(0.0, 1.0, 10)
    artifact = lower(schedule, "c")
    for steps in (torch.arange(12).reshape(3, 4).t(), torch.tensor(3), torch.arange(4, dtype=torch.int32), torch.arange(0)):
        assert torch.equal(artifact.run(steps), schedule(steps))
    assert artifact.run(5) == 0.5
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(
        ScheduleTypeError, match=r"artifact.run\(steps\): given a float32 tensor; allowed: an int64 or int32"
    ):
        artifact.run(torch.tensor(1.0))


@NEEDS_CC
def test_a_parameter_keeps_the_value_that_it_had_when_it_was_lowered() -> None:
    start = nn.Parameter(torch.tensor(0.1))
    before = lower(Constant(start), "c")
    with torch.no_grad():
        start.fill_(0.7)
    assert before.run(0) == torch.tensor(0.1)
    assert lower(Constant(start), "c").run(0) == torch.tensor(0.7)
    assert "/* value, the value it had when this was generated */" in before.text


@NEEDS_CC
@pytest.mark.parametrize("big", [2**24 + 1, 2**53 - 1])
def test_a_boundary_beyond_float32_is_exact(big: int) -> None:
    artifact = lower(Constant(1.0).then(Constant(0.0), at=big), "c")
    assert f"INT64_C({big})" in artifact.text
    assert artifact.run(torch.tensor([big - 1, big, big + 1])).tolist() == [1.0, 0.0, 0.0]


@cache
def texts() -> dict[str, str]:
    """Return each operation as a function of another name: lr0, lr1 and so on."""
    return {f"lr{k}": lower(operation(name), "c", name=f"lr{k}").text for k, name in enumerate(OPERATIONS)}


@cache
def compiled() -> dict[str, Callable[[Tensor], Tensor]]:
    return dict(zip(OPERATIONS, compiler.CC.load_all(texts()).values(), strict=True))


@NEEDS_CC
@pytest.mark.parametrize("name", OPERATIONS)
def test_each_op_in_c_gives_what_torch_gives(name: str) -> None:
    schedule = formula(OPERATIONS[name])
    steps = torch.cat([torch.arange(-120, 120), torch.tensor([2**31, 2**53 + 1, -(2**53), 2**62, -(2**63)])])
    want = torch.stack([schedule(step) for step in steps])
    got = compiled()[name](steps)
    same = (got.view(torch.int32) == want.view(torch.int32)) | (got.isnan() & want.isnan())
    assert same.all(), [(int(s), float(w), float(g)) for s, w, g in zip(steps[~same], want[~same], got[~same], strict=True)][
        :3
    ]
    assert want.unique().numel() > 1


@NEEDS_CC
def test_every_operation_is_clean_c99_and_cpp(tmp_path: Path) -> None:
    for name, text in texts().items():
        (tmp_path / f"{name}.h").write_text(text)
    headers = "".join(f'#include "{name}.h"\n' for name in texts())
    (tmp_path / "all.c").write_text(headers)
    (tmp_path / "all.cpp").write_text(headers)
    subprocess.run(["cc", "-std=c99", *WARNINGS, "all.c"], check=True, cwd=tmp_path)
    if shutil.which("g++"):
        subprocess.run(["g++", "-std=c++11", *WARNINGS, "all.cpp"], check=True, cwd=tmp_path)


@NEEDS_CC
def test_float32_arithmetic_is_lowered_in_float32() -> None:
    with tracelr.precision("float32"):
        schedule = Linear(0.0, 1.0, 3).then(PiecewiseConstant([0.1, 0.3], [5]))
        artifact = lower(schedule, "c")
        steps = torch.arange(20)
        assert torch.equal(artifact.run(steps), schedule(steps))
    assert "double" not in artifact.text.replace("double lr_schedules_1_values_table", "")


def test_c_has_a_row_for_every_op_of_the_spec() -> None:
    by_hand = {"full", "full_like", "_to_copy", "sum", "index_select", "sym_size"}
    assert {str(op).split(".")[1] for op in set(OPS) - set(c.OPS) - RESHAPES} == by_hand


def test_a_value_with_two_long_sides_is_refused_by_c() -> None:
    square = formula(lambda s: (torch.tensor([1, 2]).unsqueeze(-1) >= torch.tensor([3, 4]) + s).sum(-1).sum(-1).double())
    with pytest.raises(LoweringError, match=r"given a value of shape \[2, 2\]; allowed: one element, or one row of them"):
        lower(square, "c")


def test_c_refuses_a_batch_graph() -> None:
    with pytest.raises(LoweringError, match=r"lower\(graph, 'c'\): given a batch graph; allowed: a graph of one step"):
        lower(trace(Constant(0.5), batch=True), "c")
