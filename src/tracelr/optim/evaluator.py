"""Evaluator: the values of all scheduled hyper-parameters at a step; a schedule that several of them follow runs once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count
from typing import NamedTuple, final

import torch
from torch import Tensor, nn
from torch.func import functional_call

from tracelr import _torch
from tracelr.arithmetic import F64, LAST_STEP, arithmetic_for, entered
from tracelr.errors import OptimizerError, Unquoted
from tracelr.optim.counter import limited
from tracelr.optim.groups import HyperParameter
from tracelr.optim.one_step import OneStep
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.lambda_ import Lambda

_made = count()
_BLOCK = 2048  # an eager step reads one row of a block: one tensor expression serves 2048 calls
_JUMPS = 1024  # rows of a block for steps that are further apart than 1, as a count of tokens is
_RARE = 64  # steps of a block that irregular jumps use: of fewer, each is evaluated alone
_COMPARED = 2**21  # a look-up compares every step of a block with every milestone: at most this often


@final
class _Block(NamedTuple):
    """A column of values for each hyper-parameter, for the steps `range(first, until, stride)`."""

    first: int
    until: int
    stride: int
    columns: list[list[float]]
    entered: object  # the blocks of `precision` that it was evaluated in


@final
class Evaluator:
    """The values of `hyperparameters` at a step. Eager code takes them from blocks, unless a schedule has tensor fields.

    A factor multiplies the number before its last rounding, so eager code and graphs round the product to the same bits.
    """

    def __init__(self, hyperparameters: list[HyperParameter], device: torch.device, compiled: bool = False) -> None:
        self._device = device
        self.present = _Block(0, 0, 1, [], None)
        self._last = self._jump = 0
        self._one_step: OneStep | None = None  # None until a step jumps irregularly
        self._plain_in: object = None  # the blocks of `precision` in which its values hold
        distinct = {id(one.schedule): one.schedule.to(device) for one in hyperparameters}
        self._plan: list[tuple[Schedule, dict[float, list[Tensor]]]] = []
        columns: list[tuple[int, float]] = []
        for identity, schedule in distinct.items():
            followers = [one for one in hyperparameters if one.schedule is schedule]
            tensors: dict[float, list[Tensor]] = {one.factor: [] for one in followers}
            for one in followers:
                tensors[one.factor] += [] if one.tensor is None else [one.tensor]
            self._plan.append((schedule, tensors))
            columns += [(identity, factor) for factor in tensors]
        self._column = [columns.index((id(one.schedule), one.factor)) for one in hyperparameters]
        self._float = next((one.key for one in hyperparameters if one.tensor is None), None)
        self._given = Unquoted(f"a float {self._float}")  # made here, because Dynamo of torch 2.6 does not trace it
        schedules = self.schedules()
        immutable = all(map(is_immutable, schedules))
        self.step = OpaqueStep(self._plan) if compiled and not self._float and immutable else None
        largest = max([1, *(tensor.numel() for schedule in schedules for tensor in schedule.buffers())])
        self._size = 1 if any(s.has_tensor_fields for s in schedules) else max(min(_BLOCK, _COMPARED // largest), 1)
        self._may_be_plain = immutable and self._size > 1 and device.type == "cpu"  # so that Python can evaluate it

    def schedules(self) -> list[Schedule]:
        """Return each schedule once."""
        return [schedule for schedule, _ in self._plan]

    def fields(self) -> list[Tensor]:
        """Return the tensors that are fields of a schedule: something else may write to them."""
        found: dict[int, Tensor] = {}
        for schedule in self.schedules():
            for one in schedule.modules():
                held = (getattr(one, name) for name in getattr(one, "_rules", ()))
                found |= {id(tensor): tensor for tensor in held if isinstance(tensor, Tensor)}
        return list(found.values())

    def at(self, count: int) -> list[float]:
        """Return the value of each hyper-parameter at step `count`."""
        columns, row = self.block(count)
        return [column[row] for column in columns]

    def block(self, count: int) -> tuple[list[list[float]], int]:
        """Return a column of values for each hyper-parameter, before their rounding to float32, and the row of `count`."""
        first, until, stride, columns, blocks = self.present  # one attribute, because several threads may be here
        if first <= count < until and blocks is entered():
            if stride == 1:
                return columns, count - first
            row, rest = divmod(count - first, stride)
            if not rest:
                return columns, row
        by, self._last = count - self._last, count
        regular, self._jump = by == self._jump, by
        if not regular and self._size <= by * _RARE < LAST_STEP and count < LAST_STEP and (alone := self._alone()):
            try:
                return alone.values(count), 0
            except (ArithmeticError, ValueError):  # such as a quotient by 0 in a branch that is not used
                pass
        count = min(max(count, 0), LAST_STEP)
        if self._size == 1 or not 0 <= by < LAST_STEP:
            first, rows, stride = count, 1, 1
        elif by <= 1:
            first, rows, stride = count // self._size * self._size, self._size, 1
        elif regular:
            first, rows, stride = count, min(_JUMPS, self._size), by
        else:  # jumps of other lengths may end in the same block
            first, rows, stride = count, self._size if by * 3 < self._size else 1, 1
        steps = torch.arange(first, first + rows * stride, stride, device=self._device)
        with torch.no_grad():
            made = [values for schedule, tensors in self._plan for values in _before_rounding(schedule, tensors, steps)]
        columns = [made[k] for k in self._column]
        if self._size > 1:
            self.present = _Block(first, first + rows * stride, stride, columns, entered())
        return columns, (count - first) // stride

    def _alone(self) -> OneStep | None:
        """Return what evaluates single steps here, made when it is asked for first; None where tensors have to."""
        blocks = entered()
        if self._plain_in is blocks:
            return self._one_step
        if not self._may_be_plain or arithmetic_for(self._device) is not F64:
            return None
        try:
            self._one_step = self._one_step or OneStep(self._plan, self._column)
        except NotImplementedError:
            self._may_be_plain = False
            return None
        self._plain_in = blocks
        return self._one_step

    def write(self, step: Tensor) -> None:
        """Write the values at `step` into the scheduled tensors by tensor operations alone."""
        if self._float is not None:
            fix = "call torch.compile through tracelr.fuse, or build the optimizer with lr=torch.tensor(...)"
            raise OptimizerError("Scheduler.step() in a compiled region", self._given, f"a tensor {self._float}", fix)
        for schedule, tensors in self._plan:
            for value, followers in zip(values_of(schedule, tensors, step), tensors.values(), strict=True):
                for tensor in followers:
                    tensor.copy_(value)


def _before_rounding(schedule: Schedule, factors: Iterable[float], steps: Tensor) -> list[list[float]]:
    """Return what `values_of` does before it is rounded to float32: a float of 0.1 stays 0.1."""
    ops = arithmetic_for(steps.device)
    value = schedule.wide(steps.clamp(0, LAST_STEP), ops)
    return [ops.exact(value if factor == 1.0 else ops.mul(value, factor)).tolist() for factor in factors]


def is_immutable(schedule: Schedule) -> bool:
    """Say whether only tensors of the schedule can change: a class of the user, or a function, may hold other state."""
    every = [one for one in schedule.modules() if isinstance(one, Schedule)]
    return all(type(one).__module__.startswith("tracelr.") and not isinstance(one, Lambda) for one in every)


@final
class OpaqueStep:
    """A step of the counter and of immutable schedules as one function that Dynamo does not look into: it adds few guards.

    `function(count, tensors, token, precision)` returns the next count and then the value of each scheduled tensor, in the
    order of `written`. `tensors` are those of the schedules: a compiled step takes each from the dict and the name in
    `places`, because `schedule.to(device)` replaces them. `token` differs from that of every other step. Dynamo guards it,
    and `precision`, the name of the forced arithmetic: if either differs, it compiles again.
    """

    def __init__(self, plan: list[tuple[Schedule, dict[float, list[Tensor]]]]) -> None:
        self.token, self._plan = f"step {next(_made)}", plan
        self.written = [tensor for _, tensors in plan for followers in tensors.values() for tensor in followers]
        module = _Scaled([schedule for schedule, _ in plan], [list(tensors) for _, tensors in plan])
        followed = [len(followers) for _, tensors in plan for followers in tensors.values()]
        names, self.places = [], list[tuple[dict[str, Tensor], str]]()
        for path, one in module.named_modules():
            for name, holder in _torch.tensors_of(one):
                names.append(f"{path}.{name}" if path else name)
                self.places.append((holder, name))

        def values(count: Tensor, tensors: list[Tensor], token: str, precision: str) -> list[Tensor]:
            with torch.no_grad():  # not as a decorator, which Dynamo of torch 2.6 takes off, to look into the function
                step = _computed_once(count + limited(1, count))
                made = functional_call(module, dict(zip(names, tensors, strict=True)), (step,))
                once = [_computed_once(value) for value in made]
            return [step, *(value for value, times in zip(once, followed, strict=True) for _ in range(times))]

        # AOTAutograd traces it. mypy: torch does not type it
        # In a tuple, because Dynamo of torch 2.6 looks into a function that is an attribute.
        self.function: tuple[Callable[..., list[Tensor]]] = (torch.compiler.allow_in_graph(values),)  # type: ignore[no-untyped-call]

    def __reduce__(self) -> tuple[type[OpaqueStep], tuple[object, ...]]:
        return OpaqueStep, (self._plan,)  # a copy has a function of its own


@final
class _Scaled(nn.Module):
    """`values_of` of several schedules as a module, which `functional_call` needs."""

    def __init__(self, schedules: list[Schedule], factors: list[list[float]]) -> None:
        super().__init__()
        self._schedules, self._factors = nn.ModuleList(schedules), factors

    def forward(self, step: Tensor) -> list[Tensor]:
        every = zip(self._schedules, self._factors, strict=True)
        # mypy: a ModuleList holds modules of any kind
        return [value for schedule, factors in every for value in values_of(schedule, factors, step)]  # type: ignore[arg-type]


def _computed_once(value: Tensor) -> Tensor:
    """Return `value` as Inductor lays it out in memory.

    Otherwise it writes the formula out for every reader, and once more for every intermediate number, because the graph
    writes to the counter that they all read: a compilation of 8 groups takes 2 seconds longer.
    """
    return value.as_strided(value.shape, value.stride())


def values_of(schedule: Schedule, factors: Iterable[float], step: Tensor) -> list[Tensor]:
    """Return the schedule times each factor at `step`. The schedule is evaluated once, and each product is rounded once.

    >>> from tracelr import Linear
    >>> values_of(Linear(start=0.0, end=1.0, steps=4), [1.0, 0.5], torch.tensor([1, 2]))
    [tensor([0.2500, 0.5000]), tensor([0.1250, 0.2500])]
    """
    factors = list(factors)
    if factors == [1.0]:
        return [schedule(step)]
    ops = arithmetic_for(step.device)
    value = schedule.wide(step.clamp(0, LAST_STEP), ops)
    return [ops.round(value if factor == 1.0 else ops.mul(value, factor)) for factor in factors]
