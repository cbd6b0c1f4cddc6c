"""The C that is written down: clean for compilers, faithful to torch op by op, and closed to any text put into it."""

from __future__ import annotations

import math
import shutil
import subprocess
from importlib import import_module
from pathlib import Path

import pytest
import torch
from table import ROWS
from test_graph import traced
from torch import Tensor, nn

import tracelr
from tracelr import Constant, Linear, PiecewiseConstant, Schedule
from tracelr.errors import NotLowered, ScheduleTypeError
from tracelr.fields import Scalar
from tracelr.lowering import lower, trace, verify
from tracelr.lowering.spec import OPS
from tracelr.lowering.targets import _words, c, find

EVERY = pytest.mark.parametrize("name", ROWS)
NEEDS_CC = pytest.mark.skipif(find("c").missing() is not None, reason="no C compiler")
NEEDS_CXX = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")
WARNINGS = ("-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only")


@NEEDS_CC
@EVERY
def test_the_header_is_clean_c99_and_cpp(name: str, tmp_path: Path) -> None:
    header = tmp_path / "schedule.h"
    artifact = lower(traced(name), "c", name="rate")
    artifact.save(header)
    assert header.read_bytes() == artifact.bytes == artifact.text.encode()
    use = f'#include "{header}"\n#include "{header}"\nfloat use(int64_t s);\nfloat use(int64_t s) {{ float o[1]; rate_array(&s, o, 1); return o[0]; }}\n'
    (tmp_path / "use.c").write_text(use)
    (tmp_path / "use.cpp").write_text(use)
    subprocess.run(["cc", "-std=c99", "-Wfloat-conversion", *WARNINGS, tmp_path / "use.c"], check=True)
    if shutil.which("g++"):
        for standard in ("c++11", "c++17"):
            subprocess.run(["g++", f"-std={standard}", *WARNINGS, tmp_path / "use.cpp"], check=True)


@NEEDS_CC
def test_two_headers_live_in_one_file(tmp_path: Path) -> None:
    for name in ("lr", "LR", "decay"):
        lower(PiecewiseConstant([0.1, 0.2, 0.3], [5, 9]).then(Constant(0.5), at=50), "c", name).save(
            tmp_path / f"{name}_1.h"
        )
    text = "".join(f'#include "{name}_1.h"\n' for name in ("lr", "LR", "decay"))
    (tmp_path / "all.c").write_text(text + "float use(void);\nfloat use(void) { return lr(1) + LR(2) + decay(3); }\n")
    subprocess.run(["cc", "-std=c99", *WARNINGS, "all.c"], check=True, cwd=tmp_path)


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
def test_a_parameter_has_the_value_of_the_moment_it_was_lowered() -> None:
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


def formula(function):
    class Formula(nn.Module):
        def forward(self, step: Tensor) -> Tensor:
            return function(step).to(torch.float32)

    return Formula()


D = torch.float64
OPERATIONS = {
    "remainder of negative integers": lambda s: (s - 50).remainder(7).double() + (s - 50).remainder(-7) * 100.0,
    "remainder by minus one": lambda s: (s - 2**62 - 2**62).remainder(-1).double() + s.remainder(2),
    "remainder of floats": lambda s: (s.double() - 50.5).remainder(7.25) + (s.double() - 50.5).remainder(-7.25) * 100,
    "rounding half to even": lambda s: (
        torch.round(s.double() / 2) + torch.floor(s / 3) + torch.ceil(s / 3) + torch.trunc(s / -3)
    ),
    "signs": lambda s: (-(s - 50)).abs().double() + (s.double() - 50).abs() - s.double().neg(),
    "clamp keeps NaN": lambda s: (torch.log2(s.double() - 50.0)).clamp(-1.0, 3.0),
    "minimum and maximum keep NaN": lambda s: torch.minimum(
        torch.sqrt(s.double() - 50), torch.maximum(s.double(), torch.log(s - 9.5))
    ),
    "minimum keeps the second NaN": lambda s: torch.minimum(s.double(), torch.sqrt(s.double() - 50)),
    "maximum keeps the second NaN": lambda s: torch.maximum(s.double(), torch.sqrt(s.double() - 50)),
    "comparisons": lambda s: sum(
        (2.0**k) * (compare(s, 7).double() + 64 * compare(s.double(), s.double().abs()).double())
        for k, compare in enumerate((torch.lt, torch.le, torch.gt, torch.ge, torch.eq, torch.ne))
    ),
    "infinities": lambda s: torch.where(s > 50, math.inf, -math.inf) * 1.0 + 1 / (s - 50).double(),
    "one-sided clamps": lambda s: torch.clamp_min(s.double(), 30.5) + torch.clamp_max(s, 60) + s.clamp(max=7),
    "logic": lambda s: torch.where((s > 20) & ~(s == 33) | (s <= 3), 0.25, 0.5) + (s != 4),
    "casts": lambda s: (s.double() / 7).long().double() + (s > 5).float() + s.bool() + (s.float() * 0.1).double(),
    "products of integers wrap": lambda s: (s * (2**62 + 3)).double(),
    "a table of floats in float32": lambda s: (
        torch.tensor([0.1, 0.2, 0.3], dtype=D).float().index_select(0, s.remainder(3).reshape(-1)).reshape(s.shape)
    ),
    "a table through a table": lambda s: (
        torch.tensor([1, 0], dtype=torch.int64)
        .index_select(
            0,
            (s.unsqueeze(-1) >= torch.tensor([9, 5]).index_select(0, torch.tensor([1, 0]))).sum(-1).remainder(2).reshape(-1),
        )
        .reshape(s.shape)
        .double()
    ),
    "a sum of integers": lambda s: (torch.minimum(s.unsqueeze(-1), torch.tensor([3, 2**40, 20])) * 2).sum(-1).double(),
    "a table of one": lambda s: (s.unsqueeze(-1) >= torch.tensor([40])).sum(-1).double(),
    "every function": lambda s: sum(
        f(s.double() / 100 + 0.5)
        for f in (
            torch.sin,
            torch.cos,
            torch.exp,
            torch.exp2,
            torch.log,
            torch.log2,
            torch.log1p,
            torch.expm1,
            torch.sqrt,
            torch.rsqrt,
            torch.tanh,
            torch.reciprocal,
        )
    ),
    "powers": lambda s: (
        (s.double() / 7) ** 1.7 + 1.01 ** s.double() + (s.double() / 7) ** (s.double() / 50) + (s.double() + 1) ** -2
    ),
    "the smallest integer": lambda s: torch.maximum(s, torch.tensor(-(2**63))).double() + torch.where(s == -(2**63), 1, 0),
}


