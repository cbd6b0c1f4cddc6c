"""Files that nobody should write. Each has to be answered within seconds."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.bad_values import outcome, profile, sound

from tracelr import Schedule, load
from tracelr.interop.readers import READERS

ROOT = Path(__file__).parents[2]
SECONDS = 60.0  # on a busy machine; before the limits, these took minutes, or did not end
pytestmark = pytest.mark.usefixtures("own_folder")


def rows(count: int, row: str) -> str:
    return "".join(row.replace("#", str(k)) for k in range(count))


FILES: dict[str, str | bytes] = {
    "base 60": "a: " + ":".join(["1"] * 300_000),
    "digits": "optimizer: {learning_rate: " + "1" * 100_000 + "x}",
    "hexadecimal": "optimizer: {learning_rate: 0x" + "f" * 500_000 + "}",
    "many values": "[" + "1," * 400_000 + "]",
    "many assignments": "assignments:\n" + rows(5000, "- {key: k#, schedule: {schedule: Constant, value: 1}}\n"),
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
    return [reader.EXAMPLE.encode() for reader in READERS.values()] + [
        path.read_bytes() for path in ROOT.glob("examples/*.yaml")
    ]


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
