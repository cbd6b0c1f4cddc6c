"""Who may import whom: a file imports its own room and the rooms on lower floors. `import tracelr` stays small."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest

import tracelr

ROOT = Path(__file__).parents[2]
FLOORS = (
    {"errors", "_torch"},
    {"arithmetic", "files"},
    {"checkpoint", "drawing", "lowering"},
    {"schedules"},
    {"interop", "report"},
    {"optim"},
    {"fused", "lr_scheduler"},
    {"cli", "convert", "phases", "weight_decay_scheduler"},
    {"__init__", "__main__"},
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS, 1) for room in rooms}

DOOR = ("schedules/base.py", "tracelr.schedules.compose")
"""The one import of tracelr inside a function: an operator of a schedule builds a composition, and that is a schedule."""

IN_FUNCTIONS = {
    "torch.export": "takes longer to import than tracelr",
    "torch._inductor": "takes longer to import than tracelr; needs a compiler",
    "torch.fx.experimental": "imports sympy",
    "html": "its table of entities takes 2 ms, and a program that draws nothing needs none",
    "yaml": "a program that reads no file need not import it",
    "jax": "an optional toolchain",
    "numpy": "the process that runs Triton imports it there",
    "torch": "the process that compiles with Triton does without, except on other systems than Linux",
    "onnx": "an optional toolchain",
    "onnxruntime": "an optional toolchain",
    "pyopencl": "an optional toolchain",
    "triton": "an optional toolchain",
    "matplotlib": "an optional package",
    "rich": "an optional package",
    "sklearn": "an optional package",
    "tensorboard": "an optional package",
    "tqdm": "an optional package",
}
"""What a file may import inside a function, with the reason."""


class Import(NamedTuple):
    """One import: the module, and whether it stands in a function or in a block for type checkers."""

    module: str
    in_function: bool
    for_types: bool


def files() -> dict[str, Path]:
    """Return every file of the package by its path in it, such as "schedules/base.py"."""
    source, lowering = ROOT / "src" / "tracelr", ROOT / "lowering"
    own = [path for path in source.rglob("*.py") if "lowering" not in path.relative_to(source).parts]
    found = {path.relative_to(source).as_posix(): path for path in own}
    return found | {path.relative_to(ROOT).as_posix(): path for path in lowering.rglob("*.py")}


FILES = files()


def room(file: str) -> str:
    return file.split("/")[0].removesuffix(".py")


def imports(file: str) -> Iterator[Import]:
    def visit(node: ast.AST, in_function: bool, for_types: bool) -> Iterator[Import]:
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports by a relative path"
            modules = [f"tracelr.{alias.name}" for alias in node.names] if node.module == "tracelr" else [node.module or ""]
        yield from (Import(module, in_function, for_types) for module in modules)
        in_function = in_function or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for_types = for_types or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
        for child in ast.iter_child_nodes(node):
            yield from visit(child, in_function, for_types)

    yield from visit(ast.parse(FILES[file].read_text()), False, False)


def of_tracelr(module: str) -> str | None:
    """Return the room of a module of tracelr; None for other modules."""
    package, _, rest = module.partition(".")
    return None if package != "tracelr" else rest.split(".")[0] or "__init__"


@pytest.mark.parametrize("file", FILES)
def test_a_file_imports_its_own_room_and_lower_floors(file: str) -> None:
    for one in imports(file):
        other = of_tracelr(one.module)
        if other is not None and other != room(file):
            assert FLOOR[other] < FLOOR[room(file)], (file, one.module)
        assert other is None or not one.in_function or (file, one.module) == DOOR, (file, one.module)


@pytest.mark.parametrize("file", [file for file in FILES if room(file) == "lowering"])
def test_lowering_never_meets_a_schedule(file: str) -> None:
    """The arithmetic of a target does not depend on a schedule."""
    rooms = {of_tracelr(one.module) for one in imports(file)} - {None}
    assert rooms <= {"errors", "arithmetic", "_torch", "files", "lowering"}


def test_what_is_imported_inside_a_function_has_a_reason() -> None:
    found = {one.module for file in FILES for one in imports(file) if one.in_function and of_tracelr(one.module) is None}
    named = {module: next((name for name in IN_FUNCTIONS if f"{module}.".startswith(f"{name}.")), None) for module in found}
    assert [module for module, reason in named.items() if reason is None] == []
    assert (
        set(IN_FUNCTIONS) - {max((n for n in IN_FUNCTIONS if f"{m}.".startswith(f"{n}.")), key=len) for m in found} == set()
    )


def test_the_door_is_used_in_operators_alone() -> None:
    used = [one for one in imports(DOOR[0]) if one.module == DOOR[1]]
    assert used
    assert all(one.in_function or one.for_types for one in used)


def test_every_room_is_on_a_floor() -> None:
    assert {room(file) for file in FILES} == set(FLOOR)


def test_the_public_names_are_those_that_are_listed() -> None:
    assert dir(tracelr) == sorted([*tracelr.__all__, "__version__"])
    assert [name for name in tracelr.__all__ if not hasattr(tracelr, name)] == []
    assert tracelr.lowering is import_module("tracelr.lowering")


def test_the_first_name_brings_torch_and_nothing_else() -> None:
    code = (
        "import sys, tracelr; alone = 'torch' in sys.modules; import torch; before = set(sys.modules); tracelr.Linear; "
        "new = {m for m in set(sys.modules) - before if not m.startswith('tracelr')}; "
        "heavy = ('yaml', 'matplotlib', 'sklearn', 'tqdm', 'mpmath', 'torch._dynamo', 'torch._inductor', 'torch.export', 'onnx', 'jax'); "
        "print(sorted(m for m in new if m.startswith(heavy)), 'tracelr.lowering' in sys.modules, alone)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] False False"


def test_no_test_imports_another() -> None:
    """What tests share is in modules of helpers, so that each file of tests can move, and run alone."""
    found = []
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{path.name}: {name}" for name in names if name.split(".")[-1].startswith("test_")]
    assert found == []
