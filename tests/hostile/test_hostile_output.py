"""Names of a hostile alphabet through every output: nothing reaches the terminal that moves it, and no encoding ends in a traceback."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.bad_values import profile

from tracelr.__main__ import main
from tracelr.report.section import argument

pytestmark = pytest.mark.usefixtures("command_line")

LETTERS = "\x00\x07\x08\t\n\r\x0b\x1b\x7f\x85\x9b\xa0\xad\u061c\u200b\u200e\u2028\u202e\u2066\ufeff\ufffe\ud800\udcff\udfff\U000e0001$_^\\{}%#&<>\"'`;|*/-é漢😀a"
NAMES = st.text(LETTERS, min_size=1, max_size=8)
EVIL = "lr\x1b[2J\x1b]0;title\x07\x9b2J\u202e\ud800\r\ntracelr: error: forged\t$x^{$"
ASSIGNED = "- {{key: {key}, tags: [{tag}], schedule: {{schedule: Linear, start: 0, end: 1, steps: 9}}}}\n"


def plain(text: str, told: object = "") -> None:
    """Assert that a text moves no cursor, in lines that the names have not broken."""
    for line in text.split("\n"):
        assert all(part.isprintable() for part in line.split("\t")), (ascii(line), told)
        assert not line.startswith("tracelr: error: forged")


def assigned(key: str, tag: str) -> None:
    one, other = ASSIGNED.format(key=json.dumps(key), tag=json.dumps(tag)), ASSIGNED.format(key="wd", tag="b")
    Path("a.yaml").write_text(f"assignments:\n{one}{other}")


VERBS = (
    ["at", "a.yaml", "3"],
    ["show", "a.yaml"],
    ["diff", "a.yaml", "linear(0, 1, 9)"],
    ["plot", "a.yaml"],
    ["dump", "a.yaml"],
    ["lower", "a.yaml"],
    ["convert", "a.yaml", "--to", "native"],
    ["convert", "a.yaml", "--to", "optax"],
)


def said(capsys: pytest.CaptureFixture[str], argv: list[str]) -> str:
    """Run a command line and return all that it printed, which has to be plain."""
    try:
        code = main(argv)
    except SystemExit as left:  # argparse
        code = int(left.code or 0)
    printed = capsys.readouterr()
    plain(printed.out, argv)
    plain(printed.err, argv)
    assert code in (0, 1, 2)
    assert (code == 2) == ("error: " in printed.err)
    return printed.out + printed.err


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_an_evil_key_and_tag(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assigned(EVIL, EVIL)
    said(capsys, verb)
    said(capsys, [*verb, "--key", EVIL])
    said(capsys, [*verb, "--tag", EVIL])


def test_names_through_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    @profile(20)
    @given(key=NAMES, tag=NAMES, verb=st.sampled_from(VERBS[:4]))
    def through(key: str, tag: str, verb: list[str]) -> None:
        assigned(key, tag)
        said(capsys, verb)

    through()


def test_names_of_files(capsys: pytest.CaptureFixture[str]) -> None:
    @profile(20)
    @given(name=NAMES, suffix=st.sampled_from([".yaml", ".pt", "", "(0)"]), there=st.booleans())
    def through(name: str, suffix: str, there: bool) -> None:
        if there and not set("/\0\ud800\udfff") & set(name):
            Path(f"x{name}{suffix}").write_text("linear(0, 1, 9)")
        said(capsys, ["show", f"x{name}{suffix}"])
        said(capsys, ["at", "linear(0, 1, 9)", name])
        said(capsys, ["show", "linear(0, 1, 9)", name])

    through()


@pytest.mark.parametrize("suffix", ["svg", "html", "png", "pdf"])
def test_an_evil_name_in_a_picture(suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    assigned(EVIL, EVIL)
    said(capsys, ["plot", "a.yaml", "-o", f"out.{suffix}"])
    said(capsys, ["plot", "a.yaml", "--key", EVIL, "-o", f"one.{suffix}"])
    for name in ("out", "one"):
        content = Path(f"{name}.{suffix}").read_bytes()
        if suffix in ("svg", "html"):
            plain(content.decode())
        if suffix == "svg":
            ElementTree.fromstring(content)


def test_an_evil_name_in_a_report(capsys: pytest.CaptureFixture[str]) -> None:
    assigned(EVIL, EVIL)
    said(capsys, ["report", "a.yaml", "--target", "c", "--no-verify", "-o", "out.html"])
    assert "\x1b" not in Path("out.html").read_text()


def test_json_has_the_name_itself_and_no_infinity(capsys: pytest.CaptureFixture[str]) -> None:
    def refused(name: str) -> Any:
        raise AssertionError(name)

    assigned(EVIL, EVIL)
    for argv in (
        ["show", "a.yaml"],
        ["at", "a.yaml", "3"],
        ["show", "step(1.5, 512, 3)"],
        ["at", "step(1.5, 512, 3)", "1000"],
    ):
        found = json.loads(said(capsys, [*argv, "--json"]), parse_constant=refused)
        assert found
        if argv == ["show", "a.yaml"]:
            assert found[0]["key"] == EVIL
    assert found[0]["bits"] == "0x7e800000"  # growth stops at 2**126


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "cp1252", "cp437", "utf-16"])
def test_every_encoding_of_the_output(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assigned(EVIL, "\ud800")
    Path(os.fsdecode(b"x\xff.yaml")).write_text("linear(0, 1, 9)")
    for argv in (
        ["show", "a.yaml"],
        ["list", "schedules"],
        ["show", "x\udcff.yaml"],
        ["at", "\udcff.pt", "1"],
        ["at", "\ud800"],
    ):
        streams = [io.TextIOWrapper(io.BytesIO(), encoding, errors="strict", newline="\n") for _ in range(2)]
        monkeypatch.setattr(sys, "stdout", streams[0])
        monkeypatch.setattr(sys, "stderr", streams[1])
        try:
            code = main(argv)
        except SystemExit as left:
            code = int(left.code or 0)
        assert code == (2 if argv[0] == "at" else 0)
        for stream in streams:
            stream.flush()
            plain(stream.buffer.getvalue().decode(encoding))  # type: ignore[attr-defined]


def test_a_terminal_of_ascii_as_a_process() -> None:
    command = [sys.executable, "-m", "tracelr", "show", os.fsdecode(b"linear(0, 1, 9) + constant(0) \xff")]
    done = subprocess.run(command, capture_output=True, check=False, env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(("closed", "code"), [("<&-", 2), (">&-", 2), (">&- 2>&-", 2), (">/dev/full", 2), ("</dev/null", 2)])
def test_streams_that_are_closed(closed: str, code: int) -> None:
    line = f"exec {sys.executable} -m tracelr show - {closed}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, check=False, input=None if "<" in closed else b"x")
    assert done.returncode == code
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


@pytest.mark.parametrize(
    "name",
    ["a.yaml", "a b.yaml", "-rf", "$(touch sprung)", "`touch sprung`", "';touch sprung;'", EVIL, "\udcff", "é\n", "-"],
)
def test_a_printed_command_gives_the_shell_the_name(name: str) -> None:
    shown = argument(name)
    assert shown.isprintable()
    done = subprocess.run(["bash", "-c", f"printf %s {shown}"], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"})
    wanted = name if not name.startswith("-") or name == "-" else f"./{name}"
    assert done.stdout == wanted.encode(errors="surrogatepass" if "\ud800" in name else "surrogateescape")
    assert "sprung" not in os.listdir()


def test_records_and_keys_of_checkpoints(capsys: pytest.CaptureFixture[str]) -> None:
    plain_ = {"schedule": "Linear", "start": 0.0, "end": 1.0, "steps": 9}
    torch.save({"last_epoch": 1, "schedules": json.dumps({EVIL: [plain_, plain_ | {"end": 2.0}]})}, "a.pt")
    assert "lr\\x1b[2J" in said(capsys, ["show", "a.pt"])
    torch.save({EVIL: 1}, "b.pt")
    said(capsys, ["show", "b.pt"])
