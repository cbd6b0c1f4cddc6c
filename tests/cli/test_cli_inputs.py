"""Each kind of input of the command line gives the same schedule, and a wrong one gives one error."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
import torch
import yaml
from support.terminal import RUN, SPEC, Terminal

import tracelr
from tracelr import Linear, Scheduler

pytestmark = pytest.mark.usefixtures("only_ours", "command_line")

PYTHON = """\
from tracelr import Assignment, Cosine, Linear
rate = Linear(0.0, 3e-4, 2000).then(Cosine(3e-4, 3e-5, 98_000))
several = [Assignment("lr", None, rate), Assignment("weight_decay", ("a",), Linear(0.0, 0.1, 10))]
def made(): return rate
def broken(): raise RuntimeError("no data\\nhere")
class space: inner = rate
"""


def test_every_kind_of_input_is_the_same_schedule(tracelr_: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a.yaml").write_text(yaml.safe_dump(RUN.to_dict()))
    Path("a.json").write_text(json.dumps(RUN.to_dict()))
    Path("line.yaml").write_text(SPEC)
    Path("settings_of_a_test.py").write_text(PYTHON)
    model = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    state = {"step": 3, "training": {"scheduler": Scheduler(model, lr=RUN).state_dict()}}
    torch.save(state, "checkpoint.pt")
    module = "settings_of_a_test"
    names = [
        SPEC,
        "a.yaml",
        "a.json",
        "line.yaml",
        "checkpoint.pt",
        f"{module}:rate",
        f"{module}:made",
        f"{module}:space.inner",
    ]
    values = tracelr_("at", SPEC, "1", "5000")
    for name in names:
        assert tracelr_("at", name, "1", "5000") == values
        assert tracelr_("diff", name, SPEC, "--steps", "100") == "the same values at all of 101 steps\n"
    for text in (SPEC, yaml.safe_dump(RUN.to_dict())):
        read, write = os.pipe()
        os.write(write, text.encode())
        os.close(write)
        with os.fdopen(read) as file:
            monkeypatch.setattr(sys, "stdin", file)
            assert tracelr_("at", "-", "1", "5000") == values


FOUND = "lr of every group; weight_decay of groups with 'a'"


def test_several_assignments_are_shown_whole_or_picked(tracelr_: Terminal) -> None:
    Path("settings_of_another.py").write_text(PYTHON)
    name = "settings_of_another:several"
    assert (
        tracelr_("at", name, "5")
        == f"lr of every group\t5\t{float(RUN(5))!r}\nweight_decay of groups with 'a'\t5\t0.05000000074505806\n"
    )
    shown = tracelr_.json("show", name)
    assert [(row["key"], row["tags"]) for row in shown] == [("lr", None), ("weight_decay", ["a"])]
    assert "weight_decay of groups with 'a': Linear(" in tracelr_("show", name)
    assert tracelr_("at", name, "5", "--key", "lr").startswith("lr of every group\t5\t")
    assert (
        tracelr_("dump", name, "--key", "weight_decay", "--tag", "a") == tracelr.lowering.dump(Linear(0.0, 0.1, 10)) + "\n"
    )
    assert tracelr_("lower", name, "--key", "lr").startswith("/* lr(step): the learning rate of a Sequential")
    tracelr_("plot", name, "-o", "both.svg")
    assert "weight_decay of groups with &#x27;a&#x27;" in Path("both.svg").read_text()
    back = tracelr.from_dict(yaml.safe_load(tracelr_("convert", name, "--to", "native")))
    assert [one.key for one in back] == ["lr", "weight_decay"]
    assert tracelr_("at", name, "5", "--key", "momentum", code=2) == (
        f"tracelr: error: {name}: given --key momentum; allowed: {FOUND}; to fix it: pass the key and a tag of one of these.\n"
    )
    assert f"{name}: given 2 assignments; allowed: one of: lr of every group: Linear(" in tracelr_(
        "dump", name, "--tag", "a", code=2
    )
    assert tracelr_("at", SPEC, "5", "--tag", "a", code=2).endswith(
        "given --tag a; allowed: no --tag, and no --key but lr, because it is one schedule for every group; to fix it: leave out --key and --tag.\n"
    )


YAML = "a.yaml: optimizer.learning_rate"
MISTAKES = {
    "optimizer: {learning_rate: 1e-3": (
        "line 1, column 32: given broken YAML: expected ',' or '}', but got '<stream end>'; allowed: plain YAML; to fix it: correct it there.",
        (0, 31),
    ),
    "optimizer:\n  learning_rate:\n  - {scheduler: Linear, initial_learning_rate: 0, end_learning_rate: 1, steps: -5}\n": (
        "optimizer.learning_rate[0].steps: given -5; allowed: a whole number of steps from 1 to 2**53; to fix it: write a number such as 2000 or 1e5.",
        (2, 79),
    ),
    "schedule: Linear\nstart: 0.0\nend: x\nsteps: 5\n": (
        "end: Linear.end: given 'x'; allowed: a finite number within the float32 range, or a 0-d floating point tensor; to fix it: remove the quotes.",
        (2, 5),
    ),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_in_a_file_has_its_line_and_a_caret(text: str, tracelr_: Terminal) -> None:
    message, (line, column) = MISTAKES[text]
    Path("a.yaml").write_text(text)
    shown = text.splitlines()[line]
    assert tracelr_("at", "a.yaml", "0", code=2) == f"tracelr: error: a.yaml: {message}\n  {shown}\n  {' ' * column}^\n"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing.yaml", "nothing.yaml: given no such file; allowed: a file, a line of text, module:object, or -; to fix it: correct the path."),
        ("no_such:thing", "no_such:thing: given a name that Python cannot import (ModuleNotFoundError: No module named 'no_such'); allowed: module:object; to fix it: correct the name, or the module."),
        ("math:no", "math:no: given a name that Python cannot find (AttributeError: module 'math' has no attribute 'no'); allowed: module:object; to fix it: correct the name, or the module."),
        ("math:pi", "math:pi: given 3.141592653589793; allowed: a Schedule, a list of Assignment, or a function without arguments that returns one; to fix it: name such an object."),
        ("settings_that_break:broken", "settings_that_break:broken: given a name that Python cannot call (RuntimeError: no data here); allowed: module:object; to fix it: correct the name, or the module."),
        ("linear(0, 1)", "spec: column 12: given linear without steps; allowed: start, end, steps; to fix it: add steps.\n  linear(0, 1)\n             ^"),
    ],
)  # fmt: skip
def test_a_wrong_input_is_one_error(name: str, said: str, tracelr_: Terminal) -> None:
    Path("settings_that_break.py").write_text(PYTHON)
    assert tracelr_("at", name, "0", code=2) == f"tracelr: error: {said}\n"
