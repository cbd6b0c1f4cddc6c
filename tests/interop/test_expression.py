"""`parse`: a line of text and its schedule, the repr of a schedule, and the message of each mistake."""

from __future__ import annotations

import random

import pytest
import torch
from support.table import ROWS

import tracelr
from tracelr import (
    Constant,
    Cosine,
    Cyclic,
    Exponential,
    Linear,
    MultiStep,
    OneCycle,
    Ramp,
    Schedule,
    Units,
    from_dict,
    parse,
)
from tracelr.errors import ConfigError
from tracelr.interop.native.expression import kind_of, snake

UP, DOWN = Linear(0.0, 3e-4, 2000), Cosine(3e-4, 3e-5, 98_000)


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.written])
def test_a_repr_is_a_spec(name: str) -> None:
    schedule = ROWS[name].schedule
    assert parse(repr(schedule)).to_dict() == schedule.to_dict()
    assert parse(format(schedule)).fingerprint() == schedule.fingerprint()


pytestmark = pytest.mark.usefixtures("only_ours")
OURS = [name for name, kind in tracelr.schedules.base.REGISTRY.items() if kind.__module__.startswith("tracelr.")]


@pytest.mark.parametrize("name", OURS)
def test_every_schedule_has_a_name_in_snake_case(name: str) -> None:
    kind = tracelr.schedules.base.REGISTRY[name]
    assert kind_of(snake(name)) is kind_of(name) is kind_of(name.upper()) is kind


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("linear(0,3e-4,2000) | cosine(3e-4,3e-5,98000)", UP.then(DOWN)),
        ("Linear(0, 3e-4, 2k)|Cosine(start=3e-4, end=3e-5, steps=98k)", UP.then(DOWN)),
        ("linear(0, 3e-4, 2_000) | cosine(3e-4, 3e-5, 9.8e1k) | constant(1)", UP.then(DOWN).then(Constant(1.0))),
        ("linear(0, 1, 2) + linear(0, 1, 4) * 2 | constant(.5)", (Linear(0.0, 1.0, 2) + Linear(0.0, 1.0, 4) * 2).then(Constant(0.5))),
        ("(linear(0, 1, 2) | constant(1)) * 0.5", Linear(0.0, 1.0, 2).then(Constant(1.0)) * 0.5),
        ("1 - linear(0, 1, 2)", 1 - Linear(0.0, 1.0, 2)),
        ("-linear(0, -1, 2) - 1", Linear(0.0, -1.0, 2) * -1.0 - 1),
        ("cosine(1, 0, 10).warmup(2, kind=cosine, origin='1/n')", Cosine(1.0, 0.0, 10).warmup(2, kind="cosine", origin="1/n")),
        ("constant(1).cooldown(4, at=1).then(constant(2), at=9, join=shift)", Constant(1.0).cooldown(4, 1).then(Constant(2.0), 9, "shift")),
        ("cyclic(0, 1, 2).drive(high=exponential(1, 0.5, 4))", Cyclic(0.0, 1.0, 2).drive(high=Exponential(1.0, 0.5, 4))),
        ("multi_step(0.1, 0.1, [1k, 2_000,],)", MultiStep(0.1, 0.1, [1000, 2000])),
        ('ramp(0, 1, 1.5k, "1-sqrt", rising=true)', Ramp(0.0, 1.0, 1500, "1-sqrt", rising=True)),
        ("one_cycle(0.1, 1, 0, 1M, 3e5)", OneCycle(0.1, 1.0, 0.0, 1_000_000, 300_000)),
        ("clamp(linear(1, 0, 10), low=0.5, high=None)", tracelr.Clamp(Linear(1.0, 0.0, 10), low=0.5)),
        ("linear(start=cosine(0, 1, 5), end=0, steps=10)", Linear(Cosine(0.0, 1.0, 5), 0.0, 10)),
        ("clamp(linear(1, 0, 10), low=null, high=0.5)", tracelr.Clamp(Linear(1.0, 0.0, 10), high=0.5)),
        ("\n linear(0, 1,\n\t2)\n", Linear(0.0, 1.0, 2)),
        ("linear(0, 1, 2)\n| constant(1)", Linear(0.0, 1.0, 2).then(Constant(1.0))),
    ],
)  # fmt: skip
def test_each_spec_gives_its_schedule(text: str, schedule: Schedule) -> None:
    assert parse(text).to_dict() == schedule.to_dict()


