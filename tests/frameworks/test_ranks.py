"""Several processes: DDP, FSDP2, accelerate, torch.distributed.checkpoint and `check_ranks`, on gloo."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch.distributed as dist
from frameworks.common import DECAY, rates

SCRIPT = Path(__file__).with_name("_ranks.py")
HAS_ACCELERATE = importlib.util.find_spec("accelerate") is not None


def start(ranks: int, parts: list[str], folder: Path) -> list[Any]:
    """Run the named functions of the script under torchrun; return the result of each rank."""
    paths = os.pathsep.join([str(SCRIPT.parent.parent), *filter(None, sys.path)])
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(SCRIPT), ",".join(parts), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    # Not the exit code: every file is written before a barrier, and gloo's threads can abort a process that is ending.
    files = [folder / f"{ranks}-{rank}.json" for rank in range(ranks)]
    assert all(file.exists() for file in files), done.stderr
    return [json.loads(file.read_text()) for file in files]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ranks")


@pytest.fixture(scope="module")
def two(folder: Path) -> list[Any]:
    return start(
        2, ["ddp", "fsdp", "compared", "later", "strict", "save", *(["accelerated"] if HAS_ACCELERATE else [])], folder
    )


@pytest.mark.parametrize("kind", ["float", "tensor", "fuse"])
@pytest.mark.parametrize("part", ["ddp", "fsdp"])
def test_every_rate_is_the_closed_form_and_the_ranks_agree(two: list[Any], part: str, kind: str) -> None:
    first, second = (rank[part][kind] for rank in two)
    assert [set(groups) for groups in first["made"]] == [{rate} for rate in rates(12)]
    assert first == second  # rates, weights and count, to the bit
    assert first["last_epoch"] == 12
    # compiled Adam corrects its bias in float32
    assert first["weights"] == pytest.approx(two[0][part]["float"]["weights"], abs=1e-4)


def test_a_rank_that_differs_is_named_on_every_rank(two: list[Any]) -> None:
    fix = "to fix it: build the scheduler from the same file, and load the same checkpoint, on every rank."
    messages = [
        None,
        f"check_ranks: given rank 1 with lr of group 0: Constant.value 0.1 -> 0.2; allowed: what 1 of 2 ranks have; {fix}",
        f"check_ranks: given rank 1 with step 3 -> 4; allowed: what 1 of 2 ranks have; {fix}",
    ]
    assert [rank["compared"] for rank in two] == [messages, messages]


def test_the_ranks_are_compared_at_any_step(two: list[Any]) -> None:
    fix = "to fix it: build the scheduler from the same file, and load the same checkpoint, on every rank."
    message = f"check_ranks: given rank 1 with step 2 -> 3; allowed: what 1 of 2 ranks have; {fix}"
    assert [rank["later"] for rank in two] == [[None, message]] * 2


def test_a_count_that_differs_is_an_error_on_every_rank_before_anything_moves(two: list[Any]) -> None:
    message = (
        "Scheduler.step(increment): given rank 0 at 6; rank 1 at 7; allowed: the same count on every rank; "
        "to fix it: pass as increment what all ranks did together, such as a sum by all_reduce."
    )
    at = [[count, rates(1, start=count)] for count in (3, 3, 5)]
    assert [rank["strict"] for rank in two] == [[at[0], message, at[1], at[2]]] * 2


ACCELERATED = {
    "split": rates(12),  # one step an update
    "whole": rates(6, stride=2),  # accelerate calls step() once for every process: the step counts batches of one process
    "split, accumulated": rates(4),
    "whole, accumulated": rates(2, stride=2),
    "not prepared": rates(2),  # stepped by the loop, an update each
}


@pytest.mark.skipif(not HAS_ACCELERATE, reason="accelerate is not installed")
@pytest.mark.parametrize("case", ACCELERATED)
def test_accelerate(two: list[Any], case: str) -> None:
    for rank in two:
        assert rank["accelerated"][case] == ACCELERATED[case]


def loaded(found: dict[str, Any]) -> None:
    assert found["at once"] == rates(1, start=7) * 2
    assert found["decay"] == DECAY(7).item()
    assert found["kept"]  # the tensors are those that a compiled region knows
    assert [groups[0] for groups in found["made"]] == rates(5, start=7)
    assert found["last_epoch"] == 12


@pytest.mark.slow  # four processes
def test_a_checkpoint_of_two_ranks_loads_on_four(two: list[Any], folder: Path) -> None:
    found = [rank["load"] for rank in start(4, ["load"], folder)]
    for one in found:
        loaded(one)
        assert one["weights"] == found[0]["weights"]


def test_a_checkpoint_of_two_ranks_loads_on_one(two: list[Any], folder: Path) -> None:
    from frameworks import _ranks

    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        loaded(_ranks.load(folder))
    finally:
        dist.destroy_process_group()
