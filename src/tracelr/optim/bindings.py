"""Bindings: every scheduled number of an optimizer, what is written there, and what compiled updates need of it."""

from __future__ import annotations

import warnings
from typing import Any, final

import torch
from torch import Tensor
from torch.optim import Optimizer

from tracelr.errors import CheckpointError, OptimizerError, TracelrWarning, Unquoted
from tracelr.optim.evaluator import Evaluator, scaled
from tracelr.optim.hyperparameters import HyperParameter, resolve, separate
from tracelr.optim.state import Given, changes, described, restored
from tracelr.schedules.base import Schedule


@final
class Bindings:
    """The slots of `optimizer`, as `given` demands them. Groups that it gets later are taken over by `adopt`."""

    def __init__(self, optimizer: Optimizer, given: Given) -> None:
        self._optimizer = optimizer
        self._given = given
        self._slots: list[HyperParameter] = []
        self._groups = 0
        self._compiled = False
        self.adopt()

    @property
    def device(self) -> torch.device | None:
        """The device of the scheduled tensors; None if there are none."""
        return next((slot.cell.device for slot in self._slots if slot.cell is not None), None)

    def outdated(self) -> bool:
        """Say whether the optimizer's groups are others than those taken over."""
        return len(self._optimizer.param_groups) != self._groups

    def adopt(self) -> None:
        """Take over the groups not seen yet. A tensor becomes its group's own: torch shares one among all of them."""
        groups = self._optimizer.param_groups
        slots = resolve(self._given, groups, self._groups)
        separate(groups, self._groups, {slot.name for slot in self._slots + slots})
        for slot in slots:
            slot.seated(groups)
        for group in groups[self._groups :]:
            group.setdefault("initial_lr", float(group["lr"]))
        self._arrange([slot for slot in self._slots if slot.group < len(groups)] + slots)

    def _arrange(self, slots: list[HyperParameter]) -> None:
        self._slots = slots
        self._groups = len(self._optimizer.param_groups)
        self._rates = Evaluator(slots, self.device or torch.device("cpu"), self._compiled)
        lrs = {slot.group: k for k, slot in enumerate(slots) if slot.key == "lr"}
        self._lr_slots = [lrs.get(k) for k in range(self._groups)]

    # -- values -----------------------------------------------------------------------------------------------------------

    def lrs(self, count: int) -> list[float]:
        """Return the rate of each group at step `count`: scheduled, or what it holds."""
        values, groups = self._rates.at(count), self._optimizer.param_groups[: self._groups]
        return [float(g["lr"]) if k is None else values[k] for k, g in zip(self._lr_slots, groups, strict=True)]

    def curve(self, steps: Tensor, key: str) -> Tensor:
        """Return what each group holds under `key` at `steps`: float32 of shape [groups, steps]."""
        slots = {slot.group: slot for slot in self._slots if slot.key == key}
        if not slots:
            allowed = ", ".join(sorted({slot.key for slot in self._slots}))
            raise OptimizerError("Scheduler.curve(key)", key, allowed, "use a key that has a schedule")
        rows = []
        for k in range(self._groups):
            slot = slots.get(k) or HyperParameter(k, key, next(iter(slots.values())).schedule)
            if k in slots:
                where = steps.to(self.device or steps.device)
                rows.append(scaled(slot.schedule, [slot.factor], where)[0].detach().cpu())
            else:
                rows.append(torch.full(steps.shape, float(slot.get(self._optimizer.param_groups))))
        return torch.stack(rows)

    def write(self, count: int) -> None:
        """Write the values at step `count` into the groups."""
        groups = self._optimizer.param_groups
        columns, row = self._rates.block(count)
        for slot, column in zip(self._slots, columns):  # noqa: B905  # a keyword costs a tenth of the call
            group = groups[slot.group]
            if type(group.get(slot.name)) is float:
                group[slot.name] = column[row]
            else:
                slot.put(groups, column[row])

    def write_traced(self, step: Tensor, opaque: bool = False) -> None:
        """Write the values at `step` with tensor ops alone: in a compiled region, or for a count the host does not know."""
        self._rates.write(step, opaque)

    # -- tensors ----------------------------------------------------------------------------------------------------------

    def retie(self, optimizer: Optimizer) -> None:
        """Put our tensors back into the groups: `load_state_dict` has replaced them by copies of the checkpoint's."""
        groups = optimizer.param_groups
        for slot in self._slots:
            if slot.group < len(groups):
                loaded = float(slot.get(groups))
                slot.set(groups, loaded if slot.cell is None else slot.cell.fill_(loaded))

    def make_tensors(self) -> None:
        """Turn scheduled floats into 0-d float32 tensors on their parameters' device."""
        if self.outdated():
            self.adopt()
        groups = self._optimizer.param_groups
        for slot in self._slots:
            if slot.cell is None:
                parameters = groups[slot.group]["params"]
                slot.cell = torch.tensor(float(slot.get(groups)), device=parameters[0].device if parameters else None)
                slot.set(groups, slot.cell)
        self._compiled = True
        self._arrange(self._slots)

    def cells(self) -> list[dict[str, Tensor]]:
        """Return the scheduled tensors of each group, by their keys."""
        slots = [slot for slot in self._slots if slot.cell is not None]
        return [
            {slot.key: slot.cell for slot in slots if slot.group == k and slot.cell is not None} for k in range(self._groups)
        ]

    def schedules(self) -> list[Schedule]:
        """Return each schedule once."""
        return self._rates.schedules()

    # -- checkpoints ------------------------------------------------------------------------------------------------------

    def described(self) -> dict[str, list[Any]]:
        """Return the schedule of every key and group as plain types; None where there is none."""
        return described(self._slots, self._groups)

    def reconcile(self, written: dict[str, list[Any]], on_change: str) -> None:
        """Compare the schedules with those `written` in a checkpoint, if it holds any, and do what `on_change` says."""
        what = changes(written, self.described()) if written else ""
        if what and on_change == "strict":
            allowed, fix = "the schedules of the checkpoint", 'pass those, or on_change="new" or "checkpoint"'
            raise CheckpointError("Scheduler.load_state_dict", Unquoted(what), allowed, fix, limit=len(what))
        if what and on_change == "checkpoint":
            self._arrange(restored(written, self._slots, self._optimizer.param_groups))
        elif what:
            text = f"tracelr: the schedule has changed since the checkpoint: {what}; the one given now is used"
            warnings.warn(text, TracelrWarning, stacklevel=3)

    def __str__(self) -> str:
        shown: dict[str, list[Schedule]] = {}
        for slot in self._slots:
            shown.setdefault(slot.key, []).append(slot.schedule)
        return ", ".join(f"{key}={s[0] if all(one is s[0] for one in s) else s}" for key, s in shown.items())
