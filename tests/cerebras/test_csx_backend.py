"""Their compiler takes every schedule into the graph of a training step, and what it makes of it has the bits of eager.

The accelerator is not needed: the step is traced and lowered to CIRH, the text that their compiler gives to the machine. The
schedule is cut out of it and interpreted, once as the rate of this update and once as that of the next one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from support.settings import published, schedule_of
from support.table import ROWS

from tracelr import precision
from tracelr.lowering.targets._cirh_interpreter import Function, parse, run

cstorch = pytest.importorskip("cerebras.pytorch")
pytestmark = pytest.mark.cerebras
AT_ONCE = 8
NAMES = [name for name, row in ROWS.items() if row.written]
DINO = "params_dinov2_large_224_bs1024.yaml"
NAMES += [f"{DINO}:{k}" for k in range(len(published(DINO)))]
PARTS = [NAMES[k : k + AT_ONCE] for k in range(0, len(NAMES), AT_ONCE)]
LIBRARY = Path(cstorch.__file__).parent / "lib"


def traced(folder: Path, names: list[str]) -> Function:
    """Return the training step whose param groups follow the rows `names`."""
    environment = {**os.environ, "PATH": f"{LIBRARY}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, str(Path(__file__).with_name("traced.py")), *names]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    made = list(folder.rglob("cirh.mlir"))
    assert len(made) == 1, done.stdout[-2000:] + done.stderr[-4000:]
    assert "ClusterConfigError" in done.stderr
    return parse(made[0].read_text())


def steps_of(name: str) -> torch.Tensor:
    ends = ROWS[name].ends if name in ROWS else (12_500, 125_000)
    near = [end + by for end in ends for by in (-2, -1, 0, 1)]
    powers = [2**k + by for k in range(1, 53) for by in (-1, 0, 1)]
    drawn = torch.randint(0, 4 * max([10, *ends]), (500,), generator=torch.Generator().manual_seed(0)).tolist()
    return torch.tensor(sorted({step for step in (0, 1, 2, 3, *near, *powers, *drawn) if 0 <= step < 2**53}))


def rates_of_the_update(function: Function) -> Iterator[str]:
    """Yield the value of the rate with which each weight is updated: their optimizer multiplies it by -1 and the gradient."""
    for k in range(sum("state.model" in attributes for _, attributes in function.inputs.values())):
        ops = function.cut(k)[2]
        by_name = {op.result: op for op in ops}
        for op in ops:
            source = by_name.get(op.operands[0]) if op.name == "BroadcastInDim" else None
            if source is not None and source.name == "Mul" and source.types.endswith("tensor<f32>"):
                minus = [one for one in source.operands if one in by_name and "dense<-1.0" in by_name[one].attributes]
                yield from (one for one in source.operands if minus and one not in minus)


@pytest.mark.parametrize("names", PARTS, ids=lambda names: f"{names[0]} and {len(names) - 1} more")
def test_the_compiled_step_has_the_bits_of_eager(names: list[str], tmp_path: Path) -> None:
    function = traced(tmp_path, names)
    used = list(rates_of_the_update(function))
    assert len(used) == len(names)
    for k, name in enumerate(names):
        steps = steps_of(name)
        with precision("two_float"), torch.no_grad():
            now, later = schedule_of(name)(steps), schedule_of(name)(steps + 1)
        count = f"state.schedulers.{k}.last_epoch"
        pairs = (
            (now, run(function, steps.numpy(), used[k], count)),
            (later, run(function, steps.numpy(), f"output_values_{k}", count)),
        )
        for eager, found in pairs:
            differing = np.flatnonzero(eager.numpy().view(np.int32) != found.view(np.int32))
            assert not len(differing), (name, steps[differing[:3]].tolist(), eager[differing[:3]], found[differing[:3]])


def test_all_assignments_of_the_largest_published_file_are_there() -> None:
    assert len(published(DINO)) == 29


def test_a_tensor_field_is_refused(tmp_path: Path) -> None:
    program = """
import cerebras.pytorch as cstorch, torch
from tracelr import Constant, cerebras
backend = cstorch.backend("CSX")
model = torch.nn.Linear(2, 2)
cstorch.compile(model, backend)
optimizer = cstorch.optim.SGD(model.parameters(), lr=0.1, momentum=0.0)
cerebras.Scheduler(optimizer, Constant(torch.tensor(0.1)))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "given a schedule with a tensor field; allowed: numbers" in done.stderr
