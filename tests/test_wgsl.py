"""WGSL: the integers it computes with, law by law, and the rows of the table on a WebGPU device."""

from __future__ import annotations

import math
import random
import re
import struct
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from narrow import FEW, WHOLE, artifact, differing, graph_of, steps_of
from test_graph import traced

import tracelr
from tracelr import Constant, Cosine, Interpolate, Linear, PiecewiseConstant, Schedule
from tracelr.errors import NotLowered
from tracelr.fields import Scalar
from tracelr.lowering import lower, trace, verify
from tracelr.lowering.spec import OPS
from tracelr.lowering.targets import _wgsl_run, find, wgsl

MISSING = find("wgsl").missing()
NEEDS_WEBGPU = pytest.mark.skipif(MISSING is not None, reason=f"needs {MISSING}")
SHADER = """
@group(0) @binding(0) var<storage, read> first: array<{takes}>;
@group(0) @binding(1) var<storage, read> second: array<{takes}>;
@group(0) @binding(2) var<storage, read> third: array<{takes}>;
@group(0) @binding(3) var<storage, read_write> result: array<vec2<u32>>;

@compute @workgroup_size(64)
fn main_array(@builtin(global_invocation_id) place: vec3<u32>) {{
    let k = place.x;
    _ = first[k];
    _ = second[k];
    _ = third[k];
    if (k < arrayLength(&result)) {{
        result[k] = {result};
    }}
}}
"""
WRAPS = {
    "vec2<u32>": "{}",
    "u32": "vec2<u32>({}, 0u)",
    "bool": "vec2<u32>(select(0u, 1u, {}), 0u)",
    "i32": "vec2<u32>(bitcast<u32>({}), 0u)",
}


