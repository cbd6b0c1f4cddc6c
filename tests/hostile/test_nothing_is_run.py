"""No input is run as code: nothing is unpickled or evaluated, and a trap in a checkpoint is not sprung."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from tracelr import checkpoint
from tracelr.errors import CheckpointError

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("own_folder")


def test_nothing_here_unpickles_or_evaluates() -> None:
    found = []
    for path in [*ROOT.glob("src/**/*.py"), *ROOT.glob("lowering/**/*.py"), *ROOT.glob("examples/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                call = ast.unparse(node.func)
                safe = any(word.arg == "weights_only" and ast.unparse(word.value) == "True" for word in node.keywords)
                if call == "torch.load" and not safe:
                    found.append((path.name, ast.unparse(node)))
                if call in (
                    "eval",
                    "exec",
                    "pickle.load",
                    "pickle.loads",
                    "yaml.load",
                    "yaml.unsafe_load",
                    "os.system",
                    "marshal.loads",
                    "torch.jit.load",
                ):
                    found.append((path.name, ast.unparse(node)))
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
                found += [
                    (path.name, name) for name in names if name.split(".")[0] in ("pickle", "dill", "shelve", "marshal")
                ]
    assert found == []


class Trap:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("sprung",)


def test_a_trap_in_a_checkpoint_is_not_sprung() -> None:
    checkpoint.save("sealed.pt", {"step": Trap()})  # the checksum is right, and says nothing about who wrote it
    torch.save({"step": Trap()}, "plain.pt")
    torch.save({"step": Trap()}, "old.pt", _use_new_zipfile_serialization=False)
    for name in ("sealed.pt", "plain.pt", "old.pt"):
        with pytest.raises(CheckpointError, match="not a checkpoint"):
            checkpoint.load(name, ("step",))
    assert "sprung" not in os.listdir()
