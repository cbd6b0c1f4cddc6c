"""C under compilers: no warning, the same bits under any flag, one file, compiled once, and the error without a compiler."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

import pytest
import torch
from support.compilers import NEEDS_CC, WARNINGS
from support.graphs import traced
from support.operations import formula
from support.sweep import artifacts, differing
from support.table import ROWS

from tracelr import Constant, PiecewiseConstant
from tracelr.errors import LoweringError
from tracelr.lowering import lower, verify
from tracelr.lowering.targets._clike import compiler


def assert_clean(names: Iterable[str], folder: Path) -> None:
    """Assert that the headers of these rows go into one file of C and of C++, each twice, without a warning."""
    use = ""
    for k, name in enumerate(names):
        header, artifact = folder / f"schedule{k}.h", lower(traced(name), "c", name=f"lr{k}")
        artifact.save(header)
        assert header.read_bytes() == artifact.bytes == artifact.text.encode()
        use += f'#include "{header}"\n' * 2 + f"float use{k}(int64_t s);\n"
        use += f"float use{k}(int64_t s) {{ float o[1]; lr{k}_array(&s, o, 1); return o[0]; }}\n"
    (folder / "use.c").write_text(use)
    (folder / "use.cpp").write_text(use)
    subprocess.run(["cc", "-std=c99", "-Wfloat-conversion", *WARNINGS, folder / "use.c"], check=True)
    if shutil.which("g++"):
        for standard in ("c++11", "c++17"):
            subprocess.run(["g++", f"-std={standard}", *WARNINGS, folder / "use.cpp"], check=True)


@NEEDS_CC
@pytest.mark.slow
@pytest.mark.parametrize("names", [[*ROWS]], ids=["every row"])
def test_the_headers_are_clean_c99_and_cpp(names: Iterable[str], tmp_path: Path) -> None:
    assert_clean(names, tmp_path)


ALONE = {"constant", "piecewise_long", "sequential_nested"}


@NEEDS_CC
@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in ALONE else [pytest.mark.slow]) for n in ROWS])
def test_a_header_needs_no_other(name: str, tmp_path: Path) -> None:
    assert_clean([name], tmp_path)


FAST = ("-O3", "-march=native", "-ffp-contract=fast", "-fPIC", "-shared")
COMPILERS = {
    "O0": compiler.Compiler("C", "C99", "CC", "cc", ".c", ("-std=c99", "-O0", "-fPIC", "-shared")),
    "O3, fused, C": compiler.Compiler("C", "C11", "CC", "cc", ".c", ("-std=gnu11", *FAST)),
    "O3, fused, C++": compiler.Compiler("C++", "C++17", "CXX", "c++", ".cpp", ("-std=c++17", *FAST)),
    "clang": compiler.Compiler("C", "C11", "TRACELR_TEST_CLANG", "clang", ".c", ("-std=gnu11", *FAST)),
}
SLOW = {"O0", "O3, fused, C", "O3, fused, C++"}  # a compilation of all rows takes 14 seconds and more


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in COMPILERS])
def test_no_flag_of_optimisation_changes_a_bit(name: str) -> None:
    if (reason := COMPILERS[name].missing()) is not None:
        pytest.skip(f"needs {reason}")
    rows = artifacts("c")
    functions = COMPILERS[name].load_all({f"lr{k}": row.text for k, row in enumerate(rows.values())})
    assert differing(dict(zip(rows, functions.values(), strict=True))) == {}


@pytest.mark.parametrize("command", ["gcc", "g++ -x c++", "clang", "clang-15"])
@pytest.mark.parametrize("flag", ["-O2", "-O3"])
def test_a_product_is_never_fused_into_a_sum(command: str, flag: str, tmp_path: Path) -> None:
    if shutil.which(command.split()[0]) is None or platform.machine() != "x86_64":
        pytest.skip(f"needs {command} on x86-64")
    lower(formula(lambda s: s.double() * 0.1 + 0.3), "c").save(tmp_path / "lr.c")
    with (tmp_path / "lr.c").open("a") as file:
        file.write(
            "void use(const int64_t *s, float *o, size_t n);\nvoid use(const int64_t *s, float *o, size_t n) { lr_array(s, o, n); }\n"
        )
    line = [*command.split(), flag, "-mavx512f", "-mfma", "-ffp-contract=fast", "-S", "lr.c", "-o", "-"]
    assembly = subprocess.run(line, check=True, cwd=tmp_path, capture_output=True, text=True).stdout
    assert "mulsd" in assembly or "mulpd" in assembly
    assert "vfm" not in assembly
    (tmp_path / "lr.c").write_text((tmp_path / "lr.c").read_text().replace("volatile ", ""))
    fused = subprocess.run(line, check=True, cwd=tmp_path, capture_output=True, text=True).stdout
    assert "vfm" in fused  # the compiler does fuse it without the function


@NEEDS_CC
def test_the_same_text_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    run = subprocess.run
    monkeypatch.setattr(compiler.subprocess, "run", lambda *a, **k: calls.append(a) or run(*a, **k))
    for value in (0.125, 0.125, 0.0625):
        assert lower(Constant(value), "c", name="lr_compiled_once").run(0) == value
    assert len(calls) == 2


@NEEDS_CC
def test_one_file_may_include_two_headers(tmp_path: Path) -> None:
    for name in ("lr", "lr2", "lr_decay"):
        lower(PiecewiseConstant([0.1, 0.2, 0.3], [5, 9]).then(Constant(0.5), at=50), "c", name).save(
            tmp_path / f"{name}_1.h"
        )
    text = "".join(f'#include "{name}_1.h"\n' for name in ("lr", "lr2", "lr_decay"))
    (tmp_path / "all.c").write_text(text + "float use(void);\nfloat use(void) { return lr(1) + lr2(2) + lr_decay(3); }\n")
    subprocess.run(["cc", "-std=c99", *WARNINGS, "all.c"], check=True, cwd=tmp_path)


def test_without_a_compiler_run_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -x")
    artifact = lower(Constant(0.5), "c")
    with pytest.raises(LoweringError) as caught:
        artifact.run(0)
    assert str(caught.value) == (
        "artifact.run: given no C compiler; allowed: a C99 compiler; to fix it: install a C compiler; 'no-such-compiler' was not "
        "found (install one, or set CC)."
    )
    monkeypatch.setattr(import_module("tracelr.lowering.verification"), "target_names", lambda: ["c", "inductor"])
    report = verify(Constant(0.5), steps=torch.arange(3))
    assert "c" in [name for name, _ in report.skipped]
    assert "c not run: it needs a C compiler" in str(report)
    with pytest.raises(LoweringError):
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
