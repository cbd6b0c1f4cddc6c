"""Strictness for every test: the default dtype stays, Dynamo starts fresh, and nothing is left forced."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from mpmath import mp
from support.terminal import Terminal

from tracelr import arithmetic, precision
from tracelr.schedules.base import REGISTRY

mp.prec = 300
torch.set_num_threads(1)  # the tensors are small, and several tests may run at once


SHARES = re.compile(r"^from (?:support\.)?(?:graphs|operations|sweep) import", re.MULTILINE)
"""What a file says that uses the graphs of all rows, or what eager gives for them: it takes a minute to make these."""


@cache
def group_of(file: str) -> str:
    return "shared" if file.endswith(".py") and SHARES.search(Path(file).read_text()) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Run each file in one process, as `--dist loadfile` does, and all files that share graphs in the same one."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class ByGraphs(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid.split("::")[0])

    return ByGraphs(config, log)


@pytest.fixture(autouse=True)
def _strict() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # raised inside torch's own export and pickling code
        warnings.filterwarnings("ignore", category=FutureWarning, message=".*LeafSpec.*")
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="torch|sympy")
        # of torch 2.4 and 2.5, about how torch and a test read files that they wrote themselves
        warnings.filterwarnings("ignore", category=FutureWarning, message="You are using `torch.load`")
        # of torch, on Python 3.13.0 alone
        warnings.filterwarnings("ignore", category=RuntimeWarning, message="Guards may run slower on Python 3.13.0")
        # jax's, of a child process with limits, which runs another program
        warnings.filterwarnings("ignore", category=RuntimeWarning, message=r"os\.fork\(\) was called")
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
