"""Reads a Python function of the step that takes branches, as `if step < warmup:` does, as one of tensor operations.

A graph holds no branch. So the source of the function is walked: both sides of a branch on the step are evaluated, and
`torch.where` chooses. Only numbers, comparisons, `if`, `math`, `min`, `max` and calls of such functions are known; numbers
that the function closes over become constants. The result is compared with the function itself before it is used.
"""

from __future__ import annotations

import ast
import inspect
import math
import operator
import textwrap
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from types import FunctionType, MethodType
from typing import Any, final

import torch
from torch import Tensor

from tracelr import _torch

_MOST = 4000  # expressions: each branch on the step evaluates what follows it twice
_DEEPEST = 8  # functions that call functions
_NEAR = 1e-9
_BINARY: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_COMPARED: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_MATH = (
    *("cos", "sin", "tan", "acos", "asin", "atan", "cosh", "sinh", "tanh", "sqrt", "exp", "expm1"),
    *("log", "log2", "log10", "log1p", "floor", "ceil", "trunc", "fabs"),
)
_FAILS = (OSError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RuntimeError, SyntaxError)


@final
class _Unknown(Exception):
    """Raised for what the walk does not know."""


def with_branches(function: Callable[[Any], Any]) -> Callable[[Tensor], Tensor] | None:
    """Return a function of a tensor step with the values of `function`, or None if it cannot be read, or differs."""
    walk = _Walk()
    walked: Any = lambda step: _like(step, walk.call(function, [step], {}))  # noqa: E731  # fx cannot pickle annotations
    try:
        # As a graph: it is evaluated again without a walk, and Dynamo can trace it. It holds for steps of any shape.
        found = _torch.make_fx_of_any(walked)(torch.zeros(7, dtype=torch.float64))
        ends = sorted({number for number in walk.numbers if 0 <= number < 2**40})
        near = {max(end + d, 0) for end in [*ends, sum(ends)] for d in (-2, -1, 0, 1, 2)}
        steps = sorted(near | {*range(64), 1000, 10**6})
        ours = found(torch.tensor(steps, dtype=torch.float64)).tolist()
        theirs = [float(function(step)) for step in steps]
    except (
        _Unknown,
        OSError,
        TypeError,
        ValueError,
        ArithmeticError,
        LookupError,
        AttributeError,
        RuntimeError,
        SyntaxError,
    ):
        return None
    most = _NEAR * max(map(abs, theirs))
    return found if all(abs(one - other) <= most for one, other in zip(ours, theirs, strict=True)) else None


@final
class _Walk:
    """Evaluates functions on tensors. `numbers` are the whole numbers that were met: there a formula may change."""

    def __init__(self) -> None:
        self.left, self.depth, self.numbers = _MOST, 0, set[int]()

    def call(self, function: Any, args: Sequence[Any], named: dict[str, Any]) -> Any:
        """Return the value of a call of a Python function."""
        if isinstance(function, partial):
            return self.call(function.func, [*function.args, *args], {**function.keywords, **named})
        if isinstance(function, MethodType):
            return self.call(function.__func__, [function.__self__, *args], named)
        if not isinstance(function, FunctionType):
            method = vars(type(function)).get("__call__")
            if not isinstance(method, FunctionType):
                raise _Unknown
            return self.call(method, [function, *args], named)
        self.depth += 1
        if self.depth > _DEEPEST:
            raise _Unknown
        bound = inspect.signature(function).bind(*args, **named)
        bound.apply_defaults()
        outer = inspect.getclosurevars(function)
        local = {**outer.builtins, **outer.globals, **outer.nonlocals, **bound.arguments}
        value = self.run(_body(function), local)
        self.depth -= 1
        return value

    def run(self, body: Sequence[ast.stmt], local: dict[str, Any]) -> Any:
        """Return what a list of statements returns."""
        for k, one in enumerate(body):
            if isinstance(one, ast.Return) and one.value is not None:
                return self.value(one.value, local)
            if isinstance(one, ast.If):
                test, rest = self.value(one.test, local), body[k + 1 :]
                if not isinstance(test, Tensor):
                    return self.run([*(one.body if test else one.orelse), *rest], local)
                yes, no = (self.run([*side, *rest], dict(local)) for side in (one.body, one.orelse))
                return _where(test, yes, no)
            if isinstance(one, ast.Assign) and len(one.targets) == 1 and isinstance(one.targets[0], ast.Name):
                local[one.targets[0].id] = self.value(one.value, local)
            elif isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and one.value is not None:
                local[one.target.id] = self.value(one.value, local)
            elif isinstance(one, ast.AugAssign) and isinstance(one.target, ast.Name):
                local[one.target.id] = self.binary(one.op, local[one.target.id], self.value(one.value, local))
            elif not isinstance(one, (ast.Pass, ast.Assert)) and not _is_docstring(one):
                raise _Unknown
        raise _Unknown  # it returns None

    def value(self, node: ast.expr, local: dict[str, Any]) -> Any:
        """Return the value of an expression."""
        self.left -= 1
        method = getattr(self, f"of_{type(node).__name__.lower()}", None)
        if method is None or self.left < 0:
            raise _Unknown
        value = method(node, local)
        if type(value) is int or (type(value) is float and value.is_integer()):
            self.numbers.add(int(value))
        return value

    def of_constant(self, node: ast.Constant, local: dict[str, Any]) -> Any:
        return node.value

    def of_name(self, node: ast.Name, local: dict[str, Any]) -> Any:
        return local[node.id]

    def of_attribute(self, node: ast.Attribute, local: dict[str, Any]) -> Any:
        return getattr(self.value(node.value, local), node.attr)

    def of_subscript(self, node: ast.Subscript, local: dict[str, Any]) -> Any:
        held, at = self.value(node.value, local), self.value(node.slice, local)
        if isinstance(held, Tensor) or isinstance(at, Tensor):
            raise _Unknown
        return held[at]

    def of_binop(self, node: ast.BinOp, local: dict[str, Any]) -> Any:
        return self.binary(node.op, self.value(node.left, local), self.value(node.right, local))

    def binary(self, kind: ast.operator, left: Any, right: Any) -> Any:
        if type(kind) not in _BINARY:
            raise _Unknown
        return _BINARY[type(kind)](left, right)

    def of_unaryop(self, node: ast.UnaryOp, local: dict[str, Any]) -> Any:
        value = self.value(node.operand, local)
        if isinstance(node.op, ast.Not):
            return ~_truth(value) if isinstance(value, Tensor) else not value
        return -value if isinstance(node.op, ast.USub) else value

    def of_compare(self, node: ast.Compare, local: dict[str, Any]) -> Any:
        values = [self.value(one, local) for one in (node.left, *node.comparators)]
        if any(type(kind) not in _COMPARED for kind in node.ops):
            raise _Unknown
        each = [_COMPARED[type(kind)](a, b) for kind, a, b in zip(node.ops, values, values[1:], strict=False)]
        return _joined(each, every=True)

    def of_boolop(self, node: ast.BoolOp, local: dict[str, Any]) -> Any:
        return _joined([self.value(one, local) for one in node.values], every=isinstance(node.op, ast.And))

    def of_ifexp(self, node: ast.IfExp, local: dict[str, Any]) -> Any:
        test = self.value(node.test, local)
        if not isinstance(test, Tensor):
            return self.value(node.body if test else node.orelse, local)
        return _where(test, self.value(node.body, local), self.value(node.orelse, local))

    def of_call(self, node: ast.Call, local: dict[str, Any]) -> Any:
        function = self.value(node.func, local)
        args = [self.value(one, local) for one in node.args]
        named = {str(one.arg): self.value(one.value, local) for one in node.keywords}
        if not any(isinstance(one, Tensor) for one in (*args, *named.values())):
            if function in (max, min, float, int, abs, pow, round, len) or getattr(function, "__module__", "") == "math":
                return function(*args, **named)
        elif function in _TENSORS and not named:
            return _TENSORS[function](*args)
        return self.call(function, args, named)


