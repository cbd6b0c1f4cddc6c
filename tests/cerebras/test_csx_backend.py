"""Their compiler takes every schedule into the graph of a training step, and what it makes of it has the bits of eager.

The accelerator is not needed: the step is traced and lowered to CIRH, the text that their compiler gives to the machine. The
schedule is cut out of it and interpreted, once as the rate of this update and once as that of the next one.
"""

from __future__ import annotations

import random
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from mpmath import mpf
from support import trees
from support.cerebras_formulas import AT_2000, Call, called
from support.csx import Step, compiled, rates_of_the_update, walked
from support.exact_values import exact
from support.optimizers import sgd
from support.oracle import ulps
from support.settings import published, schedule_of
from support.table import ROWS

from tracelr import Schedule, lr_scheduler, precision
from tracelr.lowering.targets._cirh_interpreter import run
from tracelr.optim.evaluator import values_of

pytest.importorskip("cerebras.pytorch")
pytestmark = pytest.mark.cerebras
AT_ONCE = 8
NAMES = [name for name, row in ROWS.items() if row.written]
DINO = "params_dinov2_large_224_bs1024.yaml"
NAMES += [f"{DINO}:{k}" for k in range(len(published(DINO)))]
NAMES += [repr(make(trees.Trees(f"nested {kind}", wild=False), 3)) for kind, make in trees.COMPOSITIONS.items()]
NAMES += [
    "Sequential([Linear(0.0, 6e-4, 200), WarmRestarts(6e-4, 6e-5, 500, 2.0, 0.5)], [200]) * Step(1.0, 0.5, 1000)",
    "Linear(0.0, 1.0, 50) * (Cosine(6e-4, 6e-5, 2000) * Exponential(1.0, 0.9, 100, staircase=True) + Constant(1e-6))",
]
PARTS = [NAMES[k : k + AT_ONCE] for k in range(0, len(NAMES), AT_ONCE)]


def steps_of(name: str) -> torch.Tensor:
    if "(" in name:
        drawn_ones = trees.steps_of(schedule_of(name), random.Random(0), 200)
        return torch.tensor([step for step in drawn_ones if step < 2**53])
    ends = ROWS[name].ends if name in ROWS else (12_500, 125_000)
    near = [end + by for end in ends for by in (-2, -1, 0, 1)]
    powers = [2**k + by for k in range(1, 53) for by in (-1, 0, 1)]
    drawn = torch.randint(0, 4 * max([10, *ends]), (500,), generator=torch.Generator().manual_seed(0)).tolist()
    return torch.tensor(sorted({step for step in (0, 1, 2, 3, *near, *powers, *drawn) if 0 <= step < 2**53}))


@pytest.mark.parametrize("names", PARTS, ids=lambda names: f"{names[0][:40]} and {len(names) - 1} more")
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


# -- their schedulers, and ours by the same names ---------------------------------------------------------------------------

COUNT = "theirs Count(optimizer)"


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Step:
    """A step with every one of theirs, and one that counts milestones with a sum of comparisons."""
    return compiled(tmp_path_factory.mktemp("theirs"), [*(f"theirs {call.text}" for call in AT_2000), COUNT])


def test_all_19_of_theirs_compile_to_their_formulas(theirs: Step) -> None:
    assert len({call.text.partition("(")[0] for call in AT_2000}) == 19
    for k, call in enumerate(AT_2000):
        used, later = walked(theirs.function, k, 300)
        assert np.array_equal(used[1:], later[:-1]), call.text
        want = [float(call.exact(step)) for step in range(300)]
        assert used == pytest.approx(want, abs=1e-5 * max(want)), call.text  # float32, and a power of a rounded 0.999


def test_none_of_theirs_sums_comparisons_and_such_a_sum_is_one_bit(theirs: Step) -> None:
    function, k = theirs.function, len(AT_2000)
    sums = {op.result for op in function.ops.values() if op.name == "Reduce" and op.types.endswith("-> tensor<i1>")}
    of_the_count = {op.result for op in function.cut(f"output_values_{k}")[2]} | {
        op.result for op in function.cut(list(rates_of_the_update(function))[k] or "")[2]
    }
    assert len(sums) == 2  # this update's, and the next one's
    assert sums <= of_the_count
    used, _ = walked(function, k, 8)
    assert used.tolist() == [0, 0, 1, 1, 0, 0, 1, 1]  # the count is 0, 0, 1, 1, 2, 2, 3, 3


@cache
def schedule_for(call: Call) -> Schedule:
    """Return the schedule of our class for a call of theirs."""
    text = call.text if call.ours is None else call.ours[0]
    schedule: Schedule = called(text, vars(lr_scheduler), sgd()).schedule
    return schedule


def test_ours_by_their_names_compile_to_the_bits_of_eager(tmp_path: Path) -> None:
    function = compiled(tmp_path, [f"ours {call.text if call.ours is None else call.ours[0]}" for call in AT_2000]).function
    for k, call in enumerate(AT_2000):
        used, later = walked(function, k, 2002)
        assert np.array_equal(used[1:], later[:-1]), call.text
        factor = np.float32(0.3) if call.text.startswith("ScalePerParam") else 1.0  # their optimizer holds float32
        with precision("two_float"), torch.no_grad():
            (eager,) = values_of(schedule_for(call), [float(factor)], torch.arange(2002))
        if call.ours is not None:  # functions in float32, with a power that has NumPy's last bits
            assert used == pytest.approx(eager.numpy(), rel=1e-6)
            continue
        assert np.array_equal(used, eager.numpy()), call.text
        for step in range(0, 2002, 77):
            assert ulps(float(used[step]), mpf(float(factor)) * exact(schedule_for(call), step).value) < 0.51, (call, step)


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