NAMES = (
    "clamp, constant, cosine, cosine_annealing, cosine_power, cosine_waves, cyclic, exponential, interpolate, inverse_sqrt, "
    "inverse_time, k_decay, lambda, linear, loop, multi_step, noise, one_cycle, piecewise_constant, polynomial, power_law, "
    "product, ramp, range_test, rex, scale, sequential, shift, shorten, step, stretch, sum, tanh, warm_restarts, "
    "warmup_constant, warmup_cosine, warmup_linear, wsd"
)
A_SCHEDULE = "allowed: a schedule, such as cosine(3e-4, 0, 1000)"
WRONG = {
    "linear(0, 1, 5) | linaer(1, 0, 5)": (19, f"given 'linaer'; allowed: {NAMES}; to fix it: use 'linear'."),
    "linear": (1, f"given linear; {A_SCHEDULE}; to fix it: write linear(start, end, steps)."),
    "0.5": (1, f"given 0.5; {A_SCHEDULE}; to fix it: write constant(0.5)."),
    "linear(0, 1, 5) | 0.5": (19, f"given 0.5; {A_SCHEDULE}; to fix it: write constant(0.5)."),
    "1e400": (1, f"given 1{'0' * 76}...; {A_SCHEDULE}; to fix it: write constant(1{'0' * 16}...)."),
    "1 + 2": (3, "given 1 + 2; allowed: a schedule on one side at least; to fix it: write the resulting number."),
    "": (1, "given the end; allowed: a schedule or a number; arguments with a name come last; to fix it: write it there."),
    "linear(0, 1, 5": (15, "given the end; allowed: ')'; to fix it: write it there."),
    "linear(0 1, 5)": (10, "given 1; allowed: an operator or a comma before it; to fix it: write it there."),
    "linear(0, 1, 5))": (16, "given ); allowed: '|', '+', '-', '*', '/', '.' or the end; to fix it: write it there."),
    "linear(0, 1, 5) +": (18, "given the end; allowed: a schedule or a number; arguments with a name come last; to fix it: write it there."),
    "linear(0, 1, [5)": (16, "given ); allowed: ']'; to fix it: write it there."),
    "linear(end=0, 1, 5)": (19, "given ); allowed: a schedule or a number; arguments with a name come last; to fix it: write it there."),
    "constant(1), constant(2)": (12, "given ,; allowed: '|', '+', '-', '*', '/', '.' or the end; to fix it: write it there."),
    "constant(1)) + (constant(2)": (12, "given ); allowed: '|', '+', '-', '*', '/', '.' or the end; to fix it: write it there."),
    "constant(1) ** 2": (14, "given *; allowed: a schedule or a number; to fix it: write it there."),
    "linear(*[0, 1, 5])": (8, "given *; allowed: a schedule or a number; to fix it: write it there."),
    "linear(**x)": (8, "given *; allowed: start, end, steps; to fix it: remove it."),
    "constant.__class__": (1, "given constant; allowed: a schedule or a number; to fix it: write it there."),
    "constant(+1)": (10, "given +; allowed: a schedule or a number; to fix it: write it there."),
    "f'x'": (2, "given 'x'; allowed: an operator or a comma before it; to fix it: write it there."),
    "linear(0, 1, 5) ^ 2": (17, "given '^'; allowed: a number, a name, a string, or one of | + - * / ( ) [ ] , = .; to fix it: correct it there."),
    "linear(0, 1, 5q)": (14, "given '5q'; allowed: a number, a name, a string, or one of | + - * / ( ) [ ] , = .; to fix it: correct it there."),
    "linear(0, 1)": (12, "given linear without steps; allowed: start, end, steps; to fix it: add steps."),
    "linear(0, 1, 5, 6)": (17, "given argument 4 of linear; allowed: start, end, steps; to fix it: remove it, or name it."),
    "linear(0, 1, stesp=5)": (14, "given stesp; allowed: start, end, steps; to fix it: write 'steps'."),
    "linear(0, 1, 5, end=5)": (17, "given end twice; allowed: start, end, steps; to fix it: remove one of them."),
    "linear(0, 1, -1)": (14, "Linear.steps: given -1; allowed: an int from 0 to 2**53; to fix it: pass a number of steps in this range."),
    "linear(0, 1, 0.5)": (14, "Linear.steps: given 0.5; allowed: an int from 0 to 2**53; to fix it: pass a whole number of steps."),
    "multi_step(1, 0.1, [3, 2])": (20, "MultiStep.milestones: given [3, 2]; allowed: an increasing list of ints from 0 to 2**53; to fix it: sort it."),
    "constant(1) | constant(2)": (13, "Constant.then(at): given None; allowed: a step; this schedule has no length of its own; to fix it: pass at=<the step to switch at>."),
    "constant(1).warmup(-1)": (20, "warmup(steps): given -1; allowed: an int from 0 to 2**53, in steps, or a fraction from 0 to below 1; to fix it: pass a number of steps in this range."),
    "constant(1).evaluate(0)": (13, "given 'evaluate'; allowed: then, warmup, cooldown, drive, clamp, over, named; to fix it: use one of these."),
    "1e500 * constant(1)": (1, "given 1e500; allowed: an exponent from -400 to 400; to fix it: write a number within the float32 range."),
    "1.5e399 * constant(1)": (1, "given 1.5e399; allowed: a finite number within the float32 range; to fix it: write a smaller one."),
    "__import__('os')": (1, f"given '__import__'; allowed: {NAMES}; to fix it: use one of these."),
    "lambda('x')": (8, "Lambda.function: given 'x'; allowed: a function that maps an int64 tensor of steps to a floating point tensor of the same shape; to fix it: pass the function itself: a file cannot hold one."),
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_errors_have_a_place_and_a_caret(text: str) -> None:
    column, said = WRONG[text]
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert str(caught.value) == f"spec: column {column}: {said}\n  {text}\n  {' ' * (column - 1)}^"


def test_the_place_in_several_lines_and_in_a_long_one() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("linear(0,\n  1, 2q)", "params")
    assert str(caught.value).startswith("params: line 2, column 6: given '2q'; ")
    assert str(caught.value).endswith("\n    1, 2q)\n       ^")
    with pytest.raises(ConfigError) as caught:
        parse("constant(1) + " * 20 + "?" + " + constant(1)" * 20)
    _, shown, mark = str(caught.value).split("\n")
    assert len(shown) <= 102
    assert shown[mark.index("^")] == "?"


PYTHON = (
    "\0", "\uff4cinear(0, 1, 2)", "constant(0x10)", "constant(1j)", "b'x'", "(x := 1)", "[x for x in y]", "lambda: 0", "{1}", "...",
    "constant(1)[0]", "constant(1)(2)", "a if b else c", "constant(1) == 2", "constant(not 1)", "constant('a' 'b')", "yield",
    "constant(@1)", "constant(1) # 2", "constant(1); constant(2)", "constant(1) \\\n + constant(1)", "()", "linear(,)",
)  # fmt: skip


@pytest.mark.parametrize("text", PYTHON)
def test_the_rest_of_python_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text)


