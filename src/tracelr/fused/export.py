"""Export a training step: the graph that Dynamo captured, flattened to aten operations, with its state in buffers."""

from __future__ import annotations

from collections.abc import Mapping
from ctypes import c_float
from typing import Any, final

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.func import functional_call
from torch.optim import Optimizer

from tracelr import _torch
from tracelr.errors import TraceError, Unquoted
from tracelr.fused.fuse import Region
from tracelr.fused.nonzero import NonZeroScalar
from tracelr.optim.scheduler import Scheduler


@final
class _Program(nn.Module):
    """The flat graph with its state in buffers, so that a write to an input becomes a write to a buffer."""

    def __init__(self, graph: nn.Module, state: dict[str, Tensor], order: list[int | str]) -> None:
        super().__init__()
        self._graph, self._order = graph, order
        for name, tensor in state.items():
            self.register_buffer(name, tensor)

    def forward(self, *batch: Tensor) -> Tensor:
        result = self._graph(*(batch[key] if isinstance(key, int) else self.get_buffer(key) for key in self._order))
        value: Tensor = result[0] if isinstance(result, (tuple, list)) else result
        return value


def export(
    step: Region, batch: tuple[Any, ...], model: Mapping[str, Tensor], optimizer: Optimizer, scheduler: Scheduler
) -> ExportedProgram:
    """Return one step of `step` as a program; `model` maps names to the parameters and buffers of the model."""
    if not all(isinstance(tensor, Tensor) for tensor in batch):
        raise TraceError("TrainStep.export(batch)", batch, "tensors", "pass inputs and targets as tensors")
    if not step.ready():
        fix = "take one step, then export"
        raise TraceError("TrainStep.export", Unquoted("an optimizer without state"), "one that has made its state", fix)
    graph, inputs = step.capture(*batch)
    names = _names(model, optimizer, scheduler)
    held = {name: value for name, value in [*graph.named_parameters(), *graph.named_buffers()]}
    held |= {
        n.target: value
        for n in graph.graph.nodes
        if n.op == "get_attr" and isinstance(value := _at(graph, n.target), Tensor)
    }
    scheduled = {one.data_ptr(): one for tensors in scheduler.scheduled_tensors() for one in tensors.values()}
    state: dict[str, Tensor] = {}
    order: list[int | str] = []
    for tensor in [*inputs, *held.values()]:
        place = next((k for k, given in enumerate(batch) if given is tensor), None)
        if place is not None:
            order.append(place)
            continue
        owner = scheduled.get(tensor.data_ptr(), tensor) if isinstance(tensor, NonZeroScalar) else tensor
        name = names.get(id(owner), f"constant_{len(state)}")
        state[name] = owner.detach().clone()
        order.append(name)

    trained = [tensor.requires_grad for tensor in [*inputs, *held.values()]]

    def flat(*given: Tensor) -> Any:
        # a parameter is a leaf of the tape inside, and shares memory with the buffer that the step writes to
        values = tuple(one.detach().requires_grad_() if leaf else one for one, leaf in zip(given, trained, strict=True))
        return functional_call(graph, dict(zip(held, values[len(inputs) :], strict=True)), values[: len(inputs)])

    example = [batch[key].detach().clone() if isinstance(key, int) else state[key].clone() for key in order]
    # This operator belongs to the compiler: a process that has not imported it cannot load the program.
    plain = {fma: _fma} if (fma := _torch.fma()) is not None else {}
    # A tape of real tensors saves copies that the tracer does not know: they would be constants of this batch.
    program = _Program(_torch.make_fx(flat, decomposition_table=plain, tracing_mode="fake")(*example), state, order)
    return torch.export.export(program, tuple(batch), strict=False)


def _fma(a: Tensor | float, b: Tensor | float, c: Tensor) -> Tensor:
    """Return a b + c rounded once, as eager and compiled optimizers do: a product of two float32 is exact in float64."""
    if c.dtype != torch.float32:
        return a * b + c
    a, b = (x.double() if isinstance(x, Tensor) else c_float(x).value for x in (a, b))
    return (a * b + c.double()).float()


def _at(graph: fx.GraphModule, path: Any) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(graph.get_submodule(module), name)


def _names(model: Mapping[str, Tensor], optimizer: Optimizer, scheduler: Scheduler) -> dict[int, str]:
    """Return a name for every tensor of the step's state."""
    names = {id(scheduler.tensors()[0]): "step"}
    for k, tensors in enumerate(scheduler.scheduled_tensors()):
        names |= {id(one): f"group_{k}_{key}" for key, one in tensors.items()}
    for name, tensor in model.items():
        flat = name.replace(".", "_")
        names[id(tensor)] = f"model_{flat}"
        names[id(tensor.grad)] = f"gradient_{flat}"
        state = optimizer.state.get(tensor, {})
        names |= {id(value): f"state_{flat}_{key}" for key, value in state.items() if isinstance(value, Tensor)}
    return {key: "".join(c if c.isalnum() else "_" for c in name) for key, name in names.items()}
