"""The part of the tests that depends on the release of torch, run with others: `make versions V="2.6.0 2.8.0"`.

For each release it makes an environment of that torch, with everything else from the environment of development, runs the
tests of `COLUMNS`, removes the environment, and prints a row of docs/versions.md. A torch of the index takes 6 GB.
As a plugin of pytest this module picks the tests and counts them.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[2]
TARGETS = ("aoti", "c", "cirh", "cuda", "inductor", "metal", "onnx", "opencl", "pt2", "stablehlo", "triton", "wgsl")
ROWS = r"linear_down|exponential_stairs|piecewise_constant|sequential_nested"

COLUMNS = {
    "eager": r"schedules/test_(schedules|cycles)\.py|optim/test_(scheduler|resume|numbers|one_driver)\.py|lr_scheduler/test_groups\.py",
    "readers": r"interop/test_(load|from_torch|huggingface|units)\.py",
    "text": r"lowering/test_(golden|graph)\.py",
    "compile": rf"test_trace\.py::test_compile(_with_inductor)?\[({ROWS}|0-False)\]|optim/test_scheduler_compiled\.py"
    r"|project/test_private_torch\.py::test_\w+_have_them",
    "fuse": r"fused/test_fuse_optimizers\.py|fused/test_guards\.py::test_(one_graph|options_of|an_option|a_guard)|fused/test_fuse\.py::"
    r"test_a_rate_of_zero|fused/test_fuse_steps\.py::test_(a_skipped|a_copy_drives|more_sets|the_limit_of)",
    "TrainStep": r"fused/test_train_step\.py|fused/test_train_step_kinds\.py.*\[(recurrent|checkpointed_dropout|tied_unused\w+)\]",
    "export": rf"test_trace\.py::test_(export|make_fx|symbolic_trace)\w*\[(\w+-)?({ROWS})(-\w+)?\]",
    **{
        target: rf"targets/test_{target}(_text)?\.py::(?!test_every_row)|test_rows_on_targets\.py::test_every_row_on_every"
        rf"_target_has_the_bits_of_eager\[{target}-({ROWS})\]"
        for target in TARGETS
    },
}
"""What a row of the table counts: the tests whose ids a regular expression finds, and which no column before it has.

Those of target hip are counted with cuda, which they differ from in a few words.
"""

FILES = (
    *(f"schedules/test_{name}.py" for name in ("schedules", "cycles", "trace")),
    *(f"optim/test_{name}.py" for name in ("scheduler", "resume", "numbers", "one_driver", "scheduler_compiled")),
    "lr_scheduler/test_groups.py",
    *(f"interop/test_{name}.py" for name in ("load", "from_torch", "huggingface", "units")),
    "fused",
    *(f"lowering/test_{name}.py" for name in ("golden", "graph", "rows_on_targets")),
    "lowering/targets",
    "project/test_private_torch.py",
)


def column_of(name: str) -> str | None:
    return next((column for column, pattern in COLUMNS.items() if re.search(pattern, name)), None)


# -- as a plugin ------------------------------------------------------------------------------------------------------------

_counts: dict[str, Counter[str]] = {column: Counter() for column in COLUMNS}


def pytest_collection_modifyitems(config: Any, items: list[Any]) -> None:
    wanted = os.environ.get("COLUMNS", "").split() or [*COLUMNS]
    left = [item for item in items if column_of(item.nodeid) not in wanted]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if column_of(item.nodeid) in wanted]


def pytest_runtest_logreport(report: Any) -> None:
    column = column_of(report.nodeid)
    if column is not None and (report.when == "call" or report.outcome != "passed"):
        _counts[column][report.outcome] += 1
        Path(os.environ["COUNTS"]).write_text(json.dumps(_counts))  # at once, because a torch may end the process


# -- as a program -----------------------------------------------------------------------------------------------------------


def environment(folder: Path, version: str) -> Path:
    """Make an environment of this torch in front of the packages of the present one; return its Python."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--no-compile", "--no-cache-dir", f"torch=={version}", "numpy"]
    subprocess.run(install, check=True)
    packages = Path(
        subprocess.check_output([python, "-c", "import torch; print(torch.__path__[0])"], text=True).strip()
    ).parent
    (packages / "development.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def counted(python: Path, counts: Path, log: Path) -> dict[str, dict[str, int]]:
    """Run the tests with `python`; the numbers of outcomes of each column."""
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    variables = os.environ | {"PYTHONPATH": paths, "COUNTS": str(counts), "OMP_NUM_THREADS": "1"}
    marks = "not slow and not gpu"
    command = [python, "-m", "pytest", "-q", "-p", "support.versions", "-p", "no:cacheprovider", "-m", marks, "--tb=short"]
    command += ["--continue-on-collection-errors"]  # of a file that imports what an old torch does not have
    command += [f"tests/{file}" for file in FILES]
    with log.open("w") as out:
        subprocess.run(command, cwd=ROOT, env=variables, stdout=out, stderr=out, check=False)
    found: dict[str, dict[str, int]] = json.loads(counts.read_text()) if counts.exists() else {}
    return found


def cell(outcomes: dict[str, int]) -> str:
    passed, failed, skipped = (outcomes.get(key, 0) for key in ("passed", "failed", "skipped"))
    if not passed + failed:
        return "not run"
    return f"{passed}" + (f", **{failed} fail**" if failed else "") + (f", {skipped} skipped" if skipped else "")


def row(version: str, found: dict[str, dict[str, int]]) -> str:
    today = datetime.now(UTC).date().isoformat()
    return " | ".join([f"| {version}", today, *(cell(found.get(column, {})) for column in COLUMNS)]) + " |"


def main(versions: list[str]) -> None:
    print("| torch | run on |", " | ".join(COLUMNS), "|")
    print("|---" * (len(COLUMNS) + 2) + "|", flush=True)
    logs = ROOT / ".venv-versions"
    logs.mkdir(exist_ok=True)
    for version in versions:
        with TemporaryDirectory(dir=logs, prefix=version) as folder:
            python = environment(Path(folder), version)
            print(row(version, counted(python, Path(folder) / "counts.json", logs / f"{version}.log")), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
