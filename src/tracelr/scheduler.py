"""Scheduler: binds schedules to an optimizer's param groups and owns the step counter."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from tracelr.counter import Counter
from tracelr.errors import CheckpointError, OptimizerError, ScheduleError, Words, explain
from tracelr.schedule import Schedule
from tracelr.state import per_group, read_state

_BLOCK = 256  # eager steps are served from a block evaluated at once: one tensor expression per 256 calls
_POLICIES = ("new", "checkpoint", "strict")


class Scheduler(LRScheduler):
    """Drive the learning rate of every param group of `optimizer` from schedules of the step.

    `lr` is one schedule for all groups, or a list with one for each. The contract is that of torch's own schedulers: call
    `step()` after every optimizer update; between the calls the groups hold the rate of the **next** update, starting with
    the value at step 0. The unit is optimizer updates. `step()` is the same call in eager code and in a compiled region.

    A float rate stays a float. A tensor rate is written in place: it keeps its identity and its address, also across
    `optimizer.load_state_dict`. `optimizer.step` is not patched, and no host value enters a compiled region.

    `on_change` says what happens when a loaded checkpoint was written with other schedules: "new" warns and keeps the ones
    given here, "checkpoint" takes those of the checkpoint, "strict" raises. `last_epoch` is torch's: -1 starts from 0.

    Raises `OptimizerError` if `optimizer` is none, or if the number of schedules is not the number of its groups.

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
        *,
        lr: Schedule | Sequence[Schedule],
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
        self._shared = isinstance(lr, Schedule)
        self._schedules: list[Schedule] = per_group(lr, len(optimizer.param_groups))
        self._cells: list[Tensor | None] = []
        self._first, self._rows, self._written = 0, list[list[float]](), -1
        self._last_lr: list[float] = []  # type: ignore[assignment]  # torch allows tensors here
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
            step = self._counter.tensor.add_(1)
            for schedule, cells in self._plan:
                if not cells:
                    fix = "call torch.compile through tracelr.fuse, or build the optimizer with lr=torch.tensor(...)"
                    raise OptimizerError(
                        explain("Scheduler.step() in a compiled region", Words("a float lr"), "a tensor lr", fix)
                    )
                rate = schedule(step)
                for cell in cells:
                    cell.copy_(rate)

    def _update_lr(self, epoch: int | None = None) -> None:
        count = self._counter.read() + 1 if epoch is None else int(epoch)
        self._counter.write(count)
        self._write(count)

    def _initial_step(self) -> None:
        self._step_count = 0
        self.step()

    # -- the rates --------------------------------------------------------------------------------------------------------

    def get_lr(self) -> list[float | Tensor]:
        """Return the rate of each group at `last_epoch`, each of its group's kind. It changes nothing."""
        rates = self._rates(self._counter.read())
        return [v if c is None else torch.full_like(c, v) for v, c in zip(rates, self._cells, strict=True)]

    _get_closed_form_lr = get_lr

    def get_last_lr(self) -> list[float]:  # type: ignore[override]
        """Return the rate of each group as floats: what the next update will use."""
        count = self._counter.read()
        if count != self._written:  # a compiled region has moved on
            self._last_lr, self._written = self._rates(count), count
        return list(self._last_lr)

    def _rates(self, count: int) -> list[float]:
        row = max(count, 0) - self._first
        if not 0 <= row < len(self._rows) or self._fresh:
            size = 1 if self._fresh else _BLOCK
            self._first, row = max(count, 0) // size * size, max(count, 0) % size
            steps = torch.arange(self._first, self._first + size, device=self._counter.tensor.device)
            with torch.no_grad():
                values = [schedule(steps).tolist() for schedule, _ in self._plan]
            self._rows = [[values[n][k] for n in self._which] for k in range(size)]
        return list(self._rows[row])

    def _write(self, count: int) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self._cells):
            self._adopt_groups()
        self._last_lr, self._written = self._rates(count), count
        for group, value in zip(groups, self._last_lr, strict=True):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(value)
            else:
                group["lr"] = value

    # -- the groups -------------------------------------------------------------------------------------------------------

    def _adopt_groups(self) -> None:
        """Take over the groups not seen yet. A tensor rate becomes its group's own: torch shares one among all of them."""
        groups = self.optimizer.param_groups
        if self._shared:
            self._schedules += [self._schedules[0]] * (len(groups) - len(self._schedules))
        elif len(groups) != len(self._schedules):
            given = Words(f"{len(self._schedules)} schedules")
            allowed = f"one for each of the optimizer's {len(groups)} param groups"
            raise OptimizerError(explain("Scheduler(lr)", given, allowed, "pass one schedule, or a list of that length"))
        taken = [id(cell) for cell in self._cells]
        for group in groups[len(self._cells) :]:
            lr = group["lr"]
            if isinstance(lr, Tensor) and id(lr) in taken:
                group["lr"] = lr = lr.detach().clone()
            taken.append(id(lr))
            group.setdefault("initial_lr", float(lr))
            self._cells.append(lr if isinstance(lr, Tensor) else None)
        self._arrange()

    def _arrange(self) -> None:
        """Move to the rates' device, and list each schedule once, with all the tensors that follow it."""
        device = next((cell.device for cell in self._cells if cell is not None), self._counter.tensor.device)
        if self._counter.tensor.device != device:
            self._counter = Counter(self._counter.read(), device)
        distinct = list({id(schedule): schedule for schedule in self._schedules}.values())
        self._which = [next(k for k, d in enumerate(distinct) if d is s) for s in self._schedules]
        self._plan = [
            (d.to(device), [c for c, k in zip(self._cells, self._which, strict=True) if k == n and c is not None])
            for n, d in enumerate(distinct)
        ]
        self._fresh = any(d.has_tensor_fields for d in distinct)
        self._rows = []

    def _retie(self, optimizer: Optimizer) -> None:
        """Put our tensors back into the groups: `load_state_dict` has replaced them by copies of the checkpoint's."""
        for group, cell in zip(optimizer.param_groups, self._cells, strict=False):
            loaded = float(group["lr"])
            group["lr"] = loaded if cell is None else cell.fill_(loaded)

    def as_tensors(self) -> None:
        """Turn float rates into 0-d float32 tensors on their parameters' device, as a compiled update needs."""
        self._adopt_groups()
        for k, group in enumerate(self.optimizer.param_groups):
            if self._cells[k] is None:
                device = group["params"][0].device if group["params"] else None
                group["lr"] = self._cells[k] = torch.tensor(float(group["lr"]), device=device)
        self._arrange()
        self._write(self._counter.read())

    # -- checkpoints ------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain ints, floats, lists and strings; nothing in it is alive."""
        return {
            "last_epoch": self.last_epoch,
            "_step_count": self._step_count,
            "_last_lr": self.get_last_lr(),
            "base_lrs": list(self.base_lrs),
            "lr": [schedule.to_dict() for schedule in self._schedules],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go to the step of a checkpoint and write its rates at once; a bare `{"last_epoch": n}` is enough.

        Raises `CheckpointError`, and changes nothing, if it is not the state of a scheduler.
        """
        count, written = read_state(state_dict, len(self._schedules))
        changed = [k for k, (s, w) in enumerate(zip(self._schedules, written, strict=False)) if s.to_dict() != w]
        if changed:
            self._changed(changed, written)
        self._step_count = int(state_dict.get("_step_count", count + 1))
        self._counter.write(count)
        self._write(count)

    def _changed(self, groups: list[int], written: list[Any]) -> None:
        k = groups[0]
        what = f"group {k} was trained with {written[k]}, and is now given {self._schedules[k].to_dict()}"
        if self.on_change == "strict":
            allowed = "the schedules the checkpoint was written with"
            fix = 'pass those, or on_change="new" or "checkpoint"'
            raise CheckpointError(explain("Scheduler.load_state_dict", Words(what), allowed, fix))
        if self.on_change == "checkpoint":
            from tracelr.config import from_dict, single

            self._schedules = [single(from_dict(w)) for w in written]
            self._shared = len(set(map(str, written))) == 1
            self._arrange()
            return
        warnings.warn(
            f"tracelr: the schedule has changed since the checkpoint: {what}; the one given now is used", stacklevel=3
        )

    def __repr__(self) -> str:
        shown = self._schedules[0] if self._shared else self._schedules
        return f"{type(self).__name__}({type(self.optimizer).__name__}, lr={shown}, last_epoch={self.last_epoch})"
