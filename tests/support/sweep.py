"""All rows of the table on one target at once: for targets whose toolchain is slow to start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import torch
from torch import Tensor

from support.graphs import traced
from support.oracle import probes
from support.table import ROWS
from tracelr.lowering import lower, passes
from tracelr.lowering.targets._target import Artifact
from tracelr.lowering.verification import default_steps

SWEPT = {"c", "cirh", "cuda", "hip", "metal", "onnx", "opencl", "wgsl"}
"""The targets that run all rows at once, each in its test file; the others run row by row in test_rows_on_targets.py."""


@cache
def steps_of(name: str) -> Tensor:
    graph = passes.run(traced(name))
    return torch.cat([default_steps(graph, seed=5), torch.tensor(probes(ROWS[name].ends, seed=6, random_steps=300))])


@cache
def eager(name: str) -> Tensor:
    return ROWS[name].schedule(steps_of(name))


def artifacts(target: str) -> dict[str, Artifact]:
    """Return every row, each as a function of another name: lr0, lr1 and so on."""
    return {name: lower(traced(name), target, name=f"lr{k}") for k, name in enumerate(ROWS)}


def differing(functions: Mapping[str, Callable[[Tensor], Tensor]]) -> dict[str, int]:
    """Return how many steps differ in any bit from eager, for the rows where some do."""
    found = {}
    for name, function in functions.items():
        rates, want = function(steps_of(name)), eager(name)
        assert len(rates) > 20_000
        if wrong := int((rates.view(torch.int32) != want.view(torch.int32)).sum()):
            found[name] = wrong
    return found
