"""Plain functions of a step as schedules, which compare each op of a target with torch."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor, nn

from tracelr.lowering import Graph, trace


def formula(function):
    """Make a schedule of a plain function of the step."""

    class Formula(nn.Module):
        def forward(self, step: Tensor) -> Tensor:
            return function(step).to(torch.float32)

    return Formula()


D = torch.float64
OPERATIONS = {
    "remainder of negative integers": lambda s: (s - 50).remainder(7).double() + (s - 50).remainder(-7) * 100.0,
    "remainder by minus one": lambda s: (s - 2**62 - 2**62).remainder(-1).double() + s.remainder(2),
    "remainder of floats": lambda s: (s.double() - 50.5).remainder(7.25) + (s.double() - 50.5).remainder(-7.25) * 100,
    "rounding half to even": lambda s: (
        torch.round(s.double() / 2) + torch.floor(s / 3) + torch.ceil(s / 3) + torch.trunc(s / -3)
    ),
    "signs": lambda s: (-(s - 50)).abs().double() + (s.double() - 50).abs() - s.double().neg(),
    "clamp keeps NaN": lambda s: (torch.log2(s.double() - 50.0)).clamp(-1.0, 3.0),
    "minimum and maximum keep NaN": lambda s: torch.minimum(
        torch.sqrt(s.double() - 50), torch.maximum(s.double(), torch.log(s - 9.5))
    ),
    "minimum keeps the second NaN": lambda s: torch.minimum(s.double(), torch.sqrt(s.double() - 50)),
    "maximum keeps the second NaN": lambda s: torch.maximum(s.double(), torch.sqrt(s.double() - 50)),
    "comparisons": lambda s: sum(
        (2.0**k) * (compare(s, 7).double() + 64 * compare(s.double(), s.double().abs()).double())
        for k, compare in enumerate((torch.lt, torch.le, torch.gt, torch.ge, torch.eq, torch.ne))
    ),
    "infinities": lambda s: torch.where(s > 50, math.inf, -math.inf) * 1.0 + 1 / (s - 50).double(),
    "one-sided clamps": lambda s: torch.clamp_min(s.double(), 30.5) + torch.clamp_max(s, 60) + s.clamp(max=7),
    "logic": lambda s: torch.where((s > 20) & ~(s == 33) | (s <= 3), 0.25, 0.5) + (s != 4),
    "casts": lambda s: (s.double() / 7).long().double() + (s > 5).float() + s.bool() + (s.float() * 0.1).double(),
    "products of integers wrap": lambda s: (s * (2**62 + 3)).double(),
    "a table of floats in float32": lambda s: (
        torch.tensor([0.1, 0.2, 0.3], dtype=D).float().index_select(0, s.remainder(3).reshape(-1)).reshape(s.shape)
    ),
    "a table through a table": lambda s: (
        torch.tensor([1, 0], dtype=torch.int64)
        .index_select(
            0,
            (s.unsqueeze(-1) >= torch.tensor([9, 5]).index_select(0, torch.tensor([1, 0]))).sum(-1).remainder(2).reshape(-1),
        )
        .reshape(s.shape)
        .double()
    ),
    "a sum of integers": lambda s: (torch.minimum(s.unsqueeze(-1), torch.tensor([3, 2**40, 20])) * 2).sum(-1).double(),
    "a table of one": lambda s: (s.unsqueeze(-1) >= torch.tensor([40])).sum(-1).double(),
    "every function": lambda s: sum(
        f(s.double() / 100 + 0.5)
        for f in (
            torch.sin,
            torch.cos,
            torch.exp,
            torch.exp2,
            torch.log,
            torch.log2,
            torch.log1p,
            torch.expm1,
            torch.sqrt,
            torch.rsqrt,
            torch.tanh,
            torch.reciprocal,
        )
    ),
    "powers": lambda s: (
        (s.double() / 7) ** 1.7 + 1.01 ** s.double() + (s.double() / 7) ** (s.double() / 50) + (s.double() + 1) ** -2
    ),
    "the bits of a float": lambda s: (
        (((s.clamp(-(10**9), 10**9).abs() + 1).float().view(torch.int32) & -4096) | 2048).view(torch.float32).double()
        + (s.float().view(torch.int32) >> 20).double()
    ),
    "the limbs of an integer": lambda s: (s >> 7).double() * 3 + ((s & 1023) | 1).double(),
    "the smallest integer": lambda s: torch.maximum(s, torch.tensor(-(2**63))).double() + torch.where(s == -(2**63), 1, 0),
}
if torch.__version__ < (2, 11):  # seen in 2.6, 2.8 and 2.9: the division ends the process
    del OPERATIONS["remainder by minus one"]


@cache
def operation(name: str) -> Graph:
    """Return the graph of an operation, traced once for all targets."""
    return trace(formula(OPERATIONS[name]))
