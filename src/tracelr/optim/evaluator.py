"""Evaluator: the values of all slots at a step, each schedule evaluated once however many slots follow it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count
from typing import final

import torch
from torch import Tensor, nn
from torch.func import functional_call

from tracelr import _torch
from tracelr.arithmetic import LAST_STEP, Arithmetic, arithmetic_for, forced
from tracelr.errors import OptimizerError, Unquoted
from tracelr.optim.hyperparameters import HyperParameter
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.lambda_ import Lambda

_Values = Callable[[Tensor, list[Tensor]], list[Tensor]]
_made = count()
_BLOCK = 2048  # eager steps are served from a block evaluated at once: one tensor expression per 2048 calls
_COMPARED = 2**21  # a look-up compares every step of a block with every milestone: so many of them at once


@final
class Evaluator:
    """What every slot is to hold at a step. Eager floats come from blocks, but a schedule with tensor fields is asked anew.

    A factor multiplies the wide number: the product is rounded once, to the same bits in eager code and in a graph.
    """

    def __init__(self, slots: list[HyperParameter], device: torch.device, opaque: bool = False) -> None:
        self.token = f"rates {next(_made)}"  # what a compiled step is guarded by, in place of every field of every schedule
        self._device = device
        self._first, self._until, self._columns = 0, 0, list[list[float]]()
        self._forced: Arithmetic | None = None
        distinct = {id(slot.schedule): slot.schedule.to(device) for slot in slots}
        self._plan: list[tuple[Schedule, dict[float, list[Tensor]]]] = []
        columns: list[tuple[int, float]] = []
        for name, schedule in distinct.items():
            followers = [slot for slot in slots if slot.schedule is schedule]
            cells: dict[float, list[Tensor]] = {slot.factor: [] for slot in followers}
            for slot in followers:
                cells[slot.factor] += [] if slot.cell is None else [slot.cell]
            self._plan.append((schedule, cells))
            columns += [(name, factor) for factor in cells]
        self._opaque = [_Opaque(one, list(cells)) if opaque and is_immutable(one) else None for one, cells in self._plan]
        self._which = [columns.index((id(slot.schedule), slot.factor)) for slot in slots]
        self._untensored = next((slot.key for slot in slots if slot.cell is None), None)
        every = distinct.values()
        largest = max([1, *(tensor.numel() for schedule in every for tensor in schedule.buffers())])
        self._size = 1 if any(s.has_tensor_fields for s in every) else max(min(_BLOCK, _COMPARED // largest), 1)

    def schedules(self) -> list[Schedule]:
        """Return each schedule once."""
        return [schedule for schedule, _ in self._plan]

    def at(self, count: int) -> list[float]:
        """Return the value of each slot at step `count`."""
        columns, row = self.block(count)
        return [column[row] for column in columns]

    def block(self, count: int) -> tuple[list[list[float]], int]:
        """Return a column of values for each slot, and the row in which step `count` stands."""
        if self._first <= count < self._until and self._forced is forced():  # nearly every call, and all that one costs
            return self._columns, count - self._first
        count = min(max(count, 0), LAST_STEP)
        first = count // self._size * self._size
        steps = torch.arange(first, first + self._size, device=self._device)
        with torch.no_grad():
            made = [v.tolist() for schedule, cells in self._plan for v in scaled(schedule, cells, steps)]
        columns = [made[n] for n in self._which]
        if self._size > 1:
            self._first, self._until, self._columns, self._forced = first, first + self._size, columns, forced()
        return columns, count - first

    def write(self, step: Tensor, opaque: bool = False) -> None:
        """Write the values at `step` into the cells, inside a compiled region: no host value is read.

        With `opaque`, Dynamo sees one call for each immutable schedule in place of its formula.
        """
        guarded = self.token, arithmetic_for(step.device).name  # because they are read and compared here
        if self._untensored is not None or "" in guarded:
            fix = "call torch.compile through tracelr.fuse, or build the optimizer with lr=torch.tensor(...)"
            given, allowed = Unquoted(f"a float {self._untensored}"), f"a tensor {self._untensored}"
            raise OptimizerError("Scheduler.step() in a compiled region", given, allowed, fix)
        for (schedule, cells), call in zip(self._plan, self._opaque, strict=True):
            if opaque and call is not None:
                values = call.function(step, [holder[name] for holder, name in call.places])
            else:
                values = scaled(schedule, cells, step)
            for value, followers in zip(values, cells.values(), strict=True):
                for cell in followers:
                    cell.copy_(value)


def is_immutable(schedule: Schedule) -> bool:
    """Say whether tensors alone can change in the schedule: a class of a user's own, or a function, may hold more."""
    every = [one for one in schedule.modules() if isinstance(one, Schedule)]
    return all(type(one).__module__.startswith("tracelr.") and not isinstance(one, Lambda) for one in every)


@final
class _Opaque:
    """A schedule times its factors as a function that Dynamo does not look into; its tensors are arguments.

    `places` say where the tensors are: a compiled step reads them there, because `schedule.to(device)` replaces them.
    """

    def __init__(self, schedule: Schedule, factors: list[float]) -> None:
        module = _Scaled(schedule, factors)
        names, self.places = [], list[tuple[dict[str, Tensor], str]]()
        for path, one in module.named_modules():
            for name, holder in _torch.tensors_of(one):
                names.append(f"{path}.{name}" if path else name)
                self.places.append((holder, name))

        def values(step: Tensor, tensors: list[Tensor]) -> list[Tensor]:
            made = functional_call(module, dict(zip(names, tensors, strict=True)), (_computed_once(step),))
            return [_computed_once(value) for value in made]

        # AOTAutograd traces it. mypy: torch does not type it
        self.function: _Values = torch.compiler.allow_in_graph(values)  # type: ignore[no-untyped-call]


@final
class _Scaled(nn.Module):
    """`scaled` as a module, which `functional_call` needs."""

    def __init__(self, schedule: Schedule, factors: list[float]) -> None:
        super().__init__()
        self.schedule, self._factors = schedule, factors

    def forward(self, step: Tensor) -> list[Tensor]:
        return scaled(self.schedule, self._factors, step)


def _computed_once(value: Tensor) -> Tensor:
    """Return `value` as Inductor lays it out in memory.

    Else it writes the formula out for every reader, and for every intermediate number once more because the graph writes to
    the counter that they all read: a compilation of 8 groups takes 2 seconds longer.
    """
    return value.as_strided(value.shape, value.stride())


def scaled(schedule: Schedule, factors: Iterable[float], step: Tensor) -> list[Tensor]:
    """Return the schedule times each factor at `step`: evaluated once, each product rounded once.

    >>> from tracelr import Linear
    >>> scaled(Linear(start=0.0, end=1.0, steps=4), [1.0, 0.5], torch.tensor([1, 2]))
    [tensor([0.2500, 0.5000]), tensor([0.1250, 0.2500])]
    """
    factors = list(factors)
    if factors == [1.0]:
        return [schedule(step)]
    ops = arithmetic_for(step.device)
    value = schedule.wide(step.clamp(0, LAST_STEP), ops)
    return [ops.round(value if factor == 1.0 else ops.mul(value, factor)) for factor in factors]
