"""Laws of schedules built from other schedules, against plain Python in exact fractions."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.laws import STEPS, same
from torch import nn

import tracelr
from tracelr import (
    Clamp,
    Constant,
    Cosine,
    Exponential,
    Linear,
    Loop,
    PiecewiseConstant,
    Schedule,
    Sequential,
    Shift,
    Shorten,
    Stretch,
)
from tracelr.arithmetic import F64, LAST_STEP
from tracelr.lowering import verify

# -- random trees ---------------------------------------------------------------------------------------------------------

Plain = Callable[[int], Fraction]
Pair = tuple[Schedule, Plain]
VALUES = st.sampled_from([0.1, 0.3, 1.0, 2.5, 6e-2]) | st.floats(0.01, 2.0)
SHORT = st.integers(1, 40)


@st.composite
def leaves(draw: Any) -> Pair:
    a, b, n = draw(VALUES), draw(VALUES), draw(SHORT)
    x, y = Fraction(a), Fraction(b)
    return draw(
        st.sampled_from(
            [
                (Constant(a), lambda t: x),
                (Linear(a, b, n), lambda t: x + (y - x) * min(t, n) / n),
                (PiecewiseConstant([a, b], [n]), lambda t: x if t < n else y),
            ]
        )
    )


def sequence(parts: list[Plain], milestones: list[int], resets: list[bool], join: str) -> Plain:
    starts = [0, *milestones]

    def own(k: int, t: int) -> Fraction:
        return parts[k](t - starts[k] if resets[k] or k == 0 else t)

    def value(k: int, t: int) -> Fraction:
        if k == 0 or join == "jump":
            return own(k, t)
        return own(k, t) * value(k - 1, starts[k]) / own(k, starts[k])

    return lambda t: value(sum(m <= t for m in milestones), t)


@st.composite
def trees(draw: Any, children: st.SearchStrategy[Pair]) -> Pair:
    kind = draw(
        st.sampled_from(
            ["sum", "product", "scale", "clamp", "shift", "loop", "shorten", "stretch", "sequential", "warmup", "cooldown"]
        )
    )
    (a, f), (b, g) = draw(children), draw(children)
    n, m, v = draw(SHORT), draw(SHORT), draw(VALUES)
    if kind == "sequential":
        parts = draw(st.lists(children, min_size=1, max_size=3))
        milestones = sorted(draw(st.sets(st.integers(0, 60), min_size=len(parts) - 1, max_size=len(parts) - 1)))
        resets = draw(st.lists(st.booleans(), min_size=len(parts), max_size=len(parts)))
        join = draw(st.sampled_from(["jump", "scale"]))
        plain = sequence([p[1] for p in parts], milestones, resets, join)
        return Sequential([p[0] for p in parts], milestones, resets, join), plain
    options: dict[str, Callable[[], Pair]] = {
        "sum": lambda: (a + b, lambda t: f(t) + g(t)),
        "product": lambda: (a * b, lambda t: f(t) * g(t)),
        "scale": lambda: (v * a, lambda t: Fraction(v) * f(t)),
        "clamp": lambda: (Clamp(a, low=v), lambda t: max(Fraction(v), f(t))),
        "shift": lambda: (Shift(a, n - m), lambda t: f(min(max(t - n + m, 0), LAST_STEP))),
        "loop": lambda: (Loop(a, n), lambda t: f(t % n)),
        "shorten": lambda: (Shorten(a, n), lambda t: f(min(t, n))),
        "stretch": lambda: (Stretch(a, n, m), lambda t: f(min(t * m // n, LAST_STEP))),
        "warmup": lambda: (a.warmup(n, v), lambda t: f(max(t - n, 0)) * (Fraction(v) + (1 - Fraction(v)) * min(t, n) / n)),
        "cooldown": lambda: (
            a.cooldown(n, m, v),
            lambda t: f(min(t, m)) + (Fraction(v) - f(min(t, m))) * min(max(t - m, 0), n) / n,
        ),
    }
    return options[kind]()


@settings(max_examples=150, deadline=None)
@given(st.recursive(leaves(), trees, max_leaves=10), st.lists(st.integers(0, 130) | st.integers(0, 2**53), min_size=1))
def test_random_trees_are_what_plain_python_says(tree: Pair, steps: list[int]) -> None:
    schedule, plain = tree
    wide = schedule.wide(torch.tensor(steps), F64).expand(len(steps)).tolist()
    want = [plain(t) for t in steps]
    for got, exact in zip(wide, want, strict=True):
        assert abs(Fraction(got) - exact) <= abs(exact) / 10**13
    assert schedule(torch.tensor(steps)).tolist() == torch.tensor(wide, dtype=torch.float64).float().tolist()
    assert same(tracelr.from_dict(schedule.to_dict()), schedule)


# -- nesting --------------------------------------------------------------------------------------------------------------


def test_a_sequence_inside_one_without_milestones_changes_nothing() -> None:  # pytorch#196243
    plain = Sequential([Linear(0.5, 0.2, 3), Cosine(1.0, 0.1, 9)], [2])
    assert same(Sequential([plain], []), plain)
    assert same(Sequential([Sequential([Sequential([plain], [])], [], reset=False)], [], join="scale"), plain)


def test_a_milestone_at_zero_never_runs_the_first() -> None:  # pytorch#185872
    second = Cosine(1.0, 0.1, 9)
    assert same(Sequential([Constant(7.0), second], [0]), second)
    assert same(Sequential([Sequential([Constant(7.0), second], [0])], []), second)


def test_twenty_sequences_deep() -> None:
    schedule: Schedule = Constant(1.0)
    for depth in range(20):
        schedule = Sequential([Linear(float(depth), 0.0, 7), schedule], [3])
    want = [(19 - t // 3) * (1 - t % 3 / 7) if t < 60 else 1.0 for t in range(100)]
    assert schedule(torch.arange(100)).tolist() == torch.tensor(want, dtype=torch.float64).float().tolist()
    assert verify(schedule, targets=["c"], steps=STEPS).ok


def test_twenty_joins_deep() -> None:
    schedule: Schedule = Linear(1.0, 0.5, 2)
    for _ in range(20):
        schedule = Sequential([schedule, Linear(1.0, 0.5, 2)], [schedule.length], join="scale")
    assert schedule.length == 42
    assert schedule(torch.arange(0, 43, 2)).tolist() == [0.5**k for k in range(22)]


def test_twenty_joins_deep_the_other_way() -> None:
    schedule: Schedule = Linear(1.0, 0.5, 2)
    for _ in range(20):
        schedule = Sequential([Linear(1.0, 0.5, 2), schedule], [2], join="scale")
    assert schedule(torch.arange(0, 43, 2)).tolist() == [0.5**k for k in range(22)]
    assert verify(schedule, targets=["c"], steps=STEPS).ok


def test_order_and_grouping_do_not_matter_where_they_should_not() -> None:
    a, b, c = Linear(0.0, 1.0, 9), Exponential(0.1, 0.5, 7), Cosine(1.0, 0.1, 30)
    assert same(a + b, b + a)
    assert same(a * b, b * a)
    assert same(Shift(Shift(a, 3), 4), Shift(a, 7))
    assert same(Shift(Shift(a, 3), -3), a)
    assert same(Stretch(Stretch(c, 3), 5), Stretch(c, 15))
    assert same(Loop(Loop(c, 14), 7), Loop(c, 7))
    assert same(Loop(Shift(Loop(c, 7), -2), 7), Shift(Loop(c, 7), -2), STEPS[:-2])
    assert same(Clamp(Clamp(c, low=0.3), high=0.5), Clamp(c, 0.3, 0.5))
    assert same(Shorten(c, 12), Sequential([c, Constant(c(12))], [12]))
    assert same(a.then(b, at=5).then(c, at=40), a.then(Sequential([b, c], [35]), at=5))


# -- operators ------------------------------------------------------------------------------------------------------------


def test_operators() -> None:
    a, b = Linear(0.0, 1.0, 4), Constant(0.25)
    assert repr(a + b) == f"{a!r} + 0.25"
    assert repr(a + 0.25) == repr(0.25 + a) == repr(a + b)
    assert (a - b)(torch.arange(5)).tolist() == [-0.25, 0.0, 0.25, 0.5, 0.75]
    assert (a - 0.25)(3).item() == 0.5
    assert (1 - a)(torch.arange(5)).tolist() == [1.0, 0.75, 0.5, 0.25, 0.0]
    assert sum([a, b, a])(2).item() == 1.25
    assert math.prod([a, b, a])(2).item() == 0.0625


def test_a_parameter_stays_the_same_one_in_a_sum() -> None:
    floor = nn.Parameter(torch.tensor(0.5, dtype=torch.float64))
    for schedule, slope in ((Linear(0.0, 1.0, 4) + floor, 1.0), (Linear(0.0, 1.0, 4) - floor, -1.0)):
        assert [parameter is floor for parameter in schedule.parameters()] == [True]
        (grad,) = torch.autograd.grad(schedule(2), floor)
        assert grad.item() == slope


def test_an_amplitude_may_be_a_schedule() -> None:
    wave = Loop(Linear(0.0, 1.0, 5).then(Linear(1.0, 0.0, 5)), 10)
    shrinking = Constant(0.1) + Exponential(0.9, 0.5, 10, staircase=True) * wave
    assert shrinking(torch.tensor([0, 5, 10, 15, 25])).tolist() == pytest.approx([0.1, 1.0, 0.1, 0.55, 0.325])
