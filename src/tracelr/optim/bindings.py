"""Bindings: the numbers of an optimizer that schedules drive, followed wherever their param groups go."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, final

import torch
from torch import Tensor

from tracelr import _torch
from tracelr.arithmetic import entered
from tracelr.errors import CheckpointError, OptimizerError, Unquoted
from tracelr.optim.continuation import Continuation
from tracelr.optim.evaluator import Evaluator, values_of
from tracelr.optim.groups import (
    Group,
    HyperParameter,
    Request,
    Resolver,
    base_of,
    check,
    close,
    rate_of,
    read_factor,
    unshare_tensors,
)
from tracelr.optim.state import describe_changes, described, restored
from tracelr.schedules.base import Schedule


@final
class Bindings:
    """The scheduled numbers of `optimizer`, an object with `param_groups`, as asked for by `requests`.

    Each is bound to the dict of its group. `intact` says whether the optimizer is still as it was at the last write; if it
    is not, `follow` finds every group again: by its dict, by its list of parameters, or by the parameters in it.
    """

    def __init__(self, optimizer: Any, requests: list[Request], check: Callable[[Bindings], None], lenient: bool) -> None:
        self._optimizer = optimizer
        self._resolver = Resolver(requests, lenient)
        self._groups: list[Group] = []
        self.continued: list[Continuation] = []  # never changed in place
        self._shared: dict[tuple[int, int], Schedule] = {}  # groups of one schedule continue with one
        self._compiled = False
        self._evaluated: list[tuple[Any, ...]] = []
        self.written = 0  # the step whose values the groups hold
        self.version = 0  # another number whenever a group, a tensor or a schedule is another one
        self._hyperparameters = self._resolved(list(range(len(optimizer.param_groups))))
        check(self)
        self._bind(self._taken(self._hyperparameters))

    def __setstate__(self, state: dict[str, Any]) -> None:
        # In a copy neither the counts of writes nor identities are those of the original.
        self.__dict__.update(state | {"_versions": [], "_shared": {}})

    @property
    def device(self) -> torch.device | None:
        """The device of the scheduled tensors, or None without any."""
        return next((one.tensor.device for one in self._hyperparameters if one.tensor is not None), None)

    def _resolved(self, new: list[int]) -> list[HyperParameter]:
        return self._resolver.resolve(self._optimizer.param_groups, new, getattr(self._optimizer, "defaults", {}))

    def _taken(self, new: list[HyperParameter]) -> list[HyperParameter]:
        """Return hyper-parameters with their tensors, each its own. The numbers of before are kept in the groups."""
        groups = self._optimizer.param_groups
        for one in new:
            if one.source == one.key:
                one.group.setdefault(f"initial_{one.key}", base_of(one.group, one.key))
        for group in groups:
            if not math.isnan(rate := rate_of(group)):
                group.setdefault("initial_lr", rate)
        unshare_tensors(groups, {one.name for one in [*self._hyperparameters, *new]})
        for one in new:
            one.attach()
            one.schedule = self._later(one)
        return new

    def continue_(self, continued: list[Continuation]) -> None:
        """Let what was asked for go on as `continued` says, and as nothing before has said."""
        if continued == self.continued:
            return
        self.continued, self._shared = list(continued), {}
        for one in self._hyperparameters:
            one.schedule = self._later(one)
        self._bind(self._hyperparameters)

    def _later(self, one: HyperParameter) -> Schedule:
        schedule = one.asked
        for made in self.continued:
            if made.key == one.key:
                schedule = self._shared.setdefault((id(schedule), id(made)), made.after(schedule))
        return schedule

    def _bind(self, hyperparameters: list[HyperParameter]) -> None:
        self._groups = list(self._optimizer.param_groups)
        places = {id(group): k for k, group in enumerate(self._groups)}
        for one in hyperparameters:
            one.position = places[id(one.group)]
        self._hyperparameters = sorted(hyperparameters, key=lambda one: one.position)
        made = [(one.schedule, one.tensor, one.factor, self._compiled) for one in self._hyperparameters]
        if not _same(made, self._evaluated):  # another evaluator would compile anew
            self._evaluator = Evaluator(self._hyperparameters, self.device or torch.device("cpu"), self._compiled)
            self._evaluated, self.step = made, self._evaluator.step
        self._unscheduled = sorted({*range(len(self._groups))} - {one.position for one in hyperparameters})
        self._indexed = [one for one in self._hyperparameters if one.index is not None]
        scheduled = [one.tensor for one in self._hyperparameters if one.tensor is not None]
        self._watched = [*scheduled, *self._evaluator.fields()]
        self._versions: list[int] = []
        self.version += 1

    # -- does the optimizer hold what was written? --------------------------------------------------------------------------

    def intact(self) -> bool:
        """Say whether the groups are those that were bound, and hold what was written last."""
        groups = self._optimizer.param_groups
        if len(groups) != len(self._groups):
            return False
        for one in self._hyperparameters:
            group = groups[one.position]
            if group is not one.group or group.get(one.name) is not one.held:
                return False
        for position in self._unscheduled:
            if groups[position] is not self._groups[position]:
                return False
        return not self._watched or _torch.versions(self._watched) == self._versions

    def seen(self) -> None:
        """Take what the groups hold now as what was written: a graph has written it."""
        self._versions = _torch.versions(self._watched)

    def adopt_tensors(self, count: int) -> None:
        """Take tensors that were put in the place of floats with the same values: somebody has prepared a compilation."""
        floats = [one for one in self._hyperparameters if one.tensor is None and isinstance(one.get(), Tensor)]
        now = self._evaluator.at(count) if floats else []
        made = [one.attach() for one in floats if close(one.get(), now[self._hyperparameters.index(one)])]
        if made:
            unshare_tensors(self._groups, {one.name for one in made})
            self._bind([one.attach() for one in self._hyperparameters])

    def foreign(self, count: int) -> list[str]:
        """Return a text for every number that something else has set to another value than that of step `count`."""
        found = []
        now = None
        for one in self._hyperparameters:
            held = one.get()
            last = one.held if one.index is None or one.held is None else one.held[one.index]
            if held is last and not (isinstance(held, Tensor) and held is one.tensor):
                continue
            if not (isinstance(held, Tensor) or isinstance(last, Tensor)) and held == last:
                continue
            if one.schedule.has_tensor_fields and held is one.tensor:
                continue  # the tensor may have changed
            now = self._evaluator.at(count) if now is None else now
            value = now[self._hyperparameters.index(one)]
            if not close(held, value):
                shown = f"{float(held):g}" if isinstance(held, (float, int, Tensor)) else repr(held)
                found.append(f"{one.key} of group {one.position} to {shown}, where its schedule says {value:g}")
        return found

    # -- groups that move ---------------------------------------------------------------------------------------------------

    def moved(self) -> bool:
        """Say whether the optimizer has other groups, or the same in another order."""
        groups = self._optimizer.param_groups
        return len(groups) != len(self._groups) or any(a is not b for a, b in zip(groups, self._groups, strict=True))

    def follow(self) -> None:
        """Bind the present groups: a group that has moved keeps its schedules, a new one gets what was asked for.

        Raises `OptimizerError`, and changes nothing, if a group unites parameters whose schedules differ.
        """
        groups = self._optimizer.param_groups
        origins = self._origins(groups)
        new = [k for k, origin in enumerate(origins) if origin is None]
        added = self._resolved(new) if new else []
        kept: list[HyperParameter] = []
        taken: set[int] = set()
        for group, origin in zip(groups, origins, strict=True):
            for one in self._bound_to(origin) if origin is not None else ():
                if group is not one.group:
                    first = id(one) not in taken and not any(other is one.group for other in groups)
                    asked = one.asked
                    one = replace(one, group=group, tensor=one.tensor if first else None)
                    one.asked = asked
                    if not first:
                        one.attach()
                    one.plain = one.index is None and one.tensor is None
                    one.factor = _factor(one)
                taken.add(id(one))
                kept.append(one)
        self._hyperparameters = kept
        self._bind(kept + self._taken(added))
        if self._compiled and any(one.tensor is None for one in self._hyperparameters):
            self.make_tensors()

    def _bound_to(self, group: Group) -> list[HyperParameter]:
        return [one for one in self._hyperparameters if one.group is group]

    def _origins(self, groups: list[Group]) -> list[Group | None]:
        """Return for each group the bound group that it is, or comes from; None for a new one."""
        dicts = {id(group): group for group in self._groups}
        lists = {id(group.get("params")): group for group in self._groups}
        homes = {id(p): group for group in self._groups for p in group.get("params", ())}
        found: list[Group | None] = []
        for k, group in enumerate(groups):
            same = dicts.get(id(group)) or lists.get(id(group.get("params")))
            if same is None:
                from_ = list({id(homes[id(p)]): homes[id(p)] for p in group.get("params", ()) if id(p) in homes}.values())
                same = from_[0] if from_ else None
                if any(not self._alike(from_[0], other) for other in from_[1:]):
                    given = Unquoted("parameters of groups whose schedules differ")
                    fix = "keep them in separate groups, or build a new scheduler after scheduler.detach()"
                    raise OptimizerError(f"Scheduler: group {k}", given, "those of one former group", fix)
            found.append(same)
        return found

    def _alike(self, one: Group, other: Group) -> bool:
        ours, theirs = self._bound_to(one), self._bound_to(other)
        return len(ours) == len(theirs) and all(any(a.follows(b) for b in theirs) for a in ours)

    def rebase(self) -> None:
        """Read the factors of the groups anew, because a checkpoint of the optimizer may have brought others."""
        before = [one.factor for one in self._hyperparameters]
        for one in self._hyperparameters:
            one.factor = _factor(one)
        if before != [one.factor for one in self._hyperparameters]:
            self._bind(self._hyperparameters)

    # -- values -----------------------------------------------------------------------------------------------------------

    def at(self, count: int, key: str) -> list[float]:
        """Return what each group holds under `key` at step `count`, computed; without a schedule, what it holds."""
        scheduled = self._under(key)
        values = self._evaluator.at(count)
        found = []
        for group in self._groups:
            one = next((one for one in scheduled if one.group is group), None)
            if one is None:
                found.append(float(HyperParameter(group, 0, key, scheduled[0].schedule).get()))
            else:
                value = values[self._hyperparameters.index(one)]
                found.append(value if one.tensor is None else _torch.float32(value))
        return found

    def curve(self, steps: Tensor, key: str) -> Tensor:
        """Return what each group holds under `key` at `steps`: float32 of shape [groups, steps]."""
        scheduled = self._under(key)
        rows = []
        for group in self._groups:
            one = next((one for one in scheduled if one.group is group), None)
            if one is None:
                held = HyperParameter(group, 0, key, scheduled[0].schedule).get()
                rows.append(torch.full(steps.shape, float(held), dtype=torch.float32))
            else:
                moved = steps.to(self.device or steps.device)
                rows.append(values_of(one.schedule, [one.factor], moved)[0].detach().cpu())
        return torch.stack(rows)

    def _under(self, key: str) -> list[HyperParameter]:
        scheduled = [one for one in self._hyperparameters if one.key == key]
        if not scheduled:
            allowed = ", ".join(sorted({one.key for one in self._hyperparameters}))
            raise OptimizerError("Scheduler.curve(key)", key, allowed, "use a key that has a schedule")
        return scheduled

    def advance(self, count: int) -> bool:
        """Write the values at step `count` into the groups; False, with values missing, if a group is not at its place."""
        groups = self._optimizer.param_groups
        if len(groups) != len(self._groups):
            return False
        first, until, stride, columns, blocks = self._evaluator.present  # nearly every call finds its step in it
        if first <= count < until and stride == 1 and blocks is entered():
            row = count - first
        else:
            columns, row = self._evaluator.block(count)
        for one, column in zip(self._hyperparameters, columns):  # noqa: B905  # a keyword costs a tenth of the call
            group = groups[one.position]
            if group is not one.group:
                return False
            if one.plain:
                group[one.name] = one.held = column[row]
            else:
                one.put(column[row])
                one.held = group[one.name]
        if self._watched:
            self._versions = _torch.versions(self._watched)
        if self._indexed:  # of two numbers in a tuple, the second one replaces the tuple
            for one in self._indexed:
                one.held = one.group[one.name]
        self.written = count
        return True

    def write_traced(self, step: Tensor) -> None:
        """Write the values at `step` by tensor operations alone, as a compiled region needs."""
        self._evaluator.write(step)
        for one in self._hyperparameters:  # something else may have put a number into the group
            if one.index is None and one.group[one.name] is not one.tensor:
                one.group[one.name] = one.tensor

    def restore_tensors(self) -> None:
        """Put the scheduled tensors back into the groups, with the values of the numbers that are there."""
        for one in self._hyperparameters:
            held = one.get()
            if one.tensor is not None and held is not one.tensor:
                one.put(float(held))

    # -- tensors ----------------------------------------------------------------------------------------------------------

    def make_tensors(self) -> None:
        """Turn scheduled floats into 0-d float32 tensors on their parameters' device."""
        for one in self._hyperparameters:
            if one.tensor is None:
                parameters = one.group["params"]
                device = parameters[0].device if parameters else self.device
                one.tensor = torch.tensor(float(one.get()), dtype=torch.float32, device=device)
                one.plain = False
                one.set(one.tensor)
                one.held = one.group[one.name]
        self._compiled = True
        self._bind(self._hyperparameters)

    def tensors(self) -> list[dict[str, Tensor]]:
        """Return the scheduled tensors of each group, by their keys."""
        found: list[dict[str, Tensor]] = [{} for _ in self._groups]
        for one in self._hyperparameters:
            if one.tensor is not None:
                found[one.position][one.key] = one.tensor
        return found

    def hyperparameters(self) -> list[HyperParameter]:
        """Return each scheduled number, by the position of its group."""
        return list(self._hyperparameters)

    def schedules(self) -> list[Schedule]:
        """Return each schedule once."""
        return self._evaluator.schedules()

    def uses(self, tensor: Tensor) -> bool:
        """Say whether `tensor` is a field of a schedule."""
        return any(one is tensor for one in self._evaluator.fields())

    def overlap(self, other: Bindings) -> str | None:
        """Return the first number that both drive, or None."""
        for one in self._hyperparameters:
            for two in other._hyperparameters:
                if one.group is two.group and one.key == two.key:
                    return f"{one.key} of group {one.position}"
        return None

    # -- checkpoints ------------------------------------------------------------------------------------------------------

    def described(self) -> dict[str, list[Any]]:
        """Return the schedule of every key and group as plain types; None stands for a group without one."""
        return described(self._hyperparameters, len(self._groups))

    def reconcile(self, written: dict[str, list[Any]], on_change: str) -> str:
        """Compare the schedules with those `written` in a checkpoint, if it holds any, and act as `on_change` says.

        Returns what differs, if the schedules given now are kept; else "".
        """
        difference = describe_changes(written, self.described()) if written else ""
        if difference and on_change == "strict":
            allowed, fix = "the schedules of the checkpoint", 'pass those, or on_change="new" or "checkpoint"'
            raise CheckpointError("Scheduler.load_state_dict", Unquoted(difference), allowed, fix, limit=len(difference))
        if difference and on_change == "checkpoint":
            made = restored(written, self._hyperparameters, self._groups)
            for one in made:
                check(one.group, one.position, one.key)
            self.continued, before = [], {id(one) for one in self._hyperparameters}
            for one in made:
                one.asked = one.schedule
            self._bind([one if id(one) in before else one.attach() for one in made])
            if self._compiled:
                self.make_tensors()
            return ""
        return difference

    def __str__(self) -> str:
        shown: dict[str, list[Schedule]] = {}
        for one in self._hyperparameters:
            shown.setdefault(one.key, []).append(one.schedule)
        return ", ".join(f"{key}={s[0] if all(one is s[0] for one in s) else s}" for key, s in shown.items())


def _same(made: list[tuple[Any, ...]], before: list[tuple[Any, ...]]) -> bool:
    pairs = zip(made, before, strict=False)
    return len(made) == len(before) and all(a[0] is b[0] and a[1] is b[1] and a[2:] == b[2:] for a, b in pairs)


def _factor(one: HyperParameter) -> float:
    """Return the factor that the group of `one` holds now; the present one if the group does not hold any."""
    if one.source is None or (one.source != one.key and one.source not in one.group):
        return one.factor
    if one.source == one.key:
        one.group.setdefault(f"initial_{one.key}", one.factor)
    return read_factor(one.group, one.key, one.source)
