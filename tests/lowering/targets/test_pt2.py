"""The files of torch.export: the same bytes wherever they are written, and the same bits without tracelr."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support.graphs import bits, traced
from support.table import ROWS
from torch import nn

from tracelr import Constant
from tracelr.lowering import lower, passes
from tracelr.lowering.verification import default_steps

ROOT = Path(__file__).parents[3]
SOURCE = '''
import hashlib, sys
{blank}from tracelr import Exponential, PiecewiseConstant, Schedule
from tracelr.schedules.fields import Scalar
from tracelr.lowering import lower, trace


class Mine(Schedule):
    """A schedule that a user writes."""

    rate: Scalar

    def forward(self, step, ops):
        return ops.mul(ops.integer(step), self.rate)


schedule = Mine(1e-3).then(Exponential(1.0, 0.9, 10), at=100).then(PiecewiseConstant([0.1, 0.2], [5]), at=200)
for batch in (False, True):
    print(hashlib.sha256(lower(trace(schedule, batch), "pt2").bytes).hexdigest())
'''
LOAD = """
import sys, torch
sys.modules["tracelr"] = None
for name in sys.argv[1:]:
    steps = torch.load(f"{name}.steps")
    one, many = (torch.export.load(f"{name}.{kind}.pt2").module() for kind in ("one", "many"))
    torch.save((torch.stack([one(step) for step in steps[:40]]), many(steps), many(steps[:1])), f"{name}.rates")
"""


@pytest.mark.slow
def test_the_bytes_depend_on_the_schedule_alone(tmp_path: Path) -> None:
    made = []
    for seed, folder in ((1, tmp_path / "a"), (2, tmp_path / "b" / "deeper")):
        shutil.copytree(ROOT / "src" / "tracelr", folder / "tracelr", ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "mine.py").write_text(SOURCE.format(blank="\n" * seed))
        environment = {"PYTHONHASHSEED": str(seed), "PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
        command = [sys.executable, folder / "mine.py"]
        made.append(subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=folder).stdout)
    assert made[0] == made[1]
    assert len(set(made[0].split())) == 2
    artifact = lower(traced("cosine"), "pt2")
    again = lower(traced("cosine"), "pt2")
    assert hashlib.sha256(artifact.bytes).digest() == hashlib.sha256(again.bytes).digest()
    assert str(ROOT).encode() not in artifact.bytes


def test_a_process_without_tracelr_gets_the_same_bits(tmp_path: Path) -> None:
    names = ["sequential_nested", "piecewise_long", "polynomial_root", "exponential_stairs"]
    for name in names:
        torch.save(default_steps(passes.run(traced(name)), seed=4), tmp_path / f"{name}.steps")
        lower(traced(name), "pt2").save(tmp_path / f"{name}.one.pt2")
        lower(traced(name, batch=True), "pt2").save(tmp_path / f"{name}.many.pt2")
    subprocess.run([sys.executable, "-W", "ignore", "-c", LOAD, *names], check=True, cwd=tmp_path)
    for name in names:
        want = ROWS[name].schedule(torch.load(tmp_path / f"{name}.steps"))
        one, many, first = torch.load(tmp_path / f"{name}.rates")
        assert torch.equal(bits(many), bits(want))
        assert torch.equal(bits(one), bits(want[:40]))
        assert torch.equal(bits(first), bits(want[:1]))


@pytest.mark.parametrize("batch", [False, True])
def test_a_package_is_small_and_shows_its_graph(batch: bool) -> None:
    artifact = lower(traced("cosine", batch), "pt2")
    assert len(artifact.bytes) < 30_000
    assert "torch.ops.aten.sin.default" in artifact.text
    assert artifact.run(torch.arange(0)).shape == (0,)
    assert torch.equal(artifact.run(torch.arange(6).reshape(2, 3)), ROWS["cosine"].schedule(torch.arange(6).reshape(2, 3)))


def test_a_parameter_stays_a_parameter(tmp_path: Path) -> None:
    lower(Constant(nn.Parameter(torch.tensor(0.1))), "pt2").save(tmp_path / "lr.pt2")
    program = torch.export.load(tmp_path / "lr.pt2")
    (value,) = program.module().parameters()
    assert value == torch.tensor(0.1)