@NEEDS_CC
@pytest.mark.parametrize("name", OPERATIONS)
def test_c_means_what_torch_means(name: str, tmp_path: Path) -> None:
    schedule = formula(OPERATIONS[name])
    artifact = lower(schedule, "c")
    steps = torch.cat([torch.arange(-120, 120), torch.tensor([2**31, 2**53 + 1, -(2**53), 2**62, -(2**63)])])
    want = torch.stack([schedule(step) for step in steps])
    got = artifact.run(steps)
    same = (got.view(torch.int32) == want.view(torch.int32)) | (got.isnan() & want.isnan())
    assert same.all(), [(int(s), float(w), float(g)) for s, w, g in zip(steps[~same], want[~same], got[~same], strict=True)][
        :3
    ]
    assert want.unique().numel() > 1
    artifact.save(tmp_path / "f.h")
    (tmp_path / "f.c").write_text('#include "f.h"\n')
    (tmp_path / "f.cpp").write_text('#include "f.h"\n')
    subprocess.run(["cc", "-std=c99", *WARNINGS, "f.c"], check=True, cwd=tmp_path)
    if shutil.which("g++"):
        subprocess.run(["g++", "-std=c++11", *WARNINGS, "f.cpp"], check=True, cwd=tmp_path)


@NEEDS_CC
def test_float32_arithmetic_is_lowered_in_float32() -> None:
    with tracelr.precision("float32"):
        schedule = Linear(0.0, 1.0, 3).then(PiecewiseConstant([0.1, 0.3], [5]))
        artifact = lower(schedule, "c")
        steps = torch.arange(20)
        assert torch.equal(artifact.run(steps), schedule(steps))
    assert "double" not in artifact.text.replace("double lr_schedules_1_values_table", "")


