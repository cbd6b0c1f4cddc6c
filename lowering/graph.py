"""trace: a schedule becomes one graph of core ATen ops, by torch.export."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from threading import get_ident
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor, fx, nn

from tracelr import _torch
from tracelr._torch import OpOverload, alone, is_mutable
from tracelr.errors import ScheduleTypeError, TraceError, TracelrError, Unquoted
from tracelr.lowering import diagnostics
from tracelr.lowering.diagnostics import Mistake
from tracelr.lowering.provenance import kind_of, line_of, owner_of, plain, provenance_of, where_of
from tracelr.lowering.spec import ASSERTS, COPIES, aten, dtype_of, shape_of, type_of
from tracelr.lowering.spec import verify as verify_spec

if TYPE_CHECKING:
    from torch.export import ExportedProgram

_RESERVED = frozenset({"step", "lr", "torch", "aten", "Tensor"})


@final
@dataclass(frozen=True, eq=False)
class Graph:
    """A schedule as one expression: `lr(step: i64[]) -> f32[]`, or over `[N]` steps at once if it is a `batch`.

    Calling it gives the bits that the schedule gives. Tables (the milestones and values of a look-up) are constants of the
    graph. A field that is a tensor or an `nn.Parameter` is shared with the schedule: the graph reads its current value.

    `typed` is true once every scalar has a dtype, which `tracelr.lowering.passes.run` sees to.
    """

    module: fx.GraphModule
    title: str
    batch: bool = False
    typed: bool = False

    @property
    def nodes(self) -> list[fx.Node]:
        """Return the nodes in the order in which they run."""
        return list(self.module.graph.nodes)

    @property
    def result(self) -> fx.Node:
        """Return the node whose value is the learning rate."""
        return _torch.output_node(self.module.graph).args[0]  # type: ignore[return-value]  # of one output, a node

    @property
    def signature(self) -> str:
        """Return the signature, such as `lr(step: i64[]) -> f32[]`."""
        return f"lr(step: {'i64[N]' if self.batch else 'i64[]'}) -> {type_of(self.result)}"

    def tensor(self, node: fx.Node) -> Tensor:
        """Return the table or parameter that a `get_attr` node reads."""
        path, _, name = str(node.target).rpartition(".")
        tensor = getattr(self.module.get_submodule(path), name)
        assert isinstance(tensor, Tensor)
        return tensor

    def constant(self, node: fx.Node) -> bool:
        """Return whether a `get_attr` node never changes: a table, or a tensor that the formula itself makes."""
        name = str(node.target)
        return name.startswith("lifted_tensor_") or (name.endswith("_table") and self.tensor(node).ndim > 0)

    def note(self, node: fx.Node) -> str:
        """Return the comment on a node in generated code: the path of its schedule, if that is a child, and the line."""
        if node.op == "get_attr":
            return str(node.target) if self.constant(node) else f"{node.target}, the value it had when this was generated"
        owner, line = owner_of(node), line_of(node)
        return ": ".join(part for part in (owner if owner != "." else "", line) if part)

    def rebuilt(self, graph: fx.Graph, **changes: Any) -> Graph:
        """Return a graph of other nodes over the same tensors."""
        return replace(self, module=fx.GraphModule(_tensors(self.module, graph), graph), **changes)

    def check(self) -> None:
        """Raise `LoweringError` unless this is a legal graph of its stage."""
        verify_spec(self.module.graph, self.typed)

    def __call__(self, step: int | Tensor) -> Tensor:
        step = torch.tensor(step) if isinstance(step, int) else step
        if step.dtype != torch.int64 or step.ndim != int(self.batch):
            given = Unquoted(f"a {str(step.dtype).removeprefix('torch.')} tensor of shape {list(step.shape)}")
            allowed = "an int64 tensor of shape " + ("[N]" if self.batch else "[]")
            fix = "pass step.long().reshape(-1)" if self.batch else "trace(schedule, batch=True) for many steps at once"
            raise ScheduleTypeError(f"graph of {self.title}(step)", given, allowed, fix)
        return self.module(step)  # type: ignore[no-any-return]  # a module's call is untyped


@alone()
def trace(schedule: nn.Module, batch: bool = False) -> Graph:
    """Return `schedule` as a graph of core ATen ops over one int64 step, or over any number of steps with `batch`.

    Every node keeps the author's source line and the path of the schedule it comes from. Raises `TraceError`, caused by
    torch's own error, if the schedule looks at the value of the step in Python. Threads trace one after another; no other
    thread may call a module meanwhile, because torch.export replaces `nn.Module.__call__` in the whole process.

    >>> from tracelr import Constant
    >>> trace(Constant(0.5)).signature
    'lr(step: i64[]) -> f32[]'
    """
    if not isinstance(schedule, nn.Module):
        raise TraceError("trace(schedule)", schedule, "a tracelr schedule", diagnostics.instead_of(schedule))
    title = plain(type(schedule).__name__)
    step = torch.arange(7) if batch else torch.tensor(5)
    try:
        with _quiet(), torch.no_grad():
            program = _export(schedule, step, batch)
    except TracelrError:
        raise
    except Exception as error:
        diagnostics.check(schedule)
        with torch.no_grad():
            schedule(torch.tensor(5))  # an error that has nothing to do with tracing is raised here as it is
        where, mistake = diagnostics.place(error, schedule), diagnostics.mistake_behind(error)
        raise TraceError(where, Unquoted(mistake.given), mistake.allowed, mistake.fix) from error
    graph = Graph(_module(schedule, program), title, batch)
    _refuse_data_dependence(graph)
    diagnostics.check(schedule)
    return graph


def _export(schedule: nn.Module, step: Tensor, batch: bool) -> ExportedProgram:
    from torch.export import Dim, export  # not at the top: it takes longer to import than tracelr does

    dynamic = ({0: Dim("N", min=1)},) if batch else None
    program: ExportedProgram = export(schedule, (step,), dynamic_shapes=dynamic, strict=False)
    known = True
    for node in program.graph.nodes:
        if isinstance(node.target, OpOverload) and is_mutable(node.target) and node.target not in COPIES:
            raise _refusal(node, diagnostics.WRITE)  # once decomposed, a write looks like any other operation
        if node.target == aten.take.default:
            raise _refusal(node, diagnostics.NUMBER)  # for a single step, torch decomposes it into a read on the host
        known &= not isinstance(node.target, OpOverload) or node.target.namespace == "aten"
    # An op of another library may have been registered after the table was made.
    core: ExportedProgram = program.run_decompositions(dict(_decompositions()) if known else None)
    return core


@cache
def _decompositions() -> dict[Any, Any]:
    """Return torch's default table. Torch would make it at every call, which takes a fifth of the time of a trace."""
    return _torch.decompositions()


