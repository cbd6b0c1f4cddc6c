"""Triton: every row in the interpreter, bit for bit; PTX and amdgcn without a device; the fused optimizer."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from support.graphs import bits, traced
from support.operations import OPERATIONS, formula
from support.oracle import probes
from support.table import ROWS
from torch import nn

import tracelr
from tracelr import Constant, Exponential, Linear, PiecewiseConstant, Polynomial
from tracelr.errors import LoweringError
from tracelr.lowering import lower, passes, trace
from tracelr.lowering.spec import OPS, RESHAPES, aten
from tracelr.lowering.targets import _toolchain, find, triton
from tracelr.lowering.targets._triton.run import interpret
from tracelr.lowering.verification import default_steps

ROOT = Path(__file__).parents[3]
MISSING = find("triton").missing()


def needs_triton(test):
    return pytest.mark.triton(pytest.mark.skipif(MISSING is not None, reason=f"needs {MISSING}")(test))


@needs_triton
def test_every_row_has_the_bits_of_eager() -> None:
    graphs = {name: passes.run(traced(name)) for name in ROWS}
    steps = {
        name: torch.cat([default_steps(graph, seed=5), torch.tensor(probes(ROWS[name].ends, seed=6, random_steps=300))])
        for name, graph in graphs.items()
    }
    rates = interpret([(lower(graphs[name], "triton"), steps[name]) for name in ROWS])
    for name, got in zip(ROWS, rates, strict=True):
        assert torch.equal(bits(got), bits(ROWS[name].schedule(steps[name]))), name


REFUSED = {"remainder of floats"}


@needs_triton
def test_each_op_in_triton_gives_what_torch_gives() -> None:
    steps = torch.cat([torch.arange(-120, 120), torch.tensor([2**31, 2**53 + 1, -(2**53), 2**62, -(2**63)])])
    schedules = {name: formula(f) for name, f in OPERATIONS.items() if name not in REFUSED}
    rates = interpret([(lower(schedule, "triton"), steps) for schedule in schedules.values()])
    for (name, schedule), got in zip(schedules.items(), rates, strict=True):
        want = torch.stack([schedule(step) for step in steps])
        assert ((bits(got) == bits(want)) | (got.isnan() & want.isnan())).all(), name


@needs_triton
def test_ten_thousand_milestones_and_other_edges() -> None:
    many = PiecewiseConstant([1.0 / (1 + i) for i in range(10_001)], [7 * i + 3 for i in range(10_000)])
    many = many.then(PiecewiseConstant([0.1, 0.2], [5]), at=80_000)
    cases = [
        (many, torch.cat([torch.arange(69_900, 80_100), torch.arange(100), torch.tensor([2**62, -1])])),
        (PiecewiseConstant([1.0 / (1 + i) for i in range(65)], list(range(1, 65))), torch.arange(70)),
        (PiecewiseConstant([1.0 / (1 + i) for i in range(66)], list(range(1, 66))), torch.arange(70)),
        (Constant(-0.0), torch.arange(3)),
        (Exponential(1.0, 0.5, 1), torch.arange(120, 152)),
        (Linear(0.0, 1.0, 1997 * 2**26), 1997 * torch.arange(2**25 - 3999, 2**25, 2)),
        (Polynomial(1.0, 0.0, 10**6, power=0.9), torch.arange(0, 10**6, 37)),
        (Linear(0.0, 1.0, 10), torch.arange(0)),
    ]
    for (schedule, steps), got in zip(cases, interpret([(lower(s, "triton"), n) for s, n in cases]), strict=True):
        assert torch.equal(bits(got), bits(schedule(steps))), schedule


@needs_triton
def test_it_compiles_for_devices_that_are_not_present() -> None:
    artifact = lower(Linear(0.0, 0.1, 7).then(Polynomial(0.1, 0.0, 100, power=1.7)), "triton", name="lr_2")
    ptx = artifact.compile("sm_90")
    assert ".visible .entry lr_2_kernel(" in ptx
    assert f"0d{struct.pack('>d', 1.7).hex().upper()}" in ptx  # the constant of the source, not a float32
    assert "div.rn.f64" in ptx
    assert "cvt.rn.f32.f64" in ptx  # no subnormal rate is flushed to zero
    assert "div.full" not in ptx
    linear = lower(Linear(0.0, 0.1, 7), "triton").compile("sm_90")
    assert "fma" not in linear  # of the four operations alone, none is contracted
    if not version("triton").startswith("3.4."):  # which needs the linker of ROCm
        assert "v_div_fixup_f64" in artifact.compile("gfx942")
    many = PiecewiseConstant([1.0 / (1 + i) for i in range(10_001)], [7 * i + 3 for i in range(10_000)])
    assert len(lower(many, "triton").compile("sm_90").splitlines()) < 1000
    with tracelr.precision("float32"):
        single = lower(Linear(0.0, 0.1, 7).then(Exponential(0.1, 0.5, 3)), "triton").compile("sm_90")
    assert re.search(r"div\.rn(\.ftz)?\.f32", single)  # Triton 3.5 and older flush a subnormal quotient
    assert ".f64" not in single
    with pytest.raises(LoweringError) as caught:
        artifact.compile("sm_10")
    assert (
        str(caught.value)
        == "kernel.compile(arch): given 'sm_10'; allowed: sm_90, gfx942; to fix it: use one of these names."
    )


@needs_triton
def test_the_fused_optimizer_of_the_examples_gives_the_weights_of_torch() -> None:
    command = [sys.executable, "-W", "ignore", str(ROOT / "examples" / "triton_adamw.py")]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("20 steps on cpu: 0 learning rates differ, weights differ by at most ")


def test_the_text_is_one_file_of_known_names() -> None:
    text = lower(traced("sequential_nested"), "triton", name="lr_2").text
    assert re.findall(r"^def (\w+)\(", text, re.MULTILINE)[-4:] == ["lr_2", "lr_2_kernel", "lr_2_tables", "lr_2_array"]
    assert {line.split()[1] for line in text.splitlines() if line.startswith(("import", "from"))} == {
        "torch",
        "triton",
        "triton.language",
    }
    assert "libdevice" not in text
    compile(text, "rate.py", "exec")


def test_a_long_table_is_a_pointer_and_a_parameter_is_a_number() -> None:
    short, long = ([1.0 / (1 + i) for i in range(n + 1)] for n in (triton.INLINE - 1, triton.INLINE))
    assert "\ndef lr(step):\n" in lower(PiecewiseConstant(short, list(range(1, len(short)))), "triton").text
    assert "\ndef lr(step, v_values_table):\n" in lower(PiecewiseConstant(long, list(range(1, len(long)))), "triton").text
    start = nn.Parameter(torch.tensor(0.25))
    text = lower(Constant(start), "triton").text
    assert "# value, the value it had when this was generated\n    v_value = tl.full((), 0.25, tl.float32)" in text


def test_a_graph_that_triton_cannot_write_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        LoweringError,
        match=r"^aten.remainder.Tensor at node 'remainder', from `.*` \(\w+\.py:\d+\), in the target triton: given",
    ):
        lower(formula(OPERATIONS["remainder of floats"]), "triton")
    descending = formula(lambda s: (s.unsqueeze(-1) >= torch.tensor(list(range(100, 0, -1)))).sum(-1).double())
    with pytest.raises(
        LoweringError, match=r"given a sum of b8\[100\]; allowed: at most 64 terms, or a count of the entries of"
    ):
        lower(descending, "triton")
    with pytest.raises(LoweringError, match=r"lower\(graph, 'triton'\): given a batch graph; allowed: a graph of one step"):
        lower(trace(Constant(0.5), batch=True), "triton")


def test_triton_has_a_row_for_every_op_of_the_spec() -> None:
    by_hand = {aten.full.default, aten._to_copy.default, aten.sum.dim_IntList, aten.index_select.default}
    of_a_batch = {aten.full_like.default, aten.sym_size.int}
    assert set(OPS) - set(triton.OPS) == by_hand | of_a_batch | RESHAPES


def test_without_triton_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = lower(Constant(0.5), "triton")
    monkeypatch.setattr(_toolchain, "find_spec", lambda package: None)
    assert find("triton").missing() == "triton (pip install 'tracelr[triton]')"
    for use, where in ((lambda: artifact.run(0), "artifact.run"), (lambda: artifact.compile("sm_90"), "kernel.compile")):
        with pytest.raises(LoweringError) as caught:
            use()
        assert str(caught.value) == (
            f"{where}: given no triton; allowed: an environment with triton; to fix it: pip install 'tracelr[triton]'."
        )
