"""tracelr/_torch.py holds all private names of torch that are used, and the installed torch has them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch.optim import lr_scheduler as torchs
from torch.optim.swa_utils import SWALR

from tracelr import _torch

ROOT = Path(__file__).parents[2]
HOME = ROOT / "src" / "tracelr" / "_torch.py"
FILES = [*(p for p in (ROOT / "src" / "tracelr").rglob("*.py") if p != HOME), *(ROOT / "lowering").rglob("*.py")]


def sgd(**options: float) -> SGD:
    return SGD([nn.Parameter(torch.ones(1))], lr=0.1, **options)


def private(tree: ast.Module) -> set[str]:
    """Return the private attributes that a file reads, as it writes them."""
    return {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute) and is_private(node.attr)}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


HELD = {
    node.attr for node in ast.walk(ast.parse(HOME.read_text())) if isinstance(node, ast.Attribute) and is_private(node.attr)
}
HELD |= {*_torch.SCHEDULER_METHODS, _torch.STEP_COUNT, _torch.LAST_LR, _torch.MEMBERS, "_init_group", "_wrapped_by_lr_sched"}
# An attribute of `self` that LRScheduler also has is one that `Scheduler` defines; ATen names some operators so.
DEFINED = {f"self.{name}" for name in (*_torch.SCHEDULER_METHODS, _torch.STEP_COUNT, _torch.LAST_LR)}


def touched(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "torch":
            words = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            yield from (ast.unparse(node) for word in words if is_private(word) or word == "experimental")
        elif isinstance(node, ast.Import):
            yield from (
                a.name for a in node.names if a.name.startswith("torch.") and any(map(is_private, a.name.split(".")))
            )
        elif isinstance(node, ast.Constant) and node.value in HELD:
            yield repr(node.value)
    for text in private(tree) - DEFINED:
        parts = text.split(".")
        is_operator = parts[0] == "aten" or text.startswith("torch.ops.")
        own = parts[0] in ("self", "cls", "_torch") and len(parts) == 2 and parts[1] != "_buffers"
        if not is_operator and not own and (parts[0] == "torch" or parts[-1] in HELD):
            yield text


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_other_file_touches_a_private_name_of_torch(path: Path) -> None:
    assert list(touched(path)) == []


def unions_asked_for(tree: ast.Module) -> list[str]:
    """Return the calls that ask for a class of a union, as `isinstance(x, int | float)` does."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and len(node.args) == 2)
    asked = (node for node in calls if ast.unparse(node.func) in ("isinstance", "issubclass"))
    return [ast.unparse(node) for node in asked if any(isinstance(one, ast.BinOp) for one in ast.walk(node.args[1]))]


