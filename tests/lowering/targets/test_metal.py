"""Metal: its text, and the arithmetic of its text, which g++ compiles with a small header in place of Metal's."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from importlib import import_module
from pathlib import Path

import pytest
import torch
from support.graphs import traced
from support.narrow import FEW, WHOLE, artifact, differing, graph_of, steps_of
from support.table import ROWS

import tracelr
from tracelr import Constant, Linear, Polynomial
from tracelr.errors import LoweringError
from tracelr.lowering import lower, trace, verify
from tracelr.lowering.spec import OPS
from tracelr.lowering.targets import c, find, metal

NEEDS_GXX = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")
SHIM = """\
#pragma once
#include <cmath>
#include <cstddef>
#include <cstring>
#define __METAL_VERSION__ 320
#define constant static const
#define device
#define kernel extern "C"
typedef unsigned int uint;
typedef unsigned long ulong;
static_assert(sizeof(long) == 8, "long has 64 bits in Metal");
template <class To, class From> static To as_type(From x) { To r; static_assert(sizeof r == sizeof x, ""); std::memcpy(&r, &x, sizeof r); return r; }
namespace metal {
using std::fabs; using std::fmod;
namespace precise {
using std::sqrt; using std::exp; using std::exp2; using std::log; using std::log2; using std::sin; using std::cos; using std::tanh;
using std::floor; using std::ceil; using std::trunc; using std::rint; using std::pow;
} }
"""
FLAGS = ("-std=c++17", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-Wno-attributes", "-fPIC", "-shared")


def compiled(names: tuple[str, ...], folder: Path, *flags: str) -> dict[str, ctypes.CDLL]:
    """Return the kernel of each row, compiled by g++: its parameter `constant uint &` becomes a constant."""
    (folder / "metal_stdlib").write_text(SHIM)
    text = "\n".join(artifact(name, "metal").text for name in names).replace("constant uint &n", "const uint &n")
    (folder / "rows.cpp").write_text(text)
    subprocess.run(["g++", *FLAGS, *flags, "-I.", "rows.cpp", "-o", "rows.so"], check=True, cwd=folder)
    library = ctypes.CDLL(str(folder / "rows.so"))
    return {name: getattr(library, f"lr{list(ROWS).index(name)}_array") for name in names}


def rates(kernel: ctypes.CDLL, steps: torch.Tensor) -> torch.Tensor:
    out = torch.full(steps.shape, torch.nan)
    n = ctypes.c_uint(len(steps))
    kernel.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint)
    for i in range(len(steps)):
        kernel(steps.data_ptr(), out.data_ptr(), ctypes.addressof(n), i)
    return out


@NEEDS_GXX
@pytest.mark.parametrize(
    "flags", [("-O2", "-ffp-contract=off"), ("-O3", "-march=native", "-ffp-contract=fast")], ids=["as written", "fused"]
)
def test_the_arithmetic_of_the_text_has_the_bits_of_eager(flags: tuple[str, ...], tmp_path: Path) -> None:
    kernels = compiled(FEW, tmp_path, *flags)
    assert {name: differing(name, rates(kernel, steps_of(name))) for name, kernel in kernels.items()} == dict.fromkeys(
        FEW, 0
    )


@NEEDS_GXX
@pytest.mark.slow
def test_the_arithmetic_of_every_row_has_the_bits_of_eager(tmp_path: Path) -> None:
    kernels = compiled(WHOLE, tmp_path, "-O2", "-ffp-contract=off")
    assert {name: differing(name, rates(kernel, steps_of(name))) for name, kernel in kernels.items()} == dict.fromkeys(
        WHOLE, 0
    )


@NEEDS_GXX
def test_the_arithmetic_float32_compiles(tmp_path: Path) -> None:
    with tracelr.precision("float32"):
        made = lower(Polynomial(1.0, 0.5, 1000, power=1.7), "metal")
    (tmp_path / "metal_stdlib").write_text(SHIM)
    (tmp_path / "lr.cpp").write_text(made.text.replace("constant uint &n", "const uint &n"))
    subprocess.run(["g++", *FLAGS, "-fsyntax-only", "-I.", "lr.cpp"], check=True, cwd=tmp_path)
    assert re.search(r"metal::precise::pow\(v_\w+, 1\.7f\)", made.text)


def test_the_text_is_metal() -> None:
    text = lower(graph_of("piecewise_constant"), "metal").text
    assert text.count("#include") == 1
    assert "\n#include <metal_stdlib>\n" in text
    assert "\nconstant float lr_values_high_table[] = {" in text
    assert (
        "\nstatic inline float lr(long step)\n{\n#if __METAL_VERSION__ >= 320\n#pragma METAL fp math_mode(safe)\n#pragma METAL fp contract(off)\n"
        in text
    )
    assert "\nkernel void lr_array(device const long *step [[buffer(0)]], device float *out [[buffer(1)]],\n" in text
    code = "\n".join(line.partition("/*")[0] for line in text.splitlines())
    assert not any(word in code for word in ("int64_t", "INT64_C", "double", "volatile", "memcpy", "fmodf"))


def test_fast_math_is_off_in_every_function_that_computes_with_floats() -> None:
    with tracelr.precision("float32"):
        text = lower(Linear(0.0, 1.0, 10), "metal").text
    for part in text.split("\n\n"):
        assert ("#pragma METAL fp math_mode(safe)" in part) == (part.startswith("static inline float")), part


def test_metal_has_a_row_for_every_op_of_the_spec() -> None:
    assert set(metal.OPS) == set(c.OPS)
    assert {op for op in OPS if op in c.OPS} <= set(metal.OPS)


def test_verify_says_that_metal_is_only_written(monkeypatch: pytest.MonkeyPatch) -> None:
    needs = "a Mac with Metal, which this library does not drive: the text is only written"
    monkeypatch.setattr(import_module("tracelr.lowering.verification"), "target_names", lambda: ["metal"])
    report = verify(Constant(0.5), steps=torch.arange(3))
    assert str(report).splitlines()[-1] == f"metal not run: it needs {needs}"
    assert find("metal").missing() == needs
    with pytest.raises(LoweringError) as caught:
        lower(Constant(0.5), "metal").run(0)
    assert str(caught.value) == (
        f"artifact.run: given no Metal; allowed: {needs}; to fix it: save the text, and compile it with xcrun metal."
    )


def test_metal_refuses_a_batch_graph() -> None:
    with (
        pytest.raises(LoweringError, match=r"lower\(graph, 'metal'\): given a batch graph; allowed: a graph of one step"),
        tracelr.precision("two_float"),
    ):
        lower(trace(Constant(0.5), batch=True), "metal")


def test_lower_refuses_a_float64_graph_before_it_writes() -> None:
    with pytest.raises(LoweringError, match="metal has no float64"):
        lower(traced("cosine"), "metal")
