"""The message of each mistake in a file. The file is always called params.yaml."""

from pathlib import Path

import pytest

from tracelr import Constant
from tracelr.errors import ConfigError
from tracelr.interop.load import load
from tracelr.interop.readers import READERS

pytestmark = pytest.mark.usefixtures("own_folder")
LINE = "scheduler: Linear, initial_learning_rate: 0, end_learning_rate: 1"
FLAT = "scheduler: Constant, learning_rate: 1"
NUMBER = "a finite number within the float32 range; to fix it: write a number such as 0.001 or 1e-3."
COUNT = "a whole number of steps from 1 to 2**53; to fix it: write a number such as 2000 or 1e5."
FLAG = "true or false; to fix it: write one of them, without quotes."
FIELD = "a finite number within the float32 range, or a 0-d floating point tensor"
PLAIN = "allowed: plain YAML; to fix it: correct it there."
NAMES = (
    "Constant, Cosine, CosineAnnealing, CosineAnnealingWarmRestarts, CosineDecay, Cyclic, Exponential, "
    "InverseExponentialTimeDecay, InverseSquareRootDecay, Linear, MultiStep, Multiplicative, OneCycle, PiecewiseConstant, "
    "Polynomial, Step"
)
KEYS = (
    "alpha, cycle, decay_steps, disable_lr_steps_reset, end_learning_rate, initial_learning_rate, learning_rate, "
    "main_scheduler, scheduler, steps, total_iters"
)
LENGTH = "add one of decay_steps, steps, total_iters."
ENDLESS = f"given an entry without a length; allowed: a length in every entry but the last; to fix it: {LENGTH}"
NEEDS = "allowed: the keys initial_learning_rate, end_learning_rate, decay_steps"
TWICE = "allowed: one of them; to fix it: remove one: they are names of the same thing."


def message_of(content: str | bytes) -> str:
    Path("params.yaml").write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ConfigError) as caught:
        load("params.yaml")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return str(caught.value).removeprefix("params.yaml: ")


BOMB = "a: &a [1]\n" + "".join(f"{k}: &{k} [{', '.join([f'*{p}'] * 50)}]\n" for p, k in zip("abcdef", "bcdefg", strict=True))
MERGES = "a: &a {k: 1}\n" + "".join(
    f"{k}: &{k} {{<<: [{', '.join([f'*{p}'] * 50)}]}}\n" for p, k in zip("abcdef", "bcdefg", strict=True)
)
TRIM = "to fix it: keep the training parameters only."
MANY = f"given more values, the aliases written out; allowed: at most 100000 of them; {TRIM}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "given an empty file; allowed: a YAML mapping; to fix it: write keys and values."),
        ("# nothing\n", "given an empty file; allowed: a YAML mapping; to fix it: write keys and values."),
        ("3", "given 3; allowed: a YAML mapping; to fix it: write keys and values."),
        ("[1, 2]", "given [1, 2]; allowed: a YAML mapping; to fix it: write keys and values."),
        ("just text", "given 'just text'; allowed: a YAML mapping; to fix it: write keys and values."),
        (b"a: \xff\xfe", "given byte 3 is not UTF-8; allowed: UTF-8 text; to fix it: save the file as UTF-8."),
        (
            "a: 1\n" * 210_000,
            f"given a larger file; allowed: at most 1048576 bytes; {TRIM}",
        ),
        ("a: [1\nb: 2", f"line 2, column 2: given broken YAML: expected ',' or ']', but got ':'; {PLAIN}"),
        ("a: 'x", f"line 1, column 6: given broken YAML: found unexpected end of stream; {PLAIN}"),
        ("a: 1\n b: 2", f"line 2, column 3: given broken YAML: mapping values are not allowed here; {PLAIN}"),
        ("a:\n\t- 1", f"line 2, column 1: given broken YAML: found character '\\t' that cannot start any token; {PLAIN}"),
        ("a: 1\nb: \x01", f"line 2, column 4: given broken YAML: special characters are not allowed; {PLAIN}"),
        ("a: 1\n---\nb: 2", f"line 2, column 1: given broken YAML: but found another document; {PLAIN}"),
        ("? [a]\n: 1", f"line 1, column 3: given broken YAML: found unhashable key; {PLAIN}"),
        ("a: *x", f"line 1, column 4: given broken YAML: found undefined alias 'x'; {PLAIN}"),
        ("a: !!int x", f"line 1, column 4: given broken YAML: cannot read 'x' as int; {PLAIN}"),
        ("a: !!timestamp x", f"line 1, column 4: given broken YAML: cannot read 'x' as timestamp; {PLAIN}"),
        ("a: 2001-99-99", f"line 1, column 4: given broken YAML: cannot read '2001-99-99' as timestamp; {PLAIN}"),
        ("a: " + "9" * 5000, f"line 1, column 4: given broken YAML: cannot read '9999999999999999... as int; {PLAIN}"),
        (
            "optimizer: {learning_rate: !!python/object/apply:os.system [ls]}",
            "optimizer.learning_rate: given !!python/object/apply:os.system ['ls']; allowed: a finite number within the "
            "float32 range; to fix it: write a number such as 0.001 or 1e-3.",
        ),
        (
            "!!python/name:os.x",
            "line 1, column 1: given the tag python/name:os.x; allowed: plain YAML; to fix it: remove the tag.",
        ),
        (
            "a: &x {b: [*x]}",
            "line 1, column 4: given an anchor that contains itself; allowed: an alias of a complete value; "
            "to fix it: write it out.",
        ),
        ("[" * 5000, "given a document that is nested too deeply; allowed: a shallow one; to fix it: nest it less."),
        (BOMB, f"line 4, column 4: {MANY}"),
        (MERGES, f"line 4, column 12: {MANY}"),
    ],
    ids=lambda v: repr(v[:20]) if v[:5] not in ("given", "line ") else "",
)
def test_errors_of_the_file(content, message):
    assert message_of(content) == message


