"""Strictness for every test: the default dtype stays, Dynamo starts fresh, and nothing is left forced."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from mpmath import mp
from support.terminal import Terminal

from tracelr import arithmetic, precision
from tracelr.schedules.base import REGISTRY

mp.prec = 300
torch.set_num_threads(1)  # the tensors are small, and several tests may run at once


SHARED = {"graphs", "operations", "sweep"}
"""Modules of helpers that hold what takes minutes to make: the graphs of all rows, and what eager gives for them."""


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let `--dist loadgroup` run each file in one process, and all files that use `SHARED` in the same one."""
    for item in items:
        used = vars(getattr(item, "module", None) or object).values()
        shared = any(str(getattr(value, "__module__", "")).split(".")[-1] in SHARED for value in used)
        item.add_marker(pytest.mark.xdist_group("shared" if shared else item.path.name))


@pytest.fixture(autouse=True)
def _strict() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # raised inside torch's own export and pickling code
        warnings.filterwarnings("ignore", category=FutureWarning, message=".*LeafSpec.*")
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="torch|sympy")
        yield
    assert torch.get_default_dtype() == torch.float32
    assert arithmetic.forced() is None
    torch._dynamo.reset()


@pytest.fixture
def only_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the schedule classes that other tests have defined: some texts name all that there are."""
    for name, kind in list(REGISTRY.items()):
        if not kind.__module__.startswith("tracelr."):
            monkeypatch.delitem(REGISTRY, name)


@pytest.fixture
def two_float() -> Iterator[None]:
    """Compute in pairs of float32, as a device without float64 does."""
    with precision("two_float"):
        yield


@pytest.fixture
def quiet_torch() -> Iterator[None]:
    """Let torch's schedulers warn: those inside another step before the optimizer has."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module="torch")
        yield


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def command_line(own_folder: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder, with lines of 88 characters, and forget what a command put on the path of Python."""
    monkeypatch.setenv("COLUMNS", "88")
    monkeypatch.setattr(sys, "path", [*sys.path])


@pytest.fixture
def tracelr_(capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(capsys)