@pytest.mark.parametrize(
    "value", [0.0, -0.0, 1 / 3, 5e-324, 1.7976931348623157e308, -6e-5, 1e22, math.inf, -math.inf, math.nan]
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_literal_reads_back_as_the_value(value: float, dtype: torch.dtype, tmp_path: Path) -> None:
    rounded = torch.tensor(value, dtype=dtype).item()
    text = _words.literal(rounded, dtype)
    suffix = "f" if dtype == torch.float32 else ""
    digits = text.strip("()-")
    if math.isfinite(rounded):
        assert digits.endswith(suffix)
        back = math.copysign(
            float(digits.removesuffix(suffix) if suffix else digits), -1.0 if text.startswith("(-") else 1.0
        )
        assert torch.tensor(back, dtype=dtype).item() == rounded
        assert math.copysign(1.0, back) == math.copysign(1.0, rounded)
        assert "x" not in text
    else:
        assert ("INFINITY" in text) == math.isinf(rounded)
        assert ("-" in text) == (rounded == -math.inf)


@pytest.mark.parametrize(
    "name",
    ["", "1lr", "l-r", "lr;", "lé", "double", "class", "restrict", "constexpr", "_lr", "l__r", "sin", "sinf", "exp2l", "y1", "gamma", "step", "v",
     "v_clamp", "int64_t", "my_t", "INT64_C", "NAN", "n", "main", "abs", "random", "M_PI", "linux", "lr\n", "tracelr_run"],
)  # fmt: skip
def test_a_name_that_c_or_cpp_could_not_take_is_refused(name: str) -> None:
    with pytest.raises(NotLowered) as caught:
        lower(traced("constant"), "c", name=name)
    assert str(caught.value) == (
        f"lower(name): given {name!r}; allowed: a C identifier that no keyword, library function or local name (v_...) has; to fix "
        'it: pass a name such as "lr".'
    )


@pytest.mark.parametrize("name", ["lr", "LR", "rate2", "weight_decay", "vector", "sine", "learning_rate"])
def test_other_names_are_taken(name: str) -> None:
    assert f"static inline float {name}(int64_t step)" in lower(traced("constant"), "c", name=name).text


class AttacksTheComment(Schedule):
    """Its source line tries to leave the comment it is copied into."""

    factor: Scalar

    def evaluate(self, step, A):
        return (
            A.full(step, len("*/ int evil(void) { return 1; } /* ??/ \\") * 1.0) * (step + 1).double()
        )  # */ #error é /* //*/ \


@NEEDS_CC
def test_source_text_cannot_leave_its_comment(tmp_path: Path) -> None:
    schedule = AttacksTheComment(1.0)
    artifact = lower(schedule, "c")
    assert "evil" in artifact.text
    assert artifact.text.isascii()
    assert artifact.run(torch.arange(3)).tolist() == schedule(torch.arange(3)).tolist()
    (tmp_path / "e.c").write_text(artifact.text)
    (tmp_path / "e.cpp").write_text(artifact.text)
    for command in (
        ["cc", "-std=c99", "e.c"],
        ["cc", "-std=c99", "-trigraphs", "-Wcomment", "e.c"],
        ["g++", "-std=c++11", "e.cpp"],
    ):
        if shutil.which(command[0]):
            subprocess.run([*command, *WARNINGS], check=True, cwd=tmp_path)
    clean = subprocess.run(["cc", "-E", "-P", "e.c"], capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert "evil" not in clean
    assert "error" not in clean.partition("lr_array")[2]


@pytest.mark.parametrize("text", ["*/", "**//**/", "??/", "???/", "a\\\nb", "/*/*", "\x00\x1b[31m", "é\u202e", "\r*/\r"])
def test_a_comment_holds_any_text(text: str) -> None:
    inside = _words.comment(text).removeprefix("/* ").removesuffix(" */")
    assert _words.comment(text) == f"/* {inside} */"
    assert not any(bad in inside for bad in ("*/", "/*", "??", "\\", "\n", "\r"))
    assert inside.isascii()
    assert inside.isprintable()


def test_c_has_a_row_for_every_op_of_the_spec() -> None:
    by_hand = {"full", "full_like", "_to_copy", "sum", "index_select", "sym_size"} | {str(op).split(".")[1] for op in c.SAME}
    assert {str(op).split(".")[1] for op in OPS} - {str(op).split(".")[1] for op in c.OPS} == by_hand


def test_a_value_with_two_long_sides_is_refused_by_c() -> None:
    square = formula(lambda s: (torch.tensor([1, 2]).unsqueeze(-1) >= torch.tensor([3, 4]) + s).sum(-1).sum(-1).double())
    with pytest.raises(NotLowered, match=r"given a value of shape \[2, 2\]; allowed: one element, or one row of them"):
        lower(square, "c")


def test_c_wants_a_graph_of_one_step() -> None:
    with pytest.raises(NotLowered, match=r"lower\(graph, 'c'\): given a batch graph; allowed: a graph of one step"):
        lower(trace(Constant(0.5), batch=True), "c")


def test_without_a_compiler_run_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -x")
    artifact = lower(Constant(0.5), "c")
    with pytest.raises(NotLowered) as caught:
        artifact.run(0)
    assert str(caught.value) == (
        "artifact.run: given no C compiler; allowed: a C99 compiler; to fix it: install a C compiler; 'no-such-compiler' was not "
        "found (install one, or set CC)."
    )
    monkeypatch.setattr(import_module("tracelr.lowering.verify"), "all_targets", lambda: ["c", "inductor"])
    report = verify(Constant(0.5), steps=torch.arange(3))
    assert [name for name, _ in report.skipped] == ["c"]
    assert "c  not run: it needs a C compiler" in str(report)
    with pytest.raises(NotLowered):
        verify(Constant(0.5), targets=["c"], steps=torch.arange(3))


@NEEDS_CC
def test_cc_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    log = tmp_path / "log"
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(f'#!/bin/sh\necho "$@" > {log}\nexec cc "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("CC", f"{wrapper} -DX=1")
    assert lower(Constant(0.5), "c").run(0) == 0.5
    assert log.read_text().startswith("-DX=1 -std=c99 -O2 -ffp-contract=off ")
