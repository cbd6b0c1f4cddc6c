"""TrainStep: forward pass, gradients, clipping, update and schedule in one graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value
from torch.optim import Optimizer

from tracelr import _torch
from tracelr.errors import OptimizerError, ScheduleTypeError, Unquoted
from tracelr.fused.export import export
from tracelr.fused.fuse import Region, is_opaque, update_of
from tracelr.optim.scheduler import Scheduler
from tracelr.schedules import fields

if TYPE_CHECKING:
    from torch.export import ExportedProgram

Loss = Callable[..., Tensor]


@final
class TrainStep:
    """One training step as one compiled graph: `loss = train_step(inputs, targets)`.

    The loss is `loss_fn(model(inputs), targets)`, for any number of targets; a tuple of inputs is passed as arguments, a
    mapping as keyword arguments. Its gradients are clipped to the norm `clip`, if one is given, as by
    `torch.nn.utils.clip_grad_norm_`; then the optimizer updates, and the scheduler steps. `accumulate` splits the batch,
    along the first dimension of every tensor, into that number of equal chunks and takes the mean of their gradients, as if
    each had gone through `backward()`. `check` is that of `fuse`; `options` go to `torch.compile`. Returns the loss, a 0-d
    tensor.

    It needs only Dynamo's default configuration: gradients come from `torch.func`, and are copied into `.grad` buffers that
    stay. Parameters without `requires_grad` are left alone; buffers of the model, such as those of batch normalisation, are
    updated.

    Raises what `fuse` raises, and `OptimizerError` if the optimizer holds a parameter that is not the model's.

    >>> from tracelr import Constant, Scheduler
    >>> model = nn.Linear(2, 1, bias=False)
    >>> _ = nn.init.ones_(model.weight)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> scheduler = Scheduler(optimizer, lr=Constant(0.5))
    >>> step = TrainStep(model, nn.functional.mse_loss, optimizer, scheduler, backend="eager")
    >>> step(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0]])), model.weight.tolist(), scheduler.last_epoch
    (tensor(1.), [[0.0, 1.0]], 1)
    """

    def __init__(
        self,
        model: nn.Module,
        loss_fn: Loss,
        optimizer: Optimizer,
        scheduler: Scheduler,
        *,
        clip: float | None = None,
        accumulate: int = 1,
        check: bool | None = None,
        **options: Any,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise ScheduleTypeError("TrainStep(model)", model, "an nn.Module", "pass the model itself")
        update = update_of(optimizer, scheduler, "TrainStep", check, options)
        self._clip = None if clip is None else _positive("TrainStep(clip)", clip)
        self._chunks = fields.integer("TrainStep(accumulate)", accumulate, 1, "an int of 1 or more")
        self._parameters = _trained(model, optimizer)
        self._gradients = [torch.zeros_like(parameter) for parameter in self._parameters.values()]
        self._model, self._loss_fn, self._optimizer, self._scheduler = model, loss_fn, optimizer, scheduler
        gradients, opaque = self._gradients, is_opaque(options)

        def train_step(*batch: Any) -> Tensor:
            found, loss = self._differentiate(batch)
            with torch.no_grad():
                for kept, new in zip(gradients, found, strict=True):
                    kept.copy_(new)
            update()
            scheduler.fused_step(opaque)
            return loss

        self._step = Region(optimizer, scheduler, train_step, options)

    def __call__(self, *batch: Any) -> Tensor:
        """Take one step on `batch`, the inputs and the targets, and return the loss before it."""
        self._attach()
        self._divisible(batch)
        return self._step(*batch)  # type: ignore[no-any-return]  # a compiled call is untyped

    def export(self, *batch: Any) -> ExportedProgram:
        """Return the step as a program that `torch.export.save` writes: `program.module()(*batch)` takes a step.

        `batch` is an example of tensors only, and its shapes become those of the program. The program starts from a copy of
        the present state: parameters, gradients, optimizer state, scheduled numbers, the step. The present state stays.

        Raises `TraceError` if the optimizer makes state in its first update, as SGD makes its momentum, and has not yet.
        """
        self._attach()
        names = dict(self._model.named_parameters()) | dict(self._model.named_buffers())
        return export(self._step, batch, names, self._optimizer, self._scheduler)

    def _attach(self) -> None:
        for parameter, kept in zip(self._parameters.values(), self._gradients, strict=True):
            if parameter.grad is not kept:  # zero_grad() has put None in its place
                parameter.grad = kept

    def _differentiate(self, batch: tuple[Any, ...]) -> tuple[list[Tensor], Tensor]:
        """Return the gradients and the loss of a batch; the model's buffers are updated."""
        parameters = {name: parameter.detach() for name, parameter in self._parameters.items()}
        buffers = dict(self._model.named_buffers())
        total: list[Tensor] = []
        losses = []
        for k in range(self._chunks):
            inputs, *targets = (_chunk(tensors, k, self._chunks) for tensors in batch)

            def loss(
                given: dict[str, Tensor], inputs: Any = inputs, targets: list[Any] = targets
            ) -> tuple[Tensor, dict[str, Tensor]]:
                # torch.func refuses writes to tensors from outside
                held = {name: buffer.clone() for name, buffer in buffers.items()}
                arguments, names = _arguments(inputs)
                output = functional_call(self._model, (given, held), arguments, names)
                return self._loss_fn(output, *targets), held

            gradients, (value, held) = grad_and_value(loss, has_aux=True)(parameters)
            new = list(gradients.values())
            total = new if not total else _torch.foreach_add(total, new)
            losses.append(value)
            with torch.no_grad():
                for name, buffer in buffers.items():
                    buffer.copy_(held[name])
        if self._chunks > 1:
            total = _torch.foreach_div(total, self._chunks)
        if self._clip is not None:
            norm = nn.utils.get_total_norm(total)
            total = _torch.foreach_mul(total, (self._clip / (norm + 1e-6)).clamp(max=1.0))
        return total, torch.stack(losses).mean() if self._chunks > 1 else losses[0]

    def _divisible(self, batch: tuple[Any, ...]) -> None:
        if self._chunks == 1:
            return
        for tensor in _torch.tree_leaves(batch):
            if isinstance(tensor, Tensor) and (not tensor.ndim or tensor.shape[0] % self._chunks):
                given, fix = Unquoted(f"a batch of shape {list(tensor.shape)}"), "change the batch, or accumulate"
                allowed = f"a first dimension that is a multiple of accumulate={self._chunks}"
                raise OptimizerError("TrainStep(batch)", given, allowed, fix)


def _chunk(tensors: Any, k: int, chunks: int) -> Any:
    if chunks == 1:
        return tensors
    return _torch.tree_map(lambda t: t.chunk(chunks)[k] if isinstance(t, Tensor) else t, tensors)


def _arguments(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(inputs, Mapping):
        return (), dict(inputs)
    return (tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)), {}


def _positive(where: str, given: float) -> float:
    value = fields.number(where, given)
    if value <= 0:
        raise OptimizerError(where, given, "a number above 0, or None", "leave it out not to clip")
    return value


def _trained(model: nn.Module, optimizer: Optimizer) -> dict[str, nn.Parameter]:
    """Return the parameters of `model` that `optimizer` updates, by their names in `model`."""
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"] if parameter.requires_grad}
    found = {name: parameter for name, parameter in model.named_parameters() if id(parameter) in held}
    if len(found) != len(held):
        given, allowed = (
            Unquoted(f"{len(held)} parameters, of which {len(found)} are the model's"),
            "the model's parameters alone",
        )
        fix = "build the optimizer from model.parameters()"
        raise OptimizerError("TrainStep(optimizer)", given, allowed, fix)
    return found
