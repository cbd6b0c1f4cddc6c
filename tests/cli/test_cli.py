"""The command line: each verb, each example of docs/cli.md, and what it prints."""

from __future__ import annotations

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
from support.compilers import NEEDS_CC
from support.terminal import RUN, SPEC, Terminal

import tracelr
from tracelr.__main__ import main
from tracelr.cli import verbs
from tracelr.cli.main import every
from tracelr.cli.reading import step_number
from tracelr.errors import ConfigError
from tracelr.interop.readers import READERS
from tracelr.lowering.targets import target_names

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("only_ours", "command_line")


def test_each_file_of_verbs_is_a_verb_and_help_names_every_target(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(verbs.__file__).parent
    assert [verb.name for verb in every()] == sorted({path.stem for path in folder.glob("*.py")} - {"__init__"})
    assert {"convert", "lower", "show", "verify"} <= {verb.name for verb in every()}
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    assert "exit codes: 0 done; 1 a difference was found" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        main(["paint"])
    assert stop.value.code == 2


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
    with pytest.raises(ConfigError) as caught:
        step_number(text)
    assert str(caught.value) == (
        f"step: given {text!r}; allowed: a whole number from 0 to 2**53, such as 2000, 98k, 98,000 or 1e6; to fix it: write one."
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
    assert {row["name"] for row in found["schedules"]} == set(tracelr.schedules.base.REGISTRY)
    assert [row["name"] for row in found["targets"]] == target_names()
    assert [row["name"] for row in found["formats"]] == list(READERS)
    assert all(row["text"] for rows in found.values() for row in rows)
    assert len(tracelr_("list").splitlines()) == 3 + sum(map(len, found.values()))


def test_plot_writes_each_format_and_zooms(tracelr_: Terminal) -> None:
    for name in ("a.svg", "a.png", "a.pdf", "a.html"):
        said = f"wrote {name}: 2 curves, steps 0 to 110,000\n"
        assert tracelr_("plot", SPEC, "constant(1e-4)", "--log", "-o", name) == said
    assert ElementTree.parse("a.svg").getroot().tag.endswith("svg")
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")
    assert Path("a.pdf").read_bytes().startswith(b"%PDF")
    assert Path("a.html").read_text().startswith("<!doctype html>")
    tracelr_("plot", SPEC, "--zoom", "warmup", "-o", "zoomed.svg")
    assert ">4k<" in Path("zoomed.svg").read_text()
    assert "20k" not in Path("zoomed.svg").read_text()
    drawn = tracelr_("plot", SPEC, "constant(1e-4)", "--from", "2k", "--to", "3k")
    assert drawn.splitlines()[-3].split() == ["2k", "2.2k", "2.4k", "2.6k", "2.8k", "3k"] or "3k" in drawn
    assert drawn.splitlines()[-1].endswith("  constant(1e-4)")


def test_a_wrong_output_is_one_error(tracelr_: Terminal) -> None:
    said = "given a path that cannot be written (No such file or directory); allowed: a path that can be written; what was there is unchanged; to fix it: free it, or choose another folder."
    for verb in (["dump"], ["lower"], ["convert", "--to", "native"], ["plot"]):
        assert tracelr_(*verb, SPEC, "-o", "no/such/a.svg", code=2) == f"tracelr: error: no/such/a.svg: {said}\n"
    assert tracelr_("plot", SPEC, "-o", "a.gif", code=2) == (
        "tracelr: error: plot -o: given 'a.gif'; allowed: a path that ends in .svg, .png, .pdf or .html; to fix it: name it so.\n"
    )
    assert tracelr_("plot", "cosine(1, 0, 9)", "--zoom", "warmup", code=2) == (
        "tracelr: error: plot --zoom: given schedules that do not begin with a rise; allowed: one that does; "
        "to fix it: leave out --zoom, or pass --from and --to.\n"
    )


def test_a_reader_that_stops_is_no_error() -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "tracelr", "at", SPEC, "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@NEEDS_CC
def test_verify_as_json(tracelr_: Terminal) -> None:
    report = tracelr_.json("verify", "linear(0, 1, 10)", "--target", "c")
    assert (report["ok"], [result["target"] for result in report["results"]]) == (True, ["c"])