def test_long_and_deep_texts_are_refused() -> None:
    nested = "sum([" * 60 + "constant(1)" + "])" * 60
    assert parse(nested).to_dict() == parse("(" * 20 + nested + ")" * 20).to_dict()
    for text in (
        "(" * 140 + "1 1" + ")" * 140,
        "f(" * 140 + ",," + ")" * 140,
        "constant(1)+" * 900 + "constant(1)",
        "a.b" * 1000,
    ):
        with pytest.raises(ConfigError):
            parse(text)
    for text in ("(" * 60_000, "-" * 60_000 + "1", "[" * 60_000, "constant(" * 7000, "1" * 60_000, "x" * 70_000):
        with pytest.raises(ConfigError):
            parse(text)
    with pytest.raises(ConfigError, match="given 5; allowed: a str"):
        parse(5)  # type: ignore[arg-type]


def test_whatever_is_typed_is_a_schedule_or_one_error() -> None:
    parts = [
        "linear",
        "cosine",
        "(",
        ")",
        ",",
        "|",
        "+",
        "-",
        "*",
        ".",
        "1",
        "2k",
        "3e-4",
        "[",
        "]",
        "=",
        "steps",
        "warmup",
        "'cosine'",
        "None",
        "then",
        "at",
    ]
    draw = random.Random(0)
    texts = ["".join(draw.choice(parts) for _ in range(draw.randrange(1, 12))) for _ in range(3000)]
    valid = list("linear(0,1,20)|cosine(1,0,2k).warmup(5)")
    for _ in range(2000):
        edited = valid.copy()
        for _ in range(draw.randrange(1, 4)):
            edited[draw.randrange(len(edited))] = draw.choice([*parts, ""])
        texts.append("".join(edited))
    for text in texts:
        try:
            assert isinstance(parse(text)(torch.tensor(3)), torch.Tensor)
        except ConfigError:
            continue