def _module(schedule: nn.Module, program: ExportedProgram) -> fx.GraphModule:
    """Return torch's exported graph with one input and one output; its other inputs become attributes."""
    inputs = program.graph_signature
    places = {**inputs.inputs_to_parameters, **inputs.inputs_to_buffers, **inputs.inputs_to_lifted_tensor_constants}
    own: dict[str, Tensor] = dict(program.constants)
    for fields in (schedule.named_parameters, schedule.named_buffers):
        own |= fields(remove_duplicate=False)  # two fields may hold one tensor
    graph = fx.Graph()
    env: dict[fx.Node, fx.Node] = {}
    tensors: dict[str, Any] = {}
    for node in program.graph.nodes:
        if node.op == "output":
            graph.output(env[node.args[0][0]])
        elif node.name not in places:
            env[node] = graph.node_copy(node, env.__getitem__)
        elif node.users:
            path = places[node.name]
            name = path.replace(".", "_")
            env[node] = graph.create_node("get_attr", path, name=f"{name}_" if name in _RESERVED else name)
            env[node].meta = {"val": node.meta["val"]}
            tensors[path] = own[path]
    return fx.GraphModule(tensors, graph)


def _tensors(module: fx.GraphModule, graph: fx.Graph) -> dict[str, Any]:
    paths = [str(node.target) for node in graph.nodes if node.op == "get_attr"]
    return {path: getattr(module.get_submodule(path.rpartition(".")[0]), path.rpartition(".")[2]) for path in paths}


def _refuse_data_dependence(graph: Graph) -> None:
    (step,) = (node for node in graph.nodes if node.op == "placeholder")
    lengths = {str(size) for size in step.meta["val"].shape}
    for node in graph.nodes:
        if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
            raise _refusal(node, diagnostics.RANDOM)
        value = node.meta.get("val")
        if isinstance(value, Tensor):
            legal = all(isinstance(size, int) or str(size) in lengths for size in value.shape)
        else:
            legal = node.op == "output" or node.target in ASSERTS or str(value) in lengths
        if not legal:
            raise _refusal(node, _looked_at(node))
    if shape_of(graph.result) != shape_of(step):
        given = Unquoted(f"a value of type {type_of(graph.result)} for a step of type {type_of(step)}")
        fix = "make constants with ops.full(step, c)"
        raise TraceError(f"{graph.title}.forward", given, "one value per step, in the step's shape", fix)


def _looked_at(node: fx.Node) -> Mistake:
    if isinstance(node.meta.get("val"), Tensor) or torch.Tag.dynamic_output_shape in getattr(node.target, "tags", ()):
        return diagnostics.SHAPE
    return (
        diagnostics.TRUTH if any(dtype_of(source) == torch.bool for source in node.all_input_nodes) else diagnostics.NUMBER
    )


def _refusal(node: fx.Node, mistake: Mistake) -> TraceError:
    kind = kind_of(node)
    where = provenance_of(node).of(f"{kind}.forward") if kind else where_of(node)
    return TraceError(where, Unquoted(mistake.given), mistake.allowed, mistake.fix)


@contextmanager
def _quiet() -> Iterator[None]:
    # torch prints a failed graph, and logs advice about its own internals.
    log, thread = logging.getLogger("torch.fx.experimental.symbolic_shapes"), get_ident()

    def of_another_thread(_: logging.LogRecord) -> bool:
        return get_ident() != thread

    with diagnostics.muted("stderr"):
        log.addFilter(of_another_thread)
        try:
            yield
        finally:
            log.removeFilter(of_another_thread)
