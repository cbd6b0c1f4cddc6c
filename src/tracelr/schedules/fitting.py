"""Fits a schedule to another number of steps."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple, final


@final
class Fit(NamedTuple):
    """Step t of a schedule of `length` steps becomes step t * total / length, rounded to the nearest one."""

    total: int
    length: int

    @property
    def ratio(self) -> Fraction:
        """How many times as long the schedule becomes."""
        return Fraction(self.total, self.length)

    def span(self, origin: int, steps: int) -> int:
        """Return what becomes of `steps` steps that begin at step `origin` of the schedule.

        Both ends are rounded, so that spans in a row cover the total.

        >>> fit = Fit(total=100, length=3)
        >>> fit.span(0, 1), fit.span(1, 1), fit.span(2, 1)
        (33, 34, 33)
        """
        return self._at(origin + steps) - self._at(origin)

    def _at(self, step: int) -> int:
        return (2 * step * self.total + self.length) // (2 * self.length)
