"""The files that CONTRIBUTING.md shows, put in place in a copy of the project: each is found, runs and passes its checks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
SECTIONS = {part.partition("\n")[0]: part for part in re.split(r"^## ", TEXT, flags=re.M)}
BLOCK = re.compile(r"```(python|diff)\n(.*?)```", re.S)
KINDS = {"a curve": "Add a curve", "a target": "Add a target", "a format of settings": "Add a format of settings"}


def changes(section: str) -> list[tuple[str, str, str]]:
    """Return the blocks of a section: the path named before each, "python" for a new file or "diff", and the text."""
    found = []
    for block in BLOCK.finditer(section):
        paths = re.findall(r"`([\w/]+\.py)`", section[: block.start()])
        in_place = [path for path in paths if path not in ("tests/lowering/test_golden.py", "docs/cli.py")]
        found.append((in_place[-1], block[1], block[2]))
    return found


def apply(root: Path, path: str, kind: str, text: str) -> None:
    file = root / path
    if kind == "python":
        assert not file.exists(), f"{path} is there already"
        file.write_text(text)
        return
    lines = text.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] in " -")
    after = "".join(line[1:] for line in lines if line[0] in " +")
    assert file.read_text().count(before) == 1, f"{path} has no line, or several, as {before!r}"
    file.write_text(file.read_text().replace(before, after))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package, of lowering and of the tests, with every change that the page shows."""
    root = tmp_path_factory.mktemp("copy")
    unneeded = shutil.ignore_patterns("__pycache__", "*.egg-info", "node_modules")
    for folder in ("src", "lowering", "tests", "docs"):
        shutil.copytree(ROOT / folder, root / folder, symlinks=True, ignore=unneeded)
    for file in ("pyproject.toml", "CONTRIBUTING.md", "README.md"):
        shutil.copy(ROOT / file, root)
    for title in KINDS.values():
        for change in changes(SECTIONS[title]):
            apply(root, *change)
    return root


def run(copy: Path, *command: str) -> str:
    paths = os.pathsep.join([str(copy / "src"), str(copy / "tests")])
    environment = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, *command], cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_table_counts_the_files_and_the_lines() -> None:
    for kind, title in KINDS.items():
        found = changes(SECTIONS[title])
        new = [path for path, how, _ in found if how == "python"]
        old = {path for path, how, _ in found if how == "diff"}
        lines = sum(line.startswith("+") for _, how, text in found if how == "diff" for line in text.splitlines())
        files = f"{len(old)} file{'s' * (len(old) > 1)}"
        (row,) = re.findall(rf"^\| {kind} \| (\d+) \| (.*?) \|", TEXT, re.M)
        assert row == (str(len(new)), f"{lines}, in {files}" if old else "none"), kind


FOUND = """
import torch, tracelr
from support.table import ROWS
from tracelr import lowering
from tracelr.__main__ import main

assert tracelr.__file__.startswith(FOLDER)
made = tracelr.parse("smoothstep(1, 0, 4)")
assert made == tracelr.Smoothstep(1.0, 0.0, 4) == tracelr.from_dict(made.to_dict())
assert "Smoothstep" in dir(tracelr)
assert made(torch.arange(6)).tolist() == [1.0, 0.84375, 0.5, 0.15625, 0.0, 0.0]
assert lowering.trace(made)(torch.tensor(2)).item() == 0.5
assert [one.shape for one in made.segments()] == ["along a cubic", ""]
for schedule in [made, *(ROWS[name].schedule for name in ("exponential_stairs", "piecewise_constant", "polynomial_cycle"))]:
    report = lowering.verify(schedule, targets=["c", "numpy"])
    assert report.ok, report
assert "def lr2(step):" in lowering.lower(made, "numpy", name="lr2").text
for what in ("schedules", "targets", "formats"):
    assert main(["list", what]) == 0
"""


def test_the_curve_the_target_and_the_format_are_found(copy: Path) -> None:
    listed = run(copy, "-c", f"FOLDER = {str(copy)!r}\n{FOUND}")
    for name in ("smoothstep(start, end, steps)", "numpy", "plan"):
        assert re.search(rf"^  {re.escape(name)} ", listed, re.M), name


def test_their_tests_pass(copy: Path) -> None:
    files = ["src/tracelr/schedules/curves/smoothstep.py", "tests/interop/test_plan.py", "tests/project/test_rooms.py"]
    files += ["tests/schedules/test_schedules.py", "tests/arithmetic/test_exact.py"]
    names = "smoothstep or plan or lower_floors or every_room or has_a_row or has_a_case or correctly_rounded[0]"
    run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *files, "-k", names)


def test_the_files_keep_to_the_rules_of_the_project(copy: Path) -> None:
    files = [path for title in KINDS.values() for path, _, _ in changes(SECTIONS[title])]
    run(copy, "-m", "ruff", "check", "--no-cache", *files)
    run(copy, "-m", "ruff", "format", "--no-cache", "--check", *files)
