"""float32 in WGSL, bit for bit: its bits are in a u32, and only integer operations compute with them.

WGSL promises no bits of its own f32: an implementation may round either way, reassociate, fuse, flush subnormal numbers to
zero, assume that nothing is infinite or NaN, and be off by 2.5 units in the last place in a quotient. These functions
round to nearest, ties to even, and keep subnormal numbers, infinities, NaN and the sign of zero, on every device.
"""

from __future__ import annotations

from tracelr.lowering.targets._wgsl.int64 import functions

_TEXT = """
fn pack_f32(sign: u32, exponent: i32, bits: u32) -> u32 {
    // bits / 2**31 * 2**(exponent - 127), rounded; a bit that is not zero below the lowest one is or-ed into it
    let n = countLeadingZeros(bits);
    let e = exponent - i32(n);
    let full = bits << (n & 31u);
    let lost = u32(clamp(1 - e, 0, 31)); // below the smallest normal number
    let m = (full >> lost) | select(0u, 1u, (full & ((1u << lost) - 1u)) != 0u);
    let up = select(0u, 1u, (m & 255u) + ((m >> 8u) & 1u) > 128u);
    let size = min((u32(max(min(e, 255), 1) - 1) << 23u) + (m >> 8u) + up, 0x7f800000u);
    return sign | select(size, 0u, bits == 0u);
}

fn unpack_f32(a: u32) -> vec2<u32> {
    // the significand with its leading bit at 31, and the exponent plus 64
    let m = (a & 0x7fffffu) << 8u;
    let e = (a >> 23u) & 255u;
    let n = countLeadingZeros(m) & 31u;
    return select(vec2<u32>(m | 0x80000000u, e + 64u), vec2<u32>(m << n, 65u - n), e == 0u);
}

fn nan_f32(a: u32) -> bool {
    return (a & 0x7fffffffu) > 0x7f800000u;
}

fn add_f32(a: u32, b: u32) -> u32 {
    let less = (a & 0x7fffffffu) < (b & 0x7fffffffu);
    let x = select(a, b, less); // the larger one
    let y = select(b, a, less);
    let ex = max((x >> 23u) & 255u, 1u);
    let ey = max((y >> 23u) & 255u, 1u);
    let mx = ((x & 0x7fffffu) | select(0u, 0x800000u, (x & 0x7f800000u) != 0u)) << 6u;
    let my = ((y & 0x7fffffu) | select(0u, 0x800000u, (y & 0x7f800000u) != 0u)) << 6u;
    let d = min(ex - ey, 31u);
    let shifted = (my >> d) | select(0u, 1u, (my & ((1u << d) - 1u)) != 0u);
    let same = ((x ^ y) >> 31u) == 0u;
    let sum = select(mx - shifted, mx + shifted, same);
    let finite = @pack_f32(select(x, x & y, sum == 0u) & 0x80000000u, i32(ex) + 2, sum);
    let special = select(x, 0x7fc00000u, @nan_f32(x) || (!same && (y & 0x7fffffffu) == 0x7f800000u));
    return select(finite, special, (x & 0x7f800000u) == 0x7f800000u);
}

fn sub_f32(a: u32, b: u32) -> u32 {
    return @add_f32(a, b ^ 0x80000000u);
}

fn mul_f32(a: u32, b: u32) -> u32 {
    let sign = (a ^ b) & 0x80000000u;
    let x = a & 0x7fffffffu;
    let y = b & 0x7fffffffu;
    if (max(x, y) >= 0x7f800000u) {
        return select(sign | 0x7f800000u, 0x7fc00000u, max(x, y) > 0x7f800000u || min(x, y) == 0u);
    }
    let u = @unpack_f32(x);
    let v = @unpack_f32(y);
    let p = @product_u32(u.x, v.x);
    let bits = select(p.y | select(0u, 1u, p.x != 0u), 0u, min(x, y) == 0u);
    return @pack_f32(sign, i32(u.y + v.y) - 254, bits);
}

fn div_f32(a: u32, b: u32) -> u32 {
    let sign = (a ^ b) & 0x80000000u;
    let x = a & 0x7fffffffu;
    let y = b & 0x7fffffffu;
    if (max(x, y) >= 0x7f800000u || min(x, y) == 0u) {
        let nan = max(x, y) > 0x7f800000u || x == y;
        return select(sign | select(0u, 0x7f800000u, x == 0x7f800000u || y == 0u), 0x7fc00000u, nan);
    }
    let u = @unpack_f32(x);
    let v = @unpack_f32(y);
    let by = v.x >> 8u;
    var rest = u.x >> 8u;
    var quotient = 0u;
    for (var k = 0u; k < 27u; k++) {
        let bit = select(0u, 1u, rest >= by);
        quotient = (quotient << 1u) | bit;
        rest = (rest - bit * by) << 1u;
    }
    return @pack_f32(sign, 131 + i32(u.y) - i32(v.y), (quotient << 1u) | select(0u, 1u, rest != 0u));
}

fn sqrt_f32(a: u32) -> u32 {
    if (a == 0x80000000u || a == 0u || a == 0x7f800000u) {
        return a;
    }
    if (a > 0x7f800000u) {
        return 0x7fc00000u;
    }
    let u = @unpack_f32(a);
    let odd = (u.y ^ 1u) & 1u; // the exponent less 127 is odd where this one is even
    let bits = (u.x >> 7u) << odd;
    var rest = 0u;
    var root = 0u;
    for (var k = 0u; k < 26u; k++) {
        rest = (rest << 2u) | select(0u, (bits >> (24u - 2u * min(k, 12u))) & 3u, k < 13u);
        let trial = (root << 2u) | 1u;
        let bit = select(0u, 1u, rest >= trial);
        rest -= bit * trial;
        root = (root << 1u) | bit;
    }
    return @pack_f32(0u, 132 + (i32(u.y - odd) - 191) / 2, (root << 1u) | select(0u, 1u, rest != 0u));
}

fn reciprocal_f32(a: u32) -> u32 {
    return @div_f32(0x3f800000u, a);
}

fn neg_f32(a: u32) -> u32 {
    return a ^ 0x80000000u;
}

fn abs_f32(a: u32) -> u32 {
    return a & 0x7fffffffu;
}

fn order_f32(a: u32) -> i32 {
    return select(bitcast<i32>(a), -bitcast<i32>(a & 0x7fffffffu), (a >> 31u) != 0u);
}

fn lt_f32(a: u32, b: u32) -> bool {
    return !(@nan_f32(a) || @nan_f32(b)) && @order_f32(a) < @order_f32(b);
}

fn le_f32(a: u32, b: u32) -> bool {
    return !(@nan_f32(a) || @nan_f32(b)) && @order_f32(a) <= @order_f32(b);
}

fn gt_f32(a: u32, b: u32) -> bool {
    return @lt_f32(b, a);
}

fn ge_f32(a: u32, b: u32) -> bool {
    return @le_f32(b, a);
}

fn eq_f32(a: u32, b: u32) -> bool {
    return !(@nan_f32(a) || @nan_f32(b)) && @order_f32(a) == @order_f32(b);
}

fn ne_f32(a: u32, b: u32) -> bool {
    return !@eq_f32(a, b);
}

fn minimum_f32(a: u32, b: u32) -> u32 {
    return select(a, b, @nan_f32(b) || @lt_f32(b, a));
}

fn maximum_f32(a: u32, b: u32) -> u32 {
    return select(a, b, @nan_f32(b) || @lt_f32(a, b));
}

fn clamp_f32(x: u32, a: u32, b: u32) -> u32 {
    return @minimum_f32(@maximum_f32(x, a), b);
}

fn round_f32(a: u32) -> u32 {
    let size = a & 0x7fffffffu;
    let whole = @sub_f32(@add_f32(size, 0x4b000000u), 0x4b000000u); // 2**23: above it there is no fraction
    return (a & 0x80000000u) | select(whole, size, size >= 0x4b000000u);
}

fn floor_f32(a: u32) -> u32 {
    let near = @round_f32(a);
    return select(near, @sub_f32(near, 0x3f800000u), @lt_f32(a, near));
}

fn ceil_f32(a: u32) -> u32 {
    return @floor_f32(a ^ 0x80000000u) ^ 0x80000000u;
}

fn trunc_f32(a: u32) -> u32 {
    return (a & 0x80000000u) | @floor_f32(a & 0x7fffffffu);
}

fn f32_of_b8(a: bool) -> u32 {
    return select(0u, 0x3f800000u, a);
}

fn b8_of_f32(a: u32) -> bool {
    return (a & 0x7fffffffu) != 0u;
}

fn f32_of_i32(a: i32) -> u32 {
    return @pack_f32(bitcast<u32>(a) & 0x80000000u, 158, bitcast<u32>(abs(a)));
}

fn i32_of_f32(a: u32) -> i32 {
    let e = (a >> 23u) & 255u;
    let whole = ((a & 0x7fffffu) | 0x800000u) << (clamp(e, 150u, 157u) - 150u);
    let size = bitcast<i32>(whole >> (150u - clamp(e, 119u, 150u)));
    return select(select(size, -size, (a >> 31u) != 0u), bitcast<i32>(0x80000000u), e > 157u);
}

fn log1p_f32(a: u32) -> u32 {
    let x = bitcast<f32>(a);
    let y = 1.0 + x;
    return select(bitcast<u32>(log(y) * x / (y - 1.0)), a, y == 1.0);
}

fn expm1_f32(a: u32) -> u32 {
    let x = bitcast<f32>(a);
    let y = exp(x);
    return select(bitcast<u32>((y - 1.0) * x / log(y)), a, y == 1.0);
}
"""

HELPERS = functions(_TEXT)
