"""A warm-up and a cool-down around any schedule."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from mpmath import mpf
from support.laws import STEPS, same
from support.oracle import probes, to_float32
from support.rows.phases import ramp

from tracelr import Constant, Cosine, Linear, Shift
from tracelr.arithmetic import F64
from tracelr.lowering import passes, trace
from tracelr.lowering.spec import aten, op_of
from tracelr.schedules.easing import EASINGS, Easing, Origin, Warmup


def test_a_prefix_delays_the_schedule_and_the_other_covers_it() -> None:
    inner = Cosine(1.0, 0.1, 80)
    delayed, covered = inner.warmup(20), inner.warmup(20, prefix=False)
    assert torch.equal(delayed(STEPS[20:]), inner(STEPS[20:] - 20))
    assert torch.equal(covered(STEPS[20:]), inner(STEPS[20:]))
    line = Linear(0.0, 1.0, 20)
    assert same(delayed, line * Shift(inner, 20))
    assert torch.equal(delayed(torch.arange(20)), line(torch.arange(20)))
    assert torch.equal(covered(torch.arange(20)), (line * inner)(torch.arange(20)))


@pytest.mark.parametrize(
    ("kind", "factor"),
    [
        ("linear", lambda u: 0.1 + 0.9 * u),
        ("cosine", lambda u: 0.1 + 0.9 * (1 - math.cos(math.pi * u)) / 2),
        ("constant", lambda u: 1.0 if u == 1 else 0.1),
    ],
)
def test_kinds_of_warmup(kind: str, factor: Callable[[float], float]) -> None:
    got = Constant(2.0).warmup(4, 0.1, kind).wide(torch.arange(6), F64).tolist()
    assert got == pytest.approx([2 * factor(min(t / 4, 1)) for t in range(6)], rel=1e-15)


def test_a_cooldown_starts_where_the_schedule_is_and_ends_where_it_should() -> None:
    inner = Cosine(1.0, 0.1, 1000).warmup(100)
    cooled = inner.cooldown(200, at=500, end=0.01)
    assert same(cooled, inner, torch.arange(501))
    past = cooled(torch.tensor([700, 701, 2**53]))
    assert torch.equal(past, torch.full((3,), 0.01))
    line = Linear(inner.wide(torch.tensor(500), F64).item(), 0.01, 200)
    torch.testing.assert_close(cooled(torch.arange(500, 701)), line(torch.arange(201)), rtol=1e-7, atol=0)


def test_a_cooldown_computes_its_schedule_once() -> None:
    graph = passes.run(trace(Cosine(1.0, 0.1, 1000).cooldown(200, at=500)))
    assert [op_of(node) for node in graph.nodes].count(aten.sin.default) == 1


@pytest.mark.parametrize("kind", [*EASINGS, "constant"])
@pytest.mark.parametrize("prefix", [True, False])
def test_a_warmup_is_correctly_rounded_from_every_origin(kind: Warmup, prefix: bool) -> None:
    origins: list[tuple[Origin, int, int]] = [("0", 0, 0), ("1/n", 1, 0), ("1/(n+1)", 1, 1)]
    for origin, ahead, more in origins:
        for n, start in ((1, 0.0), (7, 0.0), (1000, 0.01), (10**9, 1e-7)):
            whole = n + more
            way = ramp(start, start, 1, "linear") if kind == "constant" else ramp(start, 1.0, whole, kind, rising=True)
            decay = ramp(6e-4, 6e-5, 500, "cosine")
            steps = [step for step in probes((n,), 1, 20) if step <= 2 * n]
            want = [
                to_float32((way(t + ahead) if t + ahead < whole else mpf(1)) * decay(t - n if prefix else t)) for t in steps
            ]
            got = Cosine(6e-4, 6e-5, 500).warmup(n, start, kind, prefix, origin)(torch.tensor(steps)).tolist()
            assert got == want, (origin, n)


@pytest.mark.parametrize("kind", EASINGS)
def test_a_cooldown_is_correctly_rounded_along_every_easing(kind: Easing) -> None:
    inner = Cosine(0.3, 0.1, 1000)
    for end in (0.0, 0.02, 0.7):
        cooled = inner.cooldown(200, at=500, end=end, kind=kind)
        exact = ramp(0.3, 0.1, 1000, "cosine")
        down = ramp(1.0, 0.0, 200, kind)
        want = [to_float32(exact(min(t, 500)) * down(t - 500) + mpf(end) * (1 - down(t - 500))) for t in range(800)]
        assert cooled(torch.arange(800)).tolist() == want
