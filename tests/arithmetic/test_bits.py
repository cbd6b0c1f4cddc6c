"""Without a look at bits, each function of `arithmetic.bits` gives the same float32."""

from __future__ import annotations

import pytest
import torch

from tracelr.arithmetic import bits


@pytest.mark.parametrize("name", ["even", "near_reciprocal", "near_root"])
@pytest.mark.parametrize("exponent", [-100, -1, 0, 103])
def test_every_mantissa_gives_the_same_bits(name: str, exponent: int) -> None:
    x = (torch.arange(0, 2**23, 7, dtype=torch.int32) + ((exponent + 127) << 23)).view(torch.float32)
    with bits.without_bits():
        without = getattr(bits, name)(x)
    assert torch.equal(without.view(torch.int32), getattr(bits, name)(x).view(torch.int32))


def test_every_power_of_two_is_exact() -> None:
    n = torch.arange(-150, 128).float()
    with bits.without_bits():
        assert torch.equal(bits.power_of_two(n), torch.where(n < -126.5, 0.0, torch.exp2(n)))
