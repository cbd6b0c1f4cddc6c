"""How notebooks, terminals and matplotlib show a schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from tracelr.drawing.axes import Curve
from tracelr.drawing.matplotlib import draw, new_axes
from tracelr.drawing.svg import svg
from tracelr.drawing.terminal import terminal
from tracelr.schedules.describe.sampling import curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tracelr.schedules.base import Schedule


class Display:
    """Abstract base of `Schedule`: its pictures."""

    def plot(
        self, axes: Axes | None = None, first: int = 0, last: int | None = None, log: bool = False, name: str = ""
    ) -> Axes:
        """Draw the values from step `first` to `last` (None: 1.1 times the length) on matplotlib axes; return the axes.

        Without `axes` it makes a new figure, with pyplot if that is imported. `log` makes the axis of the values
        logarithmic; `name`, by default that of the schedule, is the label of the line. Raises `ScheduleError` if matplotlib
        is not installed.

        >>> from tracelr import Linear
        >>> Linear(start=0.0, end=1.0, steps=10).plot().get_xlabel()
        'step'
        """
        return draw([self._curve(first, last, name)], new_axes() if axes is None else axes, log)

    def _repr_svg_(self) -> str | None:
        return None if self._has_no_values() else svg([self._curve()], self._schedule.name or repr(self))

    def _repr_html_(self) -> str | None:
        if self._has_no_values():
            return None
        from html import escape

        picture = svg([self._curve()], self._schedule.name, alone=False)
        return f'{picture}<pre style="white-space:pre-wrap">{escape(repr(self))}</pre>\n'

    def __rich__(self) -> Any:
        from rich.text import Text

        return Text(f"{self!r}\n{'' if self._has_no_values() else terminal([self._curve()])}")

    def _curve(self, first: int = 0, last: int | None = None, name: str = "") -> Curve:
        return curve(self._schedule, first, last, name or self._schedule.name)

    @property
    def _schedule(self) -> Schedule:
        return cast("Schedule", self)  # the only class that derives from this one

    def _has_no_values(self) -> bool:
        """Return whether a tensor is on the meta device, and so has no value."""
        return any(tensor.is_meta for tensor in (*self._schedule.buffers(), *self._schedule.parameters()))
