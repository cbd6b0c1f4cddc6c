"""Who drives an optimizer: the object that really steps, the hooks on it, and the one scheduler of each number."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor

from tracelr import _torch
from tracelr.errors import OptimizerError, Unquoted

if TYPE_CHECKING:
    from tracelr.optim.scheduler import Scheduler

_WRAPPERS = 16  # how many wrappers around an optimizer are looked into
_live: weakref.WeakSet[Scheduler] = weakref.WeakSet()


def innermost(optimizer: Any) -> Any:
    """Return the optimizer inside wrappers that show its param groups, such as those of accelerate, or itself."""
    for _ in range(_WRAPPERS):
        groups = optimizer.param_groups
        attributes = getattr(optimizer, "__dict__", {}).values()
        inside = (one for one in attributes if one is not optimizer and callable(getattr(type(one), "step", None)))
        inner = next((one for one in inside if getattr(one, "param_groups", None) is groups), None)
        if inner is None:
            break
        optimizer = inner
    return optimizer


def has_groups(optimizer: Any) -> bool:
    """Say whether an object has param groups, as every optimizer has."""
    groups = getattr(optimizer, "param_groups", None)
    return isinstance(groups, list) and all(isinstance(one, dict) and "params" in one for one in groups)


def _hook(scheduler: Scheduler, call: Callable[[Scheduler], None]) -> Callable[..., None]:
    """Return a hook that calls a method of a scheduler, if it still exists: an optimizer does not keep it alive."""
    reference = weakref.ref(scheduler)

    def hook(*_: Any) -> None:
        if torch.compiler.is_compiling() and _torch.is_tracing():
            return
        found = reference()
        if found is not None:
            call(found)

    return hook


def is_own(hook: object) -> bool:
    """Say whether a hook is one of a scheduler of this library."""
    return getattr(hook, "__module__", None) == __name__


@final
class Hold:
    """The hooks of a scheduler on an optimizer: they end with `release`, or with the scheduler.

    `sees_updates` says whether `before_update` runs before each update: an object that wraps an optimizer may have no hooks.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        optimizer: Any,
        before_update: Callable[[Scheduler], None],
        after_load: Callable[[Scheduler], None],
    ) -> None:
        update = _registered(getattr(optimizer, "register_step_pre_hook", None), _hook(scheduler, before_update))
        load = _registered(getattr(optimizer, "register_load_state_dict_post_hook", None), _hook(scheduler, after_load))
        self.sees_updates = bool(update)
        self._update, self._load = update, load
        self._scheduler = weakref.ref(scheduler)
        _live.add(scheduler)
        weakref.finalize(scheduler, _remove, [*update, *load]).atexit = False

    def leave_updates(self) -> None:
        """Let updates pass: a fused one calls the scheduler itself."""
        _remove(self._update)
        self.sees_updates = False

    def release(self) -> None:
        """End the hooks."""
        _remove([*self._update, *self._load])
        scheduler = self._scheduler()
        if scheduler is not None:
            _live.discard(scheduler)


def _registered(register: Callable[[Any], Any] | None, hook: Callable[..., None]) -> list[Any]:
    try:
        return [] if register is None else [register(hook)]
    except AttributeError:  # a subclass of Optimizer that does not call its __init__
        return []


def _remove(handles: list[Any]) -> None:
    for handle in handles:
        handle.remove()


def others(scheduler: Scheduler, optimizer: Any) -> Iterator[Scheduler]:
    """Yield the other live schedulers of an optimizer."""
    for one in list(_live):
        if one is not scheduler and one.drives(optimizer):
            yield one


def refuse_second(scheduler: Scheduler, first: Scheduler, number: str) -> OptimizerError:
    """Return the error for a number that another scheduler drives already."""
    given = Unquoted(f"a second scheduler; the first is {first.summary}")
    fix = "call first.detach(), or delete it; to run one schedule after the other, pass lr=a.then(b)"
    return OptimizerError(f"{type(scheduler).__name__}: {number}", given, "one scheduler for each number", fix, limit=300)


def tensor_changed(*tensors: Tensor) -> None:
    """Let every scheduler whose schedules use one of the tensors write its values anew."""
    for one in list(_live):
        if any(map(one.uses, tensors)):
            one.settle()
