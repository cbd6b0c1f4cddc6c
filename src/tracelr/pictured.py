"""Pictured: how a schedule is shown by a notebook, a terminal and a plot."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Pictured:
    """Abstract base of `Schedule`: its pictures. What draws them is imported when one is wanted."""

    def plot(
        self, axes: Axes | None = None, first: int = 0, last: int | None = None, log: bool = False, name: str = ""
    ) -> Axes:
        """Draw the values from step `first` to `last` (None: a tenth more than it lasts) on matplotlib axes; return them.

        Without `axes` a new figure is made, of pyplot where that is imported. `log` makes the axis of the values
        logarithmic, `name` is the line's label. Raises `ScheduleError` if matplotlib is not installed.

        >>> from tracelr import Linear
        >>> Linear(start=0.0, end=1.0, steps=10).plot().get_xlabel()
        'step'
        """
        from tracelr import plot
        from tracelr.curve import curve

        # mypy: self is a Schedule, the one class that derives this
        return plot.draw([curve(self, first, last, name)], plot.new_axes() if axes is None else axes, log)  # type: ignore[arg-type]

    def _repr_svg_(self) -> str | None:
        if self._shapeless():
            return None
        from tracelr.curve import curve
        from tracelr.svg import svg

        return svg([curve(self)], repr(self))  # type: ignore[arg-type]  # self is a Schedule: it derives this

    def _repr_html_(self) -> str | None:
        if self._shapeless():
            return None
        from tracelr.curve import curve
        from tracelr.svg import svg

        picture = svg([curve(self)], alone=False)  # type: ignore[arg-type]  # self is a Schedule: it derives this
        return f'{picture}<pre style="white-space:pre-wrap">{escape(repr(self))}</pre>\n'

    def __rich__(self) -> Any:
        from rich.text import Text

        from tracelr.curve import curve
        from tracelr.terminal import terminal

        # mypy: as above
        plot = "" if self._shapeless() else terminal([curve(self)])  # type: ignore[arg-type]
        return Text(f"{self!r}\n{plot}")

    def _shapeless(self) -> bool:
        """Whether a tensor has no memory, and so no value."""
        tensors = (*self.buffers(), *self.parameters())  # type: ignore[attr-defined]  # self is a Schedule, a module
        return any(tensor.is_meta for tensor in tensors)