def test_a_file_may_hold_a_line(tmp_path) -> None:
    file = tmp_path / "schedule.yaml"
    for text in (
        "linear(0, 3e-4, 2000) | cosine(3e-4, 3e-5, 98k)\n",
        "schedule: linear(0, 3e-4, 2000) | cosine(3e-4, 3e-5, 98k)\n",
    ):
        file.write_text(text)
        assert tracelr.load(file).to_dict() == UP.then(DOWN).to_dict()
    line = {"key": "lr", "schedule": {"schedule": "linear(0, 3e-4, 2000)"}}
    assert tracelr.from_dict({"assignments": [line]})[0].schedule.to_dict() == UP.to_dict()
    with pytest.raises(ConfigError) as caught:
        tracelr.from_dict({"schedule": "linear(0, 1)"})
    assert str(caught.value).startswith("mapping: schedule: column 12: given linear without steps; ")
    with pytest.raises(ConfigError, match="given the key 'steps'; allowed: schedule; "):
        tracelr.from_dict({"schedule": "linear(0, 1, 2)", "steps": 4})


def test_lengths_with_units() -> None:
    units = Units(steps_per_epoch=500, tokens_per_step=4096, duration=10_000)
    made = parse("linear(0, 1, 5ep) | cosine(1, 0, 3e7tok)", units=units)
    assert made.to_dict() == Linear(0, 1, 2500).then(Cosine(1, 0, 7325)).to_dict()  # 3e7 / 4096 = 7324.2...
    assert parse("cosine(1, 0, 0.5dur).warmup(7ba)", units=units) == Cosine(1, 0, 5000).warmup(7)
    mapping = {"schedule": "cosine(1, 0, 2ep)"}
    assert from_dict(mapping, units=units) == Cosine(1, 0, 1000)
    with pytest.raises(ConfigError) as caught:
        parse("linear(0, 1, 5ep)")
    assert str(caught.value) == (
        "spec: column 14: given 5ep; allowed: a time in a unit that these Units define; steps_per_epoch is None; to fix it: pass "
        "Units(steps_per_epoch=...), or --steps-per-epoch N and its siblings on the command line.\n"
        "  linear(0, 1, 5ep)\n               ^"
    )


@pytest.mark.parametrize("text", ["5epoch", "5 ep", "ep5", "5e", "1e400ep", "0ep", "5epk"])
def test_what_is_not_a_length(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(f"linear(0, 1, {text})", units=Units(steps_per_epoch=500))
