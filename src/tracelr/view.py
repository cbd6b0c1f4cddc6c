"""View: a schedule as its own formula sees it where some of its fields are schedules."""

from __future__ import annotations

from types import FunctionType
from typing import Any


class View:
    """Abstract base of the view of one class: what is set on it hides the owner's, and its methods see that.

    A formula reads `self.start`, so a field that is a schedule must read as its value at this step. Nothing is copied or
    changed: a view lives for one evaluation, also inside a trace.
    """

    def __init__(self, owner: Any) -> None:
        self.owner = owner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.owner, name)


def view_of(cls: type) -> type[View]:
    """Return the view of a schedule class, with the methods and properties that it defines."""
    own = {n: member for n, member in vars(cls).items() if isinstance(member, FunctionType | property) and n[:2] != "__"}
    return type(cls.__name__, (View,), own)