def _body(function: FunctionType) -> Sequence[ast.stmt]:
    """Return the statements of a function, from its source; those of a lambda are one return."""
    source = textwrap.dedent(inspect.getsource(function)).strip()
    if function.__name__ != "<lambda>":
        made = ast.parse(source).body[0]
        if not isinstance(made, ast.FunctionDef) or made.decorator_list:
            raise _Unknown
        return made.body
    if source.count("lambda") != 1:  # which of them is it?
        raise _Unknown
    return [ast.Return(_lambda(source[source.index("lambda") :]))]


def _lambda(source: str) -> ast.expr:
    """Return the expression of the lambda at the beginning of a text, which may go on after it."""
    for end in range(len(source), len("lambda"), -1):
        with suppress(SyntaxError):
            found = ast.parse(source[:end].strip(), mode="eval").body
            if isinstance(found, ast.Lambda):
                return found.body
    raise _Unknown


def _is_docstring(one: ast.stmt) -> bool:
    return isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)


def _truth(value: Any) -> Any:
    return value if not isinstance(value, Tensor) or value.dtype == torch.bool else value != 0


def _joined(values: list[Any], every: bool) -> Any:
    """Return whether all, or any, of the values hold."""
    if not any(isinstance(one, Tensor) for one in values):
        return all(values) if every else any(values)
    if not all(isinstance(one, bool) or (isinstance(one, Tensor) and one.dtype == torch.bool) for one in values):
        raise _Unknown
    found = values[0]
    for one in values[1:]:
        found = found & one if every else found | one
    return found


def _where(test: Tensor, yes: Any, no: Any) -> Tensor:
    yes, no = (one if isinstance(one, Tensor) else torch.full_like(test, one, dtype=torch.float64) for one in (yes, no))
    return torch.where(_truth(test), yes, no)


def _like(step: Tensor, value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else torch.full_like(step, float(value))


def _extreme(pick: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    def extreme(*values: Any) -> Tensor:
        like = next(one for one in values if isinstance(one, Tensor))
        tensors = [one if isinstance(one, Tensor) else torch.full_like(like, one) for one in values]
        found = tensors[0]
        for one in tensors[1:]:
            found = pick(found, one)
        return found

    return extreme


def _number(value: Tensor) -> Tensor:
    return value.to(torch.float64)


_TENSORS: dict[Any, Callable[..., Any]] = {
    max: _extreme(torch.maximum),
    min: _extreme(torch.minimum),
    abs: torch.abs,
    float: _number,
    int: torch.trunc,
    pow: operator.pow,
    math.pow: operator.pow,
    **{getattr(math, name): getattr(torch, "abs" if name == "fabs" else name) for name in _MATH},
}
"""The functions of Python's numbers, for tensors."""
