"""The message of each mistake, word for word; errors that are copied and pickled; classes of an author."""

from __future__ import annotations

import copy
import inspect
import pickle
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import tracelr
from tracelr import Constant, Exponential, InverseTime, Linear, PiecewiseConstant, Polynomial, Product, Scale, Sequential
from tracelr.arithmetic import F64, Arithmetic, Real
from tracelr.errors import ConfigError, Location, ScheduleError, ScheduleTypeError, TracelrError, Unquoted, show, suggest
from tracelr.schedules.base import Schedule
from tracelr.schedules.fields import Scalar

NUMBER = "a finite number within the float32 range, or a 0-d floating point tensor"
STEPS = "an int from 0 to 2**53"
STEP = "an int, a range, a list or an array of ints, or an int64 or int32 tensor of any shape"

CASES: list[tuple[Callable[[], object], str]] = [
    # rates
    (lambda: Constant(float("nan")), f"Constant.value: given nan; allowed: {NUMBER}; to fix it: pass a finite number."),
    (lambda: Constant(float("inf")), f"Constant.value: given inf; allowed: {NUMBER}; to fix it: pass a finite number."),
    (lambda: Constant(1e39), f"Constant.value: given 1e39; allowed: {NUMBER}; to fix it: pass a finite number."),
    (lambda: Constant(True), f"Constant.value: given True; allowed: {NUMBER}; to fix it: pass an int or a float."),
    (lambda: Constant("0.1"), f"Constant.value: given '0.1'; allowed: {NUMBER}; to fix it: remove the quotes."),  # type: ignore[arg-type]
    (lambda: Constant(None), f"Constant.value: given None; allowed: {NUMBER}; to fix it: pass an int or a float."),  # type: ignore[arg-type]
    (lambda: Constant(1j), f"Constant.value: given 1j; allowed: {NUMBER}; to fix it: pass an int or a float."),  # type: ignore[arg-type]
    (
        lambda: Constant(torch.tensor([0.1])),
        f"Constant.value: given tensor([0.1000]); allowed: {NUMBER}; to fix it: pass a 0-d float tensor.",
    ),
    (
        lambda: Constant(torch.tensor(1)),
        f"Constant.value: given tensor(1); allowed: {NUMBER}; to fix it: pass a 0-d float tensor.",
    ),
    (
        lambda: Exponential(0.1, 0.0, 10),
        "Exponential.rate: given 0.0; allowed: a finite number above 0, or a 0-d floating point tensor; "
        "to fix it: pass a number in this range.",
    ),
    (
        lambda: InverseTime(0.1, -0.5, 10),
        "InverseTime.rate: given -0.5; allowed: a finite number, 0 or more, or a 0-d floating point tensor; "
        "to fix it: pass a number in this range.",
    ),
    (
        lambda: Polynomial(0.1, 0.0, 10, power=0),
        "Polynomial.power: given 0; allowed: a number from 0.001 to 1e12; to fix it: pass a number in this range.",
    ),
    (
        lambda: Polynomial(0.1, 0.0, 10, cycle=1),  # type: ignore[arg-type]
        "Polynomial.cycle: given 1; allowed: True or False; to fix it: pass a bool.",
    ),
    # lengths
    (
        lambda: Linear(0, 1, -5),
        f"Linear.steps: given -5; allowed: {STEPS}; to fix it: pass a number of steps in this range.",
    ),
    (
        lambda: Linear(0, 1, 2**53 + 1),
        f"Linear.steps: given 9007199254740993; allowed: {STEPS}; to fix it: pass a number of steps in this range.",
    ),
    (lambda: Linear(0, 1, 10.0), f"Linear.steps: given 10.0; allowed: {STEPS}; to fix it: pass 10."),  # type: ignore[arg-type]
    (lambda: Linear(0, 1, 0.5), f"Linear.steps: given 0.5; allowed: {STEPS}; to fix it: pass a whole number of steps."),  # type: ignore[arg-type]
    (lambda: Linear(0, 1, True), f"Linear.steps: given True; allowed: {STEPS}; to fix it: pass a whole number of steps."),
    (
        lambda: Linear(0, 1, "10"),  # type: ignore[arg-type]
        f"Linear.steps: given '10'; allowed: {STEPS}; to fix it: pass a whole number of steps.",
    ),
    # lists
    (
        lambda: PiecewiseConstant([0.1, 0.2], [1, 2]),
        "PiecewiseConstant.milestones: given 2 milestones [1, 2]; allowed: exactly one fewer than its 2 values; "
        "to fix it: pass 1 of them.",
    ),
    (
        lambda: PiecewiseConstant([0.1, 0.2, 0.3], [2, 1]),
        "PiecewiseConstant.milestones: given [2, 1]; allowed: a strictly increasing list of ints from 0 to 2**53; "
        "to fix it: sort it and drop the repeated ones.",
    ),
    (
        lambda: PiecewiseConstant([0.1, 0.2, 0.3], [2, 2]),
        "PiecewiseConstant.milestones: given [2, 2]; allowed: a strictly increasing list of ints from 0 to 2**53; "
        "to fix it: sort it and drop the repeated ones.",
    ),
    (
        lambda: PiecewiseConstant([0.1, 0.2], [-1]),
        "PiecewiseConstant.milestones[0]: given -1; allowed: an int from 0 to 2**53; "
        "to fix it: pass a number of steps in this range.",
    ),
    (
        lambda: PiecewiseConstant([0.1, 0.2], [1.5]),  # type: ignore[list-item]
        "PiecewiseConstant.milestones[0]: given 1.5; allowed: an int from 0 to 2**53; to fix it: pass a whole number of steps.",
    ),
    (
        lambda: PiecewiseConstant([0.1, float("nan")], [1]),
        "PiecewiseConstant.values[1]: given nan; allowed: a finite number within the float32 range; "
        "to fix it: pass a finite number.",
    ),
    (
        lambda: PiecewiseConstant([], []),
        "PiecewiseConstant.values: given []; allowed: a list of at least one finite number; to fix it: pass a value.",
    ),
    (
        lambda: PiecewiseConstant(0.1, [1]),  # type: ignore[arg-type]
        "PiecewiseConstant.values: given 0.1; allowed: a list of at least one finite number; to fix it: pass a list.",
    ),
    # schedules of schedules
    (
        lambda: Sequential([Constant(1.0), 0.1], [3]),  # type: ignore[list-item]
        "Sequential.schedules[1]: given 0.1; allowed: a tracelr schedule; to fix it: wrap the number as Constant(number).",
    ),
    (
        lambda: Sequential([], []),
        "Sequential.schedules: given []; allowed: a list of at least one tracelr schedule; to fix it: pass a schedule.",
    ),
    (
        lambda: Sequential([Constant(1.0), Constant(2.0)], [3, 4]),
        "Sequential.milestones: given 2 milestones [3, 4]; allowed: exactly one fewer than its 2 schedules; "
        "to fix it: pass 1 of them.",
    ),
    (
        lambda: Sequential([Constant(1.0), Constant(2.0)], [3], reset=[True]),
        "Sequential.reset: given [True]; allowed: True, False or 'rescale', or a list of one of them per schedule; "
        "to fix it: pass 2 of them.",
    ),
    (
        lambda: Sequential([Constant(1.0)], [], reset=[1]),  # type: ignore[list-item]
        "Sequential.reset: given [1]; allowed: True, False or 'rescale', or a list of one of them per schedule; "
        "to fix it: pass one of these each.",
    ),
    (
        lambda: Product(Constant(1.0)),  # type: ignore[arg-type]
        "Product.schedules: given Constant(value=1.0); allowed: a list of at least one tracelr schedule; to fix it: pass a list.",
    ),
    (
        lambda: Scale(None, 1.0),  # type: ignore[arg-type]
        "Scale.inner: given None; allowed: a tracelr schedule; to fix it: pass a schedule.",
    ),
    (
        lambda: Constant(1.0).then(Constant(2.0)),
        "Constant.then(at): given None; allowed: a step; this schedule has no length of its own; "
        "to fix it: pass at=<the step to switch at>.",
    ),
    # steps
    (lambda: Constant(1.0)(1.0), f"Constant(step): given 1.0; allowed: {STEP}; to fix it: pass int(step)."),
    (lambda: Constant(1.0)(True), f"Constant(step): given True; allowed: {STEP}; to fix it: pass int(step)."),
    (lambda: Constant(1.0)("3"), f"Constant(step): given '3'; allowed: {STEP}; to fix it: pass int(step)."),
    (
        lambda: Constant(1.0)(torch.tensor(1.0)),
        f"Constant(step): given a float32 tensor; allowed: {STEP}; to fix it: use step.long(), or count in an int64 tensor.",
    ),
    (
        lambda: Constant(1.0)(torch.tensor(True)),
        f"Constant(step): given a bool tensor; allowed: {STEP}; to fix it: use step.long(), or count in an int64 tensor.",
    ),
    # a schedule is a value
    (
        lambda: setattr(Linear(0, 1, 2), "steps", 3),
        "Linear.steps: given 3; allowed: nothing, a schedule is immutable; "
        "to fix it: build a new one: dataclasses.replace(schedule, steps=...).",
    ),
    (
        lambda: tracelr.precision("float16").__enter__(),
        "precision: given 'float16'; allowed: 'float64' or 'two_float' or 'float32'; to fix it: use one of these names.",
    ),
]


