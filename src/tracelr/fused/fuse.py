"""fuse: the update of an optimizer and the step of its scheduler as one compiled region."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from types import FunctionType
from typing import Any, final

import torch
from torch import Tensor, fx
from torch.optim import LBFGS, SGD, Adafactor, Adam, Optimizer, SparseAdam

from tracelr import _torch
from tracelr.errors import OptimizerError, Unquoted
from tracelr.fused.nonzero import NonZeroScalar
from tracelr.optim import driver
from tracelr.optim.evaluator import is_immutable
from tracelr.optim.scheduler import Scheduler
from tracelr.optim.self_check import check_compiled, is_deep, room, with_own_code
from tracelr.schedules.base import Schedule

# Dynamo traces Adam's `capturable` formula, which divides by the rate: at a rate of exactly 0, where a warm-up starts and a
# decay ends, a weight whose gradients have all been 0 would become 0 / 0. A rate as small as this changes no normal weight.
_NOTHING = 1e-30

_REFUSED = {
    LBFGS: "which evaluates the model inside its update",
    SparseAdam: "whose sparse gradients Dynamo does not trace",
    Adafactor: "which compares its rate with a number of the host",
}


class _Captured(Exception):  # raised to end a step before it changes anything; it reports no error
    pass


@final
class FusedStep:
    """What `fuse` returns: call it after `backward()`, instead of `optimizer.step()` and `scheduler.step()`."""

    def __init__(
        self, optimizer: Optimizer, scheduler: Scheduler, region: Callable[..., Any], options: dict[str, Any]
    ) -> None:
        self._eager = with_own_code(region)
        self._compiled = _compiled(self._eager, scheduler.schedules(), options)
        self._scheduler = scheduler
        self._optimizer = optimizer
        self._groups = len(optimizer.param_groups)
        self._swaps = list(map(_swap, optimizer.param_groups, scheduler.scheduled_tensors()))
        self._swapping = any(self._swaps)
        self._copies = [
            (held, tensor)
            for swap, tensors in zip(self._swaps, scheduler.scheduled_tensors(), strict=True)
            for key, tensor in tensors.items()
            if isinstance(held := swap.get(key), Tensor) and held.data_ptr() != tensor.data_ptr()
        ]
        self._lazy = True
        self._state: dict[Any, dict[str, Any]] = {}
        optimizer.register_load_state_dict_pre_hook(self._loading)
        optimizer.register_load_state_dict_post_hook(self._loaded)

    def _loading(self, optimizer: Optimizer, state_dict: Any) -> None:
        self._state = {parameter: dict(state) for parameter, state in optimizer.state.items()}

    def _loaded(self, optimizer: Optimizer) -> None:
        # The graph writes to the state tensors that it was traced with: they stay, and take the loaded values.
        for parameter, held in self._state.items():
            loaded = optimizer.state[parameter]
            for name, tensor in held.items():
                new = loaded.get(name)
                if isinstance(tensor, Tensor) and isinstance(new, Tensor) and _same_kind(tensor, new):
                    loaded[name] = tensor.copy_(new)
        self._state = {}
        self._lazy = True

    def __call__(self, *batch: Any) -> Any:
        groups = len(self._optimizer.param_groups)
        if groups != self._groups:  # the graph would update a new group at an unscheduled rate
            given, fix = Unquoted(f"an optimizer of {groups} param groups"), "call fuse(optimizer, scheduler) again"
            raise OptimizerError("fused step", given, f"the {self._groups} it was fused with", fix)
        if self._swapping:
            with self._swapped():
                return self._update(*batch)
        return self._update(*batch) if self._lazy else self._compiled(*batch)

    def _update(self, *batch: Any) -> Any:
        if self._lazy and _lacks_state(self._optimizer):
            # An optimizer that makes state in its first update would need a second graph for the later ones.
            self._lazy = isinstance(self._optimizer, SGD)
            return self._eager(*batch)
        self._lazy = False
        return self._compiled(*batch)

    def ready(self) -> bool:
        """Say whether the optimizer has all its state, so that the graph of this update serves every later one."""
        return not _lacks_state(self._optimizer)

    def capture(self, *batch: Any) -> tuple[fx.GraphModule, list[Any]]:
        """Return the graph that Dynamo makes of one step, and its present inputs. The step is not taken."""
        found: list[tuple[fx.GraphModule, list[Any]]] = []

        def keep(graph: fx.GraphModule, _: Any) -> Callable[..., Any]:
            def stop(*inputs: Any) -> Any:
                found.append((graph, list(inputs)))
                raise _Captured

            return stop

        with self._swapped(), suppress(_Captured), room(self._scheduler.schedules()):
            torch.compile(with_own_code(self._eager), fullgraph=True, backend=keep)(*batch)
        return found[0]

    @contextmanager
    def _swapped(self) -> Iterator[None]:
        # Dynamo runs `_init_group` of the optimizer untraced: the groups must hold these values before the region starts.
        groups = self._optimizer.param_groups
        kept = [{key: group[key] for key in swap} for group, swap in zip(groups, self._swaps, strict=True)]
        try:
            for group, swap in zip(groups, self._swaps, strict=True):
                group.update(swap)
            for copy, tensor in self._copies:
                copy.copy_(tensor)
            yield
        finally:
            for group, held in zip(groups, kept, strict=True):
                group.update(held)


def fuse(optimizer: Optimizer, scheduler: Scheduler, *, check: bool | None = None, **options: Any) -> FusedStep:
    """Compile the update of `optimizer` and `scheduler.step()` into one graph without breaks, recompiles or host values.

    The learning rate of every group becomes a tensor, on the device of its parameters, that the graph writes in place.
    So does every other scheduled number. `foreach` and `fused` have no effect, because the compiler fuses the operations of
    the graph. `options` go to `torch.compile`. Gradients must exist at the first call, as for any compiled update.

    With `check`, about 1,000 steps of a probe and of these schedules are first compiled in the same way and compared with
    the host, bit for bit; `DeviceError` if one differs. By default (None) this happens if the rate is not on the CPU.

    Raises `OptimizerError` if the scheduler drives another optimizer, if step hooks are registered (a compiled update would
    skip them), or for LBFGS, SparseAdam and Adafactor, whose updates read values on the host.

    >>> from tracelr import Cosine, Scheduler
    >>> weight = torch.nn.Parameter(torch.ones(3))
    >>> optimizer = torch.optim.AdamW([weight])
    >>> scheduler = Scheduler(optimizer, lr=Cosine(start=1.0, end=0.0, steps=4))
    >>> update = fuse(optimizer, scheduler, backend="eager")
    >>> for _ in range(3):
    ...     optimizer.zero_grad()
    ...     weight.sum().backward()
    ...     update()
    >>> scheduler.last_epoch, optimizer.param_groups[0]["lr"]
    (3, tensor(0.1464))
    """
    update = update_of(optimizer, scheduler, "fuse", check, options)

    opaque = is_opaque(options)

    def fused_step() -> None:
        update()
        if opaque:  # not inside `update`, because graphs name their inputs by the path to them
            scheduler.fused_step()
        else:
            scheduler.step()

    return FusedStep(optimizer, scheduler, fused_step, options)


def update_of(
    optimizer: Optimizer, scheduler: Scheduler, name: str, check: bool | None, options: dict[str, Any]
) -> Callable[[], None]:
    """Return the update of the optimizer as a function that Dynamo can trace. Messages begin with `name`.

    Afterwards every number that `scheduler` drives is a tensor.
    """
    _check(optimizer, scheduler, name)
    scheduler.as_tensors(fused=True)
    for tensor in scheduler.tensors():  # CUDA graphs write in place only to tensors with a static address
        _torch.mark_static(tensor)
    device = scheduler.tensors()[0].device
    if device.type != "cpu" if check is None else check:
        check_compiled(name, scheduler.schedules(), device, options)
    step: Any = type(optimizer).step
    while hasattr(step, "__wrapped__"):  # the profiler's wrapper and the two graph breaks of `_use_grad`
        step = step.__wrapped__
    nonzero = [group["lr"] for group in optimizer.param_groups] if isinstance(optimizer, Adam) else []

    def update() -> None:
        with torch.no_grad():
            for lr in nonzero:
                lr.copy_(torch.where(lr == 0, _NOTHING, lr))
            step(optimizer)

    return update


def is_opaque(options: dict[str, Any]) -> bool:
    """Say whether Dynamo may skip the formulas: a named backend does not need them, but a function may read the graph."""
    return isinstance(options.get("backend", ""), str)


def _compiled(region: FunctionType, schedules: Sequence[Schedule], options: dict[str, Any]) -> Callable[..., Any]:
    """Return `torch.compile(region, fullgraph=True, **options)`, with `room` for schedules that Dynamo traces."""
    step = torch.compile(region, fullgraph=True, **options)
    if not is_deep(schedules) or (is_opaque(options) and all(map(is_immutable, schedules))):
        return step

    @wraps(region)
    def deep(*batch: Any) -> Any:
        with room(schedules):
            return step(*batch)

    return deep


def _check(optimizer: Optimizer, scheduler: Scheduler, name: str) -> None:
    if not isinstance(optimizer, Optimizer):
        raise OptimizerError(f"{name}(optimizer)", optimizer, "a torch.optim.Optimizer", "pass one, such as AdamW or SGD")
    for kind, why in _REFUSED.items():
        if isinstance(optimizer, kind):
            given, allowed = (
                Unquoted(f"{type(optimizer).__name__}, {why}"),
                "an optimizer whose update is tensor operations alone",
            )
            fix = "call optimizer.step() and scheduler.step(), uncompiled, or pass another, such as AdamW or SGD"
            raise OptimizerError(f"{name}(optimizer)", given, allowed, fix)
    if not isinstance(scheduler, Scheduler) or scheduler.optimizer is not optimizer:
        allowed = "a tracelr.Scheduler that drives this optimizer"
        raise OptimizerError(f"{name}(scheduler)", scheduler, allowed, "build it as Scheduler(optimizer, lr=...)")
    hooks = [hook for hook in _torch.step_hooks(optimizer) if not driver.is_own(hook)]
    if hooks:
        given, fix = (
            Unquoted(f"{len(hooks)} step hooks"),
            "remove them, or call optimizer.step() and scheduler.step() yourself",
        )
        raise OptimizerError(f"{name}(optimizer)", given, "no step hooks, because a compiled update would skip them", fix)


def _swap(group: dict[str, Any], tensors: dict[str, Tensor]) -> dict[str, Any]:
    """Return the values that replace those of `group` while its update is traced."""
    # Beside a sharded weight AOTAutograd refuses two inputs that share memory; the number is then copied before each call.
    sharded = any(_torch.is_traceable_wrapper_subclass(parameter) for parameter in group["params"])
    flags: dict[str, Any] = {key: None for key in ("foreach", "fused") if group.get(key)}
    scheduled = {key: tensor for key, tensor in tensors.items() if key in ("weight_decay", "momentum")}
    return flags | {key: (one.clone() if sharded else one).as_subclass(NonZeroScalar) for key, one in scheduled.items()}


def _same_kind(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and a.device == b.device


def _lacks_state(optimizer: Optimizer) -> bool:
    """Say whether the next update makes state: the momentum of SGD, or any state of an optimizer from outside torch."""
    if isinstance(optimizer, SGD):
        groups = [group for group in optimizer.param_groups if group["momentum"] != 0]
        made = (optimizer.state[p].get("momentum_buffer") for g in groups for p in g["params"] if p.grad is not None)
        return any(buffer is None for buffer in made)
    inside = not _torch.makes_state_outside(optimizer)
    return inside and not all(
        optimizer.state.get(p) for g in optimizer.param_groups for p in g["params"] if p.grad is not None
    )
