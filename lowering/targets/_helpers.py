"""The few functions of torch that C lacks, each as (type, parameters, body). A header holds the ones it calls.

Where an operand is NaN so is the result, as in torch; C's own fmin and fmax drop it.
"""

from __future__ import annotations

HELPERS: dict[str, tuple[str, str, list[str]]] = {
    "remainder_i64": (
        "int64_t",
        "ab",
        [
            "const int64_t r = b == -1 ? 0 : a % b; /* the smallest integer % -1 overflows */",
            "return r != 0 && (r < 0) != (b < 0) ? r + b : r;",
        ],
    ),
    "minimum_i64": ("int64_t", "ab", ["return b < a ? b : a;"]),
    "maximum_i64": ("int64_t", "ab", ["return a < b ? b : a;"]),
    "clamp_i64": ("int64_t", "xab", ["const int64_t r = x < a ? a : x;", "return b < r ? b : r;"]),
}
for _short, _type, _suffix in (("f64", "double", ""), ("f32", "float", "f")):
    HELPERS |= {
        f"remainder_{_short}": (
            _type,
            "ab",
            [f"const {_type} r = fmod{_suffix}(a, b);", "return r != 0 && (r < 0) != (b < 0) ? r + b : r;"],
        ),
        f"minimum_{_short}": (_type, "ab", ["return b != b || b < a ? b : a;"]),
        f"maximum_{_short}": (_type, "ab", ["return b != b || a < b ? b : a;"]),
        f"clamp_{_short}": (
            _type,
            "xab",
            [f"const {_type} r = a != a || x < a ? a : x;", "return b != b || b < r ? b : r;"],
        ),
    }
