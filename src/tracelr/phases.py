"""Phases: what a schedule does, in words and as a table, and how far a picture of it has to go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, final

import torch

from tracelr.pieces import here, pieces
from tracelr.schedule import Schedule
from tracelr.shapes import Piece
from tracelr.wide import LAST_STEP

_NO_END = 1000  # the steps that a picture shows of a schedule without a length


@final
class Phase(NamedTuple):
    """What a schedule does from step `first` up to, but without, the step `until` (None: for ever).

    `start` is the value at `first`, and `stop` the one that it leads to at `until`, also where the next phase jumps
    elsewhere; None if there is no end. `shape` says how it goes there, and is empty where the value stays. What comes again
    has a `period`, in steps, and lies between `low` and `high`, as far as 5000 steps of it show.
    """

    first: int
    until: int | None
    start: float
    stop: float | None
    shape: str
    period: int | None
    low: float
    high: float

    @property
    def name(self) -> str:
        """Return what it is in a word or two."""
        if self.period is not None:
            return "waves"
        if not self.shape:
            return "flat"
        if self.stop is None:
            return "decay" if self.start == self.high else "rise" if self.start == self.low else "curve"
        return "decay" if self.stop < self.start else "rise" if self.first else "warm-up"

    @property
    def steps(self) -> str:
        """Return which steps, the last one included."""
        return f"{self.first:,} on" if self.until is None else f"{self.first:,} to {self.until - 1:,}"

    @property
    def words(self) -> str:
        """Return what it does, as the rest of a sentence that begins with which steps."""
        if not self.shape:
            return f"holds {short(self.start)}"
        if self.period is not None:
            between = f"goes between {short(self.low)} and {short(self.high)} {self.shape}"
            return f"{between}; one of them is {self.period:,} steps long"
        if self.stop is None:
            return f"goes on from {short(self.start)} {self.shape}"
        verb = "rises" if self.stop > self.start else "falls" if self.stop < self.start else "goes"
        return f"{verb} from {short(self.start)} to {short(self.stop)} {self.shape}"


def short(value: float) -> str:
    """Return a value in at most six digits.

    >>> short(float(torch.tensor(3e-4)))
    '0.0003'
    """
    return f"{value:.6g}"


@torch.no_grad()
def phases(schedule: Schedule) -> list[Phase]:
    """Return the phases of `schedule`, without gaps from step 0 on; the last one has no end.

    >>> from tracelr import Cosine, Linear
    >>> for phase in phases(Linear(start=0.0, end=1.0, steps=10).then(Cosine(start=1.0, end=0.1, steps=90))):
    ...     print(phase.steps, phase.words, sep=": ")
    0 to 9: rises from 0 to 1 in a straight line
    10 to 99: falls from 1 to 0.1 along half a cosine
    100 on: holds 0.1
    """
    found: list[Phase] = []
    for piece in pieces(here(schedule)):
        now = _phase(piece)
        before = found[-1] if found else None
        if before is not None and not before.shape and not now.shape and before.start == now.start:
            found[-1] = before._replace(until=now.until, stop=now.stop)
        else:
            found.append(now)
    return found


def _phase(piece: Piece) -> Phase:
    start = float(piece.curve(piece.first))
    if piece.flat:
        return Phase(piece.first, piece.until, start, None if piece.until is None else start, "", None, start, start)
    stop = None if piece.until is None else float(piece.curve(piece.until))
    last = piece.until if piece.until is not None else min(piece.first + (piece.period or _NO_END), LAST_STEP)
    seen = piece.curve(steps_between(piece.first, last, 5000))
    return Phase(piece.first, piece.until, start, stop, piece.shape, piece.period, float(seen.min()), float(seen.max()))


def steps_between(first: int, last: int, most: int) -> torch.Tensor:
    """Return at most `most` steps from `first` to `last`, both included, at even distances: all, if there are so few.

    >>> steps_between(0, 10, 3)
    tensor([ 0,  5, 10])
    """
    count = min(last - first + 1, most)
    if count < 2:
        return torch.tensor([first])
    k = torch.arange(count)
    whole, rest = divmod(last - first, count - 1)
    return first + k * whole + k * rest // (count - 1)


def table(found: Sequence[Phase], most: int = 24) -> str:
    """Return phases as a table, a line each; of more than `most` the middle is left out.

    >>> from tracelr import Linear
    >>> print(table(phases(Linear(start=0.0, end=1.0, steps=10))))
    phase    steps   from  to  how
    warm-up  0 to 9  0     1   in a straight line
    flat     10 on   1     1
    """
    rows = [("phase", "steps", "from", "to", "how"), *map(row, found)]
    if len(found) > most:
        hidden = len(found) - most + 1
        half = 1 + most // 2
        rows[half : half + hidden] = [("...", f"{hidden:,} more", "", "", "")]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in rows)


def row(phase: Phase) -> tuple[str, str, str, str, str]:
    """Return the cells of a phase: its name, steps, first value, the one it leads to, and how."""
    if phase.period is not None:
        ends = short(phase.low), short(phase.high)
        return phase.name, phase.steps, *ends, f"{phase.shape}; period {phase.period:,}"
    stop = phase.start if not phase.shape else phase.stop
    return phase.name, phase.steps, short(phase.start), "..." if stop is None else short(stop), phase.shape


def horizon(schedule: Schedule) -> int:
    """Return the last step that a picture of the whole schedule shows: a tenth more than it lasts, or four of its periods.

    >>> from tracelr import CosineAnnealing, Linear
    >>> horizon(Linear(start=0.0, end=1.0, steps=100)), horizon(CosineAnnealing(start=1.0, end=0.0, period=50))
    (110, 400)
    """
    *_, last = pieces(here(schedule))
    if last.period is not None:
        return min(last.first + 4 * last.period, LAST_STEP)
    if not last.flat:
        return min(max(4 * last.first, last.first + max(_scale(last.curve), _NO_END)), LAST_STEP)
    return min(-(-(last.first or _NO_END) * 11 // 10), LAST_STEP)


def _scale(schedule: Schedule) -> int:
    """Return ten of the longest stretch of steps that a field of the schedule, or of one inside it, names."""
    every = (module for module in schedule.modules() if isinstance(module, Schedule))
    return 10 * max((getattr(one, name, 0) for one in every for name in ("steps", "every")), default=0)
