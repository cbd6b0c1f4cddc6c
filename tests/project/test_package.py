"""The package that a user installs: the wheel, built from the sdist, holds every file and no other, and works from /."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from email import message_from_string
from email.message import Message
from pathlib import Path

import pytest
import yaml

import tracelr

ROOT = Path(__file__).parents[2]
PROBE = """
import torch, tracelr
from tracelr import lowering
schedule = tracelr.Linear(0.0, 1.0, 4).then(tracelr.Cosine(1.0, 0.0, 4))
assert schedule(torch.arange(9))[6].item() == 0.5
assert lowering.lower(schedule, "c").text
assert lowering.verify(schedule, targets=["c"]).ok
print(tracelr.__file__, lowering.__file__)
"""


def run(*command: str | Path, cwd: str | Path = ROOT) -> str:
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    # `build` without --wheel/--sdist makes the sdist first, and the wheel out of it
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def sdist(wheel: Path) -> Path:
    return next(wheel.parent.glob("*.tar.gz"))


def sources() -> set[str]:
    listed = run("git", "ls-files", "src/tracelr", "lowering").splitlines()
    inside = {f"tracelr/{p}" if p.startswith("lowering/") else p.removeprefix("src/") for p in listed}
    return {path for path in inside if path.endswith((".py", "py.typed", ".html", ".css", ".js"))}


def test_the_wheel_holds_every_file(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    assert sources() - held == set()
    info = f"tracelr-{tracelr.__version__}.dist-info"
    assert {path for path in held if not path.startswith(info)} == sources()
    assert f"{info}/licenses/LICENSE" in held


def test_the_sdist_holds_every_file_and_no_others(sdist: Path) -> None:
    top = f"tracelr-{tracelr.__version__}/"
    with tarfile.open(sdist) as archive:
        assert all(member.name.startswith(top[:-1]) and (member.isfile() or member.isdir()) for member in archive)
        held = {member.name.removeprefix(top) for member in archive if member.isfile()}
    listed = set(run("git", "ls-files").splitlines())
    needed = {path for path in listed if re.match(r"(lowering|src)/.*\.(py|typed)$|LICENSE|README.md|pyproject.toml", path)}
    assert needed - held == set()
    made = {path for path in held if path in ("PKG-INFO", "setup.cfg") or ".egg-info/" in path}
    inside = {path for path in held if (ROOT / path).resolve() != ROOT / path}  # through the link src/tracelr/lowering
    assert held - listed - made - inside == set()
    assert {path for path in held if path.startswith("tests")} == set(), "none of them, because some need all"


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        return message_from_string(archive.read(f"tracelr-{tracelr.__version__}.dist-info/METADATA").decode())


def test_the_metadata_is_what_an_index_takes(wheel: Path, sdist: Path) -> None:
    pytest.importorskip("twine")
    said = run(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist)
    assert said.count("PASSED") == 2
    read = metadata(wheel)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert read["Version"] == project["version"] == tracelr.__version__
    assert read["License-Expression"] == "Apache-2.0"
    assert set(read.get_all("Provides-Extra", [])) == set(project["optional-dependencies"])
    plain = [need for need in read.get_all("Requires-Dist", []) if "extra ==" not in need]
    assert sorted(re.split(r"[<>=]", need)[0] for need in plain) == ["filelock", "numpy", "pyyaml", "torch"]


def test_the_page_of_the_index_has_addresses_alone_and_shows_its_picture(wheel: Path) -> None:
    page = str(metadata(wheel).get_payload())
    links = re.findall(r"\]\(([^)]+)\)|(?:src|srcset|href)=\"([^\"]+)\"", page)
    assert len(links) > 30
    assert [link for pair in links for link in pair if link and not link.startswith("https://")] == []
    assert "/raw/main/docs/rate-light.svg" in page
    assert {"Repository", "Documentation", "Changelog", "Issues"} == {
        label.partition(",")[0] for label in metadata(wheel).get_all("Project-URL", [])
    }


def test_a_push_runs_what_a_clone_runs() -> None:
    flow = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text())
    assert [step["run"] for step in flow["jobs"]["tests"]["steps"] if "run" in step] == [".ci/run"]
    assert (ROOT / ".ci" / "run").is_file()


def test_the_version_is_semantic_and_the_same_everywhere() -> None:
    assert re.fullmatch(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?", tracelr.__version__)
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["version"] == tracelr.__version__
    assert cited["authors"] == [{"name": "The tracelr developers"}]
    assert f"## {tracelr.__version__}" in (ROOT / "CHANGELOG.md").read_text()
    for form in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        assert yaml.safe_load(form.read_text()).keys() >= (
            {"blank_issues_enabled"} if form.stem == "config" else {"name", "body"}
        )


def test_the_wheel_works_from_the_root_folder(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])").strip())
    # torch and the other packages come from this environment's folder; its link to this checkout does not, because it is a .pth
    (site / "dependencies.pth").write_text(f"{Path(pytest.__file__).parents[1]}\n")
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel)
    for place in run(python, "-c", PROBE, cwd="/").split():
        assert Path(place).is_relative_to(tmp_path)
    assert "usage: tracelr" in run(tmp_path / "env" / "bin" / "tracelr", "--help", cwd="/")
