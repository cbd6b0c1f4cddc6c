"""The functions of torch that `triton.language` lacks, in Triton. A file holds those that it calls, under its own prefix.

They call no function of libdevice, so that one text runs in Triton's interpreter, on NVIDIA and on AMD. A Python number
stands only beside a float64 operand, whose dtype it takes; inside `tl.where` it would be a float32. And no `|` or `&` joins
a comparison of scalars with one of a block: the interpreter spreads the first in the dtype of what was compared.
"""

from __future__ import annotations

HELPERS: dict[str, str] = {
    # if an operand is NaN, the result is NaN, as in torch; tl.minimum and tl.maximum drop it
    "minimum": """
def @minimum(a, b):
    return tl.where(b != b, b, tl.where(b < a, b, a))
""",
    "maximum": """
def @maximum(a, b):
    return tl.where(b != b, b, tl.where(a < b, b, a))
""",
    "remainder": """
def @remainder(a, b):
    r = a % b
    return tl.where((r != 0) & ((r < 0) != (b < 0)), r + b, r)
""",
    "count": """
def @count(x, table, length: tl.constexpr, width: tl.constexpr):
    # counts the entries of an ascending table that are at most x, by bisection
    found = x * 0
    for k in tl.static_range(width):
        more = found + (1 << (width - 1 - k))
        fits = more <= length
        entry = tl.load(table + tl.where(fits, more - 1, 0))
        found = tl.where(fits & (entry <= x), more, found)
    return found
""",
    "round": """
def @round(x):
    # half to even, because a float64 beyond 2**52 has no fraction; x * 0.0 is a zero with the sign of x
    magic = tl.where(x < 0, x * 0.0 - 4503599627370496.0, x * 0.0 + 4503599627370496.0)
    whole = (x + magic) - magic
    return tl.where(tl.abs(x) < 4503599627370496.0, tl.where(whole == 0, x * 0.0, whole), x)
""",
    "expm1": """
def @expm1(x):
    # the method of Kahan: where e has lost digits, its logarithm has lost the same ones
    e = tl.exp(x)
    d = e - 1.0
    near = d * x / tl.log(tl.where(d == 0, e + 1.0, e))
    return tl.where(d == 0, x, tl.where((d == -1.0) | (d == e), d, near))
""",
    "log1p": """
def @log1p(x):
    u = x + 1.0
    d = u - 1.0
    log = tl.log(u)
    return tl.where(d == 0, x, tl.where(u == x, log, log * x / tl.where(d == 0, u, d)))
""",
    "tanh": """
def @tanh(x):
    e = @expm1(tl.abs(x) * 2.0)
    t = 1.0 - 2.0 / (e + 2.0)
    t = tl.where(e < 1.0, e / (e + 2.0), t)
    return tl.where(x < 0, t * -1.0, tl.where(x == 0, x, t))
""",
    "split": """
def @split(x):
    c = x * 134217729.0
    return c - (c - x)
""",
    "twofold": """
def @twofold(a, b):
    # the method of Dekker: a b = p + an error, exactly
    p = a * b
    a1 = @split(a)
    b1 = @split(b)
    a2 = a - a1
    b2 = b - b1
    return p, ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2
""",
    "pow": """
def @pow(x, y):
    # 2 ** (y log2 |x|), the logarithm in two float64: |x| = m 2**k with m near 1, s = (m - 1) / (m + 1), log m = 2 atanh s
    a = tl.abs(x)
    tiny = a < 2.2250738585072014e-308
    bits = tl.where(tiny, a * 18014398509481984.0, a).to(tl.int64, bitcast=True)
    k = (bits >> 52) - tl.where(tiny, 1077, 1023)
    m = ((bits & 4503599627370495) | 4607182418800017408).to(tl.float64, bitcast=True)
    k = tl.where(m > 1.4142135623730951, k + 1, k).to(tl.float64)
    m = tl.where(m > 1.4142135623730951, m * 0.5, m)
    f = m - 1.0
    d = m + 1.0
    s = f / d
    p, error = @twofold(s, d)
    s2 = ((f - p) - error - s * (m - (d - 1.0))) / d
    z = s * s
    q = z * 0.0
    for n in tl.static_range(12):
        q = q * z + 1.0 / (25 - 2 * n)
    t = s * z * q
    h = s + t
    c = tl.full((), 2.8853900817779268, tl.float64)
    p, error = @twofold(h, c)
    low = error + h * 4.0710547481862066e-17 + ((s - h) + t + s2) * c
    log = k + p
    low += (k - log) + p
    w, error = @twofold(y, log)
    low = error + y * low
    zero = tl.full((), 0.0, tl.float64)
    inf = tl.full((), float("inf"), tl.float64)
    e = tl.exp2(w)
    r = tl.where(tl.abs(w) < 1000.0, e + e * (tl.where(tl.abs(low) < 1.0, low, zero) * 0.6931471805599453), e)
    r = tl.where(a == 0, tl.where(y < 0, inf, zero), r)
    r = tl.where(a == float("inf"), tl.where(y < 0, zero, inf), r)
    whole = tl.floor(y) == y
    odd = whole & (tl.floor(y * 0.5) * 2.0 != y)
    r = tl.where(x < 0, tl.where(whole, tl.where(odd, r * -1.0, r), zero + float("nan")), r)
    r = tl.where(x != x, x, tl.where(y != y, y, r))
    return tl.where(x == 1.0, zero + 1.0, tl.where(y == 0, zero + 1.0, r))
""",
}
