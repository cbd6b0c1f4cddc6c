"""Who may import whom. Arrows point down only, lowering never meets a concrete schedule, and `import tracelr` stays small."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# A module may import modules of a smaller number, and those of its own number with which it shares a folder.
LAYERS = {
    "errors": 0,
    "_torch": 0,
    "lowering.provenance": 1.25,
    "lowering.diagnostics": 1.5,
    "lowering.spec": 1.75,
    "lowering.graph": 2,
    "lowering.passes": 2,
    "lowering.printing": 3,
    "lowering": 4,
    "wide": 0,
    "pair": 0.25,
    "kernels": 0.5,
    "two_float": 0.75,
    "arithmetic": 1,
    "describe": 1,
    "tables": 1,
    "view": 1,
    "ease": 1,
    "fields": 2,
    "value": 2.5,
    "schedule": 3,
    "schedules": 4,
    "compose": 4,
    "assignment": 4,
    "units": 3,
    "counter": 4,
    "slots": 5,
    "rates": 6,
    "scheduled": 4,
    "state": 6,
    "board": 7,
    "scheduler": 8,
    "cerebras": 5,
    "dialects": 6,
    "from_torch": 5,
    "config": 7,
    "lr_scheduler": 9,
    "weight_decay_scheduler": 10,
    "plateau": 3.5,
    "ranks": 9,
    "spec_text": 5,
    "drawing": 1,
    "describe_": 2,
    "files": 1,
    "shapes": 5,
    "pieces": 5.1,
    "canary": 5,
    "report": 6,
    "convert": 7,
    "cli": 12,
    "fuse": 9,
    "exported": 10,
    "train_step": 11,
    "__main__": 13,
    "__init__": 12,
}
# Imported inside a function, and so allowed against the order: what a method of a low layer offers from a high one.
LAZY = {
    ("schedule", "compose"),
    ("fields", "schedule"),  # for types only: a number may be a schedule
    ("state", "config"),
    ("describe_.sampling", "pieces"),
    *((f"describe_.{module}", "schedule") for module in ("sampling", "display", "phases", "compare")),
    *((f"describe_.{module}", "shapes") for module in ("sampling", "phases")),
    *(("compose.around", f"schedules.{curve}") for curve in ("constant", "cosine", "linear", "piecewise_constant", "ramp")),
}


def modules() -> dict[str, Path]:
    files = {
        f"lowering.{'.'.join(p.relative_to(ROOT / 'lowering').with_suffix('').parts)}": p
        for p in (ROOT / "lowering").rglob("*.py")
    }
    source = ROOT / "src" / "tracelr"
    own = [p for p in source.rglob("*.py") if "lowering" not in p.relative_to(source).parts]
    return files | {".".join(p.relative_to(source).with_suffix("").parts): p for p in own}


def layer(module: str) -> float:
    parts = module.split(".")
    return next(LAYERS[name] for name in (".".join(parts[:n]) for n in range(len(parts), 0, -1)) if name in LAYERS)


def imports(path: Path) -> list[tuple[str, bool]]:
    """Return the tracelr modules that a file imports, each with whether it does so inside a function or for types only."""
    found = []

    def visit(node: ast.AST, lazy: bool) -> None:
        names = []
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "tracelr":
            base = node.module.removeprefix("tracelr").lstrip(".")
            names = [base] if base else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name.removeprefix("tracelr.") for alias in node.names if alias.name.startswith("tracelr.")]
        found.extend((name, lazy) for name in names)
        typing_only = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for child in ast.iter_child_nodes(node):
            visit(child, lazy or typing_only or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))

    visit(ast.parse(path.read_text()), False)
    return found


@pytest.mark.parametrize("module", modules())
def test_arrows_point_down(module: str) -> None:
    folder = module.rpartition(".")[0].split(".")[0] or module
    for name, lazy in imports(modules()[module]):
        if name.startswith("__"):
            continue  # the version number
        same_folder = name.split(".")[0] == folder
        allowed = layer(name) < layer(module) or (layer(name) == layer(module) and same_folder)
        assert allowed or (lazy and (module, name) in LAZY) or (lazy and module == "__init__"), (module, name)


@pytest.mark.parametrize("module", [m for m in modules() if m.startswith("lowering")])
def test_lowering_never_meets_a_schedule(module: str) -> None:
    for name, _ in imports(modules()[module]):  # which arithmetic a target has is no schedule's business
        assert name in ("errors", "arithmetic", "_torch") or name.startswith("lowering"), (module, name)


def test_every_module_has_a_layer() -> None:
    for module in modules():
        assert layer(module) >= 0


def test_import_brings_torch_and_nothing_else() -> None:
    code = (
        "import sys, torch; before = set(sys.modules); import tracelr; "
        "new = {m for m in set(sys.modules) - before if not m.startswith('tracelr')}; "
        "heavy = ('yaml', 'matplotlib', 'sklearn', 'tqdm', 'mpmath', 'torch._dynamo', 'torch._inductor', 'torch.export', 'onnx', 'jax'); "
        "print(sorted(m for m in new if m.startswith(heavy)), 'tracelr.lowering' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] False"


def test_every_public_name_is_there() -> None:
    code = "import tracelr; print(callable(tracelr.lowering.trace), tracelr.load, tracelr.from_dict, tracelr.lr_scheduler.Constant)"
    subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def test_no_test_imports_another() -> None:
    """What tests share is in modules of helpers, so that each file of tests can move, and run alone."""
    found = []
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{path.name}: {name}" for name in names if name.split(".")[-1].startswith("test_")]
    assert found == []