@pytest.mark.parametrize(("mistake", "message"), CASES, ids=[message.split(";")[0] for _, message in CASES])
def test_the_message(mistake: Callable[[], object], message: str) -> None:
    with pytest.raises(TracelrError) as caught:
        mistake()
    assert str(caught.value) == message
    assert isinstance(caught.value, ValueError | TypeError)


def test_a_huge_int_is_no_overflow() -> None:
    with pytest.raises(ScheduleError, match="pass a finite number"):
        Constant(10**400)


def test_numpy_scalars_are_numbers() -> None:
    assert repr(Linear(np.float32(0.5), np.float64(1), np.int64(3))) == "Linear(start=0.5, end=1.0, steps=3)"


def test_a_class_must_define_forward_and_typed_fields() -> None:
    with pytest.raises(ScheduleTypeError, match="allowed: a direct subclass of Schedule that defines forward"):
        type("Nothing", (Schedule,), {})
    with pytest.raises(ScheduleTypeError, match="allowed: a direct subclass of Schedule that defines forward"):
        type("Steeper", (Linear,), {})
    with pytest.raises(ScheduleTypeError) as caught:
        type("Former", (Schedule,), {"__annotations__": {}, "evaluate": lambda self, step, A: A.full(step, 0.0)})
    assert str(caught.value) == (
        "schedule class: given Former; allowed: a direct subclass of Schedule that defines forward(step, ops); to fix it: "
        "write forward(self, step, ops) in place of evaluate(self, step, A)."
    )
    with pytest.raises(ScheduleTypeError, match=r"Loop.schedule: given .*; allowed: .*, and a name other than schedule"):
        type(
            "Loop",
            (Schedule,),
            {"__annotations__": {"schedule": Scalar}, "forward": lambda self, step, ops: ops.full(step, 0.0)},
        )
    with pytest.raises(
        ScheduleTypeError, match=r"Loose.x: given <class 'int'>; allowed: a type of tracelr.schedules.fields"
    ):
        type("Loose", (Schedule,), {"__annotations__": {"x": int}, "forward": lambda self, step, ops: ops.full(step, 0.0)})


