"""Schedules as a Python function of one step, with the bits of the tensor expression: for steps that jump irregularly.

Each operation of a tensor costs a microsecond, however short the tensor is. Sums, products, quotients and comparisons of
Python floats are those of float64, so only functions such as the sine are left to torch.
"""

from __future__ import annotations

import math
import operator
from bisect import bisect_right
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any, final

import torch
from torch import Tensor, fx

from tracelr.arithmetic import F64
from tracelr.schedules.base import Schedule

_one_at_a_time = Lock()  # the functions that are left to torch share their memory between threads


@final
class OneStep:
    """The values of schedules times factors, float64 before they are rounded to float32.

    `values(step)`, for a step from 0 to 2**53, returns the value of each schedule times each factor, in a list of its own.
    It raises ArithmeticError or ValueError where Python has no quotient. `order` says which list stands where.

    Raises `NotImplementedError` when it is made if a schedule uses another operation than those of the arithmetic.
    """

    def __init__(self, plan: Iterable[tuple[Schedule, Iterable[float]]], order: list[int]) -> None:
        self._given = [(schedule, list(factors)) for schedule, factors in plan], order
        tracer = _Tracer(fx.Graph())
        step = fx.Proxy(tracer.graph.placeholder("step"), tracer)
        made: list[fx.Node] = []
        for schedule, factors in self._given[0]:
            value: Any = schedule.wide(step, F64)  # type: ignore[arg-type]  # a proxy, which records what is done to a tensor
            made += [(value if factor == 1.0 else F64.mul(value, factor)).node for factor in factors]
        tracer.graph.output([[made[k]] for k in order])
        tracer.graph.eliminate_dead_code()
        for node in [*tracer.graph.nodes]:
            if node.op in ("call_function", "call_method"):
                _of_numbers(node)
        self._function = fx.GraphModule(tracer.tables, tracer.graph).forward

    def values(self, step: int) -> list[list[float]]:
        with _one_at_a_time:
            found: list[list[float]] = self._function(step)
            return found

    def __reduce__(self) -> tuple[type[OneStep], tuple[object, ...]]:
        return OneStep, self._given


@final
class _Tracer(fx.proxy.GraphAppendingTracer):
    """Records what a formula does with the proxy of a step. Unlike torch's tracer of modules it changes nothing else."""

    def __init__(self, graph: fx.Graph) -> None:
        super().__init__(graph)
        self.tables: dict[str, Any] = {}

    def create_arg(self, a: Any) -> Any:
        if not isinstance(a, Tensor):
            return super().create_arg(a)
        if a.dim() != 1:
            raise NotImplementedError(f"a table of {a.dim()} dimensions")
        node = self.graph.create_node("get_attr", f"table_{len(self.tables)}")
        self.tables[str(node.target)] = a.tolist()
        return node


def _of_numbers(node: fx.Node) -> None:
    """Let a node of tensors compute the same of one number."""
    target, args, dtype = node.target, node.args, node.kwargs.get("dtype")
    tables = [isinstance(one, fx.Node) and one.op == "get_attr" for one in args]
    if target in _SHAPES:
        node.replace_all_uses_with(args[0])  # type: ignore[arg-type]  # these are methods of a node, which is the first argument
        node.graph.erase_node(node)
    elif target == "to" and args[1] in (torch.float64, torch.int64):
        _become(node, float if args[1] is torch.float64 else int, args[0])
    elif dtype is torch.float64 and target in (torch.full_like, torch.zeros_like):
        _become(node, float, *args[1:])
    elif target is operator.ge and tables[1] and all(user.target == "sum" for user in node.users):
        _become(node, bisect_right, args[1], args[0])  # of milestones: how many are at or below it
    elif any(tables) and target != "index_select":
        raise NotImplementedError(str(target))
    elif target is operator.truediv and not isinstance(args[0], fx.Node):
        with node.graph.inserting_before(node):
            reciprocal = node.graph.call_function(operator.truediv, (1.0, args[1]))
        _become(node, operator.mul, reciprocal, args[0])  # as torch does
    elif target in _OF_TORCH:
        _become(node, _on_one_number(target, *args[1:]), args[0])
    elif target in _OF_NUMBERS and not node.kwargs.keys() - {"min", "max"}:
        _become(node, _OF_NUMBERS[target], *args, **node.kwargs)
    elif target not in _INFIX:
        raise NotImplementedError(str(target))


def _become(node: fx.Node, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    node.op, node.target, node.args, node.kwargs = "call_function", function, args, kwargs


def _on_one_number(function: Any, *more: Any) -> Callable[[float], float]:
    """Return a function of torch as one of a Python float."""
    one = torch.zeros(1, dtype=torch.float64)
    array: Any = one.numpy()
    memory: Any = memoryview(array)  # quicker to read and to write than the tensor

    def value(x: float) -> float:
        memory[0] = x
        function(one, *more, out=one)
        y: float = memory[0]
        return y

    return value


def _where(condition: bool, x: float, y: float) -> float:
    return x if condition else y


def _clamp(x: float, min: float | None = None, max: float | None = None) -> float:
    if min is not None and x < min:
        return min
    if max is not None and x > max:
        return max
    return x


def _rounded(x: float) -> float:
    return math.copysign(float(round(x)), x)


def _floor(x: float) -> float:
    return float(math.floor(x)) if x else x


def _zero(x: float) -> float:
    return type(x)(0)


def _one(x: float) -> float:
    return type(x)(1)


def _item(table: list[float], _: int, k: int) -> float:
    return table[k]


_INFIX = {
    operator.add, operator.sub, operator.mul, operator.truediv, operator.neg, operator.and_, operator.or_,
    operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge,
}  # fmt: skip
_OF_NUMBERS: dict[Any, Callable[..., Any]] = {
    torch.add: operator.add, torch.where: _where, torch.minimum: min, torch.round: _rounded, torch.floor: _floor,
    torch.zeros_like: _zero, torch.ones_like: _one, "clamp": _clamp, "remainder": operator.mod, "abs": abs,
    "index_select": _item,
}  # fmt: skip
_OF_TORCH = {torch.sin, torch.sqrt, torch.exp, torch.exp2, torch.log, torch.log1p, torch.pow}
_SHAPES = {"double", "unsqueeze", "reshape", "sum", getattr}  # one number has no shape, and is the sum of itself
