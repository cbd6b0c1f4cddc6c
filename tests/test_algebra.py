"""Laws of what is built out of other schedules, against plain Python in exact fractions."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import tracelr
from tracelr import (
    Clamp,
    Constant,
    Cosine,
    Exponential,
    InverseSqrt,
    Linear,
    Loop,
    PiecewiseConstant,
    Schedule,
    Sequential,
    Shift,
    Shorten,
    Stretch,
    Sum,
)
from tracelr.arithmetic import F64, LAST_STEP, Arithmetic, Wide
from tracelr.errors import TracelrError
from tracelr.lowering import passes, trace, verify
from tracelr.lowering.spec import aten, op_of

STEPS = torch.cat([torch.arange(200), torch.tensor([2**24 + 1, 2**40 + 3, 2**53 - 1, 2**53])])


class Clock(Schedule):
    """Its own step: shows what an outer schedule asks for."""

    def evaluate(self, step: Tensor, A: Arithmetic) -> Wide:
        return A.integer(step)


def same(a: Schedule, b: Schedule, steps: Tensor = STEPS) -> bool:
    return torch.equal(a(steps), b(steps))


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


# -- clocks ---------------------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 2**26), st.integers(1, 2**26), st.lists(st.integers(0, 2**53), min_size=1, max_size=20))
def test_a_stretched_clock_is_exact(factor: int, divisor: int, steps: list[int]) -> None:
    steps += [factor - 1, factor, 3 * factor - 1, 3 * factor, 2**53]
    got = Stretch(Clock(), factor, divisor).wide(torch.tensor(steps), F64).long().tolist()
    assert got == [min(step * divisor // factor, 2**53) for step in steps]


def test_a_stretched_clock_is_whole_in_float32_too() -> None:
    steps = [7 * k + d for k in (1, 1000, 2**20 + 1) for d in (-1, 0, 1)]
    with tracelr.precision("float32"):
        assert Stretch(Clock(), 7)(torch.tensor(steps)).tolist() == [step // 7 for step in steps]


def test_a_loop_repeats_and_a_shift_delays() -> None:
    loop = Loop(Clock(), 5)
    assert loop(torch.arange(12)).tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]
    assert Shift(loop, 3)(torch.arange(6)).tolist() == [0, 0, 0, 0, 1, 2]
    assert Shift(Clock(), -(2**53))(2**53).item() == 2**53


def test_lengths() -> None:
    line = Linear(1.0, 0.0, 10)
    assert [s.length for s in (Shift(line, 5), Shift(line, -4), Shift(line, -40), Shift(Constant(1.0), 3))] == [
        15,
        6,
        0,
        None,
    ]
    assert [s.length for s in (Shorten(line, 4), Shorten(line, 40), Shorten(Constant(1.0), 4))] == [4, 10, 4]
    assert [s.length for s in (Stretch(line, 3), Stretch(line, 1, 3), Stretch(line, 5, 3))] == [30, 4, 17]
    assert Stretch(line, 5, 3)(torch.tensor([16, 17])).tolist() == pytest.approx([0.1, 0.0])
    assert [s.length for s in (Loop(line, 5), line + Constant(1.0), Clamp(line, 0.5))] == [None, 10, 10]
    assert [s.length for s in (line.warmup(5), line.warmup(5, prefix=False), line.cooldown(4, at=8))] == [15, 10, 12]
    assert Shift(Linear(1.0, 0.0, 2**53), 5).length == 2**53


# -- operators ------------------------------------------------------------------------------------------------------------


def test_operators() -> None:
    a, b = Linear(0.0, 1.0, 4), Constant(0.25)
    assert repr(a + b) == f"Sum(schedules=[{a!r}, {b!r}])"
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


# -- joins ----------------------------------------------------------------------------------------------------------------

PARTS = [Linear(0.2, 1.0, 30), Cosine(6e-4, 6e-5, 50), Exponential(0.3, 0.5, 9), InverseSqrt(2.0, 10), Constant(0.7)]


@pytest.mark.parametrize("join", ["scale", "shift"])
@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize("milestones", [[7, 20, 21, 90], [0, 1, 2, 2**24 + 1]])
def test_a_join_has_no_jump(join: str, reset: bool, milestones: list[int]) -> None:
    joined = Sequential(PARTS, milestones, reset, join)
    for k, milestone in enumerate(milestones, 1):
        before = Sequential(PARTS[:k], milestones[: k - 1], reset, join)
        assert same(joined, before, torch.arange(max(0, milestone - 30), milestone + 1))
    assert same(Sequential([joined], [], join=join), joined)
    assert same(Sequential([Constant(0.2), joined], [0], join=join), joined)


@pytest.mark.parametrize("join", ["scale", "shift"])
def test_a_join_keeps_the_shape(join: str) -> None:
    first, second = Linear(1.0, 0.5, 10), Cosine(0.8, 0.2, 40)
    joined, own = (
        Sequential([first, second], [10], join=join).wide(torch.arange(10, 60), F64),
        second.wide(torch.arange(50), F64),
    )
    want = own * 0.5 / 0.8 if join == "scale" else own - 0.8 + 0.5
    torch.testing.assert_close(joined, want, rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("join", ["scale", "shift"])
def test_a_join_changes_nothing_where_the_values_meet(join: str) -> None:
    parts = [Linear(0.0, 6e-4, 10), Cosine(6e-4, 6e-5, 90), Constant(6e-5)]
    joined, jumping = Sequential(parts, [10, 100], join=join), Sequential(parts, [10, 100])
    assert torch.equal(joined.wide(STEPS, F64), jumping.wide(STEPS, F64))


def test_a_join_follows_a_tensor_field() -> None:
    peak = nn.Parameter(torch.tensor(0.5, dtype=torch.float64))
    joined = Sequential([Linear(0.0, peak, 4), Linear(0.8, 0.4, 4)], [4], join="scale")
    assert joined(torch.tensor([2, 4, 8])).tolist() == [0.25, 0.5, 0.25]
    (grad,) = torch.autograd.grad(joined(torch.tensor([0, 2, 8])).sum(), peak)
    assert grad.item() == 1.0  # 0, 1/2 and 0.4 / 0.8
    with torch.no_grad():
        peak.fill_(1.0)
    assert joined(torch.tensor([2, 4, 8])).tolist() == [0.5, 1.0, 0.5]
    zero = torch.tensor(0.0, dtype=torch.float64)
    assert Sequential([Constant(1.0), Constant(zero)], [1], join="scale")(0).item() == 1.0  # its start is not known here


def test_a_join_is_exact_also_if_built_in_float32() -> None:
    joined = Sequential(PARTS, [7, 20, 21, 90], join="scale")
    with tracelr.precision("float32"):
        assert joined(40).item() == pytest.approx(dataclasses.replace(joined)(40).item(), rel=1e-6)
        built = dataclasses.replace(joined)
    assert torch.equal(built.wide(STEPS, F64), joined.wide(STEPS, F64))


def test_then_is_kept_apart_from_a_join() -> None:
    joined = Sequential([Linear(1.0, 0.5, 4), Linear(1.0, 0.5, 4)], [4], join="scale")
    after = joined.then(Constant(3.0))
    assert after(torch.tensor([7, 8])).tolist() == [0.3125, 3.0]


def test_a_join_of_schedules_on_the_meta_device_is_not_checked() -> None:
    table = PiecewiseConstant([0.0, 1.0], [3]).to("meta")
    assert Sequential([Constant(1.0), table], [4], join="scale").length == 7


# -- warm-up and cool-down ------------------------------------------------------------------------------------------------


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


def test_where_a_join_starts_is_a_constant_of_the_graph() -> None:
    parts = [Cosine(1.0, 0.1, 1000), Cosine(0.7, 0.1, 500)]
    graph = passes.run(trace(Sequential(parts, [300], reset=False, join="scale")))
    assert [op_of(node) for node in graph.nodes].count(aten.sin.default) == 2


def test_other_clocks_lower_to_the_same_bits() -> None:
    schedule = functools.reduce(lambda s, k: Loop(Shift(Stretch(s, 3 + k, 2), k), 999 + k), range(3), PARTS[1])
    assert verify(Clamp(schedule, 1e-4, 5e-4), targets=["c"]).ok


# -- errors ---------------------------------------------------------------------------------------------------------------

LINE = Linear(1.0, 0.0, 10)
ALLOWED_STEPS = "an int from 1 to 2**53"
CASES: list[tuple[Callable[[], object], str]] = [
    (
        lambda: Shift(LINE, 2**53 + 1),
        "Shift.by: given 9007199254740993; allowed: an int from -2**53 to 2**53; to fix it: pass a number of steps in this range.",
    ),
    (lambda: Shift(LINE, 2.0), "Shift.by: given 2.0; allowed: an int from -2**53 to 2**53; to fix it: pass 2."),  # type: ignore[arg-type]
    (
        lambda: Shift(0.1, 2),
        "Shift.inner: given 0.1; allowed: a tracelr schedule; to fix it: wrap the number as Constant(number).",
    ),  # type: ignore[arg-type]
    (
        lambda: Loop(LINE, 0),
        f"Loop.period: given 0; allowed: {ALLOWED_STEPS}; to fix it: pass a number of steps in this range.",
    ),
    (
        lambda: Shorten(LINE, -1),
        "Shorten.steps: given -1; allowed: an int from 0 to 2**53; to fix it: pass a number of steps in this range.",
    ),
    (
        lambda: Stretch(LINE, 1.5),  # type: ignore[arg-type]
        "Stretch.factor: given 1.5; allowed: an int from 1 to 2**26; to fix it: pass the ratio as two ints, factor and divisor: 3, 2.",
    ),
    (lambda: Stretch(LINE, 2.0), "Stretch.factor: given 2.0; allowed: an int from 1 to 2**26; to fix it: pass 2."),  # type: ignore[arg-type]
    (
        lambda: Stretch(LINE, 1, 2**26 + 1),
        "Stretch.divisor: given 67108865; allowed: an int from 1 to 2**26; to fix it: pass a number of steps in this range.",
    ),
    (lambda: Clamp(LINE), "Clamp.low: given None; allowed: a number for low, for high or for both; to fix it: pass one."),
    (
        lambda: Clamp(LINE, 0.5, 0.2),
        "Clamp.low: given 0.5; allowed: low at most high, which is 0.2; to fix it: swap low and high.",
    ),
    (
        lambda: Clamp(LINE, low=float("nan")),
        "Clamp.low: given nan; allowed: a finite number within the float32 range, or None for no bound; to fix it: pass a finite number.",
    ),
    (
        lambda: Clamp(LINE, high=torch.tensor(0.1)),  # type: ignore[arg-type]
        "Clamp.high: given tensor(0.1000); allowed: a finite number within the float32 range, or None for no bound; to fix it: pass an int or a float.",
    ),
    (
        lambda: Sum([]),
        "Sum.schedules: given []; allowed: a list of at least one tracelr schedule; to fix it: pass a schedule.",
    ),
    (
        lambda: LINE + "0.1",  # type: ignore[operator]
        "Constant.value: given '0.1'; allowed: a finite number within the float32 range, or a 0-d floating point tensor; to fix it: remove the quotes.",
    ),
    (
        lambda: Sequential([LINE], [], join="smooth"),  # type: ignore[arg-type]
        "Sequential.join: given 'smooth'; allowed: 'jump', 'scale', 'shift'; to fix it: use one of these names.",
    ),
    (
        lambda: Sequential([LINE, 1 - LINE], [4], join="scale"),
        "Sequential.schedules: given schedules[1], which is 0 at its step 0; allowed: schedules that do not start at 0 after the first one, "
        "under join='scale'; to fix it: use join='shift'.",
    ),
    (
        lambda: Sequential([LINE, LINE], [10], reset=False, join="scale"),
        "Sequential.schedules: given schedules[1], which is 0 at its step 10; allowed: schedules that do not start at 0 after the first one, "
        "under join='scale'; to fix it: use join='shift'.",
    ),
    (
        lambda: LINE.warmup(0),
        f"warmup(steps): given 0; allowed: {ALLOWED_STEPS}; to fix it: pass a number of steps in this range.",
    ),
    (
        lambda: LINE.warmup(3, "0"),  # type: ignore[arg-type]
        "warmup(start): given '0'; allowed: a finite number within the float32 range; to fix it: remove the quotes.",
    ),
    (
        lambda: LINE.warmup(3, kind="sine"),  # type: ignore[arg-type]
        "warmup(kind): given 'sine'; allowed: 'linear', 'cosine', 'sqrt', 'square', '1-sqrt', '1-square', 'exponential', 'log', "
        "'constant'; to fix it: use one of these names.",
    ),
    (
        lambda: LINE.cooldown(0, at=3),
        f"cooldown(steps): given 0; allowed: {ALLOWED_STEPS}; to fix it: pass a number of steps in this range.",
    ),
    (
        lambda: LINE.cooldown(3, at=1.5),  # type: ignore[arg-type]
        "cooldown(at): given 1.5; allowed: an int from 0 to 2**53; to fix it: pass a whole number of steps.",
    ),
]


@pytest.mark.parametrize(("mistake", "message"), CASES, ids=[message.split(";")[0] for _, message in CASES])
def test_the_message(mistake: Callable[[], object], message: str) -> None:
    with pytest.raises(TracelrError) as caught:
        mistake()
    assert str(caught.value) == message
