"""The functions of torch that C lacks. A header holds only those that it calls.

Each is (type, parameters, body), followed by the type of the parameters if that is another one. In a body, {kind} is the
type as the dialect writes it and {f} the end of the name of a function of that type. If an operand is NaN, the
result is NaN, as in torch; fmin and fmax of C drop it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import torch

Helper: TypeAlias = "tuple[torch.dtype, str, list[str]] | tuple[torch.dtype, str, list[str], torch.dtype]"

_COPIED = ["{kind} r;", "memcpy(&r, &x, sizeof r);", "return r;"]

HELPERS: dict[str, Helper] = {
    "remainder_i64": (
        torch.int64,
        "ab",
        [
            "const {kind} r = b == -1 ? 0 : a % b; /* the smallest integer % -1 overflows */",
            "return r != 0 && (r < 0) != (b < 0) ? r + b : r;",
        ],
    ),
    "minimum_i64": (torch.int64, "ab", ["return b < a ? b : a;"]),
    "maximum_i64": (torch.int64, "ab", ["return a < b ? b : a;"]),
    "bits": (torch.int32, "x", _COPIED, torch.float32),
    "from_bits": (torch.float32, "x", _COPIED, torch.int32),
    "clamp_i64": (torch.int64, "xab", ["const {kind} r = x < a ? a : x;", "return b < r ? b : r;"]),
}
for _short, _dtype in (("f64", torch.float64), ("f32", torch.float32)):
    HELPERS |= {
        f"product_{_short}": (
            _dtype,
            "ab",
            ["const volatile {kind} r = a * b; /* stored, so that no compiler fuses it into a sum */", "return r;"],
        ),
        f"remainder_{_short}": (
            _dtype,
            "ab",
            ["const {kind} r = fmod{f}(a, b);", "return r != 0 && (r < 0) != (b < 0) ? r + b : r;"],
        ),
        f"minimum_{_short}": (_dtype, "ab", ["return b != b || b < a ? b : a;"]),
        f"maximum_{_short}": (_dtype, "ab", ["return b != b || a < b ? b : a;"]),
        f"clamp_{_short}": (
            _dtype,
            "xab",
            ["const {kind} r = a != a || x < a ? a : x;", "return b != b || b < r ? b : r;"],
        ),
    }


def with_device_products(macro: str, f64: list[str], f32: list[str]) -> Mapping[str, Helper]:
    """Return the helpers of a dialect for GPUs: where `macro` is defined, products have another body."""
    made = dict(HELPERS)
    for name, device in (("product_f64", f64), ("product_f32", f32)):
        dtype, parameters, host = HELPERS[name][:3]
        made[name] = dtype, parameters, [f"#if defined({macro})", *device, "#else", *host, "#endif"]
    return made
