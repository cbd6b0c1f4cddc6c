"""Bindings: which schedule drives which number of an optimizer, and how the values are written there."""

from __future__ import annotations

import warnings
from typing import Any, final

import torch
from torch import Tensor
from torch.optim import Optimizer

from tracelr.errors import CheckpointError, OptimizerError, TracelrWarning, Unquoted
from tracelr.optim.evaluator import Evaluator, scaled
from tracelr.optim.hyperparameters import HyperParameter, resolve, unshare_tensors
from tracelr.optim.state import Given, changes, described, restored
from tracelr.schedules.base import Schedule


@final
class Bindings:
    """The scheduled hyper-parameters of `optimizer`, as asked for by `given`. `adopt` adds those of later groups."""

    def __init__(self, optimizer: Optimizer, given: Given) -> None:
        self._optimizer = optimizer
        self._given = given
        self._hyperparameters: list[HyperParameter] = []
        self._groups = 0
        self._compiled = False
        self.adopt()

    @property
    def device(self) -> torch.device | None:
        """The device of the scheduled tensors, or None without any."""
        return next((one.tensor.device for one in self._hyperparameters if one.tensor is not None), None)

    def outdated(self) -> bool:
        """Say whether the optimizer has more or fewer groups than were bound."""
        return len(self._optimizer.param_groups) != self._groups

    def adopt(self) -> None:
        """Bind the groups that are not bound yet. Each gets separate tensors, because torch puts one into all groups."""
        groups = self._optimizer.param_groups
        new = resolve(self._given, groups, self._groups)
        unshare_tensors(groups, self._groups, {one.name for one in self._hyperparameters + new})
        for one in new:
            one.attach(groups)
        for group in groups[self._groups :]:
            group.setdefault("initial_lr", float(group["lr"]))
        self._bind([one for one in self._hyperparameters if one.group < len(groups)] + new)

    def _bind(self, hyperparameters: list[HyperParameter]) -> None:
        self._hyperparameters = hyperparameters
        self._groups = len(self._optimizer.param_groups)
        self._evaluator = Evaluator(hyperparameters, self.device or torch.device("cpu"), self._compiled)
        self.step = self._evaluator.step
        lrs = {one.group: k for k, one in enumerate(hyperparameters) if one.key == "lr"}
        self._lrs = [lrs.get(k) for k in range(self._groups)]

    # -- values -----------------------------------------------------------------------------------------------------------

    def lrs(self, count: int) -> list[float]:
        """Return the learning rate of each group at step `count`; without a schedule, the one that it holds."""
        values, groups = self._evaluator.at(count), self._optimizer.param_groups[: self._groups]
        return [float(g["lr"]) if k is None else values[k] for k, g in zip(self._lrs, groups, strict=True)]

    def curve(self, steps: Tensor, key: str) -> Tensor:
        """Return what each group holds under `key` at `steps`: float32 of shape [groups, steps]."""
        scheduled = {one.group: one for one in self._hyperparameters if one.key == key}
        if not scheduled:
            allowed = ", ".join(sorted({one.key for one in self._hyperparameters}))
            raise OptimizerError("Scheduler.curve(key)", key, allowed, "use a key that has a schedule")
        rows = []
        for k in range(self._groups):
            one = scheduled.get(k) or HyperParameter(k, key, next(iter(scheduled.values())).schedule)
            if k in scheduled:
                moved = steps.to(self.device or steps.device)
                rows.append(scaled(one.schedule, [one.factor], moved)[0].detach().cpu())
            else:
                rows.append(torch.full(steps.shape, float(one.get(self._optimizer.param_groups))))
        return torch.stack(rows)

    def write(self, count: int) -> None:
        """Write the values at step `count` into the groups."""
        groups = self._optimizer.param_groups
        columns, row = self._evaluator.block(count)
        for one, column in zip(self._hyperparameters, columns):  # noqa: B905  # a keyword costs a tenth of the call
            group = groups[one.group]
            if type(group.get(one.name)) is float:
                group[one.name] = column[row]
            else:
                one.put(groups, column[row])

    def write_traced(self, step: Tensor) -> None:
        """Write the values at `step` by tensor operations alone, as a compiled region needs."""
        self._evaluator.write(step)

    # -- tensors ----------------------------------------------------------------------------------------------------------

    def restore_tensors(self, optimizer: Optimizer) -> None:
        """Put the scheduled tensors back into the groups, because `load_state_dict` replaces them."""
        groups = optimizer.param_groups
        for one in self._hyperparameters:
            if one.group < len(groups):
                loaded = float(one.get(groups))
                one.set(groups, loaded if one.tensor is None else one.tensor.fill_(loaded))

    def make_tensors(self) -> None:
        """Turn scheduled floats into 0-d float32 tensors on their parameters' device."""
        if self.outdated():
            self.adopt()
        groups = self._optimizer.param_groups
        for one in self._hyperparameters:
            if one.tensor is None:
                parameters = groups[one.group]["params"]
                one.tensor = torch.tensor(float(one.get(groups)), device=parameters[0].device if parameters else None)
                one.set(groups, one.tensor)
        self._compiled = True
        self._bind(self._hyperparameters)

    def tensors(self) -> list[dict[str, Tensor]]:
        """Return the scheduled tensors of each group, by their keys."""
        found: list[dict[str, Tensor]] = [{} for _ in range(self._groups)]
        for one in self._hyperparameters:
            if one.tensor is not None:
                found[one.group][one.key] = one.tensor
        return found

    def schedules(self) -> list[Schedule]:
        """Return each schedule once."""
        return self._evaluator.schedules()

    # -- checkpoints ------------------------------------------------------------------------------------------------------

    def described(self) -> dict[str, list[Any]]:
        """Return the schedule of every key and group as plain types; None stands for a group without one."""
        return described(self._hyperparameters, self._groups)

    def reconcile(self, written: dict[str, list[Any]], on_change: str) -> None:
        """Compare the schedules with those `written` in a checkpoint, if it holds any, and act as `on_change` says."""
        difference = changes(written, self.described()) if written else ""
        if difference and on_change == "strict":
            allowed, fix = "the schedules of the checkpoint", 'pass those, or on_change="new" or "checkpoint"'
            raise CheckpointError("Scheduler.load_state_dict", Unquoted(difference), allowed, fix, limit=len(difference))
        if difference and on_change == "checkpoint":
            self._bind(restored(written, self._hyperparameters, self._optimizer.param_groups))
        elif difference:
            text = f"tracelr: the schedule has changed since the checkpoint: {difference}; the one given now is used"
            warnings.warn(text, TracelrWarning, stacklevel=3)

    def __str__(self) -> str:
        shown: dict[str, list[Schedule]] = {}
        for one in self._hyperparameters:
            shown.setdefault(one.key, []).append(one.schedule)
        return ", ".join(f"{key}={s[0] if all(one is s[0] for one in s) else s}" for key, s in shown.items())
