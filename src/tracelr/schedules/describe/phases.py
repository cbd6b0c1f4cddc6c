"""What a schedule does, in words and as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, final

import torch

from tracelr.arithmetic import LAST_STEP
from tracelr.errors import shortest
from tracelr.schedules.describe.sampling import on_cpu, steps_between
from tracelr.schedules.describe.segments import rounded, to_length

if TYPE_CHECKING:
    from tracelr.schedules.base import Schedule
    from tracelr.schedules.describe.segments import Segment, Segments

_MOST_CURVES = 100_000  # schedules in the curves of all segments, each of which is evaluated by itself
_MOST_VALUES = 2**23  # values of all schedules at all steps that are looked at for the bounds of the phases


@final
class Phase(NamedTuple):
    """What a schedule does from step `first` to the step before `until` (None: without end).

    `start` is the value at `first`. `stop` is the value that the phase leads to at `until`, even if the next phase starts
    with another value; None if there is no end. `shape` says how the value changes, and is empty if it does not. A phase
    that repeats has a `period`, in steps, and no value of it leaves `low` and `high`; in another phase, up to 5000 values
    are looked at. A phase that `turns` may rise and fall; another one does only one of them. `key` is what the schedule
    drives.
    """

    first: int
    until: int | None
    start: float
    stop: float | None
    shape: str
    period: int | None
    low: float
    high: float
    turns: bool = False
    key: str = "lr"

    @property
    def name(self) -> str:
        """Return the kind of phase: "waves", "flat", "decay", "rise", "curve", or "warm-up" of a learning rate."""
        if self.period is not None:
            return "waves"
        if not self.shape:
            return "flat"
        if self.turns or self.stop == self.start:
            return "curve"
        if self.stop is None:
            return "decay" if self.start == self.high else "rise" if self.start == self.low else "curve"
        return "decay" if self.stop < self.start else "rise" if self.first or self.key != "lr" else "warm-up"

    @property
    def steps(self) -> str:
        """Return the steps of the phase, the last one included."""
        return f"{self.first:,} on" if self.until is None else f"{self.first:,} to {self.until - 1:,}"

    @property
    def words(self) -> str:
        """Return what the phase does, as the end of a sentence that begins with its steps."""
        if not self.shape:
            return f"holds {short(self.start)}"
        if self.period is not None:
            between = f"goes between {short(self.low)} and {short(self.high)} {self.shape}"
            return f"{between}; one of them is {self.period:,} steps long"
        if self.stop is None:
            return f"goes on from {short(self.start)} {self.shape}"
        one_way = "rises" if self.stop > self.start else "falls" if self.stop < self.start else "goes"
        verb = "goes" if self.turns else one_way
        return f"{verb} from {short(self.start)} to {short(self.stop)} {self.shape}"


def short(value: float) -> str:
    """Return a value in at most six digits.

    >>> short(float(torch.tensor(3e-4))), short(float(torch.tensor(3e-5)))
    ('0.0003', '3e-5')
    """
    return shortest(value, 6)


@torch.no_grad()
def phases(schedule: Schedule, key: str = "lr") -> list[Phase]:
    """Return the phases of a schedule of `key`, without gaps from step 0 on; the last phase has no end.

    >>> from tracelr import Cosine, Linear
    >>> for phase in phases(Linear(start=0.0, end=1.0, steps=10).then(Cosine(start=1.0, end=0.1, steps=90))):
    ...     print(phase.steps, phase.words, sep=": ")
    0 to 9: rises from 0 to 1 in a straight line
    10 to 99: falls from 1 to 0.1 along half a cosine
    100 on: holds 0.1
    """
    found: list[Phase] = []
    schedule = on_cpu(schedule)
    for now in _phases(schedule, _few(schedule, schedule.segments())):
        before = found[-1] if found else None
        if before is not None and not before.shape and not now.shape and before.start == now.start:
            found[-1] = before._replace(until=now.until, stop=now.stop)
        else:
            found.append(now._replace(key=key))
    return found


def _few(schedule: Schedule, segments: Segments) -> Segments:
    """Return the segments, or one or two if their curves are so many that to evaluate each of them takes too long."""
    size = sum(curve._size for curve in {segment.curve for segment in segments if not segment.flat})
    return segments if size <= _MOST_CURVES else to_length(schedule, f"as a {type(schedule).__name__}")


def _phases(schedule: Schedule, segments: Segments) -> Iterator[Phase]:
    """Yield the phase of each segment. The values of all of them are computed together, which a sum of 1,000 terms needs."""
    starts = schedule(torch.tensor([segment.first for segment in segments], device="cpu")).tolist()
    changing = [segment for segment in segments if not segment.flat]
    most = max(2, min(5000, _MOST_VALUES // (schedule._size * max(len(changing), 1))))
    steps = [_inside(segment, most) for segment in changing]
    seen = iter(torch.split(schedule(torch.cat(steps)), [len(one) for one in steps]) if steps else ())
    stops = _stops(changing)
    for segment, start in zip(segments, starts, strict=True):
        if segment.flat:
            yield Phase(
                segment.first, segment.until, start, None if segment.until is None else start, "", None, start, start
            )
        else:
            yield _phase(segment, start, stops.get((segment.curve, segment.until)), next(seen))


def _phase(segment: Segment, start: float, stop: float | None, seen: torch.Tensor) -> Phase:
    """Return the phase of a segment that may change, from the values at the steps of `_inside`."""
    repeats = segment.period is not None and segment.bounds is not None
    low, high = rounded(segment.bounds) if segment.bounds is not None else (float(seen.min()), float(seen.max()))
    moves = seen.diff()
    falls, rises = bool((moves < 0).any()), bool((moves > 0).any())
    led = start if stop is None else stop
    every = len(seen) == _last(segment) - segment.first + 1
    if every and not falls and not rises and led == start:
        return Phase(segment.first, segment.until, start, stop, "", None, start, start)
    turns = (segment.turns and not every) or (falls and (rises or led > start)) or (rises and led < start)
    period = segment.period if repeats else None
    return Phase(segment.first, segment.until, start, stop, segment.shape, period, low, high, turns)


def _last(segment: Segment) -> int:
    return LAST_STEP if segment.until is None else segment.until - 1


def _inside(segment: Segment, most: int) -> torch.Tensor:
    """Return at most `most` steps of a segment: of its first wave, if it has waves."""
    last = _last(segment)
    return steps_between(segment.first, min(last, segment.first + (segment.period or last)), most)


def _stops(segments: Sequence[Segment]) -> dict[tuple[Schedule, int | None], float]:
    """Return the value that each curve leads to at each `until`. The values of equal curves are computed together."""
    ends: dict[Schedule, list[int]] = {}
    for segment in segments:
        if segment.until is not None:
            ends.setdefault(segment.curve, []).append(segment.until)
    return {
        (curve, end): value
        for curve, at in ends.items()
        for end, value in zip(at, curve(torch.tensor(at, device="cpu")).tolist(), strict=True)
    }


def table(found: Sequence[Phase], most: int = 24) -> str:
    """Return phases as a table, one line for each. If there are more than `most`, the middle is left out.

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
    """Return the cells of a phase in the table: its name, steps, first value, last value, and how the value changes."""
    if phase.period is not None:
        ends = short(phase.low), short(phase.high)
        return phase.name, phase.steps, *ends, f"{phase.shape}; period {phase.period:,}"
    stop = phase.start if not phase.shape else phase.stop
    return phase.name, phase.steps, short(phase.start), "..." if stop is None else short(stop), phase.shape
