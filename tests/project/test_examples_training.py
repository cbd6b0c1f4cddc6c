"""The examples of training, run small, in this process where possible, because imports of frameworks are slow."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import warnings
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
import torch

from tracelr import Cosine, Linear, Schedule
from tracelr.schedules.describe.sampling import value_at

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def example(name: str) -> Any:
    """Return an example as a module."""
    found = spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    module = module_from_spec(found)
    sys.modules[found.name] = module  # Dynamo imports it by its name
    found.loader.exec_module(module)
    return module


def closed(rate: Schedule, steps: list[int] | range) -> list[float]:
    """Return the values in float32, as a scheduled tensor holds them."""
    return [rate(step).item() for step in steps]


def before_rounding(rate: Schedule, steps: list[int] | range) -> list[float]:
    """Return the values as a scheduled float holds them."""
    return [value_at(rate, step) for step in steps]


def falls(losses: list[float], to: float) -> bool:
    """Return whether the mean of the last quarter is below `to` times the first loss."""
    last = losses[-max(len(losses) // 4, 1) :]
    return sum(last) / len(last) < to * losses[0]


@pytest.mark.parametrize(
    ("steps", "backend", "to"),
    [
        pytest.param(24, "eager", 0.75, id="short"),
        pytest.param(200, "inductor", 0.55, id="long", marks=pytest.mark.slow),
    ],
)
def test_the_transformer_learns_in_one_graph(steps: int, backend: str, to: float) -> None:
    transformer = example("char_transformer")
    run = transformer.main(steps, backend)
    assert (run.graphs, run.recompiles) == (1, 0)
    assert run.losses[0] == pytest.approx(math.log(run.letters), rel=1e-3)
    assert falls(run.losses, to)
    warm = steps // 10
    peak = transformer.PEAK
    assert run.rates == closed(Linear(0.0, peak, warm).then(Cosine(peak, peak / 10, steps - warm)), range(steps))


def test_mup_moves_the_output_as_far_at_every_width() -> None:
    mup = example("mup")
    moved = mup.main(8)
    assert max(moved[True]) < 1.2 * min(moved[True])
    assert moved[False][1] > 3 * moved[False][0]
    assert moved[False][2] > 3 * moved[False][1]
    _, rates = mup.run(256, True, 8)
    rate = Linear(0.0, mup.PEAK, 2).then(Cosine(mup.PEAK, 0.0, 6))
    assert rates["others"] == before_rounding(rate, range(8))
    assert rates["hidden"] == [value / 4 for value in rates["others"]]  # 64 / 256: exact


def test_tokens_are_the_unit_whatever_the_batch() -> None:
    run = example("tokens").main(10_000)
    assert sorted(set(run.batches)) == [4, 8, 16]
    sizes = [batch * 16 for batch in run.batches]
    assert run.seen == [sum(sizes[:k]) for k in range(len(sizes))]
    assert run.rates == before_rounding(run.rate, run.seen)
    assert falls(run.losses, 0.1)


def test_the_hypergradient_is_that_of_a_difference_and_leads_down() -> None:
    learned = example("hypergradient")
    run = learned.main(5)
    assert run.losses == sorted(run.losses, reverse=True)
    assert run.losses[-1] < 0.5 * run.losses[0]
    peak, h = torch.tensor(run.peaks[2]), 1e-3
    above, below = (learned.slope(peak * factor)[0] for factor in (1 + h, 1 - h))
    difference = float((above - below) / (2 * h * peak))
    assert run.slopes[2] == pytest.approx(difference, rel=2e-3)  # of float32 losses


def test_a_killed_run_ends_with_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    whole, resumed = example("resume").main(30)
    assert (whole.start, resumed.start) == (0, 15)  # killed at 17, saved every 5
    assert resumed.rates == whole.rates[15:]
    assert torch.equal(whole.weights, resumed.weights)


def test_lightning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("pytorch_lightning")
        module = example("with_lightning")
        model = module.main(20)
    assert model.rates == before_rounding(module.rate(20), range(20))
    assert falls(model.losses, 0.8)


def test_the_trainer_of_hugging_face() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("accelerate")
        run = example("with_trainer").main(20)
    assert run.rates == before_rounding(run.rate, range(20))
    assert falls(run.losses, 0.8)


def test_ddp_in_one_process(tmp_path: Path) -> None:
    module = example("with_torchrun")
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        rates, losses = module.main(20)
    finally:
        torch.distributed.destroy_process_group()
    assert rates == before_rounding(module.rate(20), range(20))
    assert falls(losses, 0.8)


@pytest.mark.slow  # two processes more that import torch; `tests/frameworks/test_ranks.py` always does
def test_torchrun() -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(EXAMPLES / "with_torchrun.py"), "--steps", "20"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr  # each rank compares its rates with the closed form
    said = re.findall(r"rank ([01]): 20 updates, loss ([\d.]+) -> ([\d.]+), weights (\S+)", done.stdout)
    assert sorted(rank for rank, *_ in said) == ["0", "1"]
    assert len({weights for *_, weights in said}) == 1


def test_every_example_is_listed_with_its_command() -> None:
    listed = re.findall(r"^\| `([\w./]+)` \|", (EXAMPLES / "README.md").read_text(), re.M)
    files = {str(p.relative_to(EXAMPLES)) for p in EXAMPLES.rglob("*") if p.suffix in (".py", ".c", ".cpp", ".yaml")}
    assert set(listed) == {name for name in files if "build" not in name}
    text = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name in listed if Path(name).stem not in text] == []
