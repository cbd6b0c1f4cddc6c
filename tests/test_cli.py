"""The command line: every example as it stands in docs/cli.md, every kind of input, and what each mistake is told."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from runpy import run_path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
import yaml

import tracelr
from tracelr import Assignment, Cosine, Linear, Scheduler
from tracelr.__main__ import main
from tracelr.cli.main import every
from tracelr.cli.verb import step_number
from tracelr.errors import ScheduleError
from tracelr.lowering.targets import find, targets

ROOT = Path(__file__).parent.parent
SPEC = "linear(0, 3e-4, 2000) | cosine(3e-4, 3e-5, 98k)"
RUN = Linear(0.0, 3e-4, 2000).then(Cosine(3e-4, 3e-5, 98_000))
pytestmark = pytest.mark.usefixtures("only_ours")
NEEDS_CC = pytest.mark.skipif(find("c").missing() is not None, reason="no C compiler")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "88")
    monkeypatch.setattr(sys, "path", [*sys.path])


class Terminal:
    """Runs a command line and returns what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *argv: str, code: int = 0) -> str:
        assert main(list(argv)) == code
        printed = self.capsys.readouterr()
        assert (printed.err == "") == (code != 2)
        return printed.err if code == 2 else printed.out

    def json(self, *argv: str, code: int = 0) -> Any:
        return json.loads(self(*argv, "--json", code=code))