def call(helper: str, *operands: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return what `helper` gives for each of the operands, int64 or the bits of float32, as uint64."""
    parts = {name: re.sub(r"@(\w+)", r"lr_\1", wgsl.LANGUAGE.helper(name, "lr")) for name in wgsl.HELPERS}
    head = re.match(r"fn lr_\w+\((.*)\) -> (.*) \{", parts[helper])
    assert head is not None
    takes = [parameter.partition(": ")[2] for parameter in head[1].split(", ")]
    wide = takes[0] == "vec2<u32>"
    used = [
        f"{name}[k]" if kind != "i32" else f"bitcast<i32>({name}[k])"
        for name, kind in zip(("first", "second", "third"), takes, strict=False)
    ]
    used = [
        f"{one}.x" if kind == "u32" and wide else f"{one} != 0u" if kind == "bool" else one
        for one, kind in zip(used, takes, strict=True)
    ]
    result = WRAPS[head[2]].format(f"lr_{helper}({', '.join(used)})")
    text = SHADER.format(takes="vec2<u32>" if wide else "u32", result=result)
    inputs = [*operands, *[operands[0]] * (3 - len(operands))]
    whole = "\n\n".join([*parts.values(), text])
    return _wgsl_run.compute(
        whole, "main_array", [one.view(np.uint32) for one in inputs], np.dtype(np.uint64), len(inputs[0])
    )


def wrap(x: int) -> int:
    return (x + 2**63) % 2**64 - 2**63


EDGES = sorted(
    {s * (2**k) + d for k in (0, 1, 15, 16, 31, 32, 33, 47, 53, 62) for s in (-1, 1) for d in (-1, 0, 1)}
    | {0, 2**63 - 1, -(2**63)}
)
_draw = random.Random(7)
PAIRS = [
    *product(EDGES, EDGES),
    *(
        (wrap(_draw.getrandbits(_draw.randrange(1, 65))), wrap(_draw.getrandbits(_draw.randrange(1, 65))))
        for _ in range(4000)
    ),
]
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
def test_an_int64_is_that_of_python(name: str) -> None:
    pairs = [(a, b) for a, b in PAIRS if b or name != "remainder_i64"]
    operands = [np.array(side, dtype=np.int64) for side in zip(*pairs, strict=True)]
    got = call(name, *operands)
    want = np.array([int(INT64[name](a, b)) % 2**64 for a, b in pairs], dtype=np.uint64)
    wrong = np.nonzero(got != want)[0]
    assert [(pairs[k], hex(got[k]), hex(want[k])) for k in wrong[:3]] == []


@NEEDS_WEBGPU
@pytest.mark.parametrize("name", ["shl_i64", "shr_i64", "shl_u64", "shr_u64"])
def test_a_shift_is_that_of_python(name: str) -> None:
    pairs = [*product([*EDGES, *(a for a, _ in PAIRS[-500:])], range(64))]
    operands = [np.array(side, dtype=np.int64) for side in zip(*pairs, strict=True)]
    size = (lambda a: a % 2**64) if name.endswith("u64") else (lambda a: a)
    want = [(size(a) << n if name.startswith("shl") else size(a) >> n) % 2**64 for a, n in pairs]
    assert (call(name, *operands) == np.array(want, dtype=np.uint64)).all()


@NEEDS_WEBGPU
def test_a_clamp_is_that_of_python() -> None:
    some = EDGES[::5]
    triples = [(x, a, b) for x in EDGES for a in some for b in some]
    operands = [np.array(side, dtype=np.int64) for side in zip(*triples, strict=True)]
    want = np.array([min(max(x, a), b) % 2**64 for x, a, b in triples], dtype=np.uint64)
    assert (call("clamp_i64", *operands) == want).all()


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
def test_a_float32_is_that_of_ieee_754(name: str) -> None:
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
        same |= (got & 0x7FFFFFFF == 0) & (bits & 0x7FFFFFFF == 0)  # of two zeros, either
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


@NEEDS_WEBGPU
@pytest.mark.parametrize("name", FEW)
def test_a_row_has_the_bits_of_eager(name: str) -> None:
    assert differing(name, artifact(name, "wgsl").run(steps_of(name))) == 0


@NEEDS_WEBGPU
@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_every_row_has_the_bits_of_eager(name: str) -> None:
    assert differing(name, artifact(name, "wgsl").run(steps_of(name))) == 0


@NEEDS_WEBGPU
def test_a_schedule_is_traced_in_two_float_and_compared_in_it() -> None:
    schedule = Linear(1e-3, 3e-5, 1000)
    made = lower(schedule, "wgsl", name="rate")
    steps = torch.arange(30).reshape(2, 15).t()
    with tracelr.precision("two_float"):
        assert torch.equal(made.run(steps), schedule(steps))
        assert made.run(7) == schedule(7)
    assert made.run(torch.arange(0)).tolist() == []
    report = verify(schedule, "wgsl", steps=torch.arange(2000))
    assert report.ok
    assert report.results[0].ran == f"in two_float, as eager; {find('wgsl').runs()}"


@NEEDS_WEBGPU
def test_the_cheap_arithmetic_is_taken_too() -> None:
    schedule = Cosine(1.0, 0.1, 100)
    with tracelr.precision("float32"):
        text = lower(schedule, "wgsl").text
        got, want = lower(schedule, "wgsl").run(torch.arange(100)), schedule(torch.arange(100))
    assert "bitcast<u32>(sin(bitcast<f32>(" in text
    assert ((got - want).abs() <= 4e-6 * want).all()  # sin is the device's own


def test_the_text_holds_what_it_uses_alone() -> None:
    text = lower(PiecewiseConstant([0.1, 0.2, 0.3], [5, 9]), "wgsl", name="rate").text
    assert "\nfn rate(step: vec2<u32>) -> f32 {\n" in text
    assert "const rate_milestones_table = array<vec2<u32>, 2>(vec2<u32>(5u, 0u), vec2<u32>(9u, 0u));" in text
    assert "0x3dcccccdu/*0.10000000149011612*/" in text
    assert "@compute @workgroup_size(64)\nfn rate_array(" in text
    assert "mul_i64" not in text
    assert "f64" not in text
    code = re.sub(r"/\*.*?\*/", "", text)
    assert all(name in wgsl.HELPERS for name in re.findall(r"rate_(\w+?)\(", code) if name not in ("array",))


def test_every_helper_is_called_or_called_for() -> None:
    rows = " ".join(str(row) for row in wgsl.OPS.values()) + " ".join(wgsl.HELPERS.values())
    rows = re.sub(r"\{t\}", "f32", rows) + re.sub(r"\{t\}", "i64", rows)
    unused = {name for name in wgsl.HELPERS if f"@{name}(" not in rows and "_of_" not in name}
    assert unused == set()
    assert not any(
        re.search(r"\bf32\b|\d\.\d", re.sub(r"//.*", "", text))
        for name, text in wgsl.HELPERS.items()
        if name not in ("log1p_f32", "expm1_f32")
    )


def test_wgsl_has_a_row_for_every_op_of_the_spec() -> None:
    by_hand = {"full", "full_like", "_to_copy", "sum", "index_select", "sym_size", "view", "expand", "unsqueeze", "squeeze"}
    assert {str(op).split(".")[1] for op in OPS} - {str(op).split(".")[1] for op in wgsl.OPS} <= by_hand


@pytest.mark.parametrize("value", [0.0, -0.0, 0.1, -1e-40, 3.4e38, math.inf, -math.inf, math.nan])
def test_a_literal_is_its_bits(value: float) -> None:
    text = wgsl.LANGUAGE.literal(value, torch.float32)
    assert int(text.partition("u/*")[0], 16) == struct.unpack("<I", struct.pack("<f", value))[0]


def test_integers_are_written_as_two_halves() -> None:
    assert wgsl.LANGUAGE.literal(-1, torch.int64) == "vec2<u32>(4294967295u, 4294967295u)/*-1*/"
    assert wgsl.LANGUAGE.literal(2**53, torch.int64) == "vec2<u32>(0u, 2097152u)/*9007199254740992*/"
    assert wgsl.LANGUAGE.literal(-4096, torch.int32) == "bitcast<i32>(0xfffff000u)"
    assert wgsl.LANGUAGE.literal(True, torch.bool) == "true"


@pytest.mark.parametrize("target", ["wgsl", "metal"])
def test_a_graph_in_float64_is_refused(target: str) -> None:
    with pytest.raises(NotLowered) as caught:
        lower(traced("linear_up"), target)
    assert str(caught.value).startswith(f"lower(schedule, '{target}'): given a graph in float64, from `")
    assert str(caught.value).endswith(
        f"`; allowed: a graph in 'two_float' or 'float32', as {target} has no float64; to fix it: lower the schedule itself, or trace it "
        "inside tracelr.precision('two_float')."
    )


class Wide(Schedule):
    """Leaves the arithmetic it is given."""

    start: Scalar

    def evaluate(self, step, A):
        return A.mul(A.full(step, self.start), (step.double() / 3).float())


def test_a_formula_of_its_own_in_float64_is_named() -> None:
    with pytest.raises(
        NotLowered, match=r"from `return A\.mul\(.*; to fix it: write the formula with the methods of the arithmetic"
    ):
        lower(Wide(0.5), "wgsl")


@pytest.mark.parametrize("target", ["wgsl", "metal"])
def test_a_float64_field_is_written_as_the_value_it_has(target: str) -> None:
    schedule = Constant(torch.tensor(0.1, dtype=torch.float64)) + PiecewiseConstant([0.5, 0.25], [10])
    made = lower(schedule, target)
    assert "double" not in made.text
    if target == "wgsl" and MISSING is None:
        with tracelr.precision("two_float"):
            assert torch.equal(made.run(torch.arange(20)), schedule(torch.arange(20)))


def test_a_table_too_long_for_wgsl_is_refused() -> None:
    values = [1.0 + k / 4096 for k in range(2049)]
    with pytest.raises(
        NotLowered, match=r"lower\(schedule, 'wgsl'\): given a table of \d{4}; allowed: at most 2047, as WGSL has it"
    ):
        lower(Interpolate(values, list(range(0, 20490, 10))), "wgsl")


@pytest.mark.parametrize(
    "name",
    ["fn", "let", "vec2", "f32", "select", "min", "step", "workgroup_size", "textureLoad", "mat4x4f", "lr;", "v_x", "enum"],
)
def test_a_name_that_wgsl_takes_is_refused(name: str) -> None:
    with pytest.raises(NotLowered, match=r"lower\(name\): given '.*'; allowed: a C identifier that no keyword"):
        lower(graph_of("constant"), "wgsl", name=name)


def test_wgsl_wants_a_graph_of_one_step() -> None:
    with (
        tracelr.precision("two_float"),
        pytest.raises(NotLowered, match=r"lower\(graph, 'wgsl'\): given a batch graph; allowed: a graph of one step"),
    ):
        lower(trace(Constant(0.5), batch=True), "wgsl")


@pytest.mark.parametrize(
    ("package", "reason"),
    [
        (False, "wgpu (pip install 'tracelr[wgpu]')"),
        (True, "a WebGPU device; on a CPU that is Mesa's lavapipe (Debian: mesa-vulkan-drivers)"),
    ],
)
def test_without_webgpu_run_says_what_to_install(package: bool, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_wgsl_run, "find_spec", lambda name: package or None)
    monkeypatch.setattr(_wgsl_run, "_device", lambda: None)
    made = lower(graph_of("constant"), "wgsl")
    assert "fn lr(step: vec2<u32>) -> f32" in made.text
    with pytest.raises(NotLowered) as caught:
        made.run(0)
    assert str(caught.value) == f"artifact.run: given no WebGPU; allowed: a WebGPU device; to fix it: install {reason}."
    assert find("wgsl").missing() == reason
    assert find("wgsl").runs() == ""