def test_a_name_is_taken_once() -> None:
    body = {"forward": lambda self, step, ops: ops.full(step, 0.0)}
    with pytest.raises(
        ScheduleError, match=r"given 'Linear'; allowed: a name not taken yet; .* tracelr.schedules.curves.linear"
    ):
        type("Linear", (Schedule,), body)
    assert tracelr.schedules.base.REGISTRY["Linear"] is Linear


def test_no_field_survives_a_failed_construction() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        Linear(0.0, 1.0)  # type: ignore[call-arg]


# -- an error is copied and pickled ---------------------------------------------------------------------------------------

ENDLESS: list[object] = []
ENDLESS.append(ENDLESS)
SHARED: list[object] = [1]
for _ in range(60):  # 2**60 numbers, if they are written out
    SHARED = [SHARED, SHARED]
GIVEN = {
    "plain": 0.1,
    "text": "a\x1b[2J" + "x" * 100,
    "words": Unquoted("3 milestones"),
    "a tensor": torch.tensor([0.1]),
    "not picklable": lambda: 1,
    "a lock": threading.Lock(),
    "endless": ENDLESS,
    "shared": SHARED,
    "a schedule": Linear(0.0, 1.0, 10),
}


@pytest.mark.parametrize("travel", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
def test_an_error_arrives_as_it_was_sent(given: object, travel: Callable[[TracelrError], TracelrError]) -> None:
    at = Location.within("steps: 0", 1, 8, "schedule.steps")
    error = ConfigError("schedule", given, "an int", fix="pass one", limit=30, at=at, more="a\nb")
    error.add_note("while the run started")
    arrived = travel(error)
    assert type(arrived) is ConfigError
    assert str(arrived) == str(error)

    def rest(one: TracelrError) -> dict[str, Any]:
        return {name: value for name, value in vars(one).items() if name != "given"}

    assert rest(arrived) == rest(error)
    assert rest(error) | {"__notes__": ["while the run started"], "limit": 30, "at": at} == rest(error)
    assert len(str(error).splitlines()[0]) < 150  # also if the repr would be endless


def test_an_error_keeps_plain_data_on_its_way() -> None:
    arrived = pickle.loads(pickle.dumps(ScheduleError("Linear.steps", 0, "an int from 1 to 2**53", "pass one")))
    assert (arrived.where, arrived.given, arrived.field) == ("Linear.steps", 0, "steps")


# -- a class of an author -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "given"),
    [
        (lambda self, step: step, "forward(self, step)"),
        (lambda self: 0.0, "forward(self)"),
        (lambda self, step, ops, width: step, "forward(self, step, ops, width)"),
        (lambda self, step, *, ops: step, "forward(self, step, *, ops)"),
        (staticmethod(lambda step, ops: step), "staticmethod"),
        (classmethod(lambda cls, step, ops: step), "classmethod"),
        (property(lambda self: 0.0), "property"),
        (0.1, "float"),
        (None, "NoneType"),
    ],
)
def test_a_formula_that_cannot_be_called_is_refused_with_its_class(formula: object, given: str) -> None:
    with pytest.raises(ScheduleTypeError) as caught:
        type("Crooked", (Schedule,), {"forward": formula, "__annotations__": {}})
    assert str(caught.value) == (
        f"Crooked.forward: given {given}; allowed: a method forward(self, step, ops); to fix it: define it so."
    )
    assert "Crooked" not in tracelr.schedules.base.REGISTRY


