"""Files that nobody should write, and command lines that nobody should type. Each has to be answered within seconds."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from hostile import complete, outcome, profile, sound
from hypothesis import given
from hypothesis import strategies as st

import tracelr
from tracelr import Linear, Schedule, checkpoint, load, lowering
from tracelr.__main__ import main
from tracelr.dialects import DIALECTS
from tracelr.errors import CheckpointError, TracelrError
from tracelr.lowering.forms import FORMS

ROOT = Path(__file__).parent.parent
SECONDS = 60.0  # of a machine that is busy with something else: what these took before was minutes, or for ever


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def rows(count: int, row: str) -> str:
    return "".join(row.replace("#", str(k)) for k in range(count))


FILES: dict[str, str | bytes] = {
    "base 60": "a: " + ":".join(["1"] * 300_000),
    "digits": "optimizer: {learning_rate: " + "1" * 100_000 + "x}",
    "hexadecimal": "optimizer: {learning_rate: 0x" + "f" * 500_000 + "}",
    "many values": "[" + "1," * 400_000 + "]",
    "many assignments": "assignments:\n" + rows(5000, "- {key: k#, schedule: {schedule: Constant, value: 1}}\n"),
    "many factors": "optax: piecewise_constant_schedule\ninit_value: 1\nboundaries_and_scales: {" + rows(20_000, "#: 0.9, ") + "}",
    "large factors": "optax: piecewise_constant_schedule\ninit_value: 1\nboundaries_and_scales: {" + rows(12, "#: 1.0e+38, ") + "}",
    "laughs": "a: &a [x,x]\n" + "".join(f"{q}: &{q} [{','.join([f'*{p}'] * 9)}]\n" for p, q in zip("abcdefgh", "bcdefghi", strict=True)),
    "deep list": "[" * 100_000,
    "deep mapping": "{a: " * 100_000,
    "deep block": "".join(" " * k + "a:\n" for k in range(1000)),
    "deep value": "optimizer: {learning_rate: " + "[" * 250 + "]" * 250 + "}",
    "recursive": "a: &a {b: *a}",
    "recursive merge": "a: &a {<<: *a}",
    "merge of a number": "optimizer: {<<: 3}",
    "merge": "a: &a {learning_rate: 1}\noptimizer: {<<: *a}",
    "apply": "schedule: !!python/object/apply:os.system [touch sprung]",
    "new": "!!python/object/new:os.mkdir [sprung]",
    "module": "a: !!python/module:os",
    "binary": "schedule: !!binary aGVsbG8=",
    "set": "optimizer: !!set {a, b}",
    "omap": "optimizer: !!omap [learning_rate: 1]",
    "timestamp": "optimizer: {learning_rate: 2001-01-01}",
    "nul": b"a: \0",
    "utf-16": "a: 1".encode("utf-16"),
    "latin-1": b"schedule: \xe9",
    "surrogate": 'schedule: "\\ud800"',
    "escapes": 'schedulers: [{"\\e[31mx\\n\\a": 1, b: 2}]',
    "escapes in a tag": 'assignments: [{key: lr, tags: "\\e[2J", schedule: {schedule: Constant, value: 1}}, {key: lr, schedule: {schedule: Constant, value: 1}}]',
    "long key": "schedulers: [{" + "k" * 900_000 + ": {x: 1}}]",
    "byte order mark": "\ufeffoptimizer: {learning_rate: 1}",
    "line ends": "optimizer:\r\n  learning_rate: 1\r\n",
    "empty": "",
    "two documents": "a: 1\n---\nb: 1",
    "same key": "optimizer: {learning_rate: 1, learning_rate: 2}",
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_hostile_files(name: str) -> None:
    content = FILES[name]
    Path("params.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    start = time.process_time()
    found = outcome(lambda: load("params.yaml"))
    assert time.process_time() - start < SECONDS
    assert isinstance(found, Schedule) == (name in ("merge", "byte order mark", "line ends"))
    assert os.listdir() == ["params.yaml"]


def test_paths_that_are_no_files() -> None:
    os.mkfifo("pipe")
    os.mkdir("folder")
    os.symlink("loop", "loop")
    with open("huge", "wb") as file:
        file.truncate(10**8)
    paths: list[Any] = [
        "pipe",
        "folder",
        "loop",
        "huge",
        "/dev/zero",
        "/dev/random",
        "/dev/tty",
        "/proc/self/mem",
        "",
        "nothing",
    ]
    paths += ["a\0b", "\ud800", "x" * 5000, "../" * 2000 + "x", "~/x", "\x1b[2J", b"huge", 3, None, ["a"], Path("."), 1.5]
    for path in paths:
        assert outcome(lambda path=path: load(path)) is None


def samples() -> list[bytes]:
    return [dialect.EXAMPLE.encode() for dialect in DIALECTS] + [path.read_bytes() for path in ROOT.glob("examples/*.yaml")]


def damaged(text: bytes, cuts: list[tuple[int, int, bytes]]) -> bytes:
    for at, length, new in cuts:
        text = text[: at % (len(text) + 1)] + new + text[at % (len(text) + 1) + length :]
    return text


PIECES = st.one_of(
    st.binary(max_size=6),
    st.sampled_from(
        [b"&a ", b"*a", b"<<: ", b"!!", b"? ", b"- ", b": ", b"{", b"[", b"'", b"|\n", b"1e999", b"\n", b"~", b"%YAML 9"]
    ),
)
CUTS = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 10), PIECES), min_size=1, max_size=4)


@profile(150)
@given(text=st.one_of(st.sampled_from(samples()), st.binary(max_size=60)), cuts=CUTS)
def test_damaged_files(text: bytes, cuts: list[tuple[int, int, bytes]]) -> None:
    Path("params.yaml").write_bytes(damaged(text, cuts))
    found = outcome(lambda: load("params.yaml"))
    for schedule in [found] if isinstance(found, Schedule) else [one.schedule for one in found or []]:
        sound(schedule)


# -- the command line -----------------------------------------------------------------------------------------------------

WORDS = [
    "dump",
    "lower",
    "verify",
    "train",
    "good.yaml",
    "bad.yaml",
    "nothing.yaml",
    ".",
    "",
    "\0",
    "\ud800",
    "--form",
    "text",
    "../x",
    "svg",
]
WORDS += [
    "--target",
    "c",
    "_source",
    "-o",
    "out",
    "nowhere/out",
    "/dev/full",
    "--after",
    "--stages",
    "--batch",
    "--resume",
    "--out",
    "bad.yaml/x",
    "%s",
    "{0}",
]


@profile(40)
@given(words=st.lists(st.sampled_from(WORDS), max_size=6), verb=st.sampled_from(["dump", "lower", "train"]))
def test_command_lines(words: list[str], verb: str) -> None:
    Path("good.yaml").write_text("optimizer: {learning_rate: 0.1}\n")
    Path("bad.yaml").write_text("optimizer: {learning_rate: x}\n")
    if "train" in [verb, *words] or "verify" in words:  # a good file would be trained with
        words = [word.replace("good", "bad") for word in words]
    try:
        assert main([verb, *words]) in (0, 2)
    except SystemExit as left:  # argparse
        assert left.code == 2  # noqa: PT017


def test_command_lines_as_processes() -> None:
    Path("bad.yaml").write_bytes(b'schedule: "\\ud800\\e[2J"')
    for argv in (["dump", "bad.yaml"], ["train", "bad.yaml"]):
        done = subprocess.run([sys.executable, "-m", "tracelr", *argv], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr.startswith("tracelr: error: bad.yaml: ")
        assert "Traceback" not in done.stderr
        assert "\x1b" not in done.stderr


JOBS = [
    "model: {hidden_size: 9007199254740992}",
    "runconfig: {max_steps: 2, seed: 4294967296}",
    "train_input: {batch_size: 0}",
]


@pytest.mark.parametrize("text", JOBS)
def test_jobs_that_no_machine_can_do(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("job.yaml").write_text(f"optimizer: {{learning_rate: 0.1}}\n{text}\n")
    assert main(["train", "job.yaml"]) == 2
    assert "; allowed: " in capsys.readouterr().err


# -- names that would break out of what is generated ----------------------------------------------------------------------

EVIL = [
    "*/ EVIL();", "// EVIL\nEVIL();", "\\\nEVIL();", '"""\nEVIL()\n"""', "'''\nEVIL()", '"];\nEVIL [label="', "</title><script>EVIL</script>",
    "]]><EVIL/>", '"]\nEVIL["', "%s{0}%n EVIL", "\u2028EVIL", "\x1b[2JEVIL", "??/\nEVIL();", "#include <EVIL>", "--><EVIL>", '"}, "EVIL": {"',
]  # fmt: skip


def renamed(evil: str) -> Any:
    """Return a graph whose title, owners, classes and source lines are all `evil`."""
    document = json.loads(lowering.dump(Linear(0.0, 1.0, 4).then(Linear(1.0, 0.0, 4)), "json"))
    document["title"] = evil
    document["signature"] = document["signature"].replace("Sequential", evil)
    for node in document["nodes"]:
        node |= {key: evil for key in ("owner", "class", "source") if key in node}
    try:
        return lowering.from_json(json.dumps(document))
    except TracelrError as error:  # the signature says the title, on one line
        document["signature"] = re.search(r"allowed: (.*); to fix it", str(error))[1]  # type: ignore[index]
        return lowering.from_json(json.dumps(document))


def is_plain(form: str, text: str) -> None:
    """Assert that EVIL is nothing but text there."""
    assert "\x1b" not in text
    if form == "code":
        assert "EVIL" not in {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    elif form == "svg":
        assert {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(text).iter()} <= {
            "svg",
            "title",
            "style",
            "rect",
            "text",
            "g",
            "path",
        }
    elif form == "dot":
        assert "EVIL" not in re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    elif form == "mermaid":
        body = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("%%"))
        assert "EVIL" not in re.sub(r'"[^"\n]*"', "", body)
        assert "<script" not in text
    elif form == "json":
        assert set(json.loads(text)) == {"format", "version", "title", "signature", "batch", "typed", "result", "nodes"}
    elif form == "html":
        assert "<script>EVIL" not in text
        assert "<EVIL" not in text


@pytest.mark.parametrize("evil", EVIL, ids=range(len(EVIL)))
def test_names_stay_names(evil: str) -> None:
    graph = renamed(evil)
    lines = {form: len(lowering.dump(renamed("plain"), form).splitlines()) for form in ("text", "table", "code")}
    for form in FORMS:
        text = lowering.dump(graph, form)
        is_plain(form, text)
        assert len(text.splitlines()) == lines.get(form, len(text.splitlines()))
    for target in ("c", "cuda", "hip", "opencl"):
        code = lowering.lower(graph, target).text
        assert "EVIL" not in re.sub(r"/\*.*?\*/", "", code, flags=re.DOTALL)
        assert "//" not in re.sub(r"/\*.*?\*/", "", code, flags=re.DOTALL).replace("https://", "")
    for name in (evil, "lr;EVIL", "lr(", "", "int", "__x"):
        with pytest.raises(TracelrError) as caught:
            lowering.lower(graph, "c", name=name)
        complete(caught.value)
    assert "EVIL" not in {
        node.id for node in ast.walk(ast.parse(lowering.lower(graph, "triton").text)) if isinstance(node, ast.Name)
    }


# -- supply ---------------------------------------------------------------------------------------------------------------


def test_nothing_here_unpickles_or_evaluates() -> None:
    found = []
    for path in [*ROOT.glob("src/**/*.py"), *ROOT.glob("lowering/**/*.py"), *ROOT.glob("examples/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                call = ast.unparse(node.func)
                safe = any(word.arg == "weights_only" and ast.unparse(word.value) == "True" for word in node.keywords)
                if call == "torch.load" and not safe:
                    found.append((path.name, ast.unparse(node)))
                if call in (
                    "eval",
                    "exec",
                    "pickle.load",
                    "pickle.loads",
                    "yaml.load",
                    "yaml.unsafe_load",
                    "os.system",
                    "marshal.loads",
                    "torch.jit.load",
                ):
                    found.append((path.name, ast.unparse(node)))
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
                found += [
                    (path.name, name) for name in names if name.split(".")[0] in ("pickle", "dill", "shelve", "marshal")
                ]
    assert found == []


class Trap:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("sprung",)


def test_a_trap_in_a_checkpoint_is_not_sprung() -> None:
    checkpoint.save("sealed.pt", {"step": Trap()})  # the checksum is right, and says nothing about who wrote it
    torch.save({"step": Trap()}, "plain.pt")
    torch.save({"step": Trap()}, "old.pt", _use_new_zipfile_serialization=False)
    for name in ("sealed.pt", "plain.pt", "old.pt"):
        with pytest.raises(CheckpointError, match="it cannot be read"):
            checkpoint.load(name, ("step",))
    assert "sprung" not in os.listdir()


def test_fuzzing_finds_nothing_in_half_a_minute(tmp_path: Path) -> None:
    pytest.importorskip("atheris")
    command = [sys.executable, str(ROOT / "tests" / "fuzz" / "fuzz_load.py"), "30", "-seed=1"]
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    env = os.environ | {"PYTHONHASHSEED": "0", "PYTHONPATH": paths}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env, timeout=300, errors="replace")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done " in done.stderr
    assert tracelr.__version__
