"""What a user installs: the wheel, built from the sdist, holds every file and works from /."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
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
    assert list(out.glob("*.tar.gz"))
    return next(out.glob("*.whl"))


def sources() -> set[str]:
    listed = run("git", "ls-files", "src/tracelr", "lowering").splitlines()
    inside = {f"tracelr/{p}" if p.startswith("lowering/") else p.removeprefix("src/") for p in listed}
    return {path for path in inside if path.endswith((".py", "py.typed", ".html", ".css", ".js"))}


def test_the_wheel_holds_every_file(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    assert sources() - held == set()
    assert {path for path in held if path.startswith("tracelr/") and path.endswith(".py")} == {
        path for path in sources() if path.endswith(".py")
    }


def test_the_wheel_works_from_the_root_folder(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])").strip())
    # torch and the others come from this environment's folder; its links to this checkout do not: a .pth is not read twice
    (site / "dependencies.pth").write_text(f"{Path(pytest.__file__).parents[1]}\n")
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel)
    for place in run(python, "-c", PROBE, cwd="/").split():
        assert Path(place).is_relative_to(tmp_path)
    assert "usage: tracelr" in run(tmp_path / "env" / "bin" / "tracelr", "--help", cwd="/")
