"""A schedule's fields as plain types, and as text."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from torch import Tensor, nn

_LISTS = (tuple, list, nn.ModuleList)


def plain(value: Any, tensor: Callable[[Tensor], Any]) -> Any:
    """Return a field, or a whole schedule, as numbers, strings, lists and dicts; `tensor` says what a tensor becomes."""
    if isinstance(value, tuple | nn.ModuleList):
        return [plain(part, tensor) for part in value]
    if isinstance(value, nn.Module):
        fields: Any = value._rules  # a schedule: no other module is a field
        return {"schedule": type(value).__name__} | {name: plain(getattr(value, name), tensor) for name in fields}
    return tensor(value) if isinstance(value, Tensor) else getattr(value, "identity", value)  # of a function


def shown(value: Any) -> str:
    """Return a field as `repr` shows it: Python that builds it again."""
    return "[" + ", ".join(map(repr, value)) + "]" if isinstance(value, tuple | nn.ModuleList) else repr(value)


def same(one: Any, other: Any) -> bool:
    """Whether two fields are the same: a number bit by bit, a tensor by its identity, a function by its own `identity`."""
    if type(one) is not type(other):
        return False
    if isinstance(one, _LISTS):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, Tensor) or not isinstance(one, Hashable):
        return one is other
    if isinstance(one, float):
        return bool(one.hex() == other.hex())
    return bool(getattr(one, "identity", one) == getattr(other, "identity", other))


def hashed(value: Any) -> Any:
    """Return what a field adds to a hash: the same for fields that are the same, also after a tensor has moved."""
    if isinstance(value, _LISTS):
        return tuple(map(hashed, value))
    return type(value) if isinstance(value, Tensor) or not isinstance(value, Hashable) else getattr(value, "identity", value)
