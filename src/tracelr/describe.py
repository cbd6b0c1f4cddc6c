"""A schedule's fields as plain types, and as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn


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
