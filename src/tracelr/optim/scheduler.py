"""Scheduler: binds schedules to an optimizer's param groups and owns the step counter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from tracelr import _torch
from tracelr.arithmetic import LAST_STEP, forced
from tracelr.optim.bindings import Bindings
from tracelr.optim.counter import Counter
from tracelr.optim.self_check import check_device
from tracelr.optim.state import POLICIES, accepted, calls, demanded, pair, read_state, sealed, step_of, steps_of
from tracelr.schedules.assignment import Assignment
from tracelr.schedules.base import Schedule


class Scheduler(LRScheduler):
    """Drive the learning rate, and any other number, of the param groups of `optimizer` from schedules of the step.

    `lr`, `weight_decay` and `momentum` each take one schedule for all groups, or a list with one for each; `betas` a pair of
    these. `assignments` is what `tracelr.load` returns, a schedule of the learning rate or a list of `Assignment`, which can
    name any key and pick groups by their tags. A number without a schedule is left alone.

    As with torch's schedulers, call `step()` after every optimizer update; between the calls the groups hold the values of
    the **next** update, starting with those at step 0. The unit is optimizer updates. `step()` is the same call in eager
    code and in a compiled region.

    A float stays a float. A tensor is written in place: it keeps its identity and its address, also across
    `optimizer.load_state_dict`. `optimizer.step` is not patched, and no host value enters a compiled region.

    `on_change` says what happens when a loaded checkpoint was written with other schedules: "new" warns and keeps the ones
    given here, "checkpoint" takes those of the checkpoint, "strict" raises. `last_epoch` is torch's: -1 starts from 0.
    With `check`, about 1,000 steps are computed on the device and compared with the host, bit for bit; `DeviceError` if one
    differs. By default (None) this happens if the scheduled tensors are not on the CPU.

    Raises `OptimizerError` if `optimizer` is not an optimizer, if there is nothing to schedule, if a number gets two
    schedules, if a group has no number under a key or no group a tag, or if the number of schedules is not the number of
    groups.

    >>> from tracelr import Linear
    >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=0.1)
    >>> scheduler = Scheduler(optimizer, lr=Linear(start=1.0, end=0.0, steps=4))
    >>> for _ in range(3):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> scheduler.get_last_lr(), scheduler.last_epoch
    ([0.25], 3)
    """

    def __init__(
        self,
        optimizer: Optimizer,
        assignments: Schedule | Sequence[Assignment] = (),
        *,
        lr: Schedule | Sequence[Schedule] | None = None,
        weight_decay: Schedule | Sequence[Schedule] | None = None,
        momentum: Schedule | Sequence[Schedule] | None = None,
        betas: Sequence[Schedule | Sequence[Schedule] | None] | None = None,
        last_epoch: int = -1,
        on_change: Literal["new", "checkpoint", "strict"] = "new",
        check: bool | None = None,
    ) -> None:
        # LRScheduler.__init__ is not called: it patches optimizer.step, and Dynamo refuses the patched method.
        accepted(optimizer, on_change=(on_change, POLICIES))
        self.optimizer = optimizer
        self.on_change = on_change
        keys = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, **pair(betas)}
        self._bindings = Bindings(optimizer, demanded(assignments, keys))
        self._counter = Counter(step_of("Scheduler(last_epoch)", last_epoch), self._bindings.device or torch.device("cpu"))
        self.base_lrs = [float(group["initial_lr"]) for group in optimizer.param_groups]
        optimizer.register_load_state_dict_post_hook(self._reloaded)
        self._initial_step()
        device = self._bindings.device or torch.device("cpu")
        if device.type != "cpu" if check is None else check:
            check_device("Scheduler", self.schedules(), device)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if "optimizer" in state:  # a scheduler of tracelr.lr_scheduler may be unbound; a copied optimizer has no hooks
            self.optimizer.register_load_state_dict_post_hook(self._reloaded)

    # -- the counter ------------------------------------------------------------------------------------------------------

    @property
    def last_epoch(self) -> int:
        """How many times `step()` was called, compiled calls included; assignable."""
        return self._counter.read()

    @last_epoch.setter
    def last_epoch(self, count: int) -> None:
        self._counter.write(step_of("Scheduler.last_epoch", count))

    def step(
        self, epoch: int | None = None, *, increment: int | Tensor = 1, found_inf: Tensor | float | None = None
    ) -> None:
        """Advance by one update, or go to `epoch`; afterwards the groups hold the values for the next update.

        `increment` counts another unit than updates, such as the tokens of this one; the schedules are then functions of
        that count. `found_inf` is the result of a gradient scaler: if it is not 0 the update was skipped, and nothing
        advances. The host reads neither from a device; the scheduled numbers must then be tensors.
        """
        if torch.compiler.is_compiling():
            return self._traced_step(increment, found_inf)
        if found_inf is not None or type(increment) is not int:
            if _on_device(increment) or _on_device(found_inf):
                return self._traced_step(increment, found_inf)
            if found_inf is not None and float(found_inf):
                return None
            increment = step_of("Scheduler.step(increment)", increment)
        if epoch is not None:
            increment = step_of("Scheduler.step(epoch)", epoch) - self._counter.read()
        self._step_count += 1
        if self._bindings.outdated():
            self._settle()
        return self._bindings.write(self._counter.add(increment))

    def fused_step(self) -> None:
        """Step in a compiled region. Dynamo sees one call in place of the formulas of immutable schedules."""
        step = self._bindings.step
        if step is None:
            return self.step()
        # Every attribute that is read here costs a guard at each call of the compiled region.
        ops, count = forced(), self._counter.tensor
        values = step.function(
            count, [held[name] for held, name in step.places], step.token, "" if ops is None else ops.name
        )
        for tensor, value in zip([count, *step.written], values):  # noqa: B905  # their lengths are equal
            tensor.copy_(value)
        return None

    def _traced_step(self, increment: int | Tensor, found_inf: Tensor | float | None) -> None:
        if found_inf is not None:
            increment = increment * ((found_inf == 0).reshape(()) if isinstance(found_inf, Tensor) else int(not found_inf))
        with torch.no_grad():
            self._bindings.write_traced(self._counter.advance(increment))

    def _go(self, count: int) -> None:
        self._settle()
        self._bindings.write(self._counter.add(count - self._counter.read()))

    def _settle(self) -> None:
        if self._bindings.outdated():
            self._bindings.adopt()
            self._move_counter()

    def _move_counter(self) -> None:
        """Move the counter to the device of the scheduled tensors."""
        device = self._bindings.device
        if device is not None and self._counter.tensor.device != device:
            self._counter = Counter(self._counter.read(), device)

    # -- the values -------------------------------------------------------------------------------------------------------

    def get_lr(self) -> list[float | Tensor]:
        """Return the rate of each group at `last_epoch`, a tensor if the group holds one. It changes nothing."""
        held = (group["lr"] for group in self.optimizer.param_groups)
        rates = self._bindings.lrs(self._counter.read())
        return [torch.full_like(h, r) if isinstance(h, Tensor) else r for h, r in zip(held, rates, strict=True)]

    def get_last_lr(self) -> list[float]:  # type: ignore[override]  # torch says float or tensor; floats here
        """Return the rate of each group for the next update, as floats."""
        return self._bindings.lrs(self._counter.read())

    def peek(self, step: int, key: str = "lr") -> list[float]:
        """Return what each group holds under `key` for the update number `step`. It changes nothing.

        >>> from tracelr import Linear
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=0.1)
        >>> Scheduler(optimizer, lr=Linear(start=1.0, end=0.0, steps=4)).peek(3)
        [0.25]
        """
        step = min(step_of("Scheduler.peek(step)", step), LAST_STEP)
        return [float(values[0]) for values in self.curve(step, step + 1, key=key)]

    def curve(self, start: int, stop: int, stride: int = 1, key: str = "lr") -> Tensor:
        """Return what each group holds under `key` at the steps `range(start, stop, stride)`.

        The result is float32, of shape [groups, steps]. It changes nothing; a group without a schedule keeps what it holds.

        >>> from tracelr import Linear
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=0.1)
        >>> Scheduler(optimizer, lr=Linear(start=1.0, end=0.0, steps=4)).curve(0, 6, stride=2)
        tensor([[1.0000, 0.5000, 0.0000]])
        """
        return self._bindings.curve(steps_of(start, stop, stride), key)

    # -- compiled updates -------------------------------------------------------------------------------------------------

    def as_tensors(self) -> None:
        """Turn scheduled floats into 0-d float32 tensors on their parameters' device, as a compiled update needs."""
        self._bindings.make_tensors()
        self._move_counter()
        self._counter.shared = True
        self._bindings.write(self._counter.read())

    def scheduled_tensors(self) -> list[dict[str, Tensor]]:
        """Return the scheduled tensors of each group, by their keys."""
        return self._bindings.tensors()

    def schedules(self) -> list[Schedule]:
        """Return each schedule once."""
        return self._bindings.schedules()

    def tensors(self) -> list[Tensor]:
        """Return every tensor that a compiled `step()` writes: the counter, and the scheduled numbers."""
        return [self._counter.tensor, *(tensor for tensors in self.scheduled_tensors() for tensor in tensors.values())]

    # -- checkpoints ------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain ints, floats, lists and strings; later steps do not change it."""
        return {
            "last_epoch": self.last_epoch,
            _torch.STEP_COUNT: self._step_count,
            _torch.LAST_LR: self.get_last_lr(),
            "base_lrs": list(self.base_lrs),
            **sealed(self._bindings.described()),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go to the step of a checkpoint and write its rates at once; a bare `{"last_epoch": n}` is enough.

        So is the state of one of torch's schedulers. If one of those drives the same optimizer, for instance in a
        `SequentialLR` or a `ChainedScheduler`, the rates are left to `optimizer.load_state_dict`, as torch leaves them.

        Raises `CheckpointError`, and changes nothing, if it is not the state of a scheduler.
        """
        count, written = read_state(state_dict, len(self.optimizer.param_groups))
        steps = calls(state_dict, count)
        if self._bindings.outdated():
            self._bindings.adopt()
        self._bindings.reconcile(written, self.on_change)
        self._step_count = steps
        self._move_counter()
        self._bindings.restore_tensors(self.optimizer)  # ignite replaces the tensors in the groups
        self._counter.write(count)
        if count >= 0 and not self._shared():  # -1: a member of torch's SequentialLR that has not started
            self._bindings.write(count)

    def _reloaded(self, optimizer: Optimizer) -> None:
        self._bindings.restore_tensors(optimizer)
        count = self._counter.read()
        if count > 0 and not self._shared():  # it may come before or after our state, with the rates of another schedule
            self._bindings.write(count)

    def _shared(self) -> bool:
        """Say whether one of torch's schedulers drives the rates too."""
        return _torch.is_driven_by_torch(self.optimizer)

    # -- what torch's schedulers and the frameworks call --------------------------------------------------------------------

    def _initial_step(self) -> None:
        self._step_count = 0
        self.step()

    def _update_lr(self, epoch: int | None = None) -> None:
        self._go(self.last_epoch + 1 if epoch is None else step_of("Scheduler.step(epoch)", epoch))

    def _get_closed_form_lr(self) -> list[float | Tensor]:
        return self.get_lr()

    @property  # type: ignore[override]  # an attribute of torch's
    def _last_lr(self) -> list[float]:
        return self.get_last_lr()

    @_last_lr.setter
    def _last_lr(self, _: object) -> None:
        """Do nothing: torch's schedulers write it, but here it follows from the step."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({type(self.optimizer).__name__}, {self._bindings}, last_epoch={self.last_epoch})"


def _on_device(value: object) -> bool:
    return isinstance(value, Tensor) and value.device.type != "cpu"
