"""The names that a spec may use: of schedules and of their parameters."""

from __future__ import annotations

import re
from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any

from tracelr.schedule import REGISTRY, Schedule


def snake(name: str) -> str:
    """Return the name of a class as a spec has it.

    >>> snake("OneCycle"), snake("WSD")
    ('one_cycle', 'wsd')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def kind_of(name: str) -> type[Schedule] | None:
    """Return the schedule class that a spec calls `name`, in any case, with or without underscores."""
    return {_fold(own): kind for own, kind in REGISTRY.items()}.get(_fold(name))


def _fold(name: str) -> str:
    return name.replace("_", "").lower()


def parameters(function: Callable[..., Any]) -> list[Parameter]:
    """Return the parameters of a method, without its first, in order."""
    return list(signature(function).parameters.values())[1:]


def wanted(function: Callable[..., Any]) -> str:
    """Return the names of the parameters, for an error."""
    return ", ".join(one.name for one in parameters(function) if one.kind is not Parameter.VAR_KEYWORD) or "key=value"