@pytest.mark.parametrize(
    ("inside", "shown"),
    [
        ("learning_rate: 1\n  learning_rate: 2", "the key 'learning_rate' twice, on lines 2, 3"),
        ("learning_rate: !mine 1", "!mine '1'"),
    ],
)
def test_a_key_twice_and_a_foreign_tag_are_errors_inside_the_rate_only(inside: str, shown: str) -> None:
    assert message_of(f"optimizer:\n  {inside}").startswith(
        f"optimizer.learning_rate: given {shown}; allowed: a finite number"
    )
    beside = "a: 1\nother: !mine {b: 1}\na: 2\n'a': 3\noptimizer: {learning_rate: 1}"
    Path("params.yaml").write_text(beside)
    assert load("params.yaml") == Constant(1.0)


def lr(text: str) -> str:
    return f"optimizer: {{learning_rate: {text}}}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("null", "given None; allowed: a number, a scheduler or a list of schedulers; to fix it: write one of these."),
        *((text, f"given {shown}; allowed: {NUMBER}") for text, shown in [
            ("true", "True"), (".nan", "nan"), ("-.inf", "-inf"), ("1e400", "inf"), ("1e39", "1e39"), ("fast", "'fast'"),
            ("'nan'", "'nan'"), ("'1_000'", "'1_000'"), ("'1e400'", "'1e400'"), ("2001-01-01", "datetime.date(2001, 1, 1)"),
        ]),
        ("[]", "given []; allowed: a list of schedulers, with at least one entry; to fix it: write such a list."),
        ("[0.1]", "[0]: given 0.1; allowed: a mapping with the key scheduler; to fix it: write {scheduler: ..., ...}."),
        (
            "{steps: 1}",
            "given a mapping without the key scheduler; allowed: a scheduler by name; to fix it: add scheduler: <name>.",
        ),
        ("{scheduler: Cosin}", f".scheduler: given 'Cosin'; allowed: {NAMES}; to fix it: use 'Cosine'."),
        ("{scheduler: linaer}", f".scheduler: given 'linaer'; allowed: {NAMES}; to fix it: use 'Linear'."),
        (
            f"[{{{LINE}, steps: 4}}, {{scheduler: eval}}]",
            f"[1].scheduler: given 'eval'; allowed: {NAMES}; to fix it: use one of these.",
        ),
        (f"{{{LINE}, step: 4}}", f"given the key 'step'; allowed: {KEYS}; to fix it: rename it to 'steps'."),
        (f"{{{LINE}, steps: 4, 5: 6}}", f"given the key 5; allowed: {KEYS}; to fix it: remove it."),
        (
            f"{{{LINE}}}",
            f"given Linear without decay_steps; {NEEDS}; to fix it: {LENGTH}",
        ),
        (
            "{scheduler: Linear, initial_learning_rate: 0, steps: 4}",
            f"given Linear without end_learning_rate; {NEEDS}; to fix it: add end_learning_rate.",
        ),
        (f"{{{LINE}, steps: 4, total_iters: 4}}", f"given steps and total_iters; {TWICE}"),
        (f"{{{FLAT}, decay_steps: 4, steps: 4}}", f"given decay_steps and steps; {TWICE}"),
        (f"{{{FLAT}, initial_learning_rate: 1}}", f"given learning_rate and initial_learning_rate; {TWICE}"),
        *((f"{{{LINE}, steps: {text}}}", f".steps: given {shown}; allowed: {COUNT}") for text, shown in [
            ("3.5", "3.5"), ("'3.5'", "'3.5'"), ("0", "0"), ("-1", "-1"), ("true", "True"), (".inf", "inf"),
            ("null", "None"),            ("'9007199254740993'", "'9007199254740993'"), ("'1e-999999999'", "'1e-999999999'"),
            ("'x'", "'x'"), ("'1e99999999999999999999'", "'1e99999999999999999999'"), ("[4]", "[4]"),
        ]),
        (f"[{{{FLAT}}}, {{{FLAT}}}]", f"[0]: {ENDLESS}"),
        (f"[{{{LINE}, steps: 4}}, {{scheduler: InverseSquareRootDecay}}, {{{FLAT}}}]", f"[1]: {ENDLESS}"),
        (
            f"[{{{FLAT}, steps: 9007199254740992}}, {{{FLAT}, steps: 1}}, {{{FLAT}}}]",
            "Sequential.milestones[1]: given 9007199254740993; allowed: an int from 0 to 2**53; "
            "to fix it: pass a number of steps in this range.",
        ),
        (
            "{scheduler: Exponential, initial_learning_rate: 1, decay_rate: -1, steps: 4}",
            ".decay_rate: Exponential.rate: given -1.0; allowed: a finite number above 0, or a 0-d floating point tensor; "
            "to fix it: pass a number in this range.",
        ),
        (
            "{scheduler: InverseSquareRootDecay, scale: 3.0e+38, initial_learning_rate: 10}",
            ".scale: given 3e38; allowed: a number of size up to 2**126, which is 8.5e37; to fix it: "
            "write a number such as 0.001 or 1e-3.",
        ),
        (
            "{scheduler: InverseSquareRootDecay, scale: 8.0e+37, initial_learning_rate: 10}",
            f".initial_learning_rate: InverseSqrt.start: given 8e38; allowed: {FIELD}; to fix it: pass a finite number.",
        ),
        (
            "{scheduler: PiecewiseConstant, initial_learning_rate: 3, values: [1, 2], boundaries: [4]}",
            ".initial_learning_rate: PiecewiseConstant.initial_learning_rate: given 3.0; "
            "allowed: the first of the values, 1.0; to fix it: leave it out, or make them equal.",
        ),
        (
            "{scheduler: PiecewiseConstant, values: [1, 2], boundaries: [4, 5]}",
            ".boundaries: PiecewiseConstant.milestones: given 2 milestones [4, 5]; "
            "allowed: exactly one fewer than its 2 values; to fix it: pass 1 of them.",
        ),
        ("{scheduler: PiecewiseConstant, values: [1, x], boundaries: [4]}", f".values[1]: given 'x'; allowed: {NUMBER}"),
        (
            "{scheduler: PiecewiseConstant, values: 1, boundaries: [4]}",
            ".values: given 1; allowed: a list of numbers, with at least one entry; to fix it: write such a list.",
        ),
        (
            "{scheduler: PiecewiseConstant, values: [1, 2], boundaries: 4}",
            ".boundaries: given 4; allowed: a list of steps; to fix it: write such a list.",
        ),
        (f"{{{FLAT}, disable_lr_steps_reset: 'no'}}", f".disable_lr_steps_reset: given 'no'; allowed: {FLAG}"),
    ],
)  # fmt: skip
def test_errors_in_older_cerebras_files(text, message):
    sep = "" if message[0] in ".[" else ": "
    assert message_of(lr(text)) == f"optimizer.learning_rate{sep}{message}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "optimizer: 3",
            "optimizer: given 3; allowed: a mapping with the key learning_rate; to fix it: write learning_rate: under it.",
        ),
        (
            "optimizer: {}",
            "optimizer: given a mapping without the key learning_rate; allowed: a mapping with it; "
            "to fix it: add learning_rate.",
        ),
        (
            "optimizer: {learning_rate: 1, disable_lr_steps_reset: 1}",
            f"optimizer.disable_lr_steps_reset: given 1; allowed: {FLAG}",
        ),
        (
            "trainer: {init: {schedulers: []}}",
            "trainer.init: given neither schedulers nor a rate in its optimizer; allowed: a mapping with the key schedulers; "
            "to fix it: add schedulers.",
        ),
        ("schedule: linear\n", "schedule: given 'linear'; allowed: REGISTRY; to fix it: use 'Linear'."),
        ("schedule: __import__\n", "schedule: given '__import__'; allowed: REGISTRY; to fix it: use one of these."),
        ("schedule: [Linear]\n", "schedule: given ['Linear']; allowed: REGISTRY; to fix it: use one of these."),
        ("schedule: Linear\nstart: 0\n", "given Linear without end; allowed: start, end, steps; to fix it: add end."),
        (
            "schedule: Linear\nstart: 0\nend: 1\nstep: 4\n",
            "given the key 'step'; allowed: end, schedule, start, steps; to fix it: rename it to 'steps'.",
        ),
        (
            "schedule: Linear\nstart: 0\nend: 1\nsteps: 1e5\n",
            "steps: Linear.steps: given 100000.0; allowed: an int from 0 to 2**53; to fix it: pass 100000.",
        ),
        (
            "schedule: Product\nschedules: [{schedule: Linear, start: '0', end: 1, steps: 4}]",
            f"schedules[0].start: Linear.start: given '0'; allowed: {FIELD}; to fix it: remove the quotes.",
        ),
        (
            "schedule: Product\nschedules: [{start: 1}]",
            "schedules[0]: given a mapping without the key 'schedule'; allowed: a schedule by name; "
            "to fix it: add schedule: <name>.",
        ),
        (
            "schedule: Product\nschedules: [3]",
            "schedules: Product.schedules[0]: given 3; allowed: a tracelr schedule; "
            "to fix it: wrap the number as Constant(number).",
        ),
    ],
)  # fmt: skip
def test_errors_in_the_native_format(content, message):
    from tracelr.schedules.base import REGISTRY

    assert message_of(content) == message.replace("REGISTRY", ", ".join(sorted(REGISTRY)))


