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

_EXPRESSIONS: dict[Any, str] = {
    torch.add: "{0} + {1}", operator.add: "{0} + {1}", operator.sub: "{0} - {1}", operator.mul: "{0} * {1}",
    operator.truediv: "{0} / {1}", operator.neg: "-{0}", operator.and_: "{0} and {1}", operator.or_: "{0} or {1}",
    operator.eq: "{0} == {1}", operator.ne: "{0} != {1}", operator.lt: "{0} < {1}", operator.le: "{0} <= {1}",
    operator.gt: "{0} > {1}", operator.ge: "{0} >= {1}", "remainder": "{0} % {1}", "abs": "abs({0})",
    torch.where: "{1} if {0} else {2}", torch.minimum: "{0} if {0} <= {1} else {1}",
    torch.round: "rounded({0})", torch.floor: "floor({0})", torch.full_like: "float({1})",
    torch.zeros_like: "type({0})(0)", torch.ones_like: "type({0})(1)", "index_select": "{0}[{2}]",
    "double": "{0}", "unsqueeze": "{0}", "reshape": "{0}", "sum": "{0}", getattr: "{0}",
}  # fmt: skip
"""What an operation of one number is in Python. Of one number, shapes mean nothing."""
_TYPES = {torch.float64: "float({0})", torch.int64: "int({0})"}
_OF_TORCH = {torch.sin, torch.sqrt, torch.exp, torch.exp2, torch.log, torch.log1p, torch.pow}
_one_at_a_time = Lock()  # the functions of `_OF_TORCH` share their memory between threads


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
            value: Any = schedule.wide(step, F64)  # type: ignore[arg-type]  # a proxy of a tensor
            made += [(value if factor == 1.0 else F64.mul(value, factor)).node for factor in factors]
        tracer.graph.output(tuple(made[k] for k in order))
        tracer.graph.eliminate_dead_code()
        self.values = _compiled(tracer.graph, tracer.tables)

    def __reduce__(self) -> tuple[type[OneStep], tuple[object, ...]]:
        return OneStep, self._given


@final
class _Tracer(fx.proxy.GraphAppendingTracer):
    """Records what a formula does with the proxy of a step. Unlike torch's tracer of modules it changes nothing else."""

    def __init__(self, graph: fx.Graph) -> None:
        super().__init__(graph)
        self.tables: dict[str, Tensor] = {}

    def create_arg(self, a: Any) -> Any:
        if not isinstance(a, Tensor):
            return super().create_arg(a)
        node = self.graph.create_node("get_attr", f"table_{len(self.tables)}")
        self.tables[str(node.target)] = a
        return node


def _compiled(graph: fx.Graph, tables: dict[str, Tensor]) -> Callable[[int], list[list[float]]]:
    """Return the function of a graph. Its text has nothing but numbers and names that are made here."""
    if any(table.dim() != 1 for table in tables.values()):
        raise NotImplementedError
    names: dict[str, Any] = {name: table.tolist() for name, table in tables.items()}
    names |= {"bisect_right": bisect_right, "inf": math.inf, "nan": math.nan, "rounded": _rounded, "floor": _floor}
    written: dict[Any, str] = {}
    lines: list[str] = []
    for node in graph.nodes:
        if node.op == "output":
            lines.append(f"return [{', '.join(f'[{written[value]}]' for value in node.args[0])}]")
            continue
        if node.op in ("placeholder", "get_attr"):
            expression = str(node.target)
        elif node.target in _OF_TORCH:
            name, names["lock"] = f"function_{len(lines)}", _one_at_a_time
            names[name] = _on_one_number(node.target, *node.args[1:])
            expression = f"{name}({_text(node.args[0], written)})"
        else:
            expression = _expression(node, written)
        written[node] = expression if expression.isidentifier() else f"v{len(lines)}"
        if written[node] != expression:
            lines.append(f"{written[node]} = {expression}")
    if "lock" in names:
        lines = ["with lock:", *(f"    {line}" for line in lines)]
    exec("\n    ".join(["def values(step):", *lines]), names)
    function: Callable[[int], list[list[float]]] = names["values"]
    return function


def _expression(node: fx.Node, written: dict[Any, str]) -> str:
    """Return what a node computes, of one number, as Python."""
    target, args = node.target, node.args
    texts = [_text(given, written) for given in args]
    if target == "to":
        return _TYPES[args[1]].format(*texts)  # type: ignore[index]  # a dtype
    if target == "clamp":
        bounds = dict(zip(("min", "max"), texts[1:], strict=False)) | {k: _text(v, written) for k, v in node.kwargs.items()}
        inside = texts[0]
        for sign, bound in (("<", bounds.get("min")), (">", bounds.get("max"))):
            inside = inside if not bound else f"({bound} if {texts[0]} {sign} {bound} else {inside})"
        return inside
    if target is operator.ge and _is_table(args[1]) and all(user.target == "sum" for user in node.users):
        return f"bisect_right({texts[1]}, {texts[0]})"  # of milestones: how many are at or below it
    if target not in _EXPRESSIONS or (any(map(_is_table, args)) and target != "index_select"):
        raise NotImplementedError(str(target))
    if target is operator.truediv and not isinstance(args[0], fx.Node):
        return f"1.0 / {texts[1]} * {texts[0]}"  # as torch does
    if node.kwargs.get("dtype") is torch.float64:  # of zeros_like
        return f"float({_EXPRESSIONS[target].format(*texts)})"
    return _EXPRESSIONS[target].format(*texts)


def _text(given: Any, written: dict[Any, str]) -> str:
    """Return an argument as Python: the name of what a node computes, or a number."""
    if isinstance(given, fx.Node):
        return written[given]
    if type(given) in (int, float):
        return f"({given!r})"
    if given is None or isinstance(given, (torch.dtype, str)):  # of `to`, or the name of an attribute: it is not written
        return ""
    raise NotImplementedError(str(type(given)))


def _is_table(given: Any) -> bool:
    return isinstance(given, fx.Node) and given.op == "get_attr"


def _on_one_number(function: Any, *more: float) -> Callable[[float], float]:
    """Return a function of torch as one of a Python float."""
    one = torch.zeros(1, dtype=torch.float64)
    memory: Any = memoryview(one.numpy())  # type: ignore[arg-type]  # quicker to read and to write than the tensor

    def value(x: float) -> float:
        memory[0] = x
        function(one, *more, out=one)
        y: float = memory[0]
        return y

    return value


def _rounded(x: float) -> float:
    return math.copysign(float(round(x)), x)


def _floor(x: float) -> float:
    return float(math.floor(x)) if x else x
