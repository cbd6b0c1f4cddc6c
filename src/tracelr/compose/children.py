"""The field types for schedules inside a schedule."""

from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias, final

from torch import nn

from tracelr import fields
from tracelr.errors import ScheduleError, ScheduleTypeError
from tracelr.schedule import Schedule


@final
class _Child(fields.Rule):
    allowed = "a tracelr schedule"

    def parse(self, where: str, given: Any) -> Schedule:
        if not isinstance(given, Schedule):
            fix = "wrap the number as Constant(number)" if isinstance(given, float | int) else "pass a schedule"
            raise ScheduleTypeError(where, given, self.allowed, fix)
        return given


@final
class _Children(fields.Rule):
    allowed = "a list of at least one tracelr schedule"

    def parse(self, where: str, given: Any) -> nn.ModuleList:
        listed = list(given) if isinstance(given, nn.ModuleList) else fields.sequence(where, given, self.allowed)
        if not listed:
            raise ScheduleError(where, listed, self.allowed, "pass a schedule")
        return nn.ModuleList(_Child().parse(f"{where}[{k}]", child) for k, child in enumerate(listed))


Child: TypeAlias = Annotated[Schedule, _Child()]
"""A schedule."""

Children: TypeAlias = Annotated[Sequence[Schedule], _Children()]
"""At least one schedule."""
