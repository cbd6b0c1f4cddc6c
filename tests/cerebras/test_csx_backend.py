"""Their compiler takes every schedule into the graph of a training step, and what it makes of it has the bits of eager.

The accelerator is not needed: the step is traced and lowered to CIRH, the text that their compiler gives to the machine. The
schedule is cut out of it and interpreted, once as the rate of this update and once as that of the next one.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from support.csx import compiled, rates_of_the_update
from support.settings import published, schedule_of
from support.table import ROWS

from tracelr import precision
from tracelr.lowering.targets._cirh_interpreter import run

pytest.importorskip("cerebras.pytorch")
pytestmark = pytest.mark.cerebras
AT_ONCE = 8
NAMES = [name for name, row in ROWS.items() if row.written]
DINO = "params_dinov2_large_224_bs1024.yaml"
NAMES += [f"{DINO}:{k}" for k in range(len(published(DINO)))]
PARTS = [NAMES[k : k + AT_ONCE] for k in range(0, len(NAMES), AT_ONCE)]


def steps_of(name: str) -> torch.Tensor:
    ends = ROWS[name].ends if name in ROWS else (12_500, 125_000)
    near = [end + by for end in ends for by in (-2, -1, 0, 1)]
    powers = [2**k + by for k in range(1, 53) for by in (-1, 0, 1)]
    drawn = torch.randint(0, 4 * max([10, *ends]), (500,), generator=torch.Generator().manual_seed(0)).tolist()
    return torch.tensor(sorted({step for step in (0, 1, 2, 3, *near, *powers, *drawn) if 0 <= step < 2**53}))


@pytest.mark.parametrize("names", PARTS, ids=lambda names: f"{names[0]} and {len(names) - 1} more")
def test_the_compiled_step_has_the_bits_of_eager(names: list[str], tmp_path: Path) -> None:
    function = compiled(tmp_path, names).function
    used = list(rates_of_the_update(function))
    assert len(used) == len(names)
    for k, name in enumerate(names):
        steps = steps_of(name)
        with precision("two_float"), torch.no_grad():
            now, later = schedule_of(name)(steps), schedule_of(name)(steps + 1)
        count = f"state.schedulers.{k}.last_epoch"
        pairs = (
            (now, run(function, steps.numpy(), used[k] or f"output_values_{k}", count)),
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
