"""The largest inputs that are read, under a limit of memory and a clock: docs/faults.md states the bounds."""

from __future__ import annotations

import io
import json
import os
import pickle
import resource
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
import torch

from tracelr import Linear, PiecewiseConstant, Schedule, Sum, WarmRestarts, checkpoint, parse
from tracelr.errors import CheckpointError, ConfigError, ScheduleError
from tracelr.schedules.base import MOST
from tracelr.schedules.describe.phases import phases

pytestmark = pytest.mark.usefixtures("own_folder")

SECONDS, BYTES = 120, 6 << 30
"""What a command may need, in time of the processor and in addresses."""


def lines(count: int, row: str) -> str:
    return "".join(row.replace("#", str(k + 1)) for k in range(count))


STEPS = ", ".join(map(str, range(1, 45_001)))
LINE = "- {schedule: Linear, start: 0, end: 1, steps: #}\n"
LARGEST = {
    "table": f"schedule: PiecewiseConstant\nvalues: [{'1, 2, ' * 22_500}1]\nmilestones: [{STEPS}]\n",
    "knots": f"schedule: Interpolate\nvalues: [{'1, 2, ' * 22_500}]\nmilestones: [{STEPS}]\n",
    "drops": f"schedule: MultiStep\nstart: 1\ngamma: 0.999\nmilestones: [{STEPS}]\n",
    "sum": "schedule: Sum\nschedules:\n" + lines(MOST - 1, LINE),
    "product of tables": "schedule: Product\nschedules:\n" + lines(700, "- {schedule: PiecewiseConstant, values: [1, 2, #], milestones: [#, 10#]}\n"),
    "sequence": "schedule: Sequential\njoin: shift\nschedules:\n" + lines(3000, LINE) + f"milestones: [{STEPS[:STEPS.index(', 3000,')]}]\n",
    "restarts": "schedule: Sum\nschedules:\n" + lines(MOST - 1, "- {schedule: WarmRestarts, start: 1, end: 0, period: 1, multiplier: 1.01#}\n"),
    "assignments": "assignments:\n" + lines(9000, "- {key: k#, schedule: {schedule: Linear, start: 0, end: 1, steps: #}}\n"),
    "digits": "schedule: linear(" + "1" * 65_000 + "x",
    "spec": "schedule: sum([" + ", ".join(["linear(0,1,9)"] * 4000) + "])",
    "one value": "a: " + "x" * 1_000_000,
    "equal keys": "schedule: {" + ", ".join(f"{k * (2**61 - 1)}: 1" for k in range(35_000)) + "}",
}  # fmt: skip
assert max(map(len, LARGEST.values())) <= 2**20
VERBS = (
    ["at", "#", "1"],
    ["show", "#"],
    ["diff", "#", "#"],
    ["plot", "#", "-o", "out.svg"],
    ["convert", "#", "--to", "native"],
)


