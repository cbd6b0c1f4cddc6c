"""A page of the documentation, done from top to bottom as a reader would: its files written, its programs and commands run."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import sys
from collections.abc import Iterator
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from tracelr.__main__ import main

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
FILE = re.compile(r"`([\w.-]+\.\w+)`[^`]*:\s*$")
"""The end of a paragraph that names the file in the block below it."""
OTHERS = ("pip", "git", "cd", "source", "make", "torchrun", "pytest", "accelerate", "deepspeed")
"""Commands that a page may show and a test does not run: they install, need a network or several processes, or are tests."""


class Block(NamedTuple):
    """A fenced block: its language, its text, what stands between the block above and it, and its line."""

    kind: str
    text: str
    before: str
    line: int

    @property
    def file(self) -> str | None:
        """The file that the paragraph above names."""
        found = FILE.search(self.before.rstrip().rpartition("\n\n")[2])
        return found[1] if found else None


def blocks(text: str) -> Iterator[Block]:
    at = 0
    for found in BLOCK.finditer(text):
        yield Block(found[1], found[2], text[at : found.start()], text.count("\n", 0, found.start()) + 2)
        at = found.end()


def python_of(text: str) -> list[str]:
    return [block.text for block in blocks(text) if block.kind == "python"]


def do(page: Path) -> None:
    """Do a page in the present folder."""
    module = ModuleType(f"page_{page.stem}")
    sys.modules[module.__name__] = module  # Dynamo looks functions up in their modules
    try:
        _do(page, vars(module))
    finally:
        del sys.modules[module.__name__]


def _do(page: Path, names: dict[str, Any]) -> None:
    printed: str | None = None
    for block in blocks(page.read_text()):
        where = f"{page.name}, line {block.line}"
        if block.kind == "python":
            printed = _python(block, page, names)
        elif block.kind == "sh":
            printed = "".join(_command(line, where) for line in block.text.splitlines() if line.strip())
        elif block.kind == "text" and printed is not None and not block.before.strip():
            same = OutputChecker().check_output(block.text, printed, ELLIPSIS | NORMALIZE_WHITESPACE)
            assert same, f"{where}: it prints\n{printed}"
            printed = None
        elif block.file is not None:
            Path(block.file).write_text(block.text)


def _python(block: Block, page: Path, names: dict[str, Any]) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile("\n" * (block.line - 1) + block.text, str(page), "exec", dont_inherit=True), names)
    return out.getvalue()


def _command(line: str, where: str) -> str:
    """Run one of our commands here, and return what it prints; `# exit 1` beside it says how it ends, if not with 0."""
    words = shlex.split(line, comments=True)
    words = words[3:] if words[:3] == ["python", "-m", "tracelr"] else words[1:] if words[:1] == ["tracelr"] else words
    if not words:
        return ""
    if words == shlex.split(line, comments=True):
        script = words[:1] == ["python"] and (ROOT / words[1]).is_file()
        assert script or words[0] in OTHERS, f"{where}: nobody runs {line}"
        return ""
    out = io.StringIO()
    before, os.environ["COLUMNS"] = os.environ.get("COLUMNS"), "88"
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            code = main(words)
        except SystemExit as stop:
            code = int(stop.code or 0)
    os.environ.pop("COLUMNS") if before is None else os.environ.update(COLUMNS=before)
    said = re.search(r"#.*\bexit (\d)", line)
    assert code == (int(said[1]) if said else 0), f"{where}: {line} ends with {code}\n{out.getvalue()}"
    return out.getvalue()
