"""Write docs/cli.md, every verb with its help and a sample of its output: python docs/cli.py"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracelr.cli.verb import Verb

ROOT = Path(__file__).parent.parent
HEAD = """\
# Command line

Written by `python docs/cli.py`; `pytest tests/cli/test_cli.py` runs every example and compares.
`python -m tracelr` is the same as `tracelr`.

Where a verb says FILE, it may be

- a training configuration, as it is, in any of the formats that `tracelr list formats` names
  ([Files that are read](formats.md)): YAML, JSON, TOML, INI, a script, a Python file of literals; or a file with a line as
  below;
- the flags of a command, after `--` at the end: `tracelr show -- --lr 6e-5 --lr-decay-style cosine --train-iters 1000`;
- a call of optax, Keras, torch or transformers: `'optax.cosine_decay_schedule(6e-4, 100_000)'`. Nothing is run;
- `-`, the same from standard input;
- a line such as `'linear(0, 3e-4, 2000) | cosine(3e-4, 3e-5, 98k)'`, whose grammar `tracelr.parse` states: `|` is `then`,
  and `+`, `-`, `*`, `/`, `.then(...)`, `.warmup(...)`, `.cooldown(...)`, `.clamp(...)`, `.over(...)`, `.drive(...)` and
  `.named(...)` are what they are in Python; so are `warmup_cosine(3e-4, 100k)`, `warmup_linear`, `warmup_constant`,
  `inverse_sqrt` and `wsd`;
- `module:object`: a schedule, a list of assignments, or a function without arguments that returns one. This imports the
  module, from the current folder too;
- a checkpoint (`.pt`, `.pth`, `.ckpt`) that holds the state of a `Scheduler`: `show` says where its run stands.

A number of steps in a flag may be 98000, 98_000, 98,000, 98k or 9.8e4. In a line a comma separates arguments, so
98,000 is an error there; a length may have a unit, 5ep, 3e9tok or 0.1dur, which the flags for what a file does not
say turn into steps. `--help`, `--version`, completion and the errors of a command line import no torch, and take
about 0.05 s. Errors and headings are coloured on a terminal, unless NO_COLOR is set; pictures are as wide as the
terminal, and are drawn in ASCII where it has no other letters. What takes more than a second shows a bar on a
terminal, if tqdm is installed.

A file with up to 256 assignments is shown whole; `--key` and `--tag` pick some of them. Exit codes: 0 done; 1 a difference
was found, or a verification failed; 2 bad input; 130 interrupted. What does not print, in a name for instance, is shown as
an escape; in JSON infinity and NaN are null. An error is one line, with a caret under the place where there is one:

"""
WRONG = "tracelr show 'linear(0, 3e-4, 2000) | cosin(3e-4, 3e-5, 98k)'"


def ran(command: str) -> tuple[int, str, str]:
    """Return the exit code of a command line and what it printed, run in this process, as if the terminal were 88 wide."""
    from tracelr.cli import main

    out, err = io.StringIO(), io.StringIO()
    before, os.environ["COLUMNS"] = os.environ.get("COLUMNS"), "88"
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = main(shlex.split(command)[1:])
            except SystemExit as stop:
                code = int(stop.code or 0)
    finally:
        os.environ.pop("COLUMNS") if before is None else os.environ.update(COLUMNS=before)
    return code, out.getvalue(), err.getvalue()


def section(verb: Verb) -> str:
    """Return the section of a verb."""
    usage = ran(f"tracelr {verb.name} --help")[1]
    text = f"## tracelr {verb.name}\n\n```text\n{usage.rstrip()}\n```\n\n"
    if not verb.steady:
        return text
    code, printed, error = ran(verb.example)
    if code != (verb.name == "diff"):  # that example finds a difference
        raise SystemExit(f"{verb.example}: exit code {code}\n{error}")
    printed = printed.rstrip()
    wrote = f"(writes `{verb.writes}`)" if verb.writes else ""
    return text + (f"```text\n$ {verb.example}\n{printed}\n```\n\n" if printed else f"`{verb.example}` {wrote}\n\n")


def page() -> str:
    """Return the page, its examples run in a folder with the project's examples."""
    from tracelr.cli.main import every

    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        shutil.copytree(ROOT / "examples", "examples")
        error = f"```text\n$ {WRONG}\n{ran(WRONG)[2].rstrip()}\n```\n\n"
        return HEAD + error + "".join(map(section, every())).rstrip() + "\n"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "src"))
    (ROOT / "docs" / "cli.md").write_text(page())
