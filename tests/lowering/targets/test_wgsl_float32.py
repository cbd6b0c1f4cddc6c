"""The float32 that WGSL computes with, as its bits: each operation and conversion is that of IEEE 754."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from support.webgpu import NEEDS_WEBGPU, PAIRS, call

FLOATS = [0x0, 0x1, 0x2, 0x7FFFFF, 0x800000, 0x800001, 0xFFFFFF, 0x1000000, 0x33800000, 0x33800001, 0x3EFFFFFF, 0x3F000000,
          0x3F000001, 0x3F7FFFFF, 0x3F800000, 0x3F800001, 0x3FC00000, 0x3FFFFFFF, 0x40000000, 0x40200000, 0x4AFFFFFF, 0x4B000000,
          0x4B000001, 0x4B7FFFFF, 0x4EFFFFFF, 0x4F000000, 0x5EFFFFFF, 0x5F000000, 0x7E800000, 0x7F000000, 0x7F7FFFFF, 0x7F800000,
          0x7FC00000]  # fmt: skip
FLOATS += [x | 0x80000000 for x in FLOATS]


def floats() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    draw = np.random.default_rng(3)
    near = draw.integers(0x3E000000, 0x41000000, (2, 20_000), dtype=np.uint32) | (
        draw.integers(0, 2, (2, 20_000), dtype=np.uint32) << 31
    )
    any_size = draw.integers(0, 2**32, (2, 20_000), dtype=np.uint32)
    edges = np.array([*product(FLOATS, FLOATS)], dtype=np.uint32).T
    x, y = np.concatenate([edges, near, any_size], axis=1)
    cancels = x[:2000].copy(), (x[:2000] ^ np.uint32(0x80000000)) + draw.integers(0, 3, 2000, dtype=np.uint32)
    return np.concatenate([x, cancels[0]]), np.concatenate([y, cancels[1]])


FLOAT32: dict[str, Callable[..., Any]] = {
    "add_f32": lambda a, b: a + b,
    "sub_f32": lambda a, b: a - b,
    "mul_f32": lambda a, b: a * b,
    "div_f32": lambda a, b: a / b,
    "lt_f32": lambda a, b: a < b,
    "le_f32": lambda a, b: a <= b,
    "gt_f32": lambda a, b: a > b,
    "ge_f32": lambda a, b: a >= b,
    "eq_f32": lambda a, b: a == b,
    "ne_f32": lambda a, b: a != b,
    "minimum_f32": np.minimum,
    "maximum_f32": np.maximum,
    "sqrt_f32": lambda a, b: np.sqrt(a),
    "reciprocal_f32": lambda a, b: np.float32(1) / a,
    "neg_f32": lambda a, b: -a,
    "abs_f32": lambda a, b: np.abs(a),
    "round_f32": lambda a, b: np.rint(a),
    "floor_f32": lambda a, b: np.floor(a),
    "ceil_f32": lambda a, b: np.ceil(a),
    "trunc_f32": lambda a, b: np.trunc(a),
    "b8_of_f32": lambda a, b: a != 0,
    "nan_f32": lambda a, b: np.isnan(a),
}


@NEEDS_WEBGPU
@pytest.mark.parametrize("name", FLOAT32)
def test_float32_operations_give_what_ieee_754_says(name: str) -> None:
    x, y = floats()
    got = call(name, x, y).astype(np.uint32)
    with np.errstate(all="ignore"):
        want = FLOAT32[name](x.view(np.float32), y.view(np.float32))
    if want.dtype == bool:
        assert (got == want).all()
        return
    bits = want.view(np.uint32)
    same = (got == bits) | (np.isnan(got.view(np.float32)) & np.isnan(want))
    if name in ("minimum_f32", "maximum_f32"):
        same |= (got & 0x7FFFFFFF == 0) & (bits & 0x7FFFFFFF == 0)  # either of two zeros
    wrong = np.nonzero(~same)[0]
    assert [(hex(x[k]), hex(y[k]), hex(got[k]), hex(bits[k])) for k in wrong[:3]] == []


@NEEDS_WEBGPU
def test_conversions_round_to_nearest_and_cut_off() -> None:
    halves = [
        s * (m * 2**k + d) for m in (2**24 + 1, 2**24 + 3, 2**25 - 1) for k in range(38) for d in (-1, 0, 1) for s in (-1, 1)
    ]
    integers = np.array([*(a for a, _ in PAIRS), *halves], dtype=np.int64)
    rounded = call("f32_of_i64", integers).astype(np.uint32).view(np.float32)
    assert (rounded == torch.from_numpy(integers).float().numpy()).all()
    short = (integers & 0xFFFFFFFF).astype(np.uint32)
    assert (call("f32_of_i32", short).astype(np.uint32).view(np.float32) == short.view(np.int32).astype(np.float32)).all()
    assert (call("i64_of_i32", short).view(np.int64) == short.view(np.int32)).all()
    x = floats()[0]
    value = x.view(np.float32)
    inside = np.abs(value) < 2.0**63
    got = call("i64_of_f32", x).view(np.int64)
    assert (got[inside] == np.array([int(one) for one in value[inside].tolist()])).all()
    assert (got[~inside] == -(2**63)).all()
    inside = np.abs(value) < 2.0**31
    got32 = call("i32_of_f32", x).astype(np.uint32).view(np.int32)
    assert (got32[inside] == value[inside].astype(np.int32)).all()
    assert (got32[~inside] == -(2**31)).all()
    flags = np.array([0, 1], dtype=np.uint32)
    assert call("f32_of_b8", flags).tolist() == [0, 0x3F800000]
    assert call("i64_of_b8", flags).tolist() == [0, 1]
