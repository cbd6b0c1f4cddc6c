"""int64 in WGSL, whose integers have 32 bits: a vec2<u32> of the low and the high half, in two's complement, as torch wraps.

`HELPERS` has each function by its name. In a text, @ before a name calls another of them, or one of `float32.py`. A shader
holds only those that it calls. Integer operations are exact in WGSL, on every device.
"""

from __future__ import annotations

import re

_TEXT = """
fn neg_i64(a: vec2<u32>) -> vec2<u32> {
    return vec2<u32>(0u - a.x, 0u - a.y - select(0u, 1u, a.x != 0u));
}

fn add_i64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = a.x + b.x;
    return vec2<u32>(low, a.y + b.y + select(0u, 1u, low < a.x));
}

fn sub_i64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    return vec2<u32>(a.x - b.x, a.y - b.y - select(0u, 1u, a.x < b.x));
}

fn product_u32(a: u32, b: u32) -> vec2<u32> {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let right = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
    let left = (a & 0xffffu) * (b >> 16u) + (right & 0xffffu);
    return vec2<u32>((left << 16u) | (low & 0xffffu), (a >> 16u) * (b >> 16u) + (right >> 16u) + (left >> 16u));
}

fn mul_i64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = @product_u32(a.x, b.x);
    return vec2<u32>(low.x, low.y + a.x * b.y + a.y * b.x);
}

fn and_i64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    return a & b;
}

fn or_i64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    return a | b;
}

fn shl_u64(a: vec2<u32>, n: u32) -> vec2<u32> {
    let m = n & 31u; // WGSL takes a shift modulo 32
    let low = a.x << m;
    let high = (a.y << m) | ((a.x >> 1u) >> (31u - m));
    return select(vec2<u32>(low, high), vec2<u32>(0u, low), n >= 32u);
}

fn shr_u64(a: vec2<u32>, n: u32) -> vec2<u32> {
    let m = n & 31u;
    let high = a.y >> m;
    let low = (a.x >> m) | ((a.y << 1u) << (31u - m));
    return select(vec2<u32>(low, high), vec2<u32>(high, 0u), n >= 32u);
}

fn shr_i64(a: vec2<u32>, n: vec2<u32>) -> vec2<u32> {
    let sign = 0u - (a.y >> 31u); // all ones below 0, where the bits that come in are ones too
    return @shr_u64(a ^ vec2<u32>(sign), n.x) ^ vec2<u32>(sign);
}

fn shl_i64(a: vec2<u32>, n: vec2<u32>) -> vec2<u32> {
    return @shl_u64(a, n.x);
}

fn zeros_u64(a: vec2<u32>) -> u32 {
    return select(countLeadingZeros(a.y), 32u + countLeadingZeros(a.x), a.y == 0u);
}

fn lt_u64(a: vec2<u32>, b: vec2<u32>) -> bool {
    return a.y < b.y || (a.y == b.y && a.x < b.x);
}

fn lt_i64(a: vec2<u32>, b: vec2<u32>) -> bool {
    let sign = vec2<u32>(0u, 0x80000000u);
    return @lt_u64(a ^ sign, b ^ sign);
}

fn le_i64(a: vec2<u32>, b: vec2<u32>) -> bool {
    return !@lt_i64(b, a);
}

fn gt_i64(a: vec2<u32>, b: vec2<u32>) -> bool {
    return @lt_i64(b, a);
}

fn ge_i64(a: vec2<u32>, b: vec2<u32>) -> bool {
    return !@lt_i64(a, b);
}

fn eq_i64(a: vec2<u32>, b: vec2<u32>) -> bool {
    return all(a == b);
}

fn ne_i64(a: vec2<u32>, b: vec2<u32>) -> bool {
    return any(a != b);
}

fn abs_i64(a: vec2<u32>) -> vec2<u32> {
    return select(a, @neg_i64(a), (a.y >> 31u) != 0u);
}

fn minimum_i64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    return select(a, b, @lt_i64(b, a));
}

fn maximum_i64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    return select(a, b, @lt_i64(a, b));
}

fn clamp_i64(x: vec2<u32>, a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    return @minimum_i64(@maximum_i64(x, a), b);
}

fn remainder_u64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    var rest = vec2<u32>();
    var bits = a;
    for (var k = 0u; k < 64u; k++) { // long division, a bit at a time
        rest = vec2<u32>((rest.x << 1u) | (bits.y >> 31u), (rest.y << 1u) | (rest.x >> 31u));
        bits = vec2<u32>(bits.x << 1u, (bits.y << 1u) | (bits.x >> 31u));
        if (!@lt_u64(rest, b)) {
            rest = @sub_i64(rest, b);
        }
    }
    return rest;
}

fn remainder_i64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let size = @remainder_u64(@abs_i64(a), @abs_i64(b));
    let rest = select(size, @neg_i64(size), (a.y >> 31u) != 0u);
    return select(rest, @add_i64(rest, b), any(size != vec2<u32>()) && ((a.y ^ b.y) >> 31u) != 0u);
}

fn i64_of_b8(a: bool) -> vec2<u32> {
    return vec2<u32>(select(0u, 1u, a), 0u);
}

fn i64_of_i32(a: i32) -> vec2<u32> {
    return vec2<u32>(bitcast<u32>(a), bitcast<u32>(a >> 31u));
}

fn i32_of_i64(a: vec2<u32>) -> i32 {
    return bitcast<i32>(a.x);
}

fn b8_of_i64(a: vec2<u32>) -> bool {
    return any(a != vec2<u32>());
}

fn f32_of_i64(a: vec2<u32>) -> u32 {
    let size = @abs_i64(a);
    let n = @zeros_u64(size);
    let top = @shl_u64(size, n & 63u);
    return @pack_f32(a.y & 0x80000000u, 190 - i32(n), top.y | select(0u, 1u, top.x != 0u));
}

fn i64_of_f32(a: u32) -> vec2<u32> {
    let e = (a >> 23u) & 255u;
    let whole = vec2<u32>((a & 0x7fffffu) | 0x800000u, 0u);
    var size = @shr_u64(whole, min(150u - min(e, 150u), 63u));
    size = select(size, @shl_u64(whole, min(max(e, 150u) - 150u, 63u)), e > 150u);
    size = select(size, vec2<u32>(0u, 0x80000000u), e > 189u); // out of range, as on a CPU
    return select(size, @neg_i64(size), (a >> 31u) != 0u);
}
"""


def functions(text: str) -> dict[str, str]:
    """Return the functions of a WGSL text by their names."""
    found = {}
    for part in text.strip().split("\n\n"):
        name = re.match(r"fn (\w+)\(", part)
        assert name is not None
        found[name[1]] = part
    return found


HELPERS = functions(_TEXT)