@pytest.fixture
def tracelr_(capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(capsys)


# -- every verb -----------------------------------------------------------------------------------------------------------


def test_the_verbs_and_the_targets_are_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["at", "bench", "convert", "diff", "dump", "list", "lower", "plot", "report", "show", "train", "verify"]
    assert [verb.name for verb in every()] == names
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    assert "exit codes: 0 done; 1 a difference was found" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        main(["paint"])
    assert stop.value.code == 2
    assert ", ".join(targets()) == tracelr.cli.verb.TARGETS


@NEEDS_CC
@pytest.mark.skipif(sys.version_info >= (3, 13), reason="argparse words its usage otherwise")
def test_the_page_in_the_docs_is_current() -> None:
    page = run_path(str(ROOT / "docs" / "cli.py"))["page"]()
    assert (ROOT / "docs" / "cli.md").read_text() == page, "run: python docs/cli.py"


@pytest.mark.parametrize("verb", every(), ids=lambda verb: verb.name)
def test_every_help_ends_with_an_example(verb: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([verb.name, "--help"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.endswith(f"\nexample:\n  {verb.example}\n")
    assert shlex.split(verb.example)[:2] == ["tracelr", verb.name]


LONG = [pytest.param(verb, marks=pytest.mark.slow, id=verb.name) for verb in every() if verb.writes or not verb.steady]


@pytest.mark.parametrize("verb", LONG)
def test_an_example_that_is_not_in_the_page_runs(verb: Any) -> None:
    if verb.name == "report":
        pytest.importorskip("tracelr.report")
    shutil.copytree(ROOT / "examples", "examples")
    assert main(shlex.split(verb.example)[1:]) == 0
    assert not verb.writes or Path(verb.writes).stat().st_size > 1000


# -- at, show, list, plot -------------------------------------------------------------------------------------------------


def test_at_prints_the_values_and_their_bits(tracelr_: Terminal) -> None:
    steps = [0, 1000, 2000, 50_000, 98_000, 100_000, 2**53]
    values = RUN(torch.tensor(steps)).tolist()
    spelled = ["0", "1_000", "2k", "5e4", "98k", "0.1M", str(2**53)]
    assert tracelr_("at", SPEC, *spelled) == "".join(f"{s}\t{v!r}\n" for s, v in zip(steps, values, strict=True))
    rows = tracelr_.json("at", SPEC, *spelled)
    assert [row["value"] for row in rows] == [float.fromhex(row["hex"]) for row in rows] == values
    words = torch.tensor([int(row["bits"], 16) for row in rows], dtype=torch.int32)
    assert words.view(torch.float32).tolist() == values


@pytest.mark.parametrize("text", ["1.5", "-1", "x", "", "1e", "0.5e0", "9007199254740993", "1e99", "1" * 40])
def test_a_step_is_a_whole_number(text: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        step_number(text)
    assert str(caught.value) == (
        f"step: given {text!r}; allowed: a whole number from 0 to 2**53, such as 2000, 98k or 1e6; to fix it: write one."
    )


def test_show_as_json_has_the_phases(tracelr_: Terminal) -> None:
    (shown,) = tracelr_.json("show", SPEC)
    assert tracelr.from_dict(shown["schedule"]).to_dict() == RUN.to_dict()
    assert shown["length"] == 100_000
    assert [(phase["name"], phase["first"], phase["until"]) for phase in shown["phases"]] == [
        ("warm-up", 0, 2000),
        ("decay", 2000, 100_000),
        ("flat", 100_000, None),
    ]


def test_list_as_json_has_every_name(tracelr_: Terminal) -> None:
    found = tracelr_.json("list")
    assert {row["name"] for row in found["schedules"]} == set(tracelr.schedule.REGISTRY)
    assert [row["name"] for row in found["targets"]] == targets()
    assert [row["name"] for row in found["dialects"]] == [
        "cerebras",
        "cerebras_trainer",
        "huggingface",
        "keras",
        "optax",
        "ours",
    ]
    assert all(row["text"] for rows in found.values() for row in rows)
    assert len(tracelr_("list").splitlines()) == 3 + sum(map(len, found.values()))


def test_plot_writes_each_format_and_zooms(tracelr_: Terminal) -> None:
    for name in ("a.svg", "a.png", "a.pdf", "a.html"):
        assert tracelr_("plot", SPEC, "constant(1e-4)", "--log", "-o", name) == ""
    assert ElementTree.parse("a.svg").getroot().tag.endswith("svg")
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")
    assert Path("a.pdf").read_bytes().startswith(b"%PDF")
    assert Path("a.html").read_text().startswith("<!doctype html>")
    tracelr_("plot", SPEC, "--zoom", "warmup", "-o", "zoomed.svg")
    assert ">4k<" in Path("zoomed.svg").read_text()
    assert "20k" not in Path("zoomed.svg").read_text()
    drawn = tracelr_("plot", SPEC, "constant(1e-4)", "--from", "2k", "--to", "3k")
    assert drawn.splitlines()[-3].split() == ["2k", "2.2k", "2.4k", "2.6k", "2.8k", "3k"] or "3k" in drawn
    assert drawn.splitlines()[-1] == "  constant(1e-4)"


# -- where schedules come from --------------------------------------------------------------------------------------------

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
    back = tracelr.from_dict(yaml.safe_load(tracelr_("convert", name, "--to", "ours")))
    assert [one.key for one in back] == ["lr", "weight_decay"]
    assert tracelr_("at", name, "5", "--key", "momentum", code=2) == (
        f"tracelr: error: {name}: given --key momentum; allowed: {FOUND}; to fix it: pass the key and a tag of one of these.\n"
    )
    assert f"{name}: given 2 assignments; allowed: one of: lr of every group: Sequential(" in tracelr_(
        "dump", name, "--tag", "a", code=2
    )
    assert tracelr_("at", SPEC, "5", "--tag", "a", code=2).endswith(
        "given one schedule, for the lr of every group; allowed: what there is; to fix it: leave out --key and --tag.\n"
    )


# -- diff -----------------------------------------------------------------------------------------------------------------


def test_diff_says_where_and_how_much(tracelr_: Terminal) -> None:
    longer = "linear(0, 3e-4, 2000) | cosine(3e-4, 3e-5, 198k)"
    (found,) = tracelr_.json("diff", SPEC, longer, code=1)
    other = tracelr.parse(longer)
    steps = torch.arange(300_000)
    apart = (RUN(steps).double() - other(steps).double()).abs()
    assert found["first"]["step"] == int(apart.nonzero()[0])
    assert found["most"]["absolute"] == float(apart.max())
    assert found["most"]["a"] == float(RUN(found["most"]["step"]))
    assert found["first_is_exact"]
    text = tracelr_("diff", SPEC, longer, code=1)
    assert "  fields: Sequential.schedules[1].steps 98000 -> 198000\n" in text
    assert tracelr_("diff", SPEC, longer, "--steps", "2k") == "the same values at all of 2,001 steps\n"


def test_the_first_difference_of_a_long_schedule_is_found_between_two_samples(tracelr_: Terminal) -> None:
    a, b = "piecewise_constant([1, 0.5], [123456789])", "piecewise_constant([1, 0.5], [123450000])"
    (found,) = tracelr_.json("diff", a, b, code=1)
    assert (found["first"]["step"], found["first_is_exact"]) == (123_450_000, True)


def test_an_old_config_against_a_resumed_checkpoint(tracelr_: Terminal) -> None:
    weights = [{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(2)]
    optimizer = torch.optim.SGD(weights, lr=0.1)
    torch.save({"scheduler": Scheduler(optimizer, lr=Cosine(1.0, 0.0, 2000)).state_dict()}, "run.pt")
    text = tracelr_("diff", "cosine(1, 0, 1000)", "run.pt", code=1)
    assert "  fields: Cosine.steps 1000 -> 2000\n" in text
    torch.save(Scheduler(optimizer, [Assignment("weight_decay", None, Cosine(1.0, 0.0, 8))]).state_dict(), "other.pt")
    assert tracelr_("diff", "cosine(1, 0, 8)", "other.pt", "--key", "lr", code=2).startswith(
        "tracelr: error: other.pt: given --key lr; "
    )
    optimizer = torch.optim.SGD(weights, lr=0.1)
    torch.save(Scheduler(optimizer, lr=[Cosine(1.0, 0.0, 8), Linear(1.0, 0.0, 8)]).state_dict(), "two.pt")
    rows = tracelr_.json("diff", "two.pt", "two.pt")
    assert [(row["of"], row["same"]) for row in rows] == [
        ("lr of groups with 'group 0'", True),
        ("lr of groups with 'group 1'", True),
    ]
    assert "lr of every group: only A has it" in tracelr_("diff", "cosine(1, 0, 8)", "two.pt", code=1)
    torch.save({"model": 1}, "none.pt")
    assert "given a checkpoint without a scheduler's state" in tracelr_("at", "none.pt", "0", code=2)


# -- mistakes -------------------------------------------------------------------------------------------------------------

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
        ("nothing.yaml", "nothing.yaml: given a path that cannot be read (No such file or directory); allowed: a YAML file; to fix it: correct the path."),
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


def test_a_wrong_output_is_one_error(tracelr_: Terminal) -> None:
    said = "given a path that cannot be written (No such file or directory); allowed: one that can; what was there is as it was; to fix it: free it, or choose another folder."
    for verb in (["dump"], ["lower"], ["convert", "--to", "ours"], ["plot"]):
        assert tracelr_(*verb, SPEC, "-o", "no/such/a.svg", code=2) == f"tracelr: error: no/such/a.svg: {said}\n"
    assert tracelr_("plot", SPEC, "-o", "a.gif", code=2) == (
        "tracelr: error: plot -o: given 'a.gif'; allowed: a path that ends in .svg, .png, .pdf or .html; to fix it: name it so.\n"
    )
    assert tracelr_("plot", "cosine(1, 0, 9)", "--zoom", "warmup", code=2) == (
        "tracelr: error: plot --zoom: given schedules that begin with no rise; allowed: one that does; "
        "to fix it: leave out --zoom, or pass --from and --to.\n"
    )


def test_a_reader_that_stops_is_no_error() -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "tracelr", "list"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read().decode().splitlines()
        assert [line for line in said if "XDG_RUNTIME_DIR" not in line] == []  # of wgpu, where there is no desktop
    assert process.returncode == 0


@NEEDS_CC
def test_verify_as_json(tracelr_: Terminal) -> None:
    report = tracelr_.json("verify", "linear(0, 1, 10)", "--target", "c")
    assert (report["ok"], [result["target"] for result in report["results"]]) == (True, ["c"])