@pytest.mark.parametrize("path", [*FILES, HOME], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_asks_for_a_class_of_a_union(path: Path) -> None:
    """Dynamo traces `isinstance(x, int | float)` from torch 2.10 on; a tuple of classes it always traces."""
    assert unions_asked_for(ast.parse(path.read_text())) == []


def test_the_search_finds_a_union() -> None:
    assert (
        len(unions_asked_for(ast.parse("isinstance(x, int | float), issubclass(A, (B, C | D)), isinstance(x, (A, B))"))) == 2
    )


def test_the_search_finds_what_it_looks_for(tmp_path: Path) -> None:
    lines = [
        "from torch._ops import OpOverload",
        "from torch.fx.experimental.proxy_tensor import make_fx",
        "import torch._dynamo",
        "torch._foreach_add",
        "x._version",
        "hasattr(o, '_init_group')",
        "self._buffers",
    ]
    for line in lines:
        (tmp_path / "file.py").write_text(line)
        assert len(list(touched(tmp_path / "file.py"))) >= 1, line


def test_optimizers_and_schedulers_have_them() -> None:
    optimizer = sgd(momentum=0.9)
    assert not any(_torch.step_hooks(optimizer))
    optimizer.register_step_post_hook(lambda *_: None)
    assert sum(map(len, _torch.step_hooks(optimizer))) == 1
    assert _torch.makes_state_outside(optimizer)
    step = torchs.StepLR(optimizer, 2)
    assert _torch.beneath_scheduler(optimizer.step) is SGD.step
    assert not _torch.is_contained(step, optimizer)
    assert all(
        callable(getattr(step, name)) for name in ("_initial_step", *(["_update_lr"] if torch.__version__ >= (2, 9) else []))
    )
    assert _torch.STEPS_AT_MILESTONE == (_torch.RELEASE < (2, 9))
    assert _torch.MULTIPLIES_AT_MILESTONE == (_torch.RELEASE > (2, 7)) or _torch.RELEASE == (2, 7)
    assert hasattr(torchs.StepLR, "_get_closed_form_lr")
    assert {_torch.STEP_COUNT, _torch.LAST_LR} <= step.state_dict().keys()
    both = torchs.SequentialLR(optimizer, [torchs.StepLR(optimizer, 2), torchs.StepLR(optimizer, 3)], [4])
    assert [member.step_size for member in _torch.members(both)] == [2, 3]
    assert _torch.milestones(both) == [4]
    assert _torch.MEMBERS in both.state_dict()
    assert _torch.is_contained(_torch.members(both)[0], optimizer)
    assert not _torch.is_contained(both, optimizer)
    assert [_torch.anneals_by_cosine(SWALR(optimizer, 0.1, 3, way)) for way in ("cos", "linear")] == [True, False]
    cycle = torchs.OneCycleLR(optimizer, 0.1, 10, anneal_strategy="linear")
    assert not _torch.anneals_by_cosine(cycle)
    assert [phase["end_step"] for phase in _torch.phases(cycle)] == [2.0, 9]
    cyclic = torchs.CyclicLR(optimizer, 0.1, 0.2, scale_fn=lambda x: x)
    assert _torch.has_own_scale(cyclic)
    assert not _torch.has_own_scale(torchs.CyclicLR(optimizer, 0.1, 0.2))


def test_tensors_and_modules_have_them() -> None:
    one = [torch.ones(2)]
    assert _torch.foreach_add(one, one)[0].tolist() == [2.0, 2.0]
    assert _torch.foreach_mul(_torch.foreach_div(one, 2.0), 2.0)[0].tolist() == [1.0, 1.0]
    before = _torch.version(one[0])
    _torch.foreach_add_(one, one)
    assert _torch.version(one[0]) > before
    assert _torch.versions(one) == [_torch.version(one[0])]
    assert not _torch.is_tracing()
    assert _torch.tree_leaves([1, (2, 3)]) == [1, 2, 3]
    assert _torch.tree_map(lambda x: 2 * x, {"a": 1}) == {"a": 2}
    assert not _torch.is_traceable_wrapper_subclass(one[0])
    with _torch.without_subclass():
        pass
    module = nn.BatchNorm1d(2)
    assert [name for name, _ in _torch.tensors_of(module)] == ["weight", "bias", *_torch.buffers_of(module)]
    assert all(holder[name] is getattr(module, name) for name, holder in _torch.tensors_of(module))


def test_compiling_and_lowering_have_them() -> None:
    _torch.mark_static(torch.ones(1))
    graph = _torch.make_fx(lambda x: x + 1)(torch.ones(1))
    (add,) = (node.target for node in graph.graph.nodes if node.op == "call_function")
    assert isinstance(add, _torch.OpOverload)
    assert not _torch.is_mutable(add)
    assert _torch.is_mutable(torch.ops.aten.add_.Tensor)
    held = torch.ones(1)
    assert _torch.make_fx_of_any(lambda x: x + held)(torch.ones(1)).code
    assert _torch.qualified_name(torch.add) == "torch.add"
    assert _torch.fma() is None or isinstance(_torch.fma(), _torch.OpOverload)
    assert all(isinstance(op, _torch.OpOverload) for op in _torch.READS_ON_HOST)
    assert _torch.generated_code(lambda: None) == []
    assert callable(torch._inductor.aoti_compile_and_package)
    assert callable(torch._inductor.aoti_load_package)
