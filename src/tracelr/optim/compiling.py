"""What Dynamo needs to compile a function of schedules: a code object of its own, and depth for schedules that nest."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from types import FunctionType
from typing import Any

from tracelr.schedules.base import Schedule

_SHALLOW = 8
_LEVEL = 100  # Python frames that Dynamo uses for each level of nesting: 65 were counted
_functions = count()


def with_own_code(function: Callable[..., Any]) -> FunctionType:
    """Return `function` with a code object and a name that no other function has.

    Dynamo keeps a limited number of compiled variants of a code object, which all functions that share it would use up. It
    remembers by name which numbers have changed: under a shared name, the weight decay of one optimizer would become an
    input of the graph of another.
    """
    code = function.__code__.replace(co_name=f"{function.__name__}_{next(_functions)}")
    return FunctionType(code, function.__globals__, function.__name__, None, function.__closure__)


def is_deep(schedules: Sequence[Schedule]) -> bool:
    """Say whether `schedules` nest so deep that Dynamo needs `deep_recursion` to trace them."""
    return _depth(schedules) > _SHALLOW


@contextmanager
def deep_recursion(schedules: Sequence[Schedule]) -> Iterator[None]:
    """Let Dynamo trace `schedules` at any depth. Under Python's default limit of recursion it reaches about 14 levels."""
    if not is_deep(schedules):
        yield
        return
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(before + _LEVEL * _depth(schedules))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _depth(schedules: Sequence[Schedule]) -> int:
    return max((schedule._depth for schedule in schedules), default=0)
