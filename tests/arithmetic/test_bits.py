"""What two_float does to bits has the same results where nothing reads bits: in a trace for such a target, and on a lazy device."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from support.narrow import FEW, eager, steps_of
from support.table import ROWS
from torch import Tensor

from tracelr.arithmetic import bits, double_float
from tracelr.arithmetic.double_float import Pair

EDGES = torch.cat([torch.arange(0, 4200), torch.arange(2**22 - 2100, 2**22 + 2100), torch.arange(2**23 - 4200, 2**23)])
MANTISSAS = torch.cat([EDGES, torch.arange(0, 2**23, 997)]).to(torch.int32)
POSITIVE = torch.cat([(MANTISSAS + ((e + 127) << 23)).view(torch.float32) for e in (-100, -77, -2, -1, 0, 1, 23, 64, 102)])


def both(function: Callable[[Tensor], object], x: Tensor) -> list[Tensor]:
    """Return what the function gives with bits and without."""
    with bits.without_bits():
        without = function(x)
    return [torch.stack([*one]) if isinstance(one, tuple) else one for one in (function(x), without)]  # type: ignore[misc]  # a tensor


@pytest.mark.parametrize("function", [bits.even, bits.near_reciprocal, bits.near_root, bits.exponent_of])
def test_every_mantissa_without_bits_gives_what_it_gives_with_them(function: Callable[[Tensor], object]) -> None:
    for x in [POSITIVE] if function in (bits.near_root, bits.exponent_of) else [POSITIVE, -POSITIVE]:
        with_them, without = both(function, x)
        assert torch.equal(with_them, without)


def test_a_power_of_two_and_halves_are_exact_without_bits() -> None:
    n = torch.arange(-150, 128).float()
    assert torch.equal(*both(bits.power_of_two, n))
    with bits.without_bits():
        head, tail = double_float.halves(POSITIVE)
    assert torch.equal(head.double() + tail.double(), POSITIVE.double())
    for half in (head, tail):
        assert torch.equal(torch.round(half.double().frexp().mantissa * 2**12), half.double().frexp().mantissa * 2**12)


def test_the_root_of_zero_is_zero_without_bits() -> None:
    zero = torch.zeros(1)
    with bits.without_bits():
        assert double_float.sqrt(Pair(zero, zero)).high.tolist() == [0.0]


@pytest.mark.parametrize("name", FEW)
def test_a_row_has_the_same_bits_on_a_lazy_device(name: str, two_float: None, monkeypatch: pytest.MonkeyPatch) -> None:
    some = torch.cat(
        [torch.arange(60), torch.randint(0, len(steps_of(name)), (200,), generator=torch.Generator().manual_seed(1))]
    )
    want = eager(name)[some]
    monkeypatch.setattr(bits, "WITHOUT_BITS", frozenset({"cpu"}))
    monkeypatch.setattr(Tensor, "view", _no_view(Tensor.view))
    got = torch.stack([ROWS[name].schedule(step) for step in steps_of(name)[some]])
    monkeypatch.undo()
    assert torch.equal(got.view(torch.int32), want.view(torch.int32))


def _no_view(view: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def checked(x: Tensor, *shape: object) -> Tensor:
        assert not isinstance(shape[0], torch.dtype), "the bits of a tensor were read"
        return view(x, *shape)

    return checked
