"""fuse: the optimizer's update and the schedule's step as one compiled region."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any, final

import torch
from torch import Tensor
from torch.optim import LBFGS, SGD, Adam, Optimizer
from torch.optim import optimizer as _torch_optimizer

from tracelr.errors import OptimizerError, Words, explain
from tracelr.scheduler import Scheduler

# Dynamo traces Adam's `capturable` formula, which divides by the rate: at a rate of exactly 0, where a warm-up starts and a
# decay ends, a weight whose gradients have all been 0 would become 0 / 0. A rate this small moves no weight that counts.
_NOTHING = 1e-30


@final
class FusedStep:
    """What `fuse` returns: call it after `backward()`, instead of `optimizer.step()` and `scheduler.step()`."""

    def __init__(
        self, optimizer: Optimizer, scheduler: Scheduler, region: Callable[[], None], options: dict[str, Any]
    ) -> None:
        self._eager = region
        self._compiled = torch.compile(region, fullgraph=True, **options)
        self._optimizer = optimizer
        self._groups = len(optimizer.param_groups)
        self._scheduler = scheduler
        self._lazy = isinstance(optimizer, SGD)
        self._state: dict[Any, dict[str, Any]] = {}
        optimizer.register_load_state_dict_pre_hook(self._loading)
        optimizer.register_load_state_dict_post_hook(self._loaded)

    def _loading(self, optimizer: Optimizer, state_dict: Any) -> None:
        self._state = {parameter: dict(state) for parameter, state in optimizer.state.items()}

    def _loaded(self, optimizer: Optimizer) -> None:
        # The graph holds on to the state tensors it was made with: they stay, and take the loaded values.
        for parameter, held in self._state.items():
            loaded = optimizer.state[parameter]
            for name, tensor in held.items():
                new = loaded.get(name)
                if isinstance(tensor, Tensor) and isinstance(new, Tensor) and _alike(tensor, new):
                    loaded[name] = tensor.copy_(new)
        self._state = {}
        self._lazy = isinstance(optimizer, SGD)

    def __call__(self) -> None:
        groups = len(self._optimizer.param_groups)
        if groups != self._groups:  # the graph would update the new group at a rate that nobody schedules
            given, fix = Words(f"an optimizer of {groups} param groups"), "call fuse(optimizer, scheduler) again"
            raise OptimizerError(explain("fused step", given, f"the {self._groups} it was fused with", fix))
        if self._lazy and _lacks_momentum(self._optimizer):
            # SGD makes its momentum buffers in its first update: a graph of that update would be a second graph.
            self._eager()
            return
        self._lazy = False
        self._compiled()


def fuse(optimizer: Optimizer, scheduler: Scheduler, **options: Any) -> FusedStep:
    """Compile the update of `optimizer` and `scheduler.step()` into one graph: no breaks, no recompiles, no host value.

    The learning rate of every group becomes a tensor, on the device of its parameters, that the graph writes in place.
    `options` go to `torch.compile`. Gradients must exist at the first call, as for any compiled update.

    Raises `OptimizerError` if the scheduler drives another optimizer, if step hooks are registered (a compiled update would
    skip them), for `fused=True` (Dynamo does not trace it), or for LBFGS, which evaluates the model inside its update.

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
    _check(optimizer, scheduler)
    scheduler.as_tensors()
    update: Any = type(optimizer).step
    while hasattr(update, "__wrapped__"):  # the profiler's wrapper and the two graph breaks of `_use_grad`
        update = update.__wrapped__

    nonzero = [group["lr"] for group in optimizer.param_groups] if isinstance(optimizer, Adam) else []

    def region() -> None:
        with torch.no_grad():
            for lr in nonzero:
                lr.copy_(torch.where(lr == 0, _NOTHING, lr))
            update(optimizer)
        scheduler.step()

    # Dynamo keeps its compiled variants, eight at the most, with the code object: every fused pair gets its own.
    own = FunctionType(region.__code__.replace(), region.__globals__, "fused_step", None, region.__closure__)
    return FusedStep(optimizer, scheduler, own, options)


def _check(optimizer: Optimizer, scheduler: Scheduler) -> None:
    if not isinstance(optimizer, Optimizer) or isinstance(optimizer, LBFGS):
        allowed = "a torch.optim.Optimizer whose step() needs no closure"
        raise OptimizerError(explain("fuse(optimizer)", optimizer, allowed, "pass one, such as AdamW or SGD"))
    if not isinstance(scheduler, Scheduler) or scheduler.optimizer is not optimizer:
        allowed = "a tracelr.Scheduler that drives this optimizer"
        raise OptimizerError(explain("fuse(scheduler)", scheduler, allowed, "build it as Scheduler(optimizer, lr=...)"))
    floats = scheduler.untensored()
    if floats:
        given, allowed = Words(f"a schedule for the float {floats[0]}"), "schedules for lr, and for what is held in a tensor"
        fix = "leave that one out, or call optimizer.step() and scheduler.step() yourself"
        raise OptimizerError(explain("fuse(scheduler)", given, allowed, fix))
    for group in optimizer.param_groups:
        if group.get("fused") or (group.get("foreach") and group.get("capturable") is False):
            allowed = "neither fused=True, which Dynamo does not trace, nor foreach=True without capturable=True"
            fix = "leave both unset: Inductor fuses the update itself"
            given = Words(f"{type(optimizer).__name__} with fused={group.get('fused')}, foreach={group.get('foreach')}")
            raise OptimizerError(explain("fuse(optimizer)", given, allowed, fix))
    hooks = sum(map(len, _hooks(optimizer)))
    if hooks:
        given, fix = Words(f"{hooks} step hooks"), "remove them, or call optimizer.step() and scheduler.step() yourself"
        raise OptimizerError(explain("fuse(optimizer)", given, "none: a compiled update would skip them", fix))


def _alike(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and a.device == b.device


def _hooks(optimizer: Optimizer) -> tuple[dict[int, Any], ...]:
    return (
        optimizer._optimizer_step_pre_hooks,
        optimizer._optimizer_step_post_hooks,
        _torch_optimizer._global_optimizer_pre_hooks,
        _torch_optimizer._global_optimizer_post_hooks,
    )


def _lacks_momentum(optimizer: Optimizer) -> bool:
    return any(
        parameter.grad is not None and optimizer.state[parameter].get("momentum_buffer") is None
        for group in optimizer.param_groups
        if group["momentum"]
        for parameter in group["params"]
    )
