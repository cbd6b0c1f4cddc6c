"""CUDA and HIP: the host's half runs; the device's half is compiled if its compiler is installed."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from support.graphs import traced
from support.sweep import artifacts, differing
from torch import Tensor

from tracelr import Constant, PiecewiseConstant, Polynomial
from tracelr.errors import LoweringError
from tracelr.lowering import lower, trace
from tracelr.lowering.targets import find
from tracelr.lowering.targets._clike import compiler

NVCC = shutil.which("nvcc")
NEEDS_NVCC = pytest.mark.skipif(NVCC is None, reason="no nvcc")
NEEDS_HIPCC = pytest.mark.skipif(shutil.which("hipcc") is None, reason="no hipcc")
NEEDS_CXX = pytest.mark.skipif(find("cuda").missing() is not None, reason="no C++ compiler")
HAS_GPU = shutil.which("nvidia-smi") is not None
KERNEL = """
extern "C" __global__ void kernel_{name}(const int64_t *step, float *out, size_t n)
{{
    const size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x;
    if (i < n) out[i] = {name}(step[i]);
}}
extern "C" void host_{name}(const int64_t *step, float *out, size_t n) {{ {name}_array(step, out, n); }}
extern "C" int device_{name}(const int64_t *step, float *out, size_t n)
{{
    int64_t *s;
    float *o;
    if (cudaMalloc(&s, n * sizeof *s) || cudaMalloc(&o, n * sizeof *o)) return 1;
    cudaMemcpy(s, step, n * sizeof *s, cudaMemcpyHostToDevice);
    kernel_{name}<<<(unsigned)((n + 255) / 256), 256>>>(s, o, n);
    const int failed = cudaMemcpy(out, o, n * sizeof *o, cudaMemcpyDeviceToHost);
    cudaFree(s);
    cudaFree(o);
    return failed;
}}
"""


@NEEDS_CXX
@pytest.mark.slow
@pytest.mark.parametrize("target", ["cuda", "hip"])  # which differs from CUDA in a few macros
def test_the_hosts_half_of_every_row_has_the_bits_of_eager(target: str) -> None:
    rows = artifacts(target)
    functions = compiler.CXX.load_all({f"lr{k}": row.text for k, row in enumerate(rows.values())})
    assert differing(dict(zip(rows, functions.values(), strict=True))) == {}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """Every row, both halves, compiled by nvcc for sm_90 in one file."""
    folder = tmp_path_factory.mktemp("cuda")
    rows = artifacts("cuda")
    text = "".join(row.text + KERNEL.format(name=f"lr{k}") for k, row in enumerate(rows.values()))
    (folder / "rows.cu").write_text(text)
    flags = [
        "-std=c++17",
        "-arch=sm_90",
        "-O3",
        "-shared",
        "-Xcompiler",
        "-fPIC,-march=native,-ffp-contract=fast",
        "-Werror",
    ]
    subprocess.run([str(NVCC), *flags, "all-warnings", "rows.cu", "-o", "rows.so"], check=True, cwd=folder)
    return ctypes.CDLL(str(folder / "rows.so"))


def call(library: ctypes.CDLL, name: str):
    function = getattr(library, name)
    function.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)

    def run(steps: Tensor) -> Tensor:
        rates = torch.full(steps.shape, torch.nan)
        function(steps.data_ptr(), rates.data_ptr(), len(steps))
        return rates

    return run


@pytest.mark.slow
@NEEDS_NVCC
def test_nvcc_compiles_every_row_and_its_host_code_has_the_bits_of_eager(library: ctypes.CDLL) -> None:
    assert differing({name: call(library, f"host_lr{k}") for k, name in enumerate(artifacts("cuda"))}) == {}


@pytest.mark.gpu
@NEEDS_NVCC
@pytest.mark.skipif(not HAS_GPU, reason="no GPU")
def test_every_row_on_a_gpu_has_the_bits_of_eager(library: ctypes.CDLL) -> None:
    assert differing({name: call(library, f"device_lr{k}") for k, name in enumerate(artifacts("cuda"))}) == {}


@NEEDS_NVCC
def test_ptx_and_cubin_of_sm_90_hold_no_fused_product(tmp_path: Path) -> None:
    schedule = Polynomial(1.0, 0.5, 1000, power=2) + PiecewiseConstant([0.1, 0.2, 0.3], [5, 9])
    lower(schedule, "cuda").save(tmp_path / "lr.h")
    (tmp_path / "lr.cu").write_text('#include "lr.h"\n#include "lr.h"\n' + KERNEL.format(name="lr"))
    subprocess.run([str(NVCC), "-arch=sm_90", "-ptx", "lr.cu", "-o", "lr.ptx"], check=True, cwd=tmp_path)
    ptx = (tmp_path / "lr.ptx").read_text()
    assert ".target sm_90" in ptx
    assert "mul.rn.f64" in ptx
    assert "add.f64" in ptx
    assert "fma" not in ptx
    assert ".const .align 8 .b8" in ptx  # the tables
    done = subprocess.run(
        [str(NVCC), "-arch=sm_90", "-cubin", "-Xptxas", "-v", "lr.cu", "-o", "lr.cubin"],
        check=True, cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert (tmp_path / "lr.cubin").read_bytes()[:4] == b"\x7fELF"
    assert int(re.search(r"Used (\d+) registers", done.stderr)[1]) <= 64
    assert "0 bytes spill stores" in done.stderr


@NEEDS_HIPCC
def test_hipcc_compiles_for_an_amd_gpu_without_a_fused_product(tmp_path: Path) -> None:
    schedule = Polynomial(1.0, 0.5, 1000, power=2) + PiecewiseConstant([0.1, 0.2, 0.3], [5, 9])
    lower(schedule, "hip").save(tmp_path / "lr.h")
    kernel = KERNEL.partition('extern "C" void host')[0].format(name="lr")
    (tmp_path / "lr.hip").write_text(f'#include <hip/hip_runtime.h>\n#include "lr.h"\n{kernel}')
    command = ["hipcc", "--cuda-device-only", "--offload-arch=gfx90a", "-O3", "-S", "-emit-llvm", "lr.hip", "-o", "lr.ll"]
    environment = {**os.environ, "HIP_PLATFORM": "amd"}
    subprocess.run(command, check=True, cwd=tmp_path, env=environment, capture_output=True)
    code = (tmp_path / "lr.ll").read_text()
    assert "amdgpu_kernel void @kernel_lr" in code
    assert "fmul double" in code
    assert "fmul contract" not in code
    assert "@llvm.fma" not in code


@NEEDS_CXX
@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_the_header_is_clean_cpp_and_c(target: str, tmp_path: Path) -> None:
    schedule = Polynomial(1.0, 0.5, 1000, power=2).then(PiecewiseConstant([0.1, 0.2, 0.3], [5, 9]))
    lower(schedule, target).save(tmp_path / "lr.h")
    (tmp_path / "use.c").write_text(
        '#include "lr.h"\n#include "lr.h"\nfloat use(int64_t s);\nfloat use(int64_t s) { return lr(s); }\n'
    )
    (tmp_path / "use.cpp").write_bytes((tmp_path / "use.c").read_bytes())
    for command in (["cc", "-std=c99", "use.c"], ["c++", "-std=c++11", "use.cpp"], ["c++", "-std=c++20", "use.cpp"]):
        subprocess.run([*command, "-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"], check=True, cwd=tmp_path)


def test_the_dialects_differ_only_in_their_own_words() -> None:
    texts = {target: lower(traced("piecewise_constant"), target).text for target in ("cuda", "hip")}
    assert "#if defined(__CUDACC__)\n#define TRACELR_lr_FUNCTION static __host__ __device__ __forceinline__" in texts["cuda"]
    assert "#if defined(__CUDA_ARCH__)\n#define TRACELR_lr_TABLE static __constant__ const" in texts["cuda"]
    assert (
        texts["hip"].replace("__HIPCC__", "__CUDACC__").replace("__HIP_DEVICE_COMPILE__", "__CUDA_ARCH__") == texts["cuda"]
    )


@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_a_batch_graph_and_a_missing_compiler_are_refused(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        LoweringError, match=rf"lower\(graph, '{target}'\): given a batch graph; allowed: a graph of one step"
    ):
        lower(trace(Constant(0.5), batch=True), target)
    monkeypatch.setenv("CXX", "no-such-compiler -x")
    with pytest.raises(LoweringError) as caught:
        lower(Constant(0.5), target).run(0)
    assert str(caught.value) == (
        "artifact.run: given no C++ compiler; allowed: a C++11 compiler; to fix it: install a C++ compiler; 'no-such-compiler' "
        "was not found (install one, or set CXX)."
    )