def test_the_formula_is_kept_and_forward_goes_from_a_step_to_a_rate() -> None:
    def formula(self: Schedule, step: torch.Tensor, ops: Arithmetic, by: float = 2.0) -> Real:
        return ops.full(step, by)

    kind = type("Straight", (Schedule,), {"forward": formula, "__annotations__": {}})
    del tracelr.schedules.base.REGISTRY["Straight"]
    assert kind._formula is formula
    assert list(inspect.signature(kind.forward).parameters) == ["self", "step", "ops"]
    assert inspect.signature(kind.forward) == inspect.signature(Linear.forward)
    assert "_formula" in str(inspect.getdoc(kind.forward))  # so help() says where the formula of the author is
    assert kind().forward(3).item() == kind()(3).item() == 2.0
    assert kind().wide(torch.tensor(3), F64).dtype == torch.float64


@pytest.mark.parametrize(
    ("given", "allowed", "named"),
    [
        ("end_lr", ["initial_learning_rate", "end_learning_rate", "total_iters"], "end_learning_rate"),
        ("total", ["start", "end", "steps"], "steps"),
        ("min_lr", ["start", "end", "steps"], "end"),
        ("init_lr", ["learning_rate", "initial_learning_rate"], "initial_learning_rate"),
        ("T_max", ["start", "end", "steps"], "steps"),
        ("warmup_steps", ["peak", "warm", "stable"], "warm"),
        ("gamma", ["start", "rate", "steps"], "rate"),
        ("max_lr", ["start", "peak"], "peak"),
        ("min_lr", ["max_lr", "steps"], None),  # near in letters, and the opposite
        ("start_lr", ["end_lr"], None),
        ("stesp", ["start", "steps"], "steps"),
        ("wibble", ["start", "steps"], None),
    ],
)
def test_a_near_miss_names_the_setting_that_means_the_same(given: str, allowed: list[str], named: str | None) -> None:
    assert suggest(given, allowed, "use", "none") == ("none" if named is None else f"use {named!r}")


def test_a_message_shows_numbers_as_people_write_them() -> None:
    shown = {
        1e-06: "1e-6",
        3e-05: "3e-5",
        0.0003: "0.0003",
        1e16: "1e16",
        np.float64(0.1): "0.1",
        np.int64(7): "7",
        -1e-300: "-1e-300",
    }
    assert {show(number): text for number, text in shown.items()} == {text: text for text in shown.values()}
    assert show([1e-06, np.float32(0.5)]) == "[1e-6, 0.5]"
    assert all(float(show(float(number))) == float(number) for number in shown)
