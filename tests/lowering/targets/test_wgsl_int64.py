"""The int64 that WGSL computes with, as two halves: each operation is that of Python."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from support.webgpu import EDGES, NEEDS_WEBGPU, PAIRS, call

INT64: dict[str, Callable[[int, int], int]] = {
    "add_i64": lambda a, b: a + b,
    "sub_i64": lambda a, b: a - b,
    "mul_i64": lambda a, b: a * b,
    "and_i64": lambda a, b: a & b,
    "or_i64": lambda a, b: a | b,
    "lt_i64": lambda a, b: a < b,
    "le_i64": lambda a, b: a <= b,
    "gt_i64": lambda a, b: a > b,
    "ge_i64": lambda a, b: a >= b,
    "eq_i64": lambda a, b: a == b,
    "ne_i64": lambda a, b: a != b,
    "minimum_i64": min,
    "maximum_i64": max,
    "neg_i64": lambda a, b: -a,
    "abs_i64": lambda a, b: abs(a),
    "b8_of_i64": lambda a, b: a != 0,
    "i32_of_i64": lambda a, b: a % 2**32,
    "zeros_u64": lambda a, b: 64 - (a % 2**64).bit_length(),
    "remainder_i64": lambda a, b: a % b if b else 0,
}  # fmt: skip


@NEEDS_WEBGPU
@pytest.mark.parametrize("name", INT64)
def test_int64_operations_give_what_python_gives(name: str) -> None:
    pairs = [(a, b) for a, b in PAIRS if b or name != "remainder_i64"]
    operands = [np.array(side, dtype=np.int64) for side in zip(*pairs, strict=True)]
    got = call(name, *operands)
    want = np.array([int(INT64[name](a, b)) % 2**64 for a, b in pairs], dtype=np.uint64)
    wrong = np.nonzero(got != want)[0]
    assert [(pairs[k], hex(got[k]), hex(want[k])) for k in wrong[:3]] == []


@NEEDS_WEBGPU
@pytest.mark.parametrize("name", ["shl_i64", "shr_i64", "shl_u64", "shr_u64"])
def test_shifts_give_what_python_gives(name: str) -> None:
    pairs = [*product([*EDGES, *(a for a, _ in PAIRS[-500:])], range(64))]
    operands = [np.array(side, dtype=np.int64) for side in zip(*pairs, strict=True)]
    size = (lambda a: a % 2**64) if name.endswith("u64") else (lambda a: a)
    want = [(size(a) << n if name.startswith("shl") else size(a) >> n) % 2**64 for a, n in pairs]
    assert (call(name, *operands) == np.array(want, dtype=np.uint64)).all()


@NEEDS_WEBGPU
def test_clamp_gives_what_python_gives() -> None:
    some = EDGES[::5]
    triples = [(x, a, b) for x in EDGES for a in some for b in some]
    operands = [np.array(side, dtype=np.int64) for side in zip(*triples, strict=True)]
    want = np.array([min(max(x, a), b) % 2**64 for x, a, b in triples], dtype=np.uint64)
    assert (call("clamp_i64", *operands) == want).all()
