"""TrainStep: forward pass, gradients, clipping, update and schedule in one graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter, is_
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from tracelr import _torch
from tracelr.errors import OptimizerError, ScheduleTypeError, TraceError, TracelrError, Unquoted
from tracelr.fused.export import export
from tracelr.fused.fuse import Region, is_opaque, lacks_any_state, unless, update_of, written_by
from tracelr.optim.scheduler import Scheduler
from tracelr.schedules import fields
from tracelr.schedules.base import Schedule

if TYPE_CHECKING:
    from torch.export import ExportedProgram

Loss = Callable[..., Tensor]

_FUSE = "call backward() yourself, and then fuse(optimizer, scheduler)"
_grad, _requires_grad = attrgetter("grad"), attrgetter("requires_grad")


class _Stop(BaseException):  # not an Exception, which Dynamo would wrap in one of its own
    """Ends a trace before anything moves: by an error, or because `used` parameters need a gradient, and others None."""

    def __init__(self, used: tuple[bool, ...] = (), error: TracelrError | None = None) -> None:
        super().__init__()
        self.used, self.error = used, error


@final
class TrainStep:
    """One training step as one compiled graph: `loss = train_step(inputs, targets)`.

    The loss is `loss_fn(model(inputs), targets)`, for any number of targets; a tuple of inputs is passed as arguments, a
    mapping as keyword arguments. The step has the effects of the usual loop: `zero_grad`, `backward`, `clip_grad_norm_` if
    `clip` is given (a number above 0, or a schedule of it), the update, and the step of the scheduler. `accumulate` splits
    the batch, along the first dimension of every tensor, into that number of equal chunks and takes the mean of their
    gradients. `scaler` is a `torch.amp.GradScaler` for float16: the step scales the loss, unscales before it clips, changes
    neither weights nor count where a gradient is not finite, and updates the scale; the host reads nothing. `check` is that
    of `fuse`; `options` go to `torch.compile`. Returns the loss, a 0-d tensor without a graph.

    What changes between two calls is followed, as in the loop: parameters frozen, unused or handed to the optimizer later,
    `train()` and `eval()`, forward hooks, buffers. What a compiled step cannot do as the loop does is refused, before
    anything moves: docs/compiled.md has the list.

    Raises what `fuse` raises; `OptimizerError` if the optimizer holds a parameter that neither the model nor its loss uses;
    `TraceError` for a model or a loss that cannot become one graph, or would not train as in the loop.

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
        clip: float | Schedule | None = None,
        accumulate: int = 1,
        scaler: GradScaler | None = None,
        check: bool | None = None,
        **options: Any,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise ScheduleTypeError("TrainStep(model)", model, "an nn.Module", "pass the model itself")
        self._model, self._loss_fn = _torch.uncompiled(model), loss_fn
        self._optimizer, self._scheduler = optimizer, scheduler
        roots = {"model": self._model, "loss_fn": loss_fn}
        self._roots = {place: root for place, root in roots.items() if isinstance(root, nn.Module)}
        _refuse(self._roots, _held(optimizer) if isinstance(optimizer, Optimizer) else [])
        self._scaler = _enabled(scaler, self._roots)
        update = update_of(optimizer, scheduler, "TrainStep", check, options)
        self._clip = None if clip is None else _positive("TrainStep(clip)", clip, scheduler.tensors()[0].device)
        self._chunks = fields.integer("TrainStep(accumulate)", accumulate, 1, "an int of 1 or more")
        self._parameters, self._gradients = list[nn.Parameter](), list[Tensor | None]()
        self._requires, self._idle, self._kinds = list[bool](), list[nn.Parameter](), list[Any]()
        self._handle, self._hooks, self._counts = -1, list[Any](), list[int]()
        self._started, self._lists, self._known = False, 0, dict[tuple[bool, ...], tuple[bool, ...]]()
        self._variant = [""]
        every = _held(optimizer)
        if len(foreign := self._foreign(every)) == len(every):
            raise _not_used(every, foreign)
        gradients: Any = torch.compiler.allow_in_graph(_gradients)  # type: ignore[no-untyped-call]  # torch does not type it
        variant = self._variant
        opaque, device = is_opaque(options), scheduler.tensors()[0].device.type

        def advance() -> None:
            with torch.no_grad(), torch.autocast(device, enabled=False):
                update()
            scheduler.fused_step(opaque)

        def train_step(*batch: Any) -> Tensor:
            found, loss = self._differentiate(batch, gradients, variant, None)
            _assign(_held(optimizer), self._clipped(found))
            advance()
            return loss

        def scaled_step(scale: Tensor, written: list[Tensor], *batch: Any) -> tuple[Tensor, Tensor]:
            found, loss = self._differentiate(batch, gradients, variant, scale)
            found, found_inf = _unscaled(found, scale)
            _assign(_held(optimizer), self._clipped(found))
            if torch.compiler.is_compiling():
                unless(found_inf, advance, written)
            elif not found_inf.item():  # the first update may make the state, which a skipped one does not
                advance()
            return loss, found_inf

        self._uncompiled, self._updated = scaled_step, ""
        self._step = Region(optimizer, scheduler, train_step if self._scaler is None else scaled_step, options)

    def __call__(self, *batch: Any) -> Tensor:
        """Take one step on `batch`, the inputs and the targets, and return the loss before it."""
        self._follow()
        self._divisible(batch)
        if not self._started and (not self._step.ready() or _torch.RELEASE < (2, 13)) and not _torch.is_dynamo_disabled():
            # The first update makes the optimizer's state, uncompiled. What cannot be traced is refused before it.
            with _torch.uncounted():
                graph, _ = self._attempt(self._step.capture, batch)
            if _torch.recomputes_otherwise(graph):
                given, fix = Unquoted("a model with torch.utils.checkpoint"), f"install torch 2.13 or newer, or {_FUSE}"
                allowed = f"activations that are kept: torch {torch.__version__} may draw other random numbers again"
                raise TraceError("TrainStep(model)", given, allowed, fix)
        self._started = True
        if self._scaler is None:
            return self._attempt(self._step, batch)  # type: ignore[no-any-return]  # a compiled call is untyped
        loss, found_inf = self._attempt(self._run_scaled, batch)
        _torch.update_scale(self._scaler, found_inf)
        return loss  # type: ignore[no-any-return]  # a compiled call is untyped

    def export(self, *batch: Any) -> ExportedProgram:
        """Return the step as a program that `torch.export.save` writes: `program.module()(*batch)` takes a step.

        `batch` is an example of tensors only, and its shapes become those of the program. The program starts from a copy of
        the present state: parameters, gradients, optimizer state, scheduled numbers, the step. The present state stays.

        Raises `TraceError` if the optimizer makes state in its first update, as SGD makes its momentum, and has not yet.
        """
        if self._scaler is not None:
            fix = "build another TrainStep without it to export"
            raise TraceError("TrainStep.export", Unquoted("a step with a scaler"), "a step without one", fix)
        self._follow()
        names = {
            name if root is self._model else f"{place}.{name}": tensor
            for place, root in self._roots.items()
            for name, tensor in [*root.named_parameters(), *root.named_buffers()]
        }

        def program(*example: Any) -> ExportedProgram:
            return export(self._step, example, names, self._optimizer, self._scheduler)

        return self._attempt(program, batch)  # type: ignore[no-any-return]  # what `program` returns

    def _differentiate(
        self, batch: tuple[Any, ...], gradients: Callable[..., Any], variant: list[str], scale: Tensor | None
    ) -> tuple[list[Tensor | None], Tensor]:
        """Return the gradient of each parameter of the optimizer, None where `backward()` leaves None, and the loss.

        The gradients are those of `scale` times the loss.
        """
        found: list[Tensor | None] = []
        losses = []
        for k in range(self._chunks):
            inputs, *targets = (_chunk(tensors, k, self._chunks) for tensors in batch)
            arguments, names = _arguments(inputs)
            with torch.enable_grad():
                # Before the optimizer's list: Dynamo guards the identity of a parameter only where it meets it first.
                loss = self._loss_fn(self._model(*arguments, **names), *targets)
                expected = variant[0] if torch.compiler.is_compiling() and k == self._chunks - 1 else ""
                found, part = gradients(loss, _held(self._optimizer), found, self._chunks, scale, expected)
            losses.append(part)
        with torch.no_grad():
            return found, sum(losses[1:], losses[0])

    @torch.no_grad()
    def _clipped(self, found: list[Tensor | None]) -> list[Tensor | None]:
        if self._clip is None:
            return found
        given = [one for one in found if one is not None]
        if not given:
            return found
        clip = self._clip(self._scheduler.tensors()[0]) if isinstance(self._clip, Schedule) else self._clip
        norm = _torch.total_norm(given)
        clipped = iter(_torch.foreach_mul(given, (clip / (norm + 1e-6)).clamp(max=1.0)))
        return [None if one is None else next(clipped) for one in found]

    # -- what may change between two calls ----------------------------------------------------------------------------------

    def _follow(self) -> None:
        """Follow what Dynamo's guards do not see: hooks, and what became of the parameters that the optimizer holds."""
        if torch.is_inference_mode_enabled():
            fix = "call it outside, with tensors that were made outside"
            raise TraceError("TrainStep", Unquoted("a call in torch.inference_mode()"), "a call that may train", fix)
        hooked = self._handle != RemovableHandle.next_id or list(map(len, self._hooks)) != self._counts
        every = _held(self._optimizer)
        requires = list(map(_requires_grad, every))
        if hooked or requires != self._requires or not all(map(is_, every, self._parameters)):
            self._look(every, requires)
        elif self._idle and list(map(_kind, self._idle)) != self._kinds:
            self._lists += 1
            self._look(every, requires)
        elif not all(map(is_, map(_grad, every), self._gradients)):  # zero_grad() has put None in its place
            self._take(tuple(gradient is not None for gradient in self._gradients))

    def _look(self, every: list[nn.Parameter], requires: list[bool]) -> None:
        _refuse(self._roots, every)
        self._handle = RemovableHandle.next_id  # the number of hooks that were ever registered, on anything
        self._hooks = [hooks for root in self._roots.values() for hooks in _torch.forward_hooks(root) if hooks]
        self._counts = list(map(len, self._hooks))
        if len(every) != len(self._parameters) or not all(map(is_, every, self._parameters)):
            self._lists += 1
            self._known.clear()
            kept = {id(one): gradient for one, gradient in zip(self._parameters, self._gradients, strict=True)}
            self._parameters, self._gradients = every, [kept.get(id(one)) for one in every]
        self._requires = requires
        self._take(self._known.get(tuple(requires), tuple(requires)))

    def _take(self, used: tuple[bool, ...]) -> None:
        """Give the parameters that are `used` a gradient that stays, and the others None."""
        held = zip(self._parameters, self._gradients, used, strict=True)
        self._gradients = [_buffer(one, gradient) if use else None for one, gradient, use in held]
        self._known[tuple(self._requires)] = used
        self._idle = [one for one, use in zip(self._parameters, used, strict=True) if not use]
        self._kinds = list(map(_kind, self._idle))
        hooks = [list(hooks) for hooks in self._hooks]
        self._variant[0] = f"{self._lists} {hooks} {_bits(self._requires)} {_bits(used)}"
        for parameter, gradient in zip(self._parameters, self._gradients, strict=True):
            parameter.grad = gradient
            _torch.mark_static(parameter, guard=True)

    def _attempt(self, call: Callable[..., Any], batch: tuple[Any, ...]) -> Any:
        """Return `call(*batch)`. If its trace finds other gradients than those that exist, it is made again."""
        seen = set[tuple[bool, ...]]()
        while True:
            try:
                return call(*self._scaled(batch))
            except _Stop as stop:
                if stop.error is not None:
                    raise stop.error from None
                used = stop.used
            except Exception as error:
                reason = _torch.why_not_traced(error)
                if reason is None:
                    raise
                given, fix = Unquoted(f"what Dynamo does not trace: {reason}"), _FUSE
                allowed = "a model and a loss that become one graph"
                if _torch.is_of_backend(error) and (kept := self._kept(batch)):
                    given, fix = Unquoted(f"a model that keeps a tensor with its graph: {kept}"), f"detach it, or {_FUSE}"
                    allowed = "attributes without a graph, in which AOTAutograd would look for a second backward pass"
                raise TraceError("TrainStep", given, allowed, fix, limit=400) from error
            if used in seen:
                given, fix = Unquoted("gradients that differ from one trace to the next"), _FUSE
                raise TraceError("TrainStep(model)", given, "a forward pass that depends on its inputs alone", fix)
            seen.add(used)
            stale = [one for one, use in zip(self._parameters, used, strict=True) if one.requires_grad and not use]
            if foreign := self._foreign(stale):
                raise _not_used(self._parameters, foreign)
            self._take(used)

    def _run_scaled(self, *arguments: Any) -> Any:
        if self._variant[0] == self._updated or not lacks_any_state(self._optimizer):
            return self._step(*arguments)
        # This update makes state, which a graph could not take back.
        self._step.prepare()
        loss, found_inf = self._step.uncompiled(self._uncompiled, *arguments)
        self._updated = "" if found_inf.item() else self._variant[0]
        return loss, found_inf

    def _scaled(self, batch: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the arguments of the region: with a scaler, the scale and the tensors that a skipped update puts back."""
        if self._scaler is None:
            return batch
        scale = _torch.scale_of(self._scaler, self._scheduler.tensors()[0].device)
        return scale, written_by(self._optimizer, self._scheduler), *batch

    def _kept(self, batch: tuple[Any, ...]) -> str:
        """Return the line of code whose result, which requires a gradient, the model keeps after the step, or ""."""
        with _torch.uncounted():
            graph, _ = self._step.capture(*self._scaled(batch))
        return _torch.line_of_output_with_gradient(graph)

    def _foreign(self, parameters: list[nn.Parameter]) -> list[nn.Parameter]:
        """Return those of `parameters` that are neither the model's nor those of `loss_fn`."""
        own = {id(parameter) for root in self._roots.values() for parameter in root.parameters()}
        return [parameter for parameter in parameters if id(parameter) not in own]

    def _divisible(self, batch: tuple[Any, ...]) -> None:
        if self._chunks == 1:
            return
        for tensor in _torch.tree_leaves(batch):
            if isinstance(tensor, Tensor) and (not tensor.ndim or tensor.shape[0] % self._chunks):
                given, fix = Unquoted(f"a batch of shape {list(tensor.shape)}"), "change the batch, or accumulate"
                allowed = f"a first dimension that is a multiple of accumulate={self._chunks}"
                raise OptimizerError("TrainStep(batch)", given, allowed, fix)


def _gradients(
    loss: Any, every: list[nn.Parameter], found: list[Tensor | None], chunks: int, scale: Tensor | None, variant: str
) -> tuple[list[Tensor | None], Tensor]:
    """Return the gradients of `loss` / `chunks` added to those `found` before, and `loss` / `chunks` without its graph.

    The gradients, and not the loss, are multiplied by `scale`.

    Dynamo does not look into this function, and AOTAutograd traces it, so that the gradients are those of `backward()`.
    Dynamo guards `variant`, which ends with one bit for each parameter, 1 if it has a gradient to write to. If the trace
    finds gradients for others, it ends here.
    """
    trained = [k for k, parameter in enumerate(every) if parameter.requires_grad]
    _check_loss(loss, len(trained))
    with torch.autocast(loss.device.type, enabled=False):  # as in a loop that leaves autocast before backward()
        part = loss / chunks if chunks > 1 else loss
        scaled = part if scale is None else part * scale
        made = torch.autograd.grad(scaled, [every[k] for k in trained], allow_unused=True)
    total: list[Tensor | None] = list(found) or [None for _ in every]
    for k, new in zip(trained, made, strict=True):
        if new is not None and new.layout != torch.strided:
            given = Unquoted(f"a model with a sparse gradient of a parameter of shape {list(every[k].shape)}")
            fix = f"build the layer with sparse=False, or {_FUSE}"
            raise _Stop(error=TraceError("TrainStep(model)", given, "dense gradients", fix))
        before = total[k]
        total[k] = new if before is None else before if new is None else before + new
    used = tuple(one is not None for one in total)
    if variant and not variant.endswith(" " + _bits(used)):
        raise _Stop(used)
    return total, part.detach()


@torch.no_grad()
def _assign(every: list[nn.Parameter], found: list[Tensor | None]) -> None:
    for parameter, new in zip(every, found, strict=True):
        if new is not None and parameter.grad is not None:
            parameter.grad.copy_(new)
        elif new is not parameter.grad:  # never while Dynamo traces
            parameter.grad = new


@torch.no_grad()
def _unscaled(found: list[Tensor | None], scale: Tensor) -> tuple[list[Tensor | None], Tensor]:
    """Return the gradients divided by `scale`, as a scaler does it, and 1.0 if one of them is not finite, else 0.0."""
    given = [one for one in found if one is not None]
    finite = torch.stack([torch.isfinite(one).all() for one in given]).all()
    inverse = scale.double().reciprocal().float()
    divided = iter(_torch.foreach_mul(given, inverse))
    return [None if one is None else next(divided) for one in found], (~finite).float()


def _check_loss(loss: Any, trained: int) -> None:
    if not isinstance(loss, Tensor) or loss.ndim or not loss.is_floating_point():
        shown = f"a {loss.dtype} tensor of shape {list(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
        given, fix = Unquoted(f"a loss that is {shown}"), "return the mean or the sum of it"
        raise _Stop(error=TraceError("TrainStep(loss_fn)", given, "a 0-d tensor of real numbers", fix))
    if not trained or not loss.requires_grad:
        given = Unquoted("a loss without a gradient" if trained else "parameters none of which requires a gradient")
        fix = "unfreeze some, or detach less"
        raise _Stop(error=TraceError("TrainStep", given, "a loss of parameters that require one", fix))


def _held(optimizer: Optimizer) -> list[nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _buffer(parameter: nn.Parameter, kept: Tensor | None) -> Tensor:
    """Return `kept`, or zeros if it is no longer of the kind of `parameter`."""
    return torch.zeros_like(parameter) if kept is None or _kind(kept) != _kind(parameter) else kept


def _enabled(scaler: Any, roots: Mapping[str, nn.Module]) -> GradScaler | None:
    if scaler is None:
        return None
    if not isinstance(scaler, GradScaler):
        fix = "leave it out, or build one for the device of the model"
        raise ScheduleTypeError("TrainStep(scaler)", scaler, "a torch.amp.GradScaler, or None", fix)
    sharded = any(_torch.is_traceable_wrapper_subclass(p) for root in roots.values() for p in root.parameters())
    if sharded and scaler.is_enabled():
        given = Unquoted("a scaler beside parameters that are DTensors")
        raise TraceError("TrainStep(scaler)", given, "parameters that are plain tensors", f"train in bfloat16, or {_FUSE}")
    return scaler if scaler.is_enabled() else None


def _kind(parameter: Tensor) -> tuple[Any, ...]:
    return parameter.shape, parameter.dtype, parameter.device


def _bits(values: Iterable[bool]) -> str:
    return "".join("1" if value else "0" for value in values)


def _not_used(every: list[nn.Parameter], foreign: list[nn.Parameter]) -> OptimizerError:
    given = Unquoted(f"{len(every)} parameters, of which {len(every) - len(foreign)} are the model's")
    fix = "build the optimizer from model.parameters()"
    return OptimizerError("TrainStep(optimizer)", given, "the model's parameters alone", fix)


def _refuse(roots: Mapping[str, nn.Module], every: list[nn.Parameter]) -> None:
    """Raise `TraceError` for what a compiled step would leave out without a word."""
    if _torch.global_backward_hooks():
        _raise("TrainStep", "", "backward hooks of every module")
    for place, root in roots.items():
        for name, module in root.named_modules():
            if what := _torch.parallel_wrapper(module):
                _raise(f"TrainStep({place})", name, f"a {what}, which reduces gradients in hooks")
            if _torch.backward_hooks(module):
                _raise(f"TrainStep({place})", name, f"a {type(module).__name__} with backward hooks")
        for name, parameter in root.named_parameters():
            _refuse_parameter(f"TrainStep({place})", name, parameter)
    for parameter in every:  # a loss that is a function may have parameters, too
        _refuse_parameter("TrainStep(optimizer)", f"of shape {list(parameter.shape)}", parameter)


def _refuse_parameter(where: str, name: str, parameter: nn.Parameter) -> None:
    if is_lazy(parameter):
        fix = "call the model once on a batch before you build the optimizer"
        raise TraceError(where, Unquoted(f"the lazy parameter {name}"), "parameters with a shape", fix)
    if parameter.is_meta:
        fix = "give it values first, by model.to_empty(device=...) and a checkpoint"
        raise TraceError(where, Unquoted(f"{name} on the meta device"), "parameters with values", fix)
    if _torch.gradient_hooks(parameter):
        _raise(where, name, "a parameter with gradient hooks")
    if _torch.ranks() > 1 and not _torch.is_traceable_wrapper_subclass(parameter):
        given = Unquoted(f"a model on {_torch.ranks()} ranks, each of which would train its own copy")
        raise TraceError(where, given, "one process, or parameters that are DTensors", f"use DDP or FSDP: {_FUSE}")


def _raise(where: str, name: str, what: str) -> None:
    given = Unquoted(f"{what}: {name}" if name else what)
    raise TraceError(where, given, "what a compiled step does not leave out", _FUSE, limit=160)


def _chunk(tensors: Any, k: int, chunks: int) -> Any:
    if chunks == 1:
        return tensors
    return _torch.tree_map(lambda t: t.chunk(chunks)[k] if isinstance(t, Tensor) else t, tensors)


def _arguments(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(inputs, Mapping):
        return (), dict(inputs)
    return (tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)), {}


def _positive(where: str, given: float | Schedule, device: torch.device) -> float | Schedule:
    allowed, fix = "a number above 0, a schedule of such numbers, or None", "leave it out not to clip"
    if isinstance(given, Schedule):
        ends = [end for one in given.segments() for end in (one.first, one.until) if end is not None]
        steps = sorted({step + by for step in [*range(0, 10_000, 7), *ends] for by in (-1, 0, 1) if step + by >= 0})
        with torch.no_grad():
            lowest, at = given(torch.tensor(steps, device=device)).min(dim=0)
        if not lowest > 0:
            shown = Unquoted(f"a schedule that is {lowest.item():g} at step {steps[int(at)]}")
            raise OptimizerError(where, shown, allowed, fix)
        return given.to(device)
    value = fields.number(where, given)
    if value <= 0:
        raise OptimizerError(where, given, allowed, fix)
    return value
