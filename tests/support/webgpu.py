"""Calls the helper functions of WGSL, one at a time, on a WebGPU device."""

from __future__ import annotations

import random
import re
from itertools import product
from typing import Any

import numpy as np
import pytest

from tracelr.lowering.targets import find, wgsl
from tracelr.lowering.targets._wgsl import run as shaders

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
    return shaders.compute(whole, "main_array", [one.view(np.uint32) for one in inputs], np.dtype(np.uint64), len(inputs[0]))


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
