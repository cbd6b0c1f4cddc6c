"""AOTInductor: the compiled package gives the bits of eager, from Python and from C++."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import torch
from support.graphs import bits, traced
from support.table import ROWS

from tracelr import Constant
from tracelr.errors import LoweringError
from tracelr.lowering import lower, passes
from tracelr.lowering.targets import find
from tracelr.lowering.targets._target import Artifact
from tracelr.lowering.verification import default_steps

EXAMPLE = Path(__file__).parents[3] / "examples" / "aoti"
NEEDS_CXX = pytest.mark.skipif(find("aoti").missing() is not None, reason="no C++ compiler")
SLOW = ["join_scale_nested", "exponential_stairs", "polynomial_root", "one_cycle", "warm_restarts", "multi_step"]


@cache
def compiled(name: str, batch: bool = False) -> Artifact:
    return lower(traced(name, batch), "aoti")


@NEEDS_CXX
@pytest.mark.parametrize(
    ("name", "batch"),
    [
        pytest.param("sequential_nested", False, marks=pytest.mark.slow),
        pytest.param("piecewise_long", True, marks=pytest.mark.slow),
        *(pytest.param(name, batch, marks=pytest.mark.slow) for name in SLOW for batch in (False, True)),
    ],
)
def test_a_compiled_package_has_the_bits_of_eager(name: str, batch: bool) -> None:
    artifact = compiled(name, batch)
    steps = default_steps(passes.run(traced(name)), seed=7)
    assert torch.equal(bits(artifact.run(steps)), bits(ROWS[name].schedule(steps)))
    assert artifact.run(torch.arange(0)).shape == (0,)
    assert 'extern "C"' in artifact.text
    assert "torchinductor" not in artifact.text, "no folder of this machine is named"
    assert artifact.bytes.startswith(b"PK")


@NEEDS_CXX
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_a_cpp_program_prints_the_curve_of_a_package(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    compiled("sequential_nested").save(tmp_path / "lr.pt2")
    subprocess.run(["make", "main", f"PYTHON={sys.executable}"], check=True, cwd=tmp_path, capture_output=True)
    printed = subprocess.run(["./main", "lr.pt2", "10"], check=True, cwd=tmp_path, capture_output=True, text=True).stdout
    steps, rates = zip(*(line.split() for line in printed.splitlines()), strict=True)
    assert list(map(int, steps)) == list(range(10))
    assert [float.fromhex(rate) for rate in rates] == ROWS["sequential_nested"].schedule(torch.arange(10)).tolist()


@pytest.mark.parametrize("command", ["no-such-compiler", "env g++"])
@pytest.mark.parametrize(("target", "standard"), [("aoti", "C++20"), ("inductor", "C++17")])
def test_without_a_compiler_the_error_says_so(
    target: str, standard: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inductor runs $CXX as one program. The compiler of the C targets takes arguments, as make does."""
    monkeypatch.setenv("CXX", command)
    with pytest.raises(LoweringError) as caught:
        lower(Constant(0.5), target).run(0)
    assert str(caught.value) == (
        f"{target}: given no C++ compiler; allowed: a {standard} compiler; to fix it: install a C++ compiler; {command!r} was "
        "not found (install one, or set CXX)."
    )
