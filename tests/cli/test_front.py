"""The front of the command line: what it answers without torch, completion, near misses, colours, pictures, and progress."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support.terminal import SPEC, Terminal

import tracelr
from tracelr import Cosine, Scheduler, warmup_cosine
from tracelr.__main__ import main
from tracelr.cli import completion, output
from tracelr.cli.main import every
from tracelr.cli.progress import progress
from tracelr.cli.verb import target_names
from tracelr.cli.verbs.convert import WRITTEN
from tracelr.drawing.axes import Curve
from tracelr.drawing.matplotlib import figure_of
from tracelr.drawing.svg import DASHES, svg
from tracelr.drawing.terminal import terminal
from tracelr.errors import ConfigError, shortest
from tracelr.interop.audit import TOLERANCE
from tracelr.interop.convert import WRITERS
from tracelr.interop.native.names import check_calls, defined, snake
from tracelr.lowering import targets
from tracelr.schedules.base import REGISTRY
from tracelr.schedules.describe.phases import short
from tracelr.schedules.standard import FUNCTIONS

pytestmark = pytest.mark.usefixtures("only_ours", "command_line")
TWO = """\
assignments:
- {key: lr, schedule: {schedule: "linear(0, 3e-4, 2000) | cosine(3e-4, 3e-5, 98k)"}}
- {key: weight_decay, schedule: {schedule: "cosine(0.04, 0.4, 100k)"}}
"""


def ends(*argv: str) -> int:
    """Return the exit code of a command line that ends in the parser."""
    with pytest.raises(SystemExit) as stop:
        main(list(argv))
    return int(stop.value.code or 0)


LIGHT = [
    "--help",
    "--version",
    "show --help",
    "completion zsh",
    "shwo x",
    "show x --jsn",
    "show no-such-file.yaml",
    "diff no.yaml x",
]


@pytest.mark.parametrize("line", LIGHT)
def test_nothing_heavy_is_imported_to_answer(line: str) -> None:
    code = (
        "import sys\nfrom tracelr.__main__ import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "heavy = ('torch', 'numpy', 'yaml', 'matplotlib', 'tqdm', 'tracelr.schedules', 'inspect')\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code, *line.split()], capture_output=True, text=True, env=environment)
    assert done.stderr.splitlines()[-1] == "[]"


def test_what_the_front_says_is_what_the_library_has(capsys: pytest.CaptureFixture[str]) -> None:
    assert tuple(WRITERS) == WRITTEN
    assert target_names() == targets.target_names()
    assert ends("audit", "--help") == 0
    assert f"(default: {shortest(TOLERANCE)})" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("shwo", "x"), "did you mean 'show'?"),
        (("show", SPEC, "--jsn"), "did you mean '--json'?"),
        (("--verson",), "did you mean '--version'?"),
        (("convert", SPEC, "--to", "kers"), "did you mean 'keras'?"),
        (("report", SPEC, "--targt", "c"), "did you mean '--target'?"),
    ],
)
def test_a_near_miss_names_what_is_there(argv: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ends(*argv) == 2
    assert capsys.readouterr().err.rstrip().endswith(said)


def test_near_misses_of_names_and_files(tracelr_: Terminal) -> None:
    assert "to fix it: use 'cuda'" in tracelr_("lower", SPEC, "--target", "cud", code=2)
    assert "to fix it: use 'mermaid'" in tracelr_("dump", SPEC, "--format", "mermaids", code=2)
    Path("params.yaml").write_text("schedule: linear(0, 1, 10)\n")
    assert "given no such file" in (said := tracelr_("show", "parms.yaml", code=2))
    assert "to fix it: use 'params.yaml'." in said
    assert "given no such file" in tracelr_("audit", "params.yaml", "no.csv", code=2)


def test_numbers_with_separators(tracelr_: Terminal) -> None:
    assert tracelr_("at", SPEC, "50,000", "50_000", "50k", "5e4").splitlines() == [tracelr_("at", SPEC, "50000").strip()] * 4
    assert "the same values at all of 98,001 steps" in tracelr_("diff", SPEC, SPEC, "--steps", "98,000")
    assert "write 98_000 for one number" in tracelr_("show", "cosine(3e-4, 0, 98,000)", code=2)
    assert "write 98_500 for one number" in tracelr_("show", "polynomial(1, 0, 98,500)", code=2)
    flags = ["--lr", "6e-5", "--lr-decay-style", "cosine", "--train-iters", "1,000"]
    assert "Cosine(start=6e-05, end=0.0, steps=1000)" in tracelr_("show", "--", *flags)
    assert tracelr.parse("linear(0,100,500)").steps == 500
    assert tracelr.parse("multi_step(1, 0.1, [100,200,300])").milestones == (100, 200, 300)


@pytest.mark.parametrize(
    "text", ["linear(0, 1, 5) | linaer(1, 0, 5)", "2 * wibble(1)", "warmup_cosin(1, 100)", "__import__('os')"]
)
def test_a_wrong_name_in_a_line_is_the_same_error_early_and_late(text: str) -> None:
    with pytest.raises(ConfigError) as early:
        check_calls(text)
    with pytest.raises(ConfigError) as late:
        tracelr.parse(text)
    assert str(early.value) == str(late.value)


def test_the_names_in_the_sources_are_those_that_are_registered() -> None:
    kinds = {name for name, kind in REGISTRY.items() if kind.__module__.startswith("tracelr.")}
    assert defined() == {*map(snake, kinds), *FUNCTIONS}
    check_calls("constant(1).named('a name (of mine)') | OneCycle(0, 1, 0, 10, 3)")


# -- completion -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_names_every_verb_and_flag(shell: str, tracelr_: Terminal) -> None:
    script = tracelr_("completion", shell)
    assert script.rstrip() == completion.script(shell)
    assert all(verb.name in script for verb in every())
    assert "weight_decay" in script
    assert "no-verify" in script


def completed(script: str, *words: str) -> list[str]:
    """Return what bash offers for the last of the words."""
    line = f'{script}\nCOMP_WORDS=({" ".join(words)}); COMP_CWORD={len(words) - 1}; _tracelr; echo "${{COMPREPLY[*]}}"'
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes() -> None:
    script = completion.script("bash")
    Path("params.yaml").write_text("")
    assert completed(script, "tracelr", "sh") == ["show"]
    assert completed(script, "tracelr", "show", "--js") == ["--json"]
    assert completed(script, "tracelr", "lower", "x", "--target", "cu") == ["cuda"]
    assert completed(script, "tracelr", "convert", "x", "--to", "ke") == ["keras"]
    assert completed(script, "tracelr", "show", "par") == ["params.yaml"]
    assert completed(script, "tracelr", "completion", "f") == ["fish"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_take_the_script(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    subprocess.run([shell, "-n"], input=completion.script(shell), text=True, check=True)


# -- the terminal ---------------------------------------------------------------------------------------------------------


class Screen(io.StringIO):
    encoding = "utf-8"  # type: ignore[assignment]  # that of StringIO is read-only

    def isatty(self) -> bool:
        return True


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    shown = []
    for name, value in (("TERM", "xterm"), ("NO_COLOR", "1"), ("TERM", "dumb")):
        if name == "TERM":
            monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv(name, value)
        screen = Screen()
        output.say("no \x1b[2J such file", screen, "error: ", output.RED)
        shown.append(screen.getvalue())
    assert shown == ["\x1b[31merror: \x1b[0mno \\x1b[2J such file\n", *["error: no \\x1b[2J such file\n"] * 2]
    assert not output.coloured(io.StringIO())


@pytest.mark.parametrize("columns", [40, 60, 88, 160])
def test_pictures_and_help_are_as_wide_as_the_terminal(
    columns: int, tracelr_: Terminal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert max(map(len, tracelr_("plot", SPEC).splitlines())) <= columns
    assert ends("--help") == 0
    listed = capsys.readouterr().out.partition("positional arguments:")[2]
    assert max(map(len, listed.splitlines())) <= columns


def test_progress_is_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream, told in ((io.StringIO(), False), (Screen(), True)):
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setattr("tracelr.cli.progress._DELAY", 0.0)
        with progress(2, "verify") as tell:
            tell("c")
            tell("cuda")
        assert ("cuda" in stream.getvalue()) == told


# -- plot -----------------------------------------------------------------------------------------------------------------


def test_each_quantity_has_its_own_axis(tracelr_: Terminal) -> None:
    Path("two.yaml").write_text(TWO)
    drawn = tracelr_("plot", "two.yaml")
    rates, decays = drawn.split("\n\n")
    assert rates.startswith("learning rate\n")
    assert "3e-4 ┤" in rates
    assert decays.startswith("weight decay\n")
    assert decays.endswith("weight_decay of every group\n")
    assert "0.4 ┤" in decays
    assert tracelr_("plot", "two.yaml", "constant(1e-4)", "-o", "a.svg") == "wrote a.svg: 3 curves, steps 0 to 110,000\n"
    text = Path("a.svg").read_text()
    assert [text.count(f">{label}</text>") for label in ("learning rate", "weight decay", "step", "lr of every group")] == [
        1,
        1,
        1,
        1,
    ]
    assert text.count('stroke-dasharray="8 4"') == 2  # the second rate, and its line in the legend
    figure = figure_of([Curve("a", (0, 9), (1.0, 2.0), "learning rate"), Curve("b", (0, 9), (3.0, 4.0), "weight decay")])
    assert [axes.get_ylabel() for axes in figure.axes] == ["learning rate", "weight decay"]
    assert [axes.get_xlabel() for axes in figure.axes] == ["", "step"]


def test_curves_differ_without_colour() -> None:
    curves = [Curve(f"curve {k}", (0, 100), (float(k), float(k))) for k in range(4)]
    lines = terminal(curves, 72, 12).splitlines()
    assert [line.split("  ")[-1] for line in lines[-4:]] == [f"curve {k}" for k in range(4)]
    assert len({line.split()[0] for line in lines[-4:]}) == 4
    assert all(f'stroke-dasharray="{dashes}"' in svg(curves) for dashes in DASHES[1:4])
    styles = [line.get_linestyle() for line in figure_of(curves).axes[0].lines]
    assert len(set(styles)) == 4


def test_a_terminal_of_ascii_shows_which_curve_is_which(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", screen)
    assert main(["plot", "linear(0, 1, 100)", "constant(0.5)"]) == 0
    screen.seek(0)
    text = screen.read()
    assert "******  linear(0, 1, 100)" in text
    assert "++++++  constant(0.5)" in text
    assert "\\u" not in text


# -- a checkpoint, and a report -------------------------------------------------------------------------------------------


def test_show_says_where_the_run_of_a_checkpoint_stands(tracelr_: Terminal) -> None:
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(3))], lr=0.1)
    scheduler = Scheduler(optimizer, lr=warmup_cosine(3e-4, 100_000), weight_decay=Cosine(0.04, 0.4, 50_000))
    scheduler.last_epoch = 12_345
    torch.save({"scheduler": scheduler.state_dict()}, "run.pt")
    now = [short(float(one(12_345))) for one in scheduler.schedules()]
    assert tracelr_("show", "run.pt").splitlines()[:4] == [
        "Read as checkpoint.",
        "  The run is at step 12,345 of 100,000, 12.3% done.",
        f"  lr of every group: {now[0]} in the next update; it falls from 0.0003 to 3e-5 along half a cosine, until step 100,000.",
        f"  weight_decay of every group: {now[1]} in the next update; it rises from 0.04 to 0.4 along half a cosine, until step 50,000.",
    ]
    assert tracelr_.json("show", "run.pt")[0]["notes"][0].startswith("The run is at step 12,345")


def test_a_report_runs_the_quick_targets_unless_asked(tracelr_: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tracelr.report")
    asked: list[tuple[list[str], object]] = []

    def page(*_: object, targets: list[str], verify: object, **__: object) -> str:
        asked.append((list(targets), verify))
        return "page"

    monkeypatch.setattr("tracelr.cli.runs.report.page", page)
    for flags in ((), ("--no-verify",), ("--target", "onnx"), ("--target", "all")):
        assert tracelr_("report", SPEC, *flags) == "wrote report.html\n"
    quick = ["c", "cuda", "triton"]
    assert asked == [(quick, ("c",)), (quick, False), (["onnx"], True), (target_names(), True)]
