"""Random trees keep their bits through every copy and every text."""

from __future__ import annotations

import contextlib
import copy
import pickle
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
import yaml
from support.trees import Trees, steps_of

from tracelr import Schedule, from_dict, precision
from tracelr.errors import ConfigError
from tracelr.interop.convert import convert
from tracelr.schedules.base import REGISTRY

COPIES: dict[str, Callable[[Schedule], Any]] = {
    "to_dict": lambda schedule: from_dict(schedule.to_dict()),
    "pickle": lambda schedule: pickle.loads(pickle.dumps(schedule)),
    "deepcopy": copy.deepcopy,
    "repr": lambda schedule: eval(repr(schedule), dict(REGISTRY)),
    "native": lambda schedule: from_dict(yaml.safe_load(convert(schedule, "native"))),
}


def tree(seed: int) -> tuple[Schedule, list[int]]:
    schedule = Trees(f"copies {seed}", wild=seed % 2 == 1).tree(seed % 4)
    return schedule, steps_of(schedule, random.Random(seed), 20)


def check(seeds: range) -> None:
    for seed in seeds:
        schedule, steps = tree(seed)
        for name, way in COPIES.items():
            other = way(schedule)
            assert other == schedule, (name, schedule)
            assert other.fingerprint() == schedule.fingerprint(), (name, schedule)
            for arithmetic in ("float64", "two_float"):
                with precision(arithmetic):
                    want, got = schedule(torch.tensor(steps)), other(torch.tensor(steps))
                assert torch.equal(got.view(torch.int32), want.view(torch.int32)), (name, arithmetic, schedule)


def check_code(seeds: range) -> None:
    """Compare the code for torch. What a format cannot express is refused by name."""
    for seed in seeds:
        schedule, steps = tree(seed)
        try:
            text = convert(schedule, "torch")
        except ConfigError:
            continue
        names: dict[str, Any] = {}
        exec(compile(text, "schedule.py", "exec", dont_inherit=True), names)
        assert [names["rate"](step) for step in steps] == schedule(torch.tensor(steps)).tolist(), schedule
    for seed in seeds:
        for to in ("cerebras", "optax", "keras"):
            with contextlib.suppress(ConfigError):
                convert(tree(seed)[0], to)


def test_a_random_tree_keeps_its_bits_in_every_copy() -> None:
    check(range(40))


def test_the_code_for_torch_of_a_random_tree_has_its_bits() -> None:
    check_code(range(4))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(100, 1100, 100))
def test_a_thousand_random_trees_keep_their_bits_in_every_copy(first: int) -> None:
    check(range(first, first + 100))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(100, 180, 20))
def test_the_code_for_torch_of_many_random_trees_has_their_bits(first: int) -> None:
    check_code(range(first, first + 20))
