"""What C-like source text is made of: names, numbers and comments that no input can break out of."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import torch

from tracelr.errors import NotLowered

C_TYPES = {
    torch.int64: "int64_t",
    torch.int32: "int32_t",
    torch.float64: "double",
    torch.float32: "float",
    torch.bool: "int",
}

_KEYWORDS = """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class
    co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype
    default delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline int
    long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register
    reinterpret_cast requires restrict return short signed sizeof static static_assert static_cast struct switch
    template this thread_local throw true try typedef typeid typename typeof typeof_unqual union unsigned using
    virtual void volatile wchar_t while xor xor_eq main std linux unix i386
"""
_LIBRARY = """
    abs abort acos acosh aligned_alloc alloca asin asinh atan atan2 atanh atexit atof atoi atol atoll bsearch calloc
    canonicalize cbrt ceil copysign cos cosh div drem drand48 erf erfc exit exp exp10 exp2 expm1 fabs fdim finite
    floor fma fmax fmaximum fmin fminimum fmod free frexp fromfp gamma getenv hypot ilogb j0 j1 jn ldexp labs llabs
    ldiv lldiv lgamma llogb llrint llround log log10 log1p log2 logb lrint lround malloc modf nan nearbyint
    nextafter nextdown nexttoward nextup pow putenv qsort rand random realloc realpath remainder remquo rint round
    roundeven scalb scalbln scalbn select setenv significand sin sincos sinh sqrt srand srandom strtod strtof strtol
    strtold strtoll strtoul strtoull swab system tan tanh tgamma totalorder trunc y0 y1 yn
"""
_MACROS = """
    fpclassify isfinite isgreater isgreaterequal isinf isless islessequal islessgreater isnan isnormal isunordered
    signbit signgam offsetof INFINITY NAN NULL MAXFLOAT
"""
_TAKEN = frozenset(f"{_KEYWORDS} {_LIBRARY} {_MACROS} step out n i k a b x r".split())
_LIBRARY_FORM = re.compile(r"(\w+?)(?:f|l|f\d+x?)")  # sinf, sinl, sinf32x
_FOREIGN = re.compile(
    r"v|v_.*|tracelr_run.*|.*__.*|.*_t|(?:M|FP|HUGE|INT|UINT|MATH)_.*|U?INT\d+_.*|.*_(?:MAX|MIN|WIDTH)|E[0-9A-Z].*"
)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def identifier(name: str, also: str = "") -> str:
    """Return `name` if it can name a function in C and C++, or raise `NotLowered`. `also` holds patterns of more words."""
    form = _LIBRARY_FORM.fullmatch(name)
    taken = name in _TAKEN or _FOREIGN.fullmatch(name) or (form and form[1] in _LIBRARY.split())
    if taken or not _NAME.fullmatch(name) or any(re.fullmatch(pattern, name) for pattern in also.split()):
        allowed = "a C identifier that no keyword, library function or local name (v_...) has"
        raise NotLowered("lower(name)", name, allowed, 'pass a name such as "lr"')
    return name


def comment(text: str) -> str:
    """Return `text` as a C comment of one line: printable ASCII, with nothing in it that ends or splices the comment.

    >>> comment("a */ b")
    '/* a * / b */'
    """
    plain = re.sub(r"[^ -\[\]-~]", "?", " ".join(text.split()))
    for pair in (r"\*(?=/)", r"/(?=\*)", r"\?(?=\?)"):
        plain = re.sub(pair, lambda match: match.group() + " ", plain)
    return f"/* {plain} */"


def literal(value: float, dtype: torch.dtype, types: Mapping[torch.dtype, str] = C_TYPES, long: str = "INT64_C({})") -> str:
    """Return a constant as an expression that C99 and C++11 both read as exactly this value.

    Decimal digits, because hexadecimal ones came to C++ in 2017; Python prints as many as it takes to read the value back.
    """
    if dtype == torch.bool:
        return str(int(value))
    if dtype in (torch.int64, torch.int32):
        form, smallest = (long, -(2**63)) if dtype == torch.int64 else ("{}", -(2**31))
        digits = form.format(abs(int(value)) if value != smallest else -(smallest + 1))
        return f"(-{digits} - 1)" if value == smallest else f"(-{digits})" if value < 0 else digits
    kind = types[dtype]
    if math.isnan(value):
        return f"(({kind})NAN)"
    if math.isinf(value):
        return f"(({kind}){'-' if value < 0 else ''}INFINITY)"
    digits = repr(abs(value)) + ("f" if dtype == torch.float32 else "")
    return f"(-{digits})" if math.copysign(1.0, value) < 0 else digits
