"""Scheduler: binds schedules to an optimizer's param groups and owns the step counter."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from tracelr.assignment import Assignment
from tracelr.counter import Counter
from tracelr.errors import CheckpointError, OptimizerError, ScheduleError, Words, explain
from tracelr.rates import Rates
from tracelr.schedule import Schedule
from tracelr.slots import Slot, resolve, separate
from tracelr.state import demanded, described, first_change, pair, read_state, restored

_POLICIES = ("new", "checkpoint", "strict")


class Scheduler(LRScheduler):
    """Drive the learning rate, and any other number, of the param groups of `optimizer` from schedules of the step.

    `lr`, `weight_decay` and `momentum` each take one schedule for all groups, or a list with one for each; `betas` a pair of
    these. `assignments` is what `tracelr.load` returns, a schedule of the learning rate or a list of `Assignment`, which can
    name any key and pick groups by their tags. A number without a schedule is left alone.

    The contract is that of torch's own schedulers: call `step()` after every optimizer update; between the calls the groups
    hold the values of the **next** update, starting with those at step 0. The unit is optimizer updates. `step()` is the
    same call in eager code and in a compiled region.

    A float stays a float. A tensor is written in place: it keeps its identity and its address, also across
    `optimizer.load_state_dict`. `optimizer.step` is not patched, and no host value enters a compiled region.

    `on_change` says what happens when a loaded checkpoint was written with other schedules: "new" warns and keeps the ones
    given here, "checkpoint" takes those of the checkpoint, "strict" raises. `last_epoch` is torch's: -1 starts from 0.

    Raises `OptimizerError` if `optimizer` is none, if there is nothing to schedule, if a number gets two schedules, if a
    group has no number under a key or no group a tag, or if the number of schedules is not the number of groups.

    >>> from tracelr import Linear
    >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=0.1)
    >>> scheduler = Scheduler(optimizer, lr=Linear(start=1.0, end=0.0, steps=4))
    >>> for _ in range(3):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> scheduler.get_last_lr(), scheduler.last_epoch
    ([0.25], 3)
    """

    # LRScheduler.__init__ is never called: it would patch optimizer.step, and Dynamo refuses the patched method.
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
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            fix = "pass the optimizer first, then lr=<schedule>"
            raise OptimizerError(explain("Scheduler(optimizer)", optimizer, "a torch.optim.Optimizer", fix))
        if on_change not in _POLICIES:
            raise ScheduleError(explain("Scheduler(on_change)", on_change, ", ".join(_POLICIES), "use one of these"))
        self.optimizer = optimizer
        self.on_change = on_change
        keys = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, **pair(betas)}
        self._demands = demanded(assignments, keys)
        self._slots: list[Slot] = []
        self._groups = 0
        self._counter = Counter(last_epoch, torch.device("cpu"))
        self._adopt_groups()
        self.base_lrs = [float(group["initial_lr"]) for group in optimizer.param_groups]
        optimizer.register_load_state_dict_post_hook(self._retie)
        self._initial_step()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if "optimizer" in state:  # one of tracelr.lr_scheduler may be unbound; and a copied optimizer has no hooks
            self.optimizer.register_load_state_dict_post_hook(self._retie)

    # -- the counter ------------------------------------------------------------------------------------------------------

    @property
    def last_epoch(self) -> int:
        """How many times `step()` was called, compiled calls included; assignable."""
        return self._counter.read()

    @last_epoch.setter
    def last_epoch(self, count: int) -> None:
        self._counter.write(int(count))

    def step(self, epoch: int | None = None) -> None:
        """Advance by one update, or go to `epoch`; afterwards the groups hold the rate of the next update."""
        if torch.compiler.is_compiling():
            self._traced_step()
            return
        self._step_count += 1
        self._update_lr(epoch)

    def _traced_step(self) -> None:
        with torch.no_grad():
            self._rates.write(self._counter.tensor.add_(1))

    def _update_lr(self, epoch: int | None = None) -> None:
        count = self._counter.read() + 1 if epoch is None else int(epoch)
        self._counter.write(count)
        self._write(count)

    def _initial_step(self) -> None:
        self._step_count = 0
        self.step()

    # -- the values -------------------------------------------------------------------------------------------------------

    def get_lr(self) -> list[float | Tensor]:
        """Return the rate of each group at `last_epoch`, each of its group's kind. It changes nothing."""
        rates = self._lrs(self._rates.at(self._counter.read()))
        held = (group["lr"] for group in self.optimizer.param_groups)
        return [torch.full_like(h, r) if isinstance(h, Tensor) else r for h, r in zip(held, rates, strict=True)]

    _get_closed_form_lr = get_lr

    def get_last_lr(self) -> list[float]:  # type: ignore[override]
        """Return the rate of each group as floats: what the next update will use."""
        return self._lrs(self._rates.at(self._counter.read()))

    @property  # type: ignore[override]
    def _last_lr(self) -> list[float]:
        return self.get_last_lr()

    @_last_lr.setter
    def _last_lr(self, _: object) -> None:
        """Torch's own classes write it; here it follows from the step."""

    def _lrs(self, values: list[float]) -> list[float]:
        """Return the rate of each group: scheduled, or what it holds."""
        groups = self.optimizer.param_groups[: self._groups]
        return [float(g["lr"]) if k is None else values[k] for k, g in zip(self._lr_slots, groups, strict=True)]

    def _write(self, count: int) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != self._groups:
            self._adopt_groups()
        for slot, value in zip(self._slots, self._rates.at(count)):  # noqa: B905  # a keyword costs a tenth of the call
            group = groups[slot.group]
            if type(group.get(slot.name)) is float:
                group[slot.name] = value
            else:
                slot.put(groups, value)

    # -- the groups -------------------------------------------------------------------------------------------------------

    def _adopt_groups(self) -> None:
        """Take over the groups not seen yet. A tensor becomes its group's own: torch shares one among all of them."""
        groups = self.optimizer.param_groups
        slots = resolve(self._demands, groups, self._groups)
        separate(groups, self._groups, {slot.name for slot in self._slots + slots})
        for slot in slots:
            slot.seated(groups)
        for group in groups[self._groups :]:
            group.setdefault("initial_lr", float(group["lr"]))
        self._slots += slots
        self._groups = len(groups)
        self._arrange()

    def _arrange(self) -> None:
        """Move to the rates' device, and plan the evaluation."""
        device = next((slot.cell.device for slot in self._slots if slot.cell is not None), self._counter.tensor.device)
        if self._counter.tensor.device != device:
            self._counter = Counter(self._counter.read(), device)
        self._rates = Rates(self._slots, device)
        lrs = {slot.group: k for k, slot in enumerate(self._slots) if slot.key == "lr"}
        self._lr_slots = [lrs.get(k) for k in range(self._groups)]

    def _retie(self, optimizer: Optimizer) -> None:
        """Put our tensors back into the groups: `load_state_dict` has replaced them by copies of the checkpoint's."""
        groups = optimizer.param_groups
        for slot in self._slots:
            if slot.group < len(groups):
                loaded = float(slot.get(groups))
                slot.set(groups, loaded if slot.cell is None else slot.cell.fill_(loaded))

    def as_tensors(self) -> None:
        """Turn float rates into 0-d float32 tensors on their parameters' device, as a compiled update needs."""
        if len(self.optimizer.param_groups) != self._groups:
            self._adopt_groups()
        groups = self.optimizer.param_groups
        for slot in self._slots:
            if slot.cell is None and slot.key == "lr":
                parameters = groups[slot.group]["params"]
                slot.cell = torch.tensor(float(slot.get(groups)), device=parameters[0].device if parameters else None)
                slot.set(groups, slot.cell)
        self._arrange()
        self._write(self._counter.read())

    def untensored(self) -> list[str]:
        """Return the scheduled keys, other than "lr", that hold Python numbers: a compiled update would recompile for each."""
        return sorted({slot.key for slot in self._slots if slot.cell is None and slot.key != "lr"})

    # -- checkpoints ------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain ints, floats, lists and strings; nothing in it is alive."""
        return {
            "last_epoch": self.last_epoch,
            "_step_count": self._step_count,
            "_last_lr": self.get_last_lr(),
            "base_lrs": list(self.base_lrs),
            "schedules": described(self._slots, self._groups),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go to the step of a checkpoint and write its rates at once; a bare `{"last_epoch": n}` is enough.

        Raises `CheckpointError`, and changes nothing, if it is not the state of a scheduler.
        """
        count, written = read_state(state_dict, self._groups)
        if written and written != described(self._slots, self._groups):
            self._changed(written)
        self._step_count = int(state_dict.get("_step_count", count + 1))
        self._counter.write(count)
        self._write(count)

    def _changed(self, written: dict[str, list[Any]]) -> None:
        what = first_change(written, described(self._slots, self._groups))
        if self.on_change == "strict":
            allowed = "the schedules the checkpoint was written with"
            fix = 'pass those, or on_change="new" or "checkpoint"'
            raise CheckpointError(explain("Scheduler.load_state_dict", Words(what), allowed, fix))
        if self.on_change == "checkpoint":
            self._slots = restored(written, self._slots, self.optimizer.param_groups)
            self._arrange()
            return
        warnings.warn(
            f"tracelr: the schedule has changed since the checkpoint: {what}; the one given now is used", stacklevel=3
        )

    def __repr__(self) -> str:
        shown: dict[str, list[Schedule]] = {}
        for slot in self._slots:
            shown.setdefault(slot.key, []).append(slot.schedule)
        parts = (f"{key}={s[0] if all(one is s[0] for one in s) else s}" for key, s in shown.items())
        return f"{type(self).__name__}({type(self.optimizer).__name__}, {', '.join(parts)}, last_epoch={self.last_epoch})"
