"""Laws of curves in phases and of what goes around a schedule, and what each mistake is told."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from mpmath import mpf
from oracle import probes, to_float32
from rows_phases import ramp
from table import ROWS
from torch import Tensor

from tracelr import (
    WSD,
    Constant,
    Cosine,
    Exponential,
    Lambda,
    Linear,
    Loop,
    Polynomial,
    Ramp,
    Schedule,
    Scheduler,
    Sequential,
    Shift,
    Stretch,
    from_dict,
)
from tracelr.arithmetic import F64, Arithmetic, Wide
from tracelr.compose.sequential import Join
from tracelr.ease import EASINGS, Easing, Origin, Warmup
from tracelr.errors import ConfigError, TracelrError
from tracelr.fields import Scalar

STEPS = torch.cat([torch.arange(2000), torch.tensor([2**24 + 1, 2**40 + 3, 2**53 - 1, 2**53])])


def same(a: Schedule, b: Schedule, steps: torch.Tensor = STEPS) -> bool:
    return torch.equal(a(steps), b(steps))


# -- easings --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", EASINGS)
def test_an_easing_is_correctly_rounded_at_any_length(kind: str) -> None:
    draw = random.Random(kind)
    for steps in (1, 2, 3, 1000, 2**24 + 3, 10**12, 2**53):
        for rising in (False, True):
            for start, end in ((1.0, 0.0), (0.0, 1.0), (6e-4, 6e-5), (draw.random(), draw.random())):
                ratio = draw.choice([0.5, 0.01, 1e-6, 0.999, draw.uniform(0.1, 0.9)])
                exact = ramp(start, end, steps, kind, ratio, rising)
                at = [step for step in probes((steps,), 1, 20) if step <= 2 * steps]
                got = Ramp(start, end, steps, kind, ratio, rising)(torch.tensor(at)).tolist()
                assert got == [to_float32(exact(step)) for step in at], (steps, start, end, ratio, rising)


@pytest.mark.parametrize("kind", EASINGS)
def test_an_easing_is_exact_at_both_ends_and_never_turns(kind: str) -> None:
    for steps in (1, 2, 7, 1999):
        for rising in (False, True):
            values = Ramp(0.3, 0.007, steps, kind, rising=rising)(torch.arange(steps + 1))
            assert values[[0, -1]].tolist() == torch.tensor([0.3, 0.007]).tolist()
            assert (values.diff() <= 0).all()


def test_the_named_easings_are_the_curves_there_are() -> None:
    assert same(Ramp(0.3, 0.1, 999, "linear"), Linear(0.3, 0.1, 999))
    assert same(Ramp(0.3, 0.1, 999, "cosine", rising=True), Cosine(0.3, 0.1, 999))
    assert same(Ramp(0.3, 0.1, 999, "square"), Polynomial(0.3, 0.1, 999, 2.0))
    assert same(Ramp(0.3, 0.1, 999, "sqrt"), Polynomial(0.3, 0.1, 999, 0.5))


# -- phases ---------------------------------------------------------------------------------------------------------------


def test_the_phases_are_its_ramps() -> None:
    whole = WSD(0.3, 10, 20, 30, 0.1, 0.2, "log", "1-square")
    parts = Ramp(0.1, 0.3, 10, "log", rising=True).then(Ramp(0.3, 0.2, 30, "1-square"), at=30)
    assert same(whole, parts)
    assert whole.length == 60
    assert same(WSD(0.3, 0, 0, 30), Linear(0.3, 0.0, 30))


# -- around any schedule --------------------------------------------------------------------------------------------------


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


# -- sequences ------------------------------------------------------------------------------------------------------------

RISE, FALL = Linear(0.0, 1.0, 10), Cosine(1.0, 0.1, 40)


def test_a_rescaled_schedule_runs_once_over_its_window() -> None:
    for window in (3, 10, 25, 40, 97):
        joined = Sequential([RISE, FALL], [window], reset="rescale")
        assert same(joined, Sequential([Stretch(RISE, window, 10), FALL], [window]))
        assert joined.length == window + 40
        assert same(RISE.then(FALL, at=window, reset="rescale"), joined)
    assert same(Sequential([RISE, FALL], [10], reset="rescale"), RISE.then(FALL))
    mixed = Sequential([RISE, FALL, RISE], [20, 100], reset=[False, "rescale", False])
    assert same(mixed, Sequential([RISE, Stretch(FALL, 2), RISE], [20, 100], reset=[True, True, False]))
    long = Linear(0.0, 1.0, 10**12)
    assert Sequential([long, RISE], [3 * 10**12], reset="rescale")(15 * 10**11).item() == 0.5


@pytest.mark.parametrize("join", ["scale", "shift"])
def test_a_rescaled_schedule_joins(join: Join) -> None:
    joined = Sequential([RISE, FALL, FALL], [25, 105], reset="rescale", join=join)
    assert same(joined, Sequential([Stretch(RISE, 5, 2), Stretch(FALL, 2), FALL], [25, 105], join=join))


def test_then_joins_where_one_writes_it() -> None:
    assert same(RISE.then(FALL, join="scale"), Sequential([RISE, FALL], [10], join="scale"))
    assert same(RISE.then(FALL, at=5, reset=False), Sequential([RISE, FALL], [5], reset=False))
    scaled = RISE.then(FALL, at=5, join="scale").then(RISE + 1.0, at=20, join="scale")
    assert len(scaled.schedules) == 3
    assert same(scaled, Sequential([RISE, FALL, RISE + 1.0], [5, 20], join="scale"))
    assert len(scaled.then(FALL, at=60).schedules) == 2  # a jump after a join stays outside it
    fitted = RISE.then(FALL).then(RISE, at=100, reset="rescale")  # the whole of 50 steps is fitted, not its last
    assert same(fitted, Sequential([Stretch(RISE.then(FALL), 2), RISE], [100]))
    late = Sequential([RISE, FALL], [25], reset="rescale").then(RISE, at=65, reset=False)
    assert late.reset == ("rescale", True, False)


# -- functions ------------------------------------------------------------------------------------------------------------


def falling(rate: float, scale: torch.Tensor | None = None) -> Lambda:
    return Lambda(lambda step: (1.0 if scale is None else scale) * rate ** step.double())


def test_a_function_has_the_identity_of_its_graph() -> None:
    half = torch.tensor(0.5)
    assert falling(0.9).fingerprint() == falling(0.9).fingerprint()
    prints = {f.fingerprint() for f in (falling(0.9), falling(0.8), falling(0.9, half), falling(0.9, half / 2))}
    assert len(prints) == 4
    schedule = falling(0.9)
    assert repr(schedule) == f"Lambda(function=<falling.<locals>.<lambda> {schedule.to_dict()['function']}>)"


def test_a_function_is_not_read_from_a_file() -> None:
    given = (falling(0.9) * 2.0).to_dict()
    with pytest.raises(ConfigError) as caught:
        from_dict(given)
    assert str(caught.value) == (
        f"mapping: inner.function: Lambda.function: given '{given['inner']['function']}'; allowed: {FUNCTION}; "
        "to fix it: pass the function itself: a file cannot hold one."
    )


def test_a_scheduler_with_a_function_is_saved_and_loaded() -> None:
    def bound(rate: float) -> Scheduler:
        return Scheduler(torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=0.1), lr=falling(rate))

    one, same_one, other = bound(0.5), bound(0.5), bound(0.25)
    for _ in range(3):
        one.optimizer.step()
        one.step()
    same_one.load_state_dict(one.state_dict())
    assert same_one.get_last_lr() == [0.125]
    with pytest.warns(UserWarning, match="lr of group 0: Lambda.function"):
        other.load_state_dict(one.state_dict())


def test_importing_tracelr_does_not_import_the_tracer() -> None:
    code = "import sys, torch; before = set(sys.modules); import tracelr; print([m for m in set(sys.modules) - before if 'proxy_tensor' in m])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


# -- fields that are schedules ---------------------------------------------------------------------------------------------


def test_a_driven_field_has_the_value_of_its_schedule_at_the_same_step() -> None:
    peak = Linear(0.5, 1.0, 30)
    for schedule in (
        WSD(9.0, 10, 10, 20).drive(peak=peak),
        WSD(peak, 10, 10, 20),  # type: ignore[arg-type]
        WSD(1.0, 10, 10, 20).drive(peak=peak, start=peak) * 1.0 - WSD(0.0, 10, 10, 20).drive(start=peak),
    ):
        want = [WSD(float(peak.wide(torch.tensor(t), F64)), 10, 10, 20)(t).item() for t in range(60)]
        torch.testing.assert_close(schedule(torch.arange(60)).tolist(), want, rtol=1e-7, atol=0)
    late = Shift(Linear(0.0, 0.0, 1).drive(start=Ramp(1.0, 0.0, 4, "square")), by=3)  # its own time, as of everything inside
    assert late(torch.tensor([3, 4])).tolist() == [1.0, 0.0]


def test_every_scalar_field_of_every_schedule_can_be_driven() -> None:
    at = torch.cat([torch.arange(100), torch.tensor([2**40])])
    for row in ROWS.values():
        schedule = row.schedule
        for name, rule in schedule._rules.items():
            if rule.drivable and isinstance(getattr(schedule, name), float):
                same_again = schedule.drive(**{name: Constant(getattr(schedule, name))})
                assert torch.equal(same_again(at), schedule(at)), (schedule, name)
                assert same_again.fingerprint() != schedule.fingerprint()
                assert same_again.length == schedule.length


class HalfOf(Schedule):
    """Computes a constant from a field that may be a schedule."""

    start: Scalar

    def prepare(self) -> None:
        self._half = math.sqrt(self.start) / 2  # type: ignore[arg-type]

    def evaluate(self, step: Tensor, A: Arithmetic) -> Wide:
        return A.full(step, self._half)


def test_a_gradient_reaches_what_drives_a_field() -> None:
    peak = torch.nn.Parameter(torch.tensor(0.5, dtype=torch.float64))
    schedule = Linear(0.0, 0.0, 4).drive(end=Constant(peak))
    assert schedule.has_tensor_fields
    (grad,) = torch.autograd.grad(schedule(3), peak)
    assert grad.item() == 0.75


# -- errors ---------------------------------------------------------------------------------------------------------------

KINDS = "'linear', 'cosine', 'sqrt', 'square', '1-sqrt', '1-square', 'exponential', 'log'"
FUNCTION = "a function that maps an int64 tensor of steps to a floating point tensor of the same shape"
PURE = "tensor operations alone: no `if` on the step, no .item(), int(step), NumPy or random number"
CASES: list[tuple[Callable[[], object], str]] = [
    (
        lambda: Ramp(1.0, 0.0, 10, "minus_sqrt"),  # type: ignore[arg-type]
        f"Ramp.kind: given 'minus_sqrt'; allowed: {KINDS}; to fix it: use one of these names.",
    ),
    (
        lambda: Ramp(1.0, 0.0, 10, "exponential", ratio=1.0),
        "Ramp.ratio: given 1.0; allowed: a number from 1e-06 to 0.999; to fix it: pass a number in this range.",
    ),
    (
        lambda: Linear(1.0, 0.0, 10).warmup(5, origin="1"),  # type: ignore[arg-type]
        "warmup(origin): given '1'; allowed: '0', '1/n', '1/(n+1)'; to fix it: use one of these names.",
    ),
    (
        lambda: Linear(1.0, 0.0, 10).cooldown(5, at=5, kind="constant"),  # type: ignore[arg-type]
        f"cooldown(kind): given 'constant'; allowed: {KINDS}; to fix it: use one of these names.",
    ),
    (
        lambda: Sequential([RISE, FALL], [10], reset="stretch"),  # type: ignore[arg-type]
        "Sequential.reset: given 'stretch'; allowed: True, False or 'rescale', or a list of one of them per schedule; "
        "to fix it: use one of these.",
    ),
    (
        lambda: Sequential([RISE, FALL], [10], reset=[True, "rescale"]),
        "Sequential.reset[1]: given 'rescale'; allowed: True or False for the last schedule, which has no window to fit; "
        "to fix it: pass True.",
    ),
    (
        lambda: Sequential([Constant(1.0), FALL], [10], reset="rescale"),
        "Sequential.schedules[0]: given Constant(value=1.0); allowed: a schedule with a length, under reset='rescale'; "
        "to fix it: give it a length, as Shorten does, or use reset=True.",
    ),
    (
        lambda: Sequential([Linear(0.0, 1.0, 10**9 + 7), FALL], [10**9 + 9], reset="rescale"),
        "Sequential.schedules[0]: given a length of 1000000007 for a window of 1000000009 steps; allowed: a length and a window "
        "whose ratio, in lowest terms, has terms with a product of at most 2**53; to fix it: round one of them.",
    ),
    (
        lambda: Lambda(0.1),  # type: ignore[arg-type]
        f"Lambda.function: given 0.1; allowed: {FUNCTION}; to fix it: pass a function.",
    ),
    (
        lambda: Lambda(RISE),
        f"Lambda.function: given Linear(start=0.0, end=1.0, steps=10); allowed: {FUNCTION}; "
        "to fix it: use the schedule as it is.",
    ),
    (
        lambda: Lambda(lambda step: torch.zeros(()) if step > 5 else torch.ones(())),
        "Lambda.function: given a function that cannot be traced (GuardOnDataDependentSymNode: Could not guar...; "
        f"allowed: {PURE}; to fix it: write torch.where(step < n, a, b) in place of `if`.",
    ),
    (
        lambda: Lambda(lambda step: step.double() * step.item()),
        f"Lambda.function: given a function that calls aten._local_scalar_dense.default; allowed: {PURE}; "
        "to fix it: make the value a function of the step alone.",
    ),
    (
        lambda: Lambda(lambda step: torch.rand_like(step.double())),
        f"Lambda.function: given a function that calls aten.rand_like.default; allowed: {PURE}; "
        "to fix it: make the value a function of the step alone.",
    ),
    (
        lambda: Lambda(lambda step: step.double().sum()),
        "Lambda.function: given a function that returns a float64 tensor of shape [] for steps of shape [7]; "
        f"allowed: {FUNCTION}; to fix it: compute with step.double(), element by element.",
    ),
    (
        lambda: Lambda(lambda step: step),
        "Lambda.function: given a function that returns a int64 tensor of shape [] for steps of shape []; "
        f"allowed: {FUNCTION}; to fix it: compute with step.double(), element by element.",
    ),
    (
        lambda: Lambda(lambda step: 0.5),  # type: ignore[arg-type, return-value]
        f"Lambda.function: given a function that returns 0.5; allowed: {FUNCTION}; to fix it: return a tensor.",
    ),
    (
        lambda: falling(0.9, torch.nn.Parameter(torch.tensor(0.5))),
        "Lambda.function: given a function that closes over a tensor that requires grad; allowed: numbers and constant tensors "
        "around a function; to fix it: write a Schedule with the tensor in a field of type Scalar.",
    ),
    (
        lambda: WSD(1.0, 10, 10, 10).drive(decay=RISE),
        "WSD.drive(decay): given Linear(start=0.0, end=1.0, steps=10); allowed: peak, start, end; "
        "to fix it: drive one of these.",
    ),
    (
        lambda: Loop(RISE, 5).drive(inner=RISE),
        "Loop.drive(inner): given Linear(start=0.0, end=1.0, steps=10); allowed: no field: what it is made of has them; "
        "to fix it: drive one of these.",
    ),
    (
        lambda: HalfOf(4.0).drive(start=RISE),
        "HalfOf: given start as a schedule; allowed: a number where prepare() computes a constant from it; "
        "to fix it: compute it in evaluate(), or pass a number.",
    ),
    (
        lambda: RISE.drive(end=0.5),  # type: ignore[arg-type]
        "Linear.drive(end): given 0.5; allowed: a tracelr schedule; to fix it: pass a schedule.",
    ),
    (
        lambda: Exponential(1.0, RISE, 10),  # type: ignore[arg-type]
        "Exponential.rate: given Linear(start=0.0, end=1.0, steps=10); allowed: a finite number above 0, or a 0-d floating point "
        "tensor; to fix it: pass an int or a float.",
    ),
    (
        lambda: WSD(1.0, 10, -1, 10),
        "WSD.stable: given -1; allowed: an int from 0 to 2**53; to fix it: pass a number of steps in this range.",
    ),
    (
        lambda: WSD(1.0, 10, 10, 0),
        "WSD.decay: given 0; allowed: an int from 1 to 2**53, with all phases together at most 2**53; "
        "to fix it: pass a number of steps in this range.",
    ),
    (
        lambda: WSD(1.0, 10, 2**53 - 10, 1),
        "WSD.decay: given 1; allowed: an int from 1 to 2**53, with all phases together at most 2**53; "
        "to fix it: shorten a phase.",
    ),
]


@pytest.mark.parametrize(("mistake", "message"), CASES, ids=[message.split(";")[0] for _, message in CASES])
def test_the_message(mistake: Callable[[], object], message: str) -> None:
    with pytest.raises(TracelrError) as caught:
        mistake()
    assert str(caught.value) == message