def measured(argv: list[str], code: tuple[int, ...] = (0, 2), **more: object) -> subprocess.CompletedProcess[bytes]:
    """Run a command line under the limits."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))

    command = [sys.executable, "-m", "tracelr", *argv]
    done = subprocess.run(command, capture_output=True, check=False, preexec_fn=limit, **more)  # type: ignore[call-overload]
    assert done.returncode in code, (argv, done.returncode, done.stderr[-500:])
    assert b"Traceback" not in done.stderr
    return done  # type: ignore[no-any-return]


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
@pytest.mark.parametrize("name", LARGEST)
def test_the_largest_files(name: str, verb: list[str]) -> None:
    Path("a.yaml").write_text(LARGEST[name])
    measured([word.replace("#", "a.yaml") for word in verb])


@pytest.mark.slow
def test_a_long_table_and_a_long_sum_are_shown() -> None:
    for name in ("table", "product of tables"):
        Path("a.yaml").write_text(LARGEST[name])
        measured(["show", "a.yaml"], (0,))


def test_a_long_table_is_searched_and_gives_the_same() -> None:
    steps = torch.arange(-3, 50_000)
    table = PiecewiseConstant([float(k) for k in range(10_001)], list(range(3, 30_003, 3)))
    wanted = torch.bucketize(steps.clamp(0), torch.arange(3, 30_003, 3), right=True).float()
    assert torch.equal(table(steps), wanted)
    assert torch.equal(torch.compile(table, backend="aot_eager")(steps[:100]), wanted[:100])
    assert torch.equal(torch.vmap(table)(steps[:100]), wanted[:100])
    graph = torch.export.export(table, (torch.tensor(5),), strict=False).graph
    assert not [node for node in graph.nodes if "search" in str(node.target)], "no target knows it"


def test_the_work_grows_with_the_input() -> None:
    """Eight times the input takes well below 64 times the time, which it would if the time were quadratic."""

    def digits(size: int) -> None:
        with pytest.raises(ConfigError):
            parse("1" * (size * 500) + "x")

    def shown(size: int) -> None:
        phases(Sum([Linear(0.0, 1.0, k + 1) for k in range(size * 12)]))

    def restarts(size: int) -> None:
        WarmRestarts(1.0, 0.0, 1, 1.0 + 0.25 / size)

    for work in (digits, shown, restarts):
        took = []
        for size in (2, 16):
            begin = time.process_time()
            work(size)
            took.append(time.process_time() - begin)
        assert took[1] < 40 * took[0] + 0.2, (work.__name__, took)


def test_a_tree_of_schedules_has_a_limit() -> None:
    whole: Schedule = Linear(0.0, 1.0, 5)
    for _ in range(11):
        whole = whole + whole
    with pytest.raises(ScheduleError, match=f"given a tree of 8191 schedules; allowed: {MOST} at most"):
        whole + whole


def archive(path: str, compress: int, **more: object) -> None:
    made = io.BytesIO()
    torch.save({"last_epoch": 1, "schedules": "{}", **more}, made)
    with zipfile.ZipFile(made) as read, zipfile.ZipFile(path, "w", compress) as write:
        for record in read.infolist():
            write.writestr(record.filename, read.read(record))


@pytest.mark.parametrize("compress", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_checkpoint_does_not_inflate(compress: int) -> None:
    archive("stored.pt", zipfile.ZIP_STORED, x=torch.zeros(1000))
    assert checkpoint.load("stored.pt", ())["last_epoch"] == 1
    archive("bomb.pt", compress, x=torch.zeros(3_000_000, dtype=torch.float64))
    assert os.path.getsize("bomb.pt") < 100_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CheckpointError, match="records that are compressed"):
        checkpoint.load("bomb.pt", ())
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10_000  # kilobytes


def test_records_that_share_their_bytes() -> None:
    archive("a.pt", zipfile.ZIP_STORED, x=torch.zeros(100_000))
    with zipfile.ZipFile("a.pt", "a") as both:
        largest = max(both.infolist(), key=lambda one: one.file_size)
        both.filelist += [largest] * 50
        both._didModify = True  # type: ignore[attr-defined]
    with pytest.raises(CheckpointError, match="share their bytes"):
        checkpoint.load("a.pt", ())


def test_a_mapping_that_is_in_many_places_of_a_checkpoint() -> None:
    inner: dict[int, object] = {}
    for _ in range(4):
        inner = {k: inner for k in range(300)}
    torch.save(inner, "a.pt")
    assert b"without a scheduler's state" in measured(["show", "a.pt"], (2,)).stderr


@pytest.mark.slow
def test_paths_that_never_end_or_never_begin() -> None:
    os.mkfifo("pipe")
    os.mkfifo("pipe.pt")
    os.symlink("/dev/zero", "zero.pt")
    os.symlink("/dev/zero", "zero.yaml")
    for name in ("huge.pt", "huge.yaml"):
        with open(name, "wb") as file:
            file.truncate(20 * 2**30)
    for name in ("pipe", "pipe.pt", "zero.pt", "zero.yaml", "huge.pt", "huge.yaml", "/dev/zero", "/dev/random"):
        measured(["show", name], (2,), timeout=200)
    with open("/dev/zero", "rb") as zero:
        measured(["show", "-"], (2,), stdin=zero, timeout=200)


@pytest.mark.slow
def test_pickles_that_build_much() -> None:
    """A pickle of few bytes that stands for many values is not walked."""
    deep: object = 1
    for _ in range(60):
        deep = [deep, deep]
    for content in (
        deep,
        {"last_epoch": 1, "schedules": "[" * 100_000},
        {"schedules": json.dumps({"lr": [{}] * 100_000}), "last_epoch": 1},
    ):
        torch.save(content, "a.pt")
        measured(["show", "a.pt"], (2,))
    Path("b.pt").write_bytes(pickle.dumps({"last_epoch": 1}))
    measured(["show", "b.pt"], (2,))