def test_the_error_of_an_unknown_format_shows_the_formats():
    assert message_of("rate: 1\nsteps: 3") == (
        "given a mapping with the keys 'rate', 'steps'; allowed: one of the formats below; to fix it: write one of them.\n"
        "\n"
        "optimizer:\n"
        "  learning_rate:\n"
        "  - {scheduler: Linear, initial_learning_rate: 0.0, end_learning_rate: 6.0e-4, steps: 2000}\n"
        "  - {scheduler: CosineDecay, initial_learning_rate: 6.0e-4, end_learning_rate: 6.0e-5, steps: 98000}\n"
        "\n"
        "trainer:\n"
        "  init:\n"
        "    schedulers:\n"
        "    - SequentialLR:\n"
        "        schedulers:\n"
        "        - LinearLR: {initial_learning_rate: 0.0, end_learning_rate: 6.0e-4, total_iters: 2000}\n"
        "        - CosineDecayLR: {initial_learning_rate: 6.0e-4, end_learning_rate: 6.0e-5, total_iters: 98000}\n"
        "\n"
        "lr_scheduler_type: cosine\n"
        "learning_rate: 6.0e-4\n"
        "warmup_steps: 2000\n"
        "max_steps: 100000\n"
        "\n"
        "class_name: CosineDecay\n"
        "config: {initial_learning_rate: 0.0, warmup_target: 6.0e-4, warmup_steps: 2000, decay_steps: 98000, alpha: 0.1}\n"
        "\n"
        "schedule: Cosine\n"
        "start: 6.0e-4\n"
        "end: 6.0e-5\n"
        "steps: 100000\n"
        "\n"
        f"{len(READERS) - 5} training frameworks too: tracelr list formats"
    )
